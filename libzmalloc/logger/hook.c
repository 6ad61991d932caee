/*
 * hook.c - what happens when the program allocates or frees.
 *
 * alloc: unwind, stack id, tag, counters.  free: the tag says all.  Nothing
 * here takes a lock for a stack that is known.  Implements malloc/hook.h; the
 * rest of the recorder is reached from here.
 */
#include <errno.h>
#include <string.h>

#include "logger/logger.h"
#include "malloc/options.h"
#include "os/os.h"

/* The thread's record, or the stand-in; *mine says which. */
static struct zm_lthread *
writer(struct zm_thread *t, int *mine)
{
	struct zm_lthread *l = NULL;

	if (t && (t->in_logger == 1 || t->logger))
		l = zm_lthread_get(t);
	*mine = l != NULL;
	return l ? l : zm_lthread_orphan();
}

/* Ends the use of what writer returned. */
static void
writer_done(const struct zm_lthread *l, int mine)
{
	if (l && !mine)
		zm_lthread_orphan_done();
}

/* From here to leave, this thread's own allocations are the logger's. */
static struct zm_thread *
enter(int *saved_errno)
{
	struct zm_thread *t = zm_thread();

	*saved_errno = errno;
	if (t)
		t->in_logger++;
	return t;
}

static void
leave(struct zm_thread *t, int saved_errno)
{
	if (t)
		t->in_logger--;
	errno = saved_errno;
}

/* A fork child's first event.  Returns whether there is a session. */
static int
ensure_session(void)
{
	static struct zm_lock lock = ZM_LOCK_INIT(ZM_RANK_LOGGER);

	if (zm_session_active()) {
		if (!zm_record_unwanted())
			return 1;
		zm_record_stop(); /* or another thread is about to */
		return 0;
	}
	if (zm_session.failed || !zm_trylock(&lock))
		return 0;
	if (!zm_session_active() && zm_session_refork() < 0) {
		zm_session.failed = 1;
		zm_hook_enable(0);
	}
	zm_unlock(&lock);
	return zm_session_active();
}

static uint64_t
block_size(const struct zm_region *r, uint64_t w0)
{
	uint64_t size = zs_tag_size(w0);

	if (size == ZS_TAG_SIZE_MAX && r->tier == ZM_TIER_LARGE)
		return zm_session.regions[r->id].large_size;
	return size;
}

/* How many blocks this one stands for. */
static uint64_t
weight(const struct zm_region *r, const void *p, uint64_t w0, uint64_t w1)
{
	if (__builtin_expect(!zm_session.sample, 1))
		return 1;
	return zs_weight(zm_session.sample, block_size(r, w0), (uintptr_t)p,
			 w1);
}

/* Regions without a recorded block are no business of free, see block.c. */
static void
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

static uint64_t
write_tag(const struct zm_block *b, uint32_t stack, size_t size, enum zs_fn fn,
	  uint32_t thread)
{
	struct zm_region *r = b->region;
	uint64_t *tag = r->tags + 2 * (size_t)b->index;
	unsigned sub = 0, quanta = 0;

	if (r->tier == ZM_TIER_LARGE) {
		struct zs_region *e = &zm_session.regions[r->id];
		e->base = b->start;
		e->bytes = b->usable;
		e->large_size = size;
	} else if (r->tier != ZM_TIER_NANO) {
		size_t in =
		    (b->start - r->base) & (((size_t)1 << r->tag_shift) - 1);
		sub = (unsigned)(in / r->quantum);
		quanta = (unsigned)(b->usable / r->quantum);
	}
	uint64_t w1 = zs_tag_w1(zm_session_ms(), thread, sub, quanta);
	__atomic_store_n(&tag[1], w1, __ATOMIC_RELAXED);
	__atomic_store_n(
	    &tag[0],
	    zs_tag_w0(stack, r->tier == ZM_TIER_LARGE ? ZS_TAG_SIZE_MAX : size,
		      fn),
	    __ATOMIC_RELEASE);
	return w1;
}

static void
record_alloc(struct zm_lthread *l, void *p, size_t size, enum zs_fn fn,
	     const void *ra, enum zt_call call)
{
	struct zm_block b;
	uintptr_t *pcs;

	if (!zm_block_at(p, &b) || !b.region->tags)
		goto lost;
	zm_walk_begin(l);
	unsigned n = zm_unwind_stack(l->pcs, (uintptr_t)ra, &pcs);
	zm_walk_end(l);
	uint32_t stack = zm_stack_get(l, pcs, n);
	if (!stack)
		goto lost;
	uint64_t w1 = write_tag(&b, stack, size, fn, l->index);
	count_tag(b.region, 1);
	uint64_t w0 = b.region->tags[2 * (size_t)b.index];
	zm_count_alloc(l, b.region->zone,
		       zs_class_index(zm_tag_usable(b.region, w1)), stack,
		       weight(b.region, p, w0, w1), size, call);
	l->last = ~(uintptr_t)p;
	return;
lost:
	zm_lost();
}

static void
hook_alloc(void *p, size_t size, enum zm_fn fn, const void *ra,
	   enum zt_call call)
{
	int saved, mine;
	struct zm_thread *t = enter(&saved);

	if (ensure_session()) {
		struct zm_lthread *l = writer(t, &mine);
		if (l)
			record_alloc(l, p, size, (enum zs_fn)fn, ra, call);
		else
			zm_lost();
		writer_done(l, mine);
	}
	leave(t, saved);
}

/* ---- free ------------------------------------------------------------- */

static void
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

/* The tag of the block that starts at p, NULL when it has none. */
static uint64_t *
tag_of(void *p, struct zm_region **r)
{
	*r = zm_region_of(p);
	if (!*r || !(*r)->tags)
		return NULL;
	return (*r)->tags + 2 * (size_t)zm_tag_index(*r, (uintptr_t)p);
}

static void
hook_free(void *p, bool called)
{
	struct zm_region *r;
	uint64_t *tag;
	int saved, mine = 0;
	struct zm_thread *t = enter(&saved);

	if (ensure_session() && (tag = tag_of(p, &r))) {
		struct zm_lthread *l = tag[0] ? writer(t, &mine) : NULL;
		if (l)
			record_free(l, r, tag, p, called);
		else if (tag[0])
			zm_lost();
		else if (zm_session.cause != ZS_CAUSE_START &&
			 !zm_session.sample)
			__atomic_fetch_add(&zm_session.h->inherited_frees, 1,
					   __ATOMIC_RELAXED);
		writer_done(l, mine);
	}
	leave(t, saved);
}

static void
hook_resize(void *p, size_t size, const void *ra)
{
	hook_free(p, false);
	if (!zm_session.sample || zm_sample_next(size))
		hook_alloc(p, size, ZM_FN_REALLOC, ra, ZT_CALL_realloc);
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
