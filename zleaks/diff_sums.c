/*
 * diff_sums.c - what is compared: leaks, live blocks by stack and size class,
 * totals, of one report or of one moment in it.
 *
 * At a moment the values are those of the last sample until then; leaks are
 * the blocks that the scan at the end found lost, and that were allocated by
 * then.  What hangs on a definite block then is not known: indirect blocks
 * count under their own stacks.
 */
#include "diff.h"

#include "moment.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct change *
changes_get(struct changes *c, int64_t a, int64_t b)
{
	size_t before = c->index.count;
	struct sum *sum = sums_get(&c->index, a, b);
	size_t at = (size_t)(sum - c->index.entry);

	if (at >= c->room) {
		c->room = c->room ? 2 * c->room : 256;
		c->list = text_grow(c->list, c->room, sizeof *c->list);
	}
	c->count = c->index.count;
	if (c->count > before)
		c->list[at] = (struct change){ .was_kind = -1 };
	return &c->list[at];
}

void
changes_free(struct changes *c)
{
	sums_free(&c->index);
	free(c->list);
}

static void
add(struct change *c, int side, int64_t blocks, int64_t bytes)
{
	c->blocks[side] = count_add(c->blocks[side], blocks);
	c->bytes[side] = count_add(c->bytes[side], bytes);
}

/* The last sample of a process that counts for the side; -1: none. */
static int64_t
last_sample(const struct diff *d, int side, const struct process *p)
{
	const struct settings *s = d->settings;
	const struct recording *r = diff_recording(d, side);
	struct span span;
	int64_t sample = -1;

	if (!d->moments)
		return INT64_MAX;
	span = moment_span(r, p, s);
	double t = side == OLD ? span.from : span.to;
	sqlite3_stmt *st = recording_sql(
	    r, "SELECT max(sample) FROM sample WHERE process_id = ?1"
	       " AND t <= ?2");
	sqlite3_bind_int64(st, 1, p->process_id);
	sqlite3_bind_double(st, 2, t);
	if (recording_step(r, st) && column_int(st, 0) != UNKNOWN)
		sample = column_int(st, 0);
	sqlite3_finalize(st);
	return sample;
}

static sqlite3_stmt *
of_process(const struct recording *r, const char *sql, const struct process *p,
	   int64_t sample)
{
	sqlite3_stmt *st = recording_sql(r, sql);

	sqlite3_bind_int64(st, 1, p->process_id);
	sqlite3_bind_int64(st, 2, sample);
	return st;
}

/* ---- stacks ----------------------------------------------------------- */

static struct stacks *
stacks_of(const struct diff *d, int side)
{
	return d->leaks[d->moments ? OLD : side].stacks;
}

static void
add_stacks(struct diff *d, int side, sqlite3_stmt *st)
{
	const struct recording *r = diff_recording(d, side);

	while (recording_step(r, st)) {
		int64_t blocks = column_int(st, 1), bytes = column_int(st, 2);
		if (blocks <= 0 && bytes <= 0)
			continue;
		const struct stack *stack =
		    stacks_get(stacks_of(d, side), column_int(st, 0));
		if (!stack_passes(stack, &d->settings->filter))
			continue;
		struct change *c =
		    changes_get(&d->stack, 0, (int64_t)stack->fingerprint);
		c->fingerprint = stack->fingerprint;
		c->stack = stack;
		add(c, side, blocks, bytes);
	}
	sqlite3_finalize(st);
}

/* ---- size classes ----------------------------------------------------- */

/* Zones that have the same name are one; names are few. */
static const char *
zone_name(const char *name, int64_t *id)
{
	static char **names;
	static size_t count;
	size_t i = 0;

	while (i < count && strcmp(names[i], name) != 0)
		i++;
	if (i == count) {
		names = text_grow(names, ++count, sizeof *names);
		names[i] = text_copy(name);
	}
	*id = (int64_t)i;
	return names[i];
}

static void
add_classes(struct diff *d, int side, const struct process *p, int64_t sample)
{
	const struct recording *r = diff_recording(d, side);
	struct totals *t = &d->totals[side];
	sqlite3_stmt *st = of_process(
	    r,
	    "SELECT z.name, c.size_class, c.live_blocks, c.live_bytes,"
	    " c.total_blocks, c.total_bytes, max(c.sample)"
	    " FROM class_sample c"
	    " LEFT JOIN zone_info z USING (process_id, zone_id)"
	    " WHERE c.process_id = ?1 AND c.sample <= ?2"
	    " GROUP BY c.zone_id, c.size_class",
	    p, sample);

	while (recording_step(r, st)) {
		const char *name = (const char *)sqlite3_column_text(st, 0);
		int64_t zone, size = column_int(st, 1);
		name = zone_name(name ? name : "?", &zone);
		struct change *c = changes_get(&d->size_class, zone, size);
		c->zone = name;
		c->size_class = size;
		add(c, side, column_int(st, 2), column_int(st, 3));
		if (!d->moments)
			continue;
		t->live_blocks = count_add(t->live_blocks, column_int(st, 2));
		t->live_bytes = count_add(t->live_bytes, column_int(st, 3));
		t->allocations = count_add(t->allocations, column_int(st, 4));
		t->bytes_allocated =
		    count_add(t->bytes_allocated, column_int(st, 5));
	}
	sqlite3_finalize(st);
}

/* ---- totals ----------------------------------------------------------- */

static void
add_totals(struct totals *t, const struct process *p)
{
	t->allocations = count_add(t->allocations, p->allocations);
	t->frees = count_add(t->frees, p->frees);
	t->bytes_allocated = count_add(t->bytes_allocated, p->bytes_allocated);
	t->live_blocks = count_add(t->live_blocks, p->live_blocks);
	t->live_bytes = count_add(t->live_bytes, p->live_bytes);
	if (p->peak_bytes > t->peak_bytes)
		t->peak_bytes = p->peak_bytes;
}

void
diff_sum_up(struct diff *d, int side)
{
	const struct recording *r = diff_recording(d, side);
	struct totals *t = &d->totals[side];

	*t = (struct totals){ UNKNOWN, UNKNOWN, UNKNOWN,
			      UNKNOWN, UNKNOWN, UNKNOWN };
	for (size_t i = 0; i < r->process_count; i++) {
		const struct process *p = &r->processes[i];
		int64_t sample = last_sample(d, side, p);
		add_classes(d, side, p, sample);
		if (d->moments)
			add_stacks(
			    d, side,
			    of_process(r,
				       "SELECT stack_id, g.live_blocks,"
				       " g.live_bytes, max(g.sample)"
				       " FROM stack_info i"
				       " JOIN stack_sample g USING (stack_id)"
				       " WHERE i.process_id = ?1"
				       " AND g.sample <= ?2 GROUP BY stack_id",
				       p, sample));
		else
			add_totals(t, p);
	}
	if (!d->moments)
		add_stacks(d, side,
			   recording_sql(r, "SELECT stack_id, live_blocks,"
					    " live_bytes FROM stack_info"));
	else if (t->allocations != UNKNOWN && t->live_blocks != UNKNOWN)
		t->frees = t->allocations - t->live_blocks;
}

/* ---- leaks at two moments --------------------------------------------- */

static void
add_leaks_until(struct diff *d, int side, const struct process *p, double t)
{
	struct leaks *l = &d->leaks[OLD];
	sqlite3_stmt *st = recording_sql(
	    l->recording,
	    "SELECT stack_id, kind, sum(stands_for), sum(stands_for * size)"
	    " FROM block_info WHERE process_id = ?1 AND freed_at IS NULL"
	    " AND (1 << kind) & ?2 AND allocated_at <= ?3"
	    " GROUP BY stack_id, kind");

	sqlite3_bind_int64(st, 1, p->process_id);
	sqlite3_bind_int64(st, 2, l->listed_kinds);
	sqlite3_bind_double(st, 3, t);
	while (recording_step(l->recording, st)) {
		const struct stack *stack =
		    stacks_get(l->stacks, column_int(st, 0));
		int64_t kind = column_int(st, 1);
		if (kind < 0 || kind >= KIND_COUNT ||
		    !stack_passes(stack, &d->settings->filter))
			continue;
		struct suppression *by =
		    suppressions_match(&l->suppressions, stack, (int)kind, 0);
		if (by && !suppression_over(by))
			continue;
		struct change *c =
		    changes_get(&d->leak, kind, (int64_t)stack->fingerprint);
		c->kind = (int)kind;
		c->fingerprint = stack->fingerprint;
		c->stack = stack;
		add(c, side, column_int(st, 2), column_int(st, 3));
	}
	sqlite3_finalize(st);
}

void
diff_leaks_at_moments(struct diff *d)
{
	const struct recording *r = d->leaks[OLD].recording;

	for (size_t i = 0; i < r->process_count; i++) {
		const struct process *p = &r->processes[i];
		struct span span = moment_span(r, p, d->settings);
		add_leaks_until(d, OLD, p, span.from);
		add_leaks_until(d, NEW, p, span.to);
	}
}
