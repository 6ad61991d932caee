/*
 * counters.c - the ledger's sums: by zone and size class, by stack, by
 * thread, by trace point, and the live bytes of the process.
 *
 * Size-class counters are in shards, one per thread and zone, that only their
 * owner writes; a shard of a thread that ended goes to the next one, with what
 * it has counted.  Stack counters are shared by all threads: plain additions
 * while there is one thread, atomic ones afterwards.  Live bytes of the
 * process are exact with one thread; several publish in steps.
 * Called by hook.c.
 */
#include <stdbool.h>

#include "logger/logger.h"

enum { PUBLISH_STEP = 16 << 10 };

/* ---- shards ----------------------------------------------------------- */

static struct zs_shard *
shard_reuse(uint16_t zone, uint32_t thread)
{
	uint64_t off = __atomic_load_n(&zm_session.h->shards, __ATOMIC_ACQUIRE);

	while (off) {
		struct zs_shard *s = (void *)(zm_session.base + off);
		uint32_t none = 0;
		if (s->zone == zone && __atomic_compare_exchange_n(
					   &s->thread, &none, thread, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return s;
		off = s->next;
	}
	return NULL;
}

static struct zs_shard *
shard_new(uint16_t zone, uint32_t thread)
{
	struct zs_header *h = zm_session.h;
	uint64_t off = zm_pool_alloc(sizeof(struct zs_shard));
	struct zs_shard *s = (void *)(zm_session.base + off);

	if (!off)
		return NULL;
	s->zone = zone;
	s->thread = thread;
	s->next = __atomic_load_n(&h->shards, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&h->shards, &s->next, off, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	return s;
}

static struct zs_shard *
shard_of(struct zm_lthread *t, uint16_t zone)
{
	struct zs_shard *s;

	zone = zm_zone_recorded(zone);
	s = t->shard[zone];
	if (!s) {
		/* Thread 0 has no number of its own: all ones. */
		uint32_t who = t->index ? t->index : UINT32_MAX;
		s = shard_reuse(zone, who);
		if (!s)
			s = shard_new(zone, who);
		t->shard[zone] = s;
	}
	return s;
}

void
zm_shards_release(struct zm_lthread *t)
{
	for (unsigned z = 0; z < ZS_ZONES_MAX; z++) {
		if (t->shard[z])
			__atomic_store_n(&t->shard[z]->thread, 0,
					 __ATOMIC_RELEASE);
		t->shard[z] = NULL;
	}
}

/* ---- live bytes ------------------------------------------------------- */

static void
raise(uint64_t *peak, uint64_t value, uint64_t *when)
{
	uint64_t seen = __atomic_load_n(peak, __ATOMIC_RELAXED);

	while (value > seen) {
		if (__atomic_compare_exchange_n(peak, &seen, value, true,
						__ATOMIC_RELAXED,
						__ATOMIC_RELAXED)) {
			if (when)
				*when = zm_session_ms() * 1000000;
			return;
		}
	}
}

static void
publish_shared(struct zm_lthread *t)
{
	struct zs_header *h = zm_session.h;
	int64_t delta = t->pending;

	t->pending -= delta;
	uint64_t live = __atomic_add_fetch(&h->live_bytes, (uint64_t)delta,
					   __ATOMIC_RELAXED);
	if (delta > 0 && (int64_t)live > 0)
		raise(&h->peak_bytes, live, &h->peak_ns);
}

void
zm_count_flush(struct zm_lthread *t)
{
	if (t->pending)
		publish_shared(t);
}

static void
live_changed(struct zm_lthread *t, int64_t delta)
{
	struct zs_header *h = zm_session.h;

	if (zm_multi) {
		if (!h->publish_step)
			h->publish_step = PUBLISH_STEP;
		zm_add_own((uint64_t *)&t->pending, (uint64_t)delta);
		if (t->pending >= PUBLISH_STEP || t->pending <= -PUBLISH_STEP)
			publish_shared(t);
		return;
	}
	zm_add_own(&h->live_bytes, (uint64_t)delta);
	if (h->live_bytes > h->peak_bytes) {
		h->peak_bytes = h->live_bytes;
		h->peak_ns = zm_session_ms() * 1000000;
	}
}

/* ---- an event --------------------------------------------------------- */

static void
stack_alloc(struct zs_stack *s, uint64_t blocks, uint64_t size)
{
	zm_add_shared(&s->allocations, blocks);
	zm_add_shared(&s->bytes, size);
	uint64_t live = s->bytes - s->freed_bytes;
	if (live > s->peak_bytes && (int64_t)live > 0)
		raise(&s->peak_bytes, live, NULL);
}

void
zm_count_alloc(struct zm_lthread *t, uint16_t zone, unsigned cls,
	       uint32_t stack, uint64_t blocks, uint64_t size,
	       enum zt_call call)
{
	struct zs_shard *shard = shard_of(t, zone);

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
	stack_alloc(&zm_session.stacks[stack], blocks, size);
	live_changed(t, (int64_t)size);
}

void
zm_count_free(struct zm_lthread *t, uint16_t zone, unsigned cls, uint32_t stack,
	      uint64_t blocks, uint64_t size, int temporary, int called)
{
	struct zs_shard *shard = shard_of(t, zone);
	struct zs_stack *s = &zm_session.stacks[stack];

	size *= blocks;
	if (shard && cls < ZS_CLASSES) {
		struct zs_counter *c = &shard->class[cls];
		zm_add_own(&c->frees, blocks);
		zm_add_own(&c->freed_bytes, size);
		if (!called)
			zm_add_own(&shard->calls[0], blocks);
	}
	zm_add_own(&t->record->frees, blocks);
	zm_add_shared(&s->frees, blocks);
	zm_add_shared(&s->freed_bytes, size);
	if (temporary)
		zm_add_shared(&s->temporary, blocks);
	live_changed(t, -(int64_t)size);
}

/* The thread may be any, also one that the recorder does not know yet. */
void
zm_count_point(enum zt_point point, unsigned zone)
{
	if (zone != ZS_ZONE_LOGGER && zm_session_active())
		__atomic_fetch_add(&zm_session.h->points[point % ZT_POINTS], 1,
				   __ATOMIC_RELAXED);
}
