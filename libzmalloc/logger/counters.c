/*
 * counters.c - the ledger's sums: by zone and size class, by stack, by
 * thread, by trace point, and the live bytes of the process.
 *
 * Size-class counters are in shards, one per thread and zone, that only their
 * owner writes; a shard of a thread that ended goes to the next one, with what
 * it has counted.  Stack counters likewise: the first thread's are the stack
 * table, all others have tallies of their own.  Live bytes of the process are
 * exact with one thread; several publish in steps.  What every event does is
 * in count.h; here is the rest.  Called by hook.c.
 */
#include <stdbool.h>
#include <string.h>

#include "logger/count.h"
#include "logger/logger.h"

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

struct zs_shard *
zm_shard_make(struct zm_lthread *t, uint16_t zone)
{
	/* Thread 0 has no number of its own: all ones. */
	uint32_t who = t->index ? t->index : UINT32_MAX;
	struct zs_shard *s = shard_reuse(zone, who);

	if (!s)
		s = shard_new(zone, who);
	t->shard[zone] = s;
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

/* ---- tallies ---------------------------------------------------------- */

/*
 * Where a thread finds its chunks, by stack / ZS_TALLIES.  A signal handler of
 * the same thread may count while one grows: so it is replaced by a
 * compare-and-swap, an old one is kept, and the worst is that two chunks are
 * for the same stacks.
 */
static struct zm_lock unused_lock = ZM_LOCK_INIT(ZM_RANK_LOGGER);
static struct zm_chunks *unused;

/* Takes over the tallies of a thread that ended. */
static struct zm_chunks *
chunks_reuse(void)
{
	zm_lock(&unused_lock);
	struct zm_chunks *c = unused;
	if (c)
		unused = c->next;
	zm_unlock(&unused_lock);
	return c;
}

static struct zm_chunks *
chunks_grow(struct zm_lthread *t, struct zm_chunks *old, uint32_t want)
{
	uint32_t room = old ? old->room : 64;

	while (room <= want)
		room *= 2;
	size_t bytes = sizeof *old + room * sizeof old->chunk[0];
	struct zm_chunks *new = zm_logger_alloc(bytes);
	if (!new)
		return NULL;
	memset(new, 0, bytes);
	if (old)
		memcpy(new->chunk, old->chunk,
		       old->room * sizeof old->chunk[0]);
	new->room = room;
	if (__atomic_compare_exchange_n(&t->chunks, &old, new, false,
					__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return new;
	zm_logger_free(new);
	return t->chunks;
}

static struct zs_chunk *
chunk_new(uint32_t first)
{
	struct zs_header *h = zm_session.h;
	uint64_t off = zm_pool_alloc(sizeof(struct zs_chunk));
	struct zs_chunk *c = (void *)(zm_session.base + off);

	if (!off)
		return NULL;
	c->first = first;
	c->next = __atomic_load_n(&h->chunks, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&h->chunks, &c->next, off, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	return c;
}

struct zs_tally *
zm_tally_make(struct zm_lthread *t, uint32_t stack)
{
	uint32_t i = stack / ZS_TALLIES;
	struct zm_chunks *c = t->chunks;

	if (!c)
		c = t->chunks = chunks_reuse();
	if (!c || c->room <= i)
		c = chunks_grow(t, c, i);
	if (!c || c->room <= i)
		return NULL;
	if (!c->chunk[i])
		c->chunk[i] = chunk_new(i * ZS_TALLIES);
	struct zs_chunk *chunk = c->chunk[i];
	return chunk ? &chunk->tally[stack % ZS_TALLIES] : NULL;
}

void
zm_tallies_release(struct zm_lthread *t)
{
	struct zm_chunks *c = t->chunks;

	t->chunks = NULL;
	if (!c)
		return;
	zm_lock(&unused_lock);
	c->next = unused;
	unused = c;
	zm_unlock(&unused_lock);
}

void
zm_tallies_reset(void)
{
	zm_lock_init(&unused_lock, ZM_RANK_LOGGER);
	unused = NULL;
}

/* ---- live bytes ------------------------------------------------------- */

static void
raise(uint64_t *peak, int64_t value, uint64_t *when)
{
	uint64_t seen = __atomic_load_n(peak, __ATOMIC_RELAXED);

	while (value > (int64_t)seen) {
		if (__atomic_compare_exchange_n(peak, &seen, (uint64_t)value,
						true, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED)) {
			if (when)
				*when =
				    (uint64_t)zm_session.h->now_ms * 1000000;
			return;
		}
	}
}

/* Of all threads, as far as the others have published. */
static int64_t
stack_live(const struct zs_stack *s)
{
	return (int64_t)(__atomic_load_n(&s->bytes, __ATOMIC_RELAXED) -
			 __atomic_load_n(&s->freed_bytes, __ATOMIC_RELAXED) +
			 __atomic_load_n(&s->published, __ATOMIC_RELAXED));
}

void
zm_stack_raise(struct zs_stack *s)
{
	raise(&s->peak_bytes, stack_live(s), NULL);
}

void
zm_tally_publish(struct zs_stack *s, struct zs_tally *y)
{
	int64_t delta = y->pending;

	zm_add_own((uint64_t *)&y->pending, (uint64_t)-delta);
	__atomic_fetch_add(&s->published, (uint64_t)delta, __ATOMIC_RELAXED);
	if (delta > 0)
		zm_stack_raise(s);
}

static void
publish_shared(struct zm_lthread *t)
{
	struct zs_header *h = zm_session.h;
	int64_t delta = t->pending;

	zm_add_own((uint64_t *)&t->pending, (uint64_t)-delta);
	uint64_t live = __atomic_add_fetch(&h->live_bytes, (uint64_t)delta,
					   __ATOMIC_RELAXED);
	if (delta > 0)
		raise(&h->peak_bytes, (int64_t)live, &h->peak_ns);
}

void
zm_count_flush(struct zm_lthread *t)
{
	if (t->pending)
		publish_shared(t);
}

void
zm_live_publish(struct zm_lthread *t)
{
	if (!zm_session.h->publish_step)
		zm_session.h->publish_step = ZM_PUBLISH_STEP;
	publish_shared(t);
}

/* ---- an event --------------------------------------------------------- */

/* The thread may be any, also one that the recorder does not know yet. */
void
zm_count_point(enum zt_point point, unsigned zone)
{
	if (zone != ZS_ZONE_LOGGER && zm_session_active())
		__atomic_fetch_add(&zm_session.h->points[point % ZT_POINTS], 1,
				   __ATOMIC_RELAXED);
}
