/*
 * count.h - what every event counts: plain additions to words that only this
 * thread writes.  blocks: how many the one stands for, see zs_weight.
 *
 * The rest, and how the counters fit together, is in counters.c.  Included by
 * hook.c.
 */
#ifndef ZMALLOC_LOGGER_COUNT_H
#define ZMALLOC_LOGGER_COUNT_H

#include "logger/logger.h"

enum { ZM_PUBLISH_STEP = 16 << 10 };

/* Where a thread finds its tallies, by stack / ZS_TALLIES. */
struct zm_chunks {
	struct zm_chunks *next; /* on the list of unused ones */
	uint32_t room;
	struct zs_chunk *chunk[];
};

struct zs_shard *zm_shard_make(struct zm_lthread *, uint16_t zone);
struct zs_tally *zm_tally_make(struct zm_lthread *, uint32_t stack);
void zm_tally_publish(struct zs_stack *, struct zs_tally *);
void zm_stack_raise(struct zs_stack *);
void zm_live_publish(struct zm_lthread *);

static inline struct zs_shard *
zm_shard_of(struct zm_lthread *t, uint16_t zone)
{
	uint16_t z = zm_zone_recorded(zone);
	struct zs_shard *s = t->shard[z];

	return __builtin_expect(s != NULL, 1) ? s : zm_shard_make(t, z);
}

static inline void
zm_live_changed(struct zm_lthread *t, int64_t delta)
{
	struct zs_header *h = zm_session.h;

	if (zm_multi) {
		zm_add_own((uint64_t *)&t->pending, (uint64_t)delta);
		if (__builtin_expect(t->pending >= ZM_PUBLISH_STEP ||
					 t->pending <= -ZM_PUBLISH_STEP,
				     0))
			zm_live_publish(t);
		return;
	}
	zm_add_own(&h->live_bytes, (uint64_t)delta);
	if (h->live_bytes > h->peak_bytes) {
		h->peak_bytes = h->live_bytes;
		h->peak_ns = (uint64_t)h->now_ms * 1000000;
	}
}

static inline struct zs_tally *
zm_tally(struct zm_lthread *t, uint32_t stack)
{
	uint32_t i = stack / ZS_TALLIES;
	const struct zm_chunks *c = t->chunks;

	if (__builtin_expect(c && i < c->room && c->chunk[i], 1))
		return &c->chunk[i]->tally[stack % ZS_TALLIES];
	return zm_tally_make(t, stack);
}

static inline void
zm_tally_live(struct zs_tally *y, uint32_t stack, int64_t delta)
{
	zm_add_own((uint64_t *)&y->pending, (uint64_t)delta);
	if (__builtin_expect(y->pending > y->high, 0))
		y->high = y->pending;
	if (__builtin_expect(
		y->pending >= ZS_STACK_STEP || y->pending <= -ZS_STACK_STEP, 0))
		zm_tally_publish(&zm_session.stacks[stack], y);
}

static inline void
zm_stack_alloc(struct zm_lthread *t, uint32_t stack, uint64_t blocks,
	       uint64_t size)
{
	struct zs_stack *s = &zm_session.stacks[stack];
	struct zs_tally *y;

	if (t->index == 1) {
		zm_add_own(&s->allocations, blocks);
		zm_add_own(&s->bytes, size);
		int64_t live =
		    (int64_t)(s->bytes - s->freed_bytes + s->published);
		if (live > (int64_t)s->peak_bytes) {
			if (zm_multi)
				zm_stack_raise(s);
			else
				s->peak_bytes = (uint64_t)live;
		}
	} else if ((y = zm_tally(t, stack))) {
		zm_add_own(&y->allocations, blocks);
		zm_add_own(&y->bytes, size);
		zm_tally_live(y, stack, (int64_t)size);
	}
}

static inline void
zm_stack_free(struct zm_lthread *t, uint32_t stack, uint64_t blocks,
	      uint64_t size, int temporary)
{
	struct zs_stack *s = &zm_session.stacks[stack];
	struct zs_tally *y;

	if (t->index == 1) {
		zm_add_own(&s->frees, blocks);
		zm_add_own(&s->freed_bytes, size);
		if (temporary)
			zm_add_own(&s->temporary, blocks);
	} else if ((y = zm_tally(t, stack))) {
		zm_add_own(&y->frees, blocks);
		zm_add_own(&y->freed_bytes, size);
		if (temporary)
			zm_add_own(&y->temporary, blocks);
		zm_tally_live(y, stack, -(int64_t)size);
	}
}

static inline void
zm_count_alloc(struct zm_lthread *t, uint16_t zone, unsigned cls,
	       uint32_t stack, uint64_t blocks, uint64_t size,
	       enum zt_call call)
{
	struct zs_shard *shard = zm_shard_of(t, zone);

	size *= blocks;
	if (shard && cls < ZS_CLASSES) {
		struct zs_counter *c = &shard->class[cls];
		zm_add_own(&c->allocations, blocks);
		zm_add_own(&c->bytes, size);
		if (call != ZT_CALL_malloc)
			zm_add_own(&shard->calls[call % ZT_CALLS], blocks);
	}
	zm_add_own(&t->record->allocations, blocks);
	zm_add_own(&t->record->bytes, size);
	zm_stack_alloc(t, stack, blocks, size);
	zm_live_changed(t, (int64_t)size);
}

static inline void
zm_count_free(struct zm_lthread *t, uint16_t zone, unsigned cls, uint32_t stack,
	      uint64_t blocks, uint64_t size, int temporary, int called)
{
	struct zs_shard *shard = zm_shard_of(t, zone);

	size *= blocks;
	if (shard && cls < ZS_CLASSES) {
		struct zs_counter *c = &shard->class[cls];
		zm_add_own(&c->frees, blocks);
		zm_add_own(&c->freed_bytes, size);
		if (!called)
			zm_add_own(&shard->calls[0], blocks);
	}
	zm_add_own(&t->record->frees, blocks);
	zm_stack_free(t, stack, blocks, size, temporary);
	zm_live_changed(t, -(int64_t)size);
}

#endif
