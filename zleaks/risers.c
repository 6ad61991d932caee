/*
 * risers.c - see risers.h.  Called by top.c.
 */
#include "risers.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- curves ----------------------------------------------------------- */

static void
add_riser(struct risers *r, int64_t stack_id, const struct curve *c)
{
	struct trend t =
	    trend_judge(c->points, c->point_count, &r->clock->grid);
	const struct point *most = NULL, *last;
	double size = 0;
	int one = 1;

	for (size_t i = 0; i < c->point_count; i++) {
		const struct point *p = &c->points[i];
		if (!most || p->bytes > most->bytes)
			most = p;
		if (p->blocks == 0)
			continue;
		double here = (double)p->bytes / (double)p->blocks;
		one &= size == 0 || fabs(here - size) < 1e-9 * size;
		size = here;
	}
	if (!most || most->blocks == 0)
		return;
	last = &c->points[c->point_count - 1];
	double gained =
	    t.verdict == TREND_TOO_SHORT ? (double)last->bytes : t.held;
	if (gained < TREND_LEAST_BYTES)
		return;
	if (r->count == r->room) {
		r->room = r->room ? r->room * 2 : 64;
		r->all = text_grow(r->all, r->room, sizeof *r->all);
	}
	r->all[r->count++] =
	    (struct riser){ stack_id, gained,
			    (double)most->bytes / (double)most->blocks, one };
}

static int
by_gain(const void *pa, const void *pb)
{
	const struct riser *a = pa, *b = pb;

	if (a->gained != b->gained)
		return a->gained < b->gained ? 1 : -1;
	return (a->stack_id > b->stack_id) - (a->stack_id < b->stack_id);
}

static void
read_risers(struct growth *g, struct risers *r, const struct clock *clock)
{
	sqlite3_stmt *st = recording_sql(
	    g->recording, "SELECT stack_id, sample, s.live_blocks, s.live_bytes"
			  " FROM stack_sample s JOIN stack_info i"
			  " USING (stack_id) WHERE process_id = ?"
			  " ORDER BY stack_id, sample");
	struct curve c = { 0 };
	int64_t stack_id = UNKNOWN;

	risers_free(r);
	r->clock = clock;
	sqlite3_bind_int64(st, 1, clock->process->process_id);
	while (recording_step(g->recording, st)) {
		size_t at = growth_position(clock, column_int(st, 1));
		if (column_int(st, 0) != stack_id) {
			add_riser(r, stack_id, &c);
			stack_id = column_int(st, 0);
			c.point_count = 0;
		}
		if (at != SIZE_MAX)
			curve_point(&c, at, column_int(st, 2),
				    column_int(st, 3));
	}
	add_riser(r, stack_id, &c);
	sqlite3_finalize(st);
	curve_free(&c);
	if (r->count)
		qsort(r->all, r->count, sizeof *r->all, by_gain);
}

void
risers_free(struct risers *r)
{
	free(r->all);
	*r = (struct risers){ 0 };
}

/* Does a block of that size lie in the class?  Classes are 16, 512 or 32 KiB
 * apart, then double. */
static int
of_class(double size, int64_t size_class)
{
	double top = (double)size_class;
	double low = size_class <= 1008	      ? top - 16
		     : size_class <= 32 << 10 ? top - 512
		     : size_class <= 8 << 20  ? top - (32 << 10)
					      : top / 2;
	return size > low && size <= top;
}

static void
take(struct curve *c, const struct riser *r, int known)
{
	struct top_stack t = { .stack_id = r->stack_id,
			       .gained = (int64_t)fmin(r->gained, 0x1p62),
			       .known = known };
	if (known == BY_CURVE && r->gained > c->trend.held)
		t.gained = (int64_t)c->trend.held;
	top_insert(c->top, &c->top_count, &t);
}

/* What the blocks say of those that the curves name as well. */
static void
recall_blocks(struct curve *c, const struct top_stack *old, size_t n)
{
	for (size_t i = 0; i < c->top_count; i++)
		for (size_t k = 0; k < n; k++)
			if (old[k].stack_id == c->top[i].stack_id) {
				c->top[i].blocks = old[k].blocks;
				c->top[i].bytes = old[k].bytes;
			}
}

static void
find_risers(const struct risers *risers, struct curve *c)
{
	double found = 0;
	int zone = c->size_class == UNKNOWN;

	for (size_t i = 0; i < risers->count; i++) {
		const struct riser *r = &risers->all[i];
		if (!zone && !(r->one_size && of_class(r->size, c->size_class)))
			continue;
		take(c, r, BY_CURVE);
		found += r->gained;
	}
	if (zone || found >= c->trend.held / 2)
		return;
	for (size_t i = 0; i < risers->count && c->top_count < TOP_STACKS; i++)
		if (!risers->all[i].one_size)
			take(c, &risers->all[i], BY_CURVE_OF_SIZES);
}

void
risers_of_curve(struct growth *g, struct risers *risers, struct curve *c)
{
	struct top_stack old[TOP_STACKS];
	size_t n = c->top_count;

	if (risers->clock != c->clock)
		read_risers(g, risers, c->clock);
	memcpy(old, c->top, sizeof old);
	c->top_count = 0;
	find_risers(risers, c);
	if (c->top_count) {
		recall_blocks(c, old, n);
	} else {
		memcpy(c->top, old, sizeof old);
		c->top_count = n;
	}
}

/* ---- rounds ----------------------------------------------------------- */

void
risers_of_rounds(struct growth *g, struct rounds *r)
{
	const struct clock *c = r->clock;
	size_t from = 0, to = c->count - 1;
	sqlite3_stmt *st = recording_sql(
	    g->recording,
	    "SELECT stack_id, b1 - b0, y1 - y0 FROM (SELECT stack_id,"
	    " coalesce((SELECT live_blocks FROM stack_sample s WHERE"
	    "  s.stack_id = i.stack_id AND sample <= ?2 ORDER BY sample DESC"
	    "  LIMIT 1), 0) AS b0,"
	    " coalesce((SELECT live_bytes FROM stack_sample s WHERE"
	    "  s.stack_id = i.stack_id AND sample <= ?2 ORDER BY sample DESC"
	    "  LIMIT 1), 0) AS y0,"
	    " (SELECT live_blocks FROM stack_sample s WHERE"
	    "  s.stack_id = i.stack_id AND sample <= ?3 ORDER BY sample DESC"
	    "  LIMIT 1) AS b1,"
	    " (SELECT live_bytes FROM stack_sample s WHERE"
	    "  s.stack_id = i.stack_id AND sample <= ?3 ORDER BY sample DESC"
	    "  LIMIT 1) AS y1 FROM stack_info i WHERE process_id = ?1)"
	    " WHERE y1 > y0 ORDER BY y1 - y0 DESC LIMIT ?4");

	while (from + 1 < c->count && c->times[from] < r->from)
		from++;
	while (to > from && c->times[to] > r->to)
		to--;
	double share = (c->times[to] - c->times[from]) / (r->to - r->from) *
		       (double)r->steps / r->blocks_steps;
	sqlite3_bind_int64(st, 1, c->process->process_id);
	sqlite3_bind_int64(st, 2, c->numbers[from]);
	sqlite3_bind_int64(st, 3, c->numbers[to]);
	sqlite3_bind_int64(st, 4, TOP_STACKS);
	r->by_curves = 1;
	r->top_count = 0;
	while (to > from && recording_step(g->recording, st)) {
		struct top_stack t = { .stack_id = column_int(st, 0) };
		/* as if the samples stood at the marks */
		t.late_blocks = (int64_t)((double)column_int(st, 1) / share);
		t.late_bytes = (int64_t)((double)column_int(st, 2) / share);
		t.gained = t.late_bytes;
		top_insert(r->top, &r->top_count, &t);
	}
	sqlite3_finalize(st);
}
