/*
 * top.c - which stacks are behind a growing size class or zone.
 *
 * The recorder keeps a curve per class and one per stack, not one per class
 * and stack.  So: of the blocks of the class that are alive at the end, by
 * stack (one pass over block_info for all curves together), those stacks come
 * first that have gained most since the warm-up.  What was freed before the
 * end has left no block: then `growth --by=stack` tells.
 */
#include "growth.h"

#include "sums.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* Zeroed before its fields are set: the hash takes in the padding. */
struct curve_key {
	int64_t process_id, zone_id, size_class;
};

struct wanted { /* a growing curve */
	struct curve_key key;
	struct curve *curve;
	UT_hash_handle hh;
};

static struct wanted *
find_growing(struct growth *g)
{
	struct wanted *all = NULL;

	for (size_t i = 0; i < g->curve_count; i++) {
		struct curve *c = &g->curves[i];
		if (c->trend.verdict != TREND_GROWING)
			continue;
		struct wanted *w = text_alloc(sizeof *w);
		w->key.process_id = c->clock->process->process_id;
		w->key.zone_id = c->zone_id;
		w->key.size_class = c->size_class;
		w->curve = c;
		HASH_ADD(hh, all, key, sizeof w->key, w);
	}
	return all;
}

/* By index of the curve, then by stack. */
static void
share_out(struct growth *g, struct wanted *wanted, struct sums *shares)
{
	sqlite3_stmt *st = recording_sql(
	    g->recording, "SELECT process_id, zone_id, size_class, stack_id,"
			  " size FROM block_info WHERE freed_at IS NULL");
	int by_zone = g->settings->by == BY_ZONE;
	struct curve_key last = { UNKNOWN, UNKNOWN, UNKNOWN };
	struct wanted *w = NULL;

	while (recording_step(g->recording, st)) {
		struct curve_key key = { column_int(st, 0), column_int(st, 1),
					 by_zone ? UNKNOWN
						 : column_int(st, 2) };
		/* neighbours often belong together */
		if (memcmp(&key, &last, sizeof key) != 0)
			HASH_FIND(hh, wanted, &key, sizeof key, w);
		last = key;
		if (!w)
			continue;
		struct sum *sum =
		    sums_get(shares, w->curve - g->curves, column_int(st, 3));
		sum->blocks++;
		sum->bytes = count_add(sum->bytes, column_int(st, 4));
	}
	sqlite3_finalize(st);
}

static int
by_curve_and_bytes(const void *pa, const void *pb)
{
	const struct sum *a = pa, *b = pb;

	if (a->a != b->a)
		return a->a < b->a ? -1 : 1;
	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? 1 : -1;
	return (a->b > b->b) - (a->b < b->b);
}

/* What the stack has gained since the warm-up, in all its size classes. */
static int64_t
stack_gain(struct growth *g, sqlite3_stmt *st, const struct curve *c,
	   int64_t stack_id)
{
	const struct clock *clock = c->clock;
	size_t from = clock->warm_up < clock->count ? clock->warm_up : 0;
	int64_t gain = UNKNOWN;

	sqlite3_bind_int64(st, 1, stack_id);
	sqlite3_bind_int64(st, 2, clock->numbers[from]);
	sqlite3_bind_int64(st, 3, clock->after);
	if (recording_step(g->recording, st) &&
	    sqlite3_column_type(st, 1) != SQLITE_NULL)
		gain =
		    sqlite3_column_int64(st, 1) - sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return gain;
}

/* A stack cannot have gained more in this class than it holds there. */
static int64_t
merit(const struct top_stack *t)
{
	return t->gained == UNKNOWN   ? 0
	       : t->gained < t->bytes ? t->gained
				      : t->bytes;
}

/* Keeps the best TOP_STACKS, in order. */
static void
insert(struct curve *c, const struct top_stack *t)
{
	size_t at = c->top_count;

	while (at > 0 && merit(&c->top[at - 1]) < merit(t))
		at--;
	if (at == TOP_STACKS)
		return;
	if (c->top_count < TOP_STACKS)
		c->top_count++;
	for (size_t i = c->top_count - 1; i > at; i--)
		c->top[i] = c->top[i - 1];
	c->top[at] = *t;
}

/* A stack that gained nothing has no part in the growth, if others have. */
static void
drop_idle(struct curve *c)
{
	while (c->top_count > 1 && merit(&c->top[0]) > 0 &&
	       merit(&c->top[c->top_count - 1]) <= 0)
		c->top_count--;
}

static void
rank(struct growth *g, const struct sums *shares)
{
	sqlite3_stmt *st = recording_sql(
	    g->recording,
	    "SELECT coalesce((SELECT live_bytes FROM stack_sample"
	    "  WHERE stack_id = ?1 AND sample <= ?2"
	    "  ORDER BY sample DESC LIMIT 1), 0),"
	    " (SELECT live_bytes FROM stack_sample WHERE stack_id = ?1"
	    "  AND sample < ?3 ORDER BY sample DESC LIMIT 1)");
	size_t seen = 0;

	for (size_t i = 0; i < shares->count; i++) {
		const struct sum *sum = &shares->entry[i];
		struct curve *c = &g->curves[sum->a];
		seen = i && sum->a == sum[-1].a ? seen + 1 : 0;
		if (seen >= TOP_CANDIDATES)
			continue;
		struct top_stack t = { sum->b, sum->blocks, sum->bytes,
				       stack_gain(g, st, c, sum->b) };
		insert(c, &t);
	}
	sqlite3_finalize(st);
}

void
growth_top_stacks(struct growth *g)
{
	struct wanted *wanted, *w, *next_w;
	struct sums shares = { 0 };

	if (g->settings->by == BY_STACK)
		return; /* the curve is the stack */
	wanted = find_growing(g);
	if (wanted)
		share_out(g, wanted, &shares);
	sums_sort(&shares, by_curve_and_bytes);
	rank(g, &shares);
	for (size_t i = 0; i < g->curve_count; i++)
		drop_idle(&g->curves[i]);
	HASH_ITER(hh, wanted, w, next_w)
	{
		HASH_DEL(wanted, w);
		free(w);
	}
	sums_free(&shares);
}
