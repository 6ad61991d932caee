/*
 * hook.c - what happens when the program allocates or frees.
 *
 * alloc: unwind, stack id, tag, counters.  free: the tag says all.  Nothing
 * here takes a lock for a stack that is known.  Implements malloc/hook.h; the
 * rest of the recorder is reached from here.
 */
#include <errno.h>
#include <string.h>

#include "logger/count.h"
#include "logger/logger.h"
#include "malloc/options.h"
#include "os/os.h"
#include "scan/leave.h"
#include "zone/arena.h"

/* ---- who writes ------------------------------------------------------- */

/* The thread's record, or the stand-in; *mine says which. */
static __attribute__((noinline)) struct zm_lthread *
writer_slow(struct zm_thread *t, bool *mine)
{
	struct zm_lthread *l = NULL;
	int saved = errno;

	if (t && (t->in_logger == 1 || t->logger))
		l = zm_lthread_get(t);
	*mine = l != NULL;
	if (!l)
		l = zm_lthread_orphan();
	errno = saved;
	return l;
}

static inline struct zm_lthread *
writer(struct zm_thread *t, bool *mine)
{
	struct zm_lthread *l = t ? t->logger : NULL;

	*mine = true;
	if (__builtin_expect(l && l->generation == zm_session.generation, 1))
		return l;
	return writer_slow(t, mine);
}

/* Ends the use of what writer returned. */
static inline void
writer_done(const struct zm_lthread *l, bool mine)
{
	if (l && !mine)
		zm_lthread_orphan_done();
}

/* From here to leave, this thread's own allocations are the logger's. */
static inline struct zm_thread *
enter(void)
{
	struct zm_thread *t = zm_thread_current;

	if (__builtin_expect(!t, 0))
		t = zm_thread();
	if (t)
		t->in_logger++;
	return t;
}

static inline void
leave(struct zm_thread *t)
{
	if (t)
		t->in_logger--;
}

/* A fork child's first event, or the recorder wants something; p: the block of
 * this event.  Returns whether there is a session. */
static __attribute__((noinline)) bool
begin_session(const void *p)
{
	static struct zm_lock lock = ZM_LOCK_INIT(ZM_RANK_LOGGER);
	int saved = errno;

	if (zm_session_active()) {
		if (zm_record_scan_wanted())
			zm_record_scan(p);
		if (!zm_record_unwanted()) {
			errno = saved;
			return true;
		}
		zm_record_stop(); /* or another thread is about to */
		errno = saved;
		return false;
	}
	if (zm_session.failed || !zm_trylock(&lock))
		return false;
	if (!zm_session_active() && zm_session_refork() < 0) {
		zm_session.failed = 1;
		zm_hook_enable(0);
	}
	zm_unlock(&lock);
	errno = saved;
	return zm_session_active();
}

static inline bool
ensure_session(const void *p)
{
	return (zm_session_active() && !zm_record_asked()) || begin_session(p);
}

static inline uint64_t
block_size(const struct zm_region *r, uint64_t w0)
{
	uint64_t size = zs_tag_size(w0);

	if (__builtin_expect(size == ZS_TAG_SIZE_MAX, 0) &&
	    r->tier == ZM_TIER_LARGE)
		return zm_session.regions[r->id].large_size;
	return size;
}

/* How many blocks this one stands for. */
static inline uint64_t
weight(const struct zm_region *r, const void *p, uint64_t w0, uint64_t w1)
{
	if (__builtin_expect(!zm_session.sample, 1))
		return 1;
	return zs_weight(zm_session.sample, block_size(r, w0), (uintptr_t)p,
			 w1);
}

/* Regions without a recorded block are no business of free, see block.c. */
static inline void
count_tag(struct zm_region *r, uint32_t by)
{
	if (zm_session.sample) {
		__atomic_fetch_add(&r->tagged, by, __ATOMIC_RELAXED);
		if (by == 1)
			__atomic_fetch_add(&zm_session.h->samples, 1,
					   __ATOMIC_RELAXED);
	}
}

/* ---- alloc ------------------------------------------------------------ */

/* Where the block lies; nano's, the most frequent, without asking the zone. */
static inline bool
block_of(void *p, struct zm_block *b)
{
	const struct zm_slice *s = zm_slice_of((uintptr_t)p);
	struct zm_region *r =
	    s ? __atomic_load_n(&s->region, __ATOMIC_ACQUIRE) : NULL;

	if (__builtin_expect(!r || r->tier != ZM_TIER_NANO, 0))
		return zm_block_at(p, b);
	b->region = r;
	b->start = (uintptr_t)p;
	b->usable = r->quantum;
	b->index = zm_tag_index(r, b->start);
	return true;
}

/* The part of w1 that says how the block lies in its granule. */
static __attribute__((noinline)) uint64_t
extent(const struct zm_block *b, size_t size)
{
	const struct zm_region *r = b->region;

	if (r->tier == ZM_TIER_LARGE) {
		struct zs_region *e = &zm_session.regions[r->id];
		e->base = b->start;
		e->bytes = b->usable;
		e->large_size = size;
		return 0;
	}
	size_t in = (b->start - r->base) & (((size_t)1 << r->tag_shift) - 1);
	return zs_tag_w1(0, 0, (unsigned)(in / r->quantum),
			 (unsigned)(b->usable / r->quantum));
}

static inline uint64_t
write_tag(const struct zm_block *b, uint32_t stack, size_t size, enum zs_fn fn,
	  struct zm_lthread *l)
{
	const struct zm_region *r = b->region;
	uint64_t *tag = r->tags + 2 * (size_t)b->index;
	uint64_t w1 = zs_tag_w1(zm_clock_ms(l), l->index, 0, 0) | zm_tag_side;

	if (__builtin_expect(r->tier != ZM_TIER_NANO, 0)) {
		w1 |= extent(b, size);
		if (r->tier == ZM_TIER_LARGE)
			size = ZS_TAG_SIZE_MAX;
	}
	__atomic_store_n(&tag[1], w1, __ATOMIC_RELAXED);
	__atomic_store_n(&tag[0], zs_tag_w0(stack, size, fn), __ATOMIC_RELEASE);
	return w1;
}

static inline bool
record_alloc(struct zm_lthread *l, void *p, size_t size, enum zs_fn fn,
	     const void *ra, enum zt_call call, const struct zm_entry *at)
{
	struct zm_block b;
	uint32_t stack;

	if (!block_of(p, &b) || !b.region->tags ||
	    !(stack = zm_walk_stack(l, (uintptr_t)ra, at)))
		return false;
	uint64_t w1 = write_tag(&b, stack, size, fn, l);
	uint64_t blocks = 1;
	if (__builtin_expect(zm_session.sample != 0, 0)) {
		count_tag(b.region, 1);
		blocks = zs_weight(zm_session.sample, size, (uintptr_t)p, w1);
	}
	zm_count_alloc(l, b.region->zone, zs_class_index(b.usable), stack,
		       blocks, size, call);
	l->last = ~(uintptr_t)p;
	if (zm_history_on)
		zm_history_event(l, ZS_EVENT_ALLOC + fn, p, size, stack);
	return true;
}

ZM_EVENT static void
hook_alloc(void *p, size_t size, enum zm_fn fn, const void *ra,
	   enum zt_call call, const struct zm_entry *at)
{
	struct zm_thread *t = enter();
	bool mine;

	if (ensure_session(p)) {
		struct zm_lthread *l = writer(t, &mine);
		if (!l ||
		    !record_alloc(l, p, size, (enum zs_fn)fn, ra, call, at))
			zm_lost();
		writer_done(l, mine);
	}
	leave(t);
}

/* ---- free ------------------------------------------------------------- */

static inline void
record_free(struct zm_lthread *l, struct zm_region *r, uint64_t *tag, void *p,
	    bool called)
{
	uint64_t w0 = tag[0], w1 = tag[1];
	int temporary = l->last == ~(uintptr_t)p;

	__atomic_store_n(&tag[0], 0, __ATOMIC_RELEASE);
	count_tag(r, UINT32_MAX);
	zm_count_free(l, r->zone, zs_class_index(zm_tag_usable(r, w1)),
		      zs_tag_stack(w0), weight(r, p, w0, w1), block_size(r, w0),
		      temporary, called);
	if (temporary)
		l->last = 0;
}

/* The stack of a free, for the history; 0 where there is none to be had: in a
 * signal handler that interrupted the recorder, at the end of a zone. */
static uint32_t
free_stack(struct zm_lthread *l, const struct zm_thread *t, const void *ra,
	   const struct zm_entry *at)
{
	const struct zm_entry unknown = { 0, 0 };

	if (!ra || !t || t->in_logger != 1 || t->logger != l)
		return 0;
	return zm_walk_stack(l, (uintptr_t)ra, at ? at : &unknown);
}

static __attribute__((noinline)) void
free_history(struct zm_lthread *l, const struct zm_thread *t, void *p,
	     bool called, const void *ra, const struct zm_entry *at)
{
	zm_history_event(l, called ? ZS_EVENT_FREE : ZS_EVENT_FREE_OTHER, p, 0,
			 free_stack(l, t, ra, at));
}

/* A block without a tag. */
static void
free_untagged(void)
{
	if (zm_session.cause != ZS_CAUSE_START && !zm_session.sample)
		__atomic_fetch_add(&zm_session.h->inherited_frees, 1,
				   __ATOMIC_RELAXED);
}

ZM_EVENT static void
hook_free(struct zm_region *r, void *p, bool called, const void *ra,
	  const struct zm_entry *at)
{
	struct zm_thread *t = enter();
	bool mine;

	if (ensure_session(p) && r && r->tags) {
		uint64_t *tag =
		    r->tags + 2 * (size_t)zm_tag_index(r, (uintptr_t)p);
		if (__builtin_expect(tag[0] != 0, 1)) {
			struct zm_lthread *l = writer(t, &mine);
			if (l && __builtin_expect(zm_history_on, 0))
				free_history(l, t, p, called, ra, at);
			if (l)
				record_free(l, r, tag, p, called);
			else
				zm_lost();
			writer_done(l, mine);
		} else {
			free_untagged();
		}
	}
	leave(t);
}

static void
hook_resize(void *p, size_t size, const void *ra, const struct zm_entry *at)
{
	hook_free(zm_region_of(p), p, false, ra, at);
	if (!zm_session.sample || zm_sample_next(size))
		hook_alloc(p, size, ZM_FN_REALLOC, ra, ZT_CALL_realloc, at);
}

/* ---- the rest --------------------------------------------------------- */

static char zone_names[ZS_ZONES_MAX]
		      [sizeof((struct zs_zone *)0)->name] ZM_TABLE;

/* Names are kept for the sessions of fork children. */
static void
hook_zone(uint16_t id, const char *name)
{
	if (id >= ZS_ZONES_MAX - 1) {
		id = ZS_ZONES_MAX - 1;
		name = "other zones";
	}
	size_t n = name ? strlen(name) : 0;
	if (n >= sizeof zone_names[id])
		n = sizeof zone_names[id] - 1;
	if (n) {
		memcpy(zone_names[id], name, n);
		zone_names[id][n] = 0;
	}
	if (!zm_session_active())
		return;
	memcpy(zm_session.zones[id].name, zone_names[id],
	       sizeof zone_names[id]);
	zm_session.zones[id].in_use = 1;
}

void
zm_hook_zones(void)
{
	for (unsigned id = 1; id < ZS_ZONES_MAX; id++) {
		if (!zone_names[id][0])
			continue;
		memcpy(zm_session.zones[id].name, zone_names[id],
		       sizeof zone_names[id]);
		zm_session.zones[id].in_use = 1;
	}
}

static void
hook_thread_exit(void *logger)
{
	struct zm_thread *t = zm_thread();

	if (t)
		t->in_logger++;
	if (logger)
		zm_lthread_exit(logger);
	if (t)
		t->in_logger--;
}

static void
hook_started(void)
{
	struct zm_thread *t = zm_thread();
	int saved = errno;

	if (t)
		t->in_logger++;
	zm_unwind_start();
	if (zm_session_active())
		zm_stacks_started();
	zm_leave_start();
	zm_record_watch_exit();
	if (t)
		t->in_logger--;
	errno = saved;
}

const struct zm_hook zm_hook_table = {
	.alloc = hook_alloc,
	.free = hook_free,
	.resize = hook_resize,
	.zone = hook_zone,
	.thread_exit = hook_thread_exit,
	.fork_prepare = zm_record_fork_prepare,
	.fork_parent = zm_record_fork_parent,
	.fork_child = zm_record_fork_child,
	.started = hook_started,
	.exiting = zm_record_exiting,
};

const struct zm_hook *
zm_logger_boot(void)
{
	hook_zone(ZS_ZONE_DEFAULT, "DefaultMallocZone");
	hook_zone(ZS_ZONE_LOGGER, "LoggerZone");
	if (zm_session_boot() < 0) {
		zm_session.failed = 1;
		return NULL;
	}
	zm_hook_zones();
	zm_ledger_observe();
	__atomic_store_n(&zm_trace_counter, zm_count_point, __ATOMIC_RELAXED);
	return &zm_hook_table;
}
