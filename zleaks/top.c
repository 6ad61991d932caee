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

#include "text.h"

#include <stdlib.h>
#include <uthash.h>

/* Zeroed before its fields are set: the hash takes in the padding. */
struct curve_key {
	int64_t process_id, zone_id, size_class;
};

struct share { /* of a stack in a curve */
	struct {
		struct curve *curve;
		int64_t stack_id;
	} key;
	struct top_stack top;
	UT_hash_handle hh;
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

static void
add_block(struct share **shares, struct curve *c, int64_t stack_id,
	  int64_t size)
{
	struct share probe = { .key = { c, stack_id } }, *s;

	HASH_FIND(hh, *shares, &probe.key, sizeof probe.key, s);
	if (!s) {
		s = text_alloc(sizeof *s);
		s->key.curve = c;
		s->key.stack_id = s->top.stack_id = stack_id;
		s->top.gained = UNKNOWN;
		HASH_ADD(hh, *shares, key, sizeof s->key, s);
	}
	s->top.blocks++;
	s->top.bytes = count_add(s->top.bytes, size);
}

static struct share *
share_out(struct growth *g, struct wanted *wanted)
{
	sqlite3_stmt *st = recording_sql(
	    g->recording, "SELECT process_id, zone_id, size_class, stack_id,"
			  " size FROM block_info WHERE freed_at IS NULL");
	int by_zone = g->settings->by == BY_ZONE;
	struct share *shares = NULL;

	while (recording_step(g->recording, st)) {
		struct curve_key key = { column_int(st, 0), column_int(st, 1),
					 by_zone ? UNKNOWN
						 : column_int(st, 2) };
		struct wanted *w;
		HASH_FIND(hh, wanted, &key, sizeof key, w);
		if (w)
			add_block(&shares, w->curve, column_int(st, 3),
				  column_int(st, 4));
	}
	sqlite3_finalize(st);
	return shares;
}

static int
by_curve_and_bytes(const struct share *a, const struct share *b)
{
	if (a->key.curve != b->key.curve)
		return a->key.curve < b->key.curve ? -1 : 1;
	if (a->top.bytes != b->top.bytes)
		return a->top.bytes < b->top.bytes ? 1 : -1;
	return (a->key.stack_id > b->key.stack_id) -
	       (a->key.stack_id < b->key.stack_id);
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
rank(struct growth *g, struct share *shares)
{
	sqlite3_stmt *st = recording_sql(
	    g->recording,
	    "SELECT coalesce((SELECT live_bytes FROM stack_sample"
	    "  WHERE stack_id = ?1 AND sample <= ?2"
	    "  ORDER BY sample DESC LIMIT 1), 0),"
	    " (SELECT live_bytes FROM stack_sample WHERE stack_id = ?1"
	    "  AND sample < ?3 ORDER BY sample DESC LIMIT 1)");
	const struct curve *of = NULL;
	size_t seen = 0;

	for (struct share *s = shares; s; s = s->hh.next) {
		seen = s->key.curve == of ? seen + 1 : 0;
		of = s->key.curve;
		if (seen >= TOP_CANDIDATES)
			continue;
		s->top.gained = stack_gain(g, st, of, s->key.stack_id);
		insert(s->key.curve, &s->top);
	}
	sqlite3_finalize(st);
}

void
growth_top_stacks(struct growth *g)
{
	struct wanted *wanted, *w, *next_w;
	struct share *shares = NULL, *s, *next_s;

	if (g->settings->by == BY_STACK)
		return; /* the curve is the stack */
	wanted = find_growing(g);
	if (wanted)
		shares = share_out(g, wanted);
	HASH_SORT(shares, by_curve_and_bytes);
	if (shares)
		rank(g, shares);
	for (size_t i = 0; i < g->curve_count; i++)
		drop_idle(&g->curves[i]);
	HASH_ITER(hh, wanted, w, next_w)
	{
		HASH_DEL(wanted, w);
		free(w);
	}
	HASH_ITER(hh, shares, s, next_s)
	{
		HASH_DEL(shares, s);
		free(s);
	}
}
