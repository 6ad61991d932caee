/*
 * growth_sums.c - curves that the recorder does not keep: of zones, the sums of
 * their classes, and of threads, of which only blocks that were alive at the
 * end are known.
 *
 * A thread's curve says at each moment how many of the blocks that were alive
 * at the end it had allocated by then.  It costs the program nothing, and what
 * leaks all along rises all along.  Called by growth.c.
 */
#include "growth.h"

#include "text.h"

#include <stdlib.h>

/* ---- zones: the sum of their classes ---------------------------------- */

/* One change of one class, to be added up with those of its zone. */
static int
by_position(const void *pa, const void *pb)
{
	const struct point *a = pa, *b = pb;

	return (a->at > b->at) - (a->at < b->at);
}

static void
append_changes(struct curve *zone, const struct curve *c)
{
	int64_t blocks = 0, bytes = 0;

	zone->points =
	    text_grow(zone->points, zone->point_count + c->point_count,
		      sizeof *zone->points);
	for (size_t i = 0; i < c->point_count; i++) {
		const struct point *p = &c->points[i];
		zone->points[zone->point_count++] =
		    (struct point){ p->at, p->blocks - blocks,
				    p->bytes - bytes };
		blocks = p->blocks;
		bytes = p->bytes;
	}
}

/* Changes become values, one point per sample. */
static void
sum_changes(struct curve *zone)
{
	size_t n = 0;
	uint64_t blocks = 0, bytes = 0; /* may wrap on nonsense, harmlessly */

	qsort(zone->points, zone->point_count, sizeof *zone->points,
	      by_position);
	for (size_t i = 0; i < zone->point_count; i++) {
		struct point p = zone->points[i];
		blocks += (uint64_t)p.blocks;
		bytes += (uint64_t)p.bytes;
		if (n && zone->points[n - 1].at == p.at)
			n--;
		zone->points[n++] =
		    (struct point){ p.at, whole((int64_t)blocks),
				    whole((int64_t)bytes) };
	}
	zone->point_count = n;
}

/* The curves are sorted by process and zone here. */
void
growth_zones(struct growth *g)
{
	struct curve *classes = g->curves;
	size_t n = g->curve_count;

	g->curves = NULL;
	g->curve_count = g->curve_room = g->growing = 0;
	for (size_t i = 0; i < n;) {
		struct curve zone = { .clock = classes[i].clock,
				      .zone_id = classes[i].zone_id,
				      .size_class = UNKNOWN,
				      .stack_id = UNKNOWN,
				      .thread_id = UNKNOWN };
		zone.zone = classes[i].zone;
		classes[i].zone = NULL;
		for (; i < n && classes[i].clock == zone.clock &&
		       classes[i].zone_id == zone.zone_id;
		     i++) {
			append_changes(&zone, &classes[i]);
			curve_free(&classes[i]);
		}
		sum_changes(&zone);
		growth_keep(g, &zone);
	}
	free(classes);
}

/* ---- threads: what was alive at the end, by when it came --------------- */

/* One block, or several that came between the same samples. */
struct survivor {
	const struct clock *clock;
	int64_t thread_id;
	size_t at;
	int64_t blocks, bytes;
};

struct survivors {
	struct survivor *all;
	size_t count, room;
};

/* The first sample that has seen what came at t. */
static size_t
seen_at(const struct clock *c, double t)
{
	size_t low = 0, high = c->count - 1;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (c->times[middle] < t)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
survivor_add(struct survivors *s, const struct survivor *b)
{
	struct survivor *last = s->count ? &s->all[s->count - 1] : NULL;

	if (last && last->clock == b->clock &&
	    last->thread_id == b->thread_id && last->at == b->at) {
		last->blocks = count_add(last->blocks, b->blocks);
		last->bytes = count_add(last->bytes, b->bytes);
		return;
	}
	if (s->count == s->room) {
		s->room = s->room ? s->room * 2 : 1024;
		s->all = text_grow(s->all, s->room, sizeof *s->all);
	}
	s->all[s->count++] = *b;
}

static int
by_thread_and_time(const void *pa, const void *pb)
{
	const struct survivor *a = pa, *b = pb;

	if (a->clock != b->clock)
		return a->clock < b->clock ? -1 : 1;
	if (a->thread_id != b->thread_id)
		return a->thread_id < b->thread_id ? -1 : 1;
	return (a->at > b->at) - (a->at < b->at);
}

static void
read_survivors(struct growth *g, struct survivors *s)
{
	sqlite3_stmt *st =
	    recording_sql(g->recording, "SELECT process_id, thread_id,"
					" allocated_at, size, stands_for"
					" FROM block_info"
					" WHERE freed_at IS NULL");

	while (recording_step(g->recording, st)) {
		struct survivor b = { .clock =
					  growth_clock(g, column_int(st, 0)),
				      .thread_id = column_int(st, 1) };
		double t = column_real(st, 2);
		if (!b.clock || b.clock->count == 0 || !(t >= 0))
			continue;
		b.at = seen_at(b.clock, t);
		b.blocks = whole(column_int(st, 4));
		double bytes =
		    (double)whole(column_int(st, 3)) * (double)b.blocks;
		b.bytes = bytes < 0x1p62 ? (int64_t)bytes : INT64_MAX;
		survivor_add(s, &b);
	}
	sqlite3_finalize(st);
	if (s->count)
		qsort(s->all, s->count, sizeof *s->all, by_thread_and_time);
}

void
growth_threads(struct growth *g)
{
	struct survivors s = { 0 };

	read_survivors(g, &s);
	for (size_t i = 0; i < s.count;) {
		struct curve c = { .clock = s.all[i].clock,
				   .zone_id = UNKNOWN,
				   .size_class = UNKNOWN,
				   .stack_id = UNKNOWN,
				   .thread_id = s.all[i].thread_id };
		int64_t blocks = 0, bytes = 0;
		for (; i < s.count && s.all[i].clock == c.clock &&
		       s.all[i].thread_id == c.thread_id;
		     i++) {
			blocks = count_add(blocks, s.all[i].blocks);
			bytes = count_add(bytes, s.all[i].bytes);
			curve_point(&c, s.all[i].at, blocks, bytes);
		}
		growth_keep(g, &c);
	}
	free(s.all);
}

char *
growth_thread_name(const struct growth *g, const struct curve *c)
{
	sqlite3_stmt *st = recording_sql(
	    g->recording, "SELECT name, tid FROM thread_info"
			  " WHERE process_id = ? AND thread_id = ?");
	int64_t pid = c->clock->process->pid, tid = UNKNOWN;
	char *name = NULL, *line;

	sqlite3_bind_int64(st, 1, c->clock->process->process_id);
	sqlite3_bind_int64(st, 2, c->thread_id);
	if (recording_step(g->recording, st)) {
		name = column_text(st, 0);
		tid = column_int(st, 1);
	}
	sqlite3_finalize(st);
	char *clean = text_printable(name);
	if (tid != UNKNOWN && tid == pid)
		line = text_copy("main");
	else if (tid != UNKNOWN)
		line = text_format("%s (tid %lld)", clean, (long long)tid);
	else
		line =
		    text_format("thread %lld", (long long)whole(c->thread_id));
	free(clean);
	free(name);
	return line;
}

/* What lives for a while and is replaced leaves survivors too, most of them of
 * late: only what came all along counts. */
void
growth_doubt_survivors(struct trend *t)
{
	if (t->verdict == TREND_GROWING && t->late > 1 / TREND_LATE) {
		t->verdict = TREND_STEADY;
		t->confidence = TREND_LOW;
	} else if (t->confidence > TREND_MEDIUM) {
		t->confidence = TREND_MEDIUM;
	}
}
