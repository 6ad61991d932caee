/*
 * top.c - which stacks are behind what grows: a size class, a zone, a thread,
 * or the rounds from mark to mark.
 *
 * The recorder keeps a curve per class and one per stack, not one per class
 * and stack.  So two things are asked of a stack: how much of what it allocated
 * there after the warm-up was alive at the end (one pass over block_info for
 * all), and how much its own curve has risen, saw-teeth left out.  It cannot
 * have gained more than the lesser of the two: a stack that merely holds much
 * has no young blocks, one whose blocks come and go has no rise.
 *
 * What was freed before the end has left no block, nor has a program that still
 * runs: then the stacks' curves alone tell (risers.c).
 */
#include "growth.h"
#include "risers.h"
#include "sums.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* ---- who allocated what is alive -------------------------------------- */

/* Zeroed before its fields are set: the hash takes in the padding. */
struct curve_key {
	int64_t process_id, zone_id, size_class, thread_id;
};

/*
 * Blocks are added up by owner and stack: `more` holds the bytes of late ones,
 * `mark` their number.  The owner is the index of a curve, or -1 less the index
 * of rounds.
 */
static int64_t
rounds_owner(size_t i)
{
	return -1 - (int64_t)i;
}

struct wanted { /* a growing curve */
	struct curve_key key;
	struct curve *curve;
	double from, to; /* behind its warm-up */
	UT_hash_handle hh;
};

static struct wanted *
find_growing(struct growth *g)
{
	struct wanted *all = NULL;

	if (g->settings->by == BY_STACK)
		return NULL; /* the curve is the stack */
	for (size_t i = 0; i < g->curve_count; i++) {
		struct curve *c = &g->curves[i];
		if (c->trend.verdict != TREND_GROWING)
			continue;
		struct wanted *w = text_alloc(sizeof *w);
		w->key = (struct curve_key){ c->clock->process->process_id,
					     c->zone_id, c->size_class,
					     c->thread_id };
		w->curve = c;
		w->from = c->clock->times[c->clock->warm_up];
		w->to = c->clock->times[c->clock->count - 1];
		HASH_ADD(hh, all, key, sizeof w->key, w);
	}
	return all;
}

struct block {
	struct curve_key key;
	int64_t stack_id, blocks, bytes;
	double t;
};

static void
add_block(struct sums *shares, int64_t owner, const struct block *b, int late)
{
	struct sum *s = sums_get(shares, owner, b->stack_id);

	s->blocks = count_add(s->blocks, b->blocks);
	s->bytes = count_add(s->bytes, b->bytes);
	if (late) {
		s->mark = count_add(s->mark, b->blocks);
		s->more = count_add(s->more, b->bytes);
	}
}

static void
add_to_rounds(struct growth *g, struct sums *shares, const struct block *b)
{
	for (size_t i = 0; i < g->rounds_count; i++) {
		struct rounds *r = &g->rounds[i];
		if (r->clock->process->process_id == b->key.process_id &&
		    b->t > r->blocks_from && b->t <= r->to + 1e-3) {
			add_block(shares, rounds_owner(i), b, 1);
			r->blocks_alive = count_add(r->blocks_alive, b->blocks);
		}
	}
}

static void
read_block(const struct growth *g, struct block *b, sqlite3_stmt *st)
{
	enum by by = g->settings->by;

	b->key =
	    (struct curve_key){ column_int(st, 0), UNKNOWN, UNKNOWN, UNKNOWN };
	if (by == BY_THREAD)
		b->key.thread_id = column_int(st, 3);
	else
		b->key.zone_id = column_int(st, 1);
	if (by == BY_CLASS)
		b->key.size_class = column_int(st, 2);
	b->stack_id = column_int(st, 4);
	b->blocks = whole(column_int(st, 6));
	double bytes = (double)whole(column_int(st, 5)) * (double)b->blocks;
	b->bytes = bytes < 0x1p62 ? (int64_t)bytes : INT64_MAX;
	b->t = column_real(st, 7);
}

static void
share_out(struct growth *g, struct wanted *wanted, struct sums *shares)
{
	sqlite3_stmt *st = recording_sql(
	    g->recording, "SELECT process_id, zone_id, size_class, thread_id,"
			  " stack_id, size, stands_for, allocated_at"
			  " FROM block_info WHERE freed_at IS NULL");
	struct wanted *w = NULL;
	struct block b = { 0 };

	while (recording_step(g->recording, st)) {
		struct curve_key last = b.key;
		read_block(g, &b, st);
		/* neighbours often belong together */
		if (memcmp(&last, &b.key, sizeof last) != 0)
			HASH_FIND(hh, wanted, &b.key, sizeof b.key, w);
		if (w)
			add_block(shares, w->curve - g->curves, &b,
				  !(b.t < w->from || b.t > w->to));
		if (g->rounds_count)
			add_to_rounds(g, shares, &b);
	}
	sqlite3_finalize(st);
}

/* ---- how much its curve has risen ------------------------------------- */

/* The stack's curve; points are the caller's to free. */
static struct curve
load_stack(struct growth *g, sqlite3_stmt *st, const struct clock *clock,
	   int64_t stack_id)
{
	struct curve c = { .clock = clock };

	sqlite3_bind_int64(st, 1, stack_id);
	while (recording_step(g->recording, st)) {
		size_t at = growth_position(clock, column_int(st, 0));
		if (at != SIZE_MAX)
			curve_point(&c, at, column_int(st, 1),
				    column_int(st, 2));
	}
	sqlite3_reset(st);
	return c;
}

static int64_t
lesser(int64_t a, double b)
{
	return b < (double)a ? (b > 0 ? (int64_t)b : 0) : a;
}

static int64_t
gained_in_curve(const struct curve *stack, const struct top_stack *t)
{
	const struct clock *clock = stack->clock;
	struct trend trend =
	    trend_judge(stack->points, stack->point_count, &clock->grid);

	if (stack->point_count == 0)
		return UNKNOWN;
	if (trend.verdict == TREND_TOO_SHORT)
		return t->late_bytes;
	return lesser(t->late_bytes, trend.held);
}

static double
bytes_at(const struct curve *c, size_t at)
{
	const struct point *p = trend_at(c->points, c->point_count, at);
	return p ? (double)p->bytes : 0;
}

/* From the last sample before the rounds to the first one behind them. */
static int64_t
gained_in_rounds(const struct curve *stack, const struct rounds *r,
		 const struct top_stack *t)
{
	const struct clock *c = r->clock;
	size_t from = 0, to = c->count - 1;

	while (from + 1 < c->count && c->times[from + 1] <= r->from)
		from++;
	while (to > from && c->times[to - 1] >= r->to)
		to--;
	double before = c->times[from] <= r->from ? bytes_at(stack, from) : 0;
	return lesser(t->late_bytes, bytes_at(stack, to) - before);
}

/* ---- the first ones --------------------------------------------------- */

static int
by_owner_and_late(const void *pa, const void *pb)
{
	const struct sum *a = pa, *b = pb;

	if (a->a != b->a)
		return a->a < b->a ? -1 : 1;
	if (a->more != b->more)
		return a->more < b->more ? 1 : -1;
	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? 1 : -1;
	return (a->b > b->b) - (a->b < b->b);
}

void
top_insert(struct top_stack *top, size_t *count, const struct top_stack *t)
{
	size_t at = *count;

	while (at > 0 && whole(top[at - 1].gained) < whole(t->gained))
		at--;
	if (at == TOP_STACKS)
		return;
	if (*count < TOP_STACKS)
		(*count)++;
	for (size_t i = *count - 1; i > at; i--)
		top[i] = top[i - 1];
	top[at] = *t;
}

/* One that gained next to nothing has no part in the growth, if others have:
 * less than a hundredth of the first. */
static void
drop_idle(struct top_stack *top, size_t *count)
{
	while (*count > 1 && top[0].gained > 0 &&
	       whole(top[*count - 1].gained) <= top[0].gained / 100)
		(*count)--;
}

static void
rank_one(struct growth *g, sqlite3_stmt *st, const struct sum *s)
{
	struct rounds *r = s->a < 0 ? &g->rounds[-1 - s->a] : NULL;
	struct curve *c = r ? NULL : &g->curves[s->a];
	struct curve stack = load_stack(g, st, r ? r->clock : c->clock, s->b);
	struct top_stack t = { .stack_id = s->b,
			       .blocks = s->blocks,
			       .bytes = s->bytes,
			       .late_blocks = s->mark,
			       .late_bytes = s->more };

	t.gained =
	    r ? gained_in_rounds(&stack, r, &t) : gained_in_curve(&stack, &t);
	top_insert(r ? r->top : c->top, r ? &r->top_count : &c->top_count, &t);
	curve_free(&stack);
}

static void
rank(struct growth *g, const struct sums *shares)
{
	sqlite3_stmt *st =
	    recording_sql(g->recording, "SELECT sample, live_blocks, live_bytes"
					" FROM stack_sample WHERE stack_id = ?1"
					" ORDER BY sample");
	size_t seen = 0;

	for (size_t i = 0; i < shares->count; i++) {
		const struct sum *s = &shares->entry[i];
		seen = i && s->a == s[-1].a ? seen + 1 : 0;
		if (seen < TOP_CANDIDATES)
			rank_one(g, st, s);
	}
	sqlite3_finalize(st);
}

/* ---- all of it -------------------------------------------------------- */

/* Where what is alive is nearly what the marks say, they differ by what came
 * at the edges: the marks are right. */
static void
trim_steps(struct rounds *r)
{
	double steps = (double)r->blocks_alive / r->blocks;

	if (r->blocks > 0 &&
	    fabs(steps - r->blocks_steps) < r->blocks_steps / 20)
		r->blocks_steps = steps;
}

static void
finish_rounds(struct growth *g, struct rounds *r)
{
	double known = 0, rise = r->bytes * r->blocks_steps;

	for (size_t i = 0; i < r->top_count; i++)
		known += (double)r->top[i].late_bytes;
	if (rise > 0 && known < rise / 2 && r->to > r->from)
		risers_of_rounds(g, r);
	else
		trim_steps(r);
	if (!(rise > 0))
		r->top_count = 0;
	drop_idle(r->top, &r->top_count);
}

static void
finish_curve(struct growth *g, struct risers *risers, struct curve *c)
{
	double known = 0;

	for (size_t i = 0; i < c->top_count; i++)
		known += (double)whole(c->top[i].gained);
	if (c->trend.verdict == TREND_GROWING && g->settings->by != BY_STACK &&
	    g->settings->by != BY_THREAD && known < c->trend.held / 2)
		risers_of_curve(g, risers, c);
	drop_idle(c->top, &c->top_count);
}

void
growth_top_stacks(struct growth *g)
{
	struct wanted *wanted = find_growing(g), *w, *next;
	struct sums shares = { 0 };
	struct risers risers = { 0 };

	if (wanted || g->rounds_count)
		share_out(g, wanted, &shares);
	sums_sort(&shares, by_owner_and_late);
	rank(g, &shares);
	for (size_t i = 0; i < g->curve_count; i++)
		finish_curve(g, &risers, &g->curves[i]);
	for (size_t i = 0; i < g->rounds_count; i++)
		finish_rounds(g, &g->rounds[i]);
	HASH_ITER(hh, wanted, w, next)
	{
		HASH_DEL(wanted, w);
		free(w);
	}
	sums_free(&shares);
	risers_free(&risers);
}
