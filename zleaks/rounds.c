/*
 * rounds.c - growth from mark to mark: a program that calls
 * zmalloc_record_mark("request") for each request gets "+3.00 blocks per
 * request".  The marks hold what was live, so the mean is exact when one thread
 * allocates, and the standard deviation says how regular it is.
 *
 * The first fifth of the marks is warm-up, as it is with curves.  Called by
 * growth.c.
 */
#include "growth.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CLOCK_STEP 0.001 /* of the times of blocks */

enum {
	ROUNDS_LEAST = 3, /* marks */
	ROUNDS_MAX = 20,  /* labels of a report */
	MARKS_MAX = 1 << 20
};

struct marks {
	double *times;
	struct point *points; /* one per mark, of live blocks and bytes */
	size_t count, room;
};

static void
add_mark(struct marks *m, double t, int64_t blocks, int64_t bytes)
{
	if (m->count == m->room) {
		m->room = m->room ? m->room * 2 : 64;
		m->times = text_grow(m->times, m->room, sizeof *m->times);
		m->points = text_grow(m->points, m->room, sizeof *m->points);
	}
	m->times[m->count] = t;
	m->points[m->count] = (struct point){ m->count, blocks, bytes };
	m->count++;
}

/* Standard deviation of the steps from mark `from` on. */
static double
deviation(const struct marks *m, size_t from, int of_bytes, double mean)
{
	double squares = 0;
	size_t n = m->count - 1 - from;

	for (size_t i = from; i + 1 < m->count; i++) {
		const struct point *p = &m->points[i];
		double d = of_bytes ? (double)p[1].bytes - (double)p->bytes
				    : (double)p[1].blocks - (double)p->blocks;
		squares += (d - mean) * (d - mean);
	}
	return n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
}

static void
place_blocks(struct rounds *r, const struct marks *m)
{
	size_t first = m->count;

	r->blocks_from = r->from - CLOCK_STEP;
	while (first > 0 && m->times[first - 1] > r->blocks_from)
		first--;
	r->blocks_steps = (double)(m->count - first);
}

static void
finish(struct growth *g, const struct clock *clock, const char *label,
       const struct marks *m)
{
	static struct trend_grid grid; /* large */

	if (m->count < ROUNDS_LEAST)
		return;
	size_t from = m->count / 5;
	const struct point *a = &m->points[from], *b = &m->points[m->count - 1];
	struct rounds r = { .clock = clock,
			    .label = text_printable(label),
			    .marks = m->count,
			    .steps = m->count - 1 - from,
			    .from = m->times[from],
			    .to = m->times[m->count - 1] };
	r.blocks = ((double)b->blocks - (double)a->blocks) / (double)r.steps;
	r.bytes = ((double)b->bytes - (double)a->bytes) / (double)r.steps;
	r.blocks_sd = deviation(m, from, 0, r.blocks);
	r.bytes_sd = deviation(m, from, 1, r.bytes);
	place_blocks(&r, m);
	trend_grid(&grid, m->times, m->count);
	r.trend = trend_judge(m->points, m->count, &grid);
	g->rounds =
	    text_grow(g->rounds, g->rounds_count + 1, sizeof *g->rounds);
	g->rounds[g->rounds_count++] = r;
}

/* Those that grow first, then by what they gain in all. */
static int
compare(const void *pa, const void *pb)
{
	const struct rounds *a = pa, *b = pb;
	int ga = a->trend.verdict == TREND_GROWING;
	int gb = b->trend.verdict == TREND_GROWING;
	double wa = fabs(a->bytes) * (double)a->steps;
	double wb = fabs(b->bytes) * (double)b->steps;

	if (a->clock != b->clock)
		return a->clock < b->clock ? -1 : 1;
	if (ga != gb)
		return gb - ga;
	if (wa != wb)
		return wa < wb ? 1 : -1;
	return strcmp(a->label, b->label);
}

/* Reports of before marks held totals have no such columns. */
static int
marks_have_totals(const struct recording *r)
{
	sqlite3_stmt *st =
	    recording_sql(r, "SELECT 1 FROM pragma_table_info('mark_info')"
			     " WHERE name = 'live_blocks'");
	int have = recording_step(r, st);

	sqlite3_finalize(st);
	return have;
}

/* Marks that --from and --to leave. */
static int
within(const struct clock *c, double t)
{
	return c->count && t >= c->times[0] && t <= c->times[c->count - 1];
}

static void
read_marks(struct growth *g)
{
	sqlite3_stmt *st = recording_sql(
	    g->recording, "SELECT process_id, t, label, live_blocks, live_bytes"
			  " FROM mark_info WHERE live_blocks IS NOT NULL"
			  " ORDER BY process_id, label, t");
	const struct clock *clock = NULL;
	struct marks m = { 0 };
	char *label = NULL;

	while (recording_step(g->recording, st)) {
		const struct clock *c = growth_clock(g, column_int(st, 0));
		const char *s = (const char *)sqlite3_column_text(st, 2);
		double t = column_real(st, 1);
		if (!c || !s || !within(c, t) || m.count == MARKS_MAX)
			continue;
		if (c != clock || !label || strcmp(label, s) != 0) {
			finish(g, clock, label, &m);
			m.count = 0;
			free(label);
			label = text_copy(s);
			clock = c;
		}
		add_mark(&m, t, whole(column_int(st, 3)),
			 whole(column_int(st, 4)));
	}
	finish(g, clock, label, &m);
	free(label);
	free(m.times);
	free(m.points);
	sqlite3_finalize(st);
}

void
growth_rounds(struct growth *g)
{
	if (!marks_have_totals(g->recording))
		return;
	read_marks(g);
	if (g->rounds_count)
		qsort(g->rounds, g->rounds_count, sizeof *g->rounds, compare);
	while (g->rounds_count > ROUNDS_MAX)
		free(g->rounds[--g->rounds_count].label);
}

void
growth_rounds_free(struct growth *g)
{
	for (size_t i = 0; i < g->rounds_count; i++)
		free(g->rounds[i].label);
	free(g->rounds);
}
