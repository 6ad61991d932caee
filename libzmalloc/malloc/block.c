/*
 * block.c - see block.h.
 *
 * Relies on the zone layer and the registry; calls the recorder's hook by the
 * rules in hook.h.
 */
#include "malloc/block.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "malloc/log.h"
#include "malloc/message.h"
#include "malloc/options.h"
#include "os/os.h"
#include "zone/arena.h"
#include "zone/region.h"

static const char not_allocated[] = "pointer being freed was not allocated";
static const char not_reallocatable[] =
    "pointer being realloc'd was not allocated";

void *
zm_no_memory(void)
{
	if (zm_options.error_abort)
		zm_fatal("can't allocate region: out of memory", NULL);
	errno = ENOMEM;
	return NULL;
}

static void *
from_szone(struct zm_szone *s, const struct zm_ask *a)
{
	if (a->align <= 16)
		return a->zero ? zm_szone_calloc(s, a->size)
			       : zm_szone_malloc(s, a->size);
	void *p = zm_szone_memalign(s, a->align, a->size);
	if (p && a->zero)
		memset(p, 0, a->size);
	return p;
}

/* The recorder alone is why this is not the fast path. */
static inline bool
only_hook(unsigned slow)
{
	return ZM_LIKELY(slow == ZM_SLOW_HOOK);
}

static inline void *
from_main(const struct zm_ask *a, unsigned slow)
{
	void *p = NULL;
	if (only_hook(slow) && !a->zero && a->align <= 16)
		p = zm_fast_malloc(a->size);
	return p ? p : from_szone(zm_main_szone, a);
}

/* In the recorder's own code, everything comes from its zone. */
static bool
in_logger(void)
{
	if (!(zm_is_slow() & ZM_SLOW_HOOK))
		return false;
	struct zm_thread *t = zm_thread();
	return t && t->in_logger;
}

static bool
recorded(const struct zm_region *r)
{
	return zm_is_slow() & ZM_SLOW_HOOK && r->zone != ZM_ZONE_ID_LOGGER;
}

/* Nothing is switched on but recording of some blocks, and this is not the
 * recorder's own code. */
static inline bool
only_sampled(void)
{
	if (zm_is_slow() != (ZM_SLOW_HOOK | ZM_SLOW_SAMPLE))
		return false;
	const struct zm_thread *t = zm_thread_current;
	return t && !t->in_logger;
}

/* Where not all blocks are recorded: this one is not. */
static bool
untagged(const struct zm_region *r, const void *p)
{
	return !__atomic_load_n(&r->tagged, __ATOMIC_RELAXED) || !r->tags ||
	       !r->tags[2 * (size_t)zm_tag_index(r, (uintptr_t)p)];
}

static inline void
tell_alloc(void *p, const struct zm_ask *a)
{
	if (zm_is_slow() & ZM_SLOW_SAMPLE && !zm_sample_next(a->size))
		return;
	zm_hook->alloc(p, a->size, a->fn, a->ra, a->call, &a->at);
}

static inline void
tell_free(struct zm_region *r, void *p, bool called, const void *ra,
	  const struct zm_entry *at)
{
	if (zm_is_slow() & ZM_SLOW_SAMPLE && untagged(r, p))
		return;
	zm_hook->free(r, p, called, ra, at);
}

static void
tell_resize(void *p, const struct zm_ask *a)
{
	zm_hook->resize(p, a->size, a->ra, &a->at);
}

void *
zm_block_new_in(struct zm_zone *z, const struct zm_ask *a)
{
	void *p = from_szone(z->szone, a);
	if (ZM_UNLIKELY(!p))
		return zm_no_memory();
	if (zm_is_slow() & ZM_SLOW_LOG)
		zm_log(p, "allocated", a->size);
	if (zm_is_slow() & ZM_SLOW_HOOK && z->id != ZM_ZONE_ID_LOGGER &&
	    !in_logger())
		tell_alloc(p, a);
	return p;
}

/* A foreign zone may lack what came with later versions of the table. */
static void *
from_foreign(malloc_zone_t *z, const struct zm_ask *a)
{
	if (a->align > 16) {
		void *p = NULL;
		if (z->version >= 5 && z->memalign)
			p = z->memalign(z, a->align, a->size);
		else if (a->align <= zm_os_page_size())
			p = z->valloc(z, a->size);
		if (p && a->zero)
			memset(p, 0, a->size);
		return p ? p : zm_no_memory();
	}
	void *p = a->zero ? z->calloc(z, 1, a->size) : z->malloc(z, a->size);
	return p ? p : zm_no_memory();
}

/* An atfork handler that ran while the locks are ours, see fork.c. */
static bool
in_fork(void)
{
	return ZM_UNLIKELY(zm_is_slow() & ZM_SLOW_FORK) && zm_fork_pause();
}

static void *
new_zone_in_fork(malloc_zone_t *z, const struct zm_ask *a)
{
	void *p = zm_block_new_zone(z, a);
	zm_fork_resume();
	return p;
}

void *
zm_block_new_zone(malloc_zone_t *z, const struct zm_ask *a)
{
	if (z == ZM_VIRTUAL)
		return zm_block_new(a);
	if (in_fork())
		return new_zone_in_fork(z, a);
	struct zm_zone *ours = zm_zone_ours(z);
	return ours ? zm_block_new_in(ours, a) : from_foreign(z, a);
}

static void *
from_default(const struct zm_ask *a)
{
	unsigned reader = zm_registry_enter();
	void *p = zm_block_new_zone(zm_registry_default(), a);
	zm_registry_leave(reader);
	return p;
}

static void *
new_in_fork(const struct zm_ask *a)
{
	void *p = zm_block_new(a);
	zm_fork_resume();
	return p;
}

/* The fast path of a program of which some blocks are recorded; NULL: take the
 * slow one, which asks whether this is one of them. */
static void *
new_sampled(const struct zm_ask *a)
{
	void *p = zm_fast_malloc(a->size);
	if (ZM_UNLIKELY(!p))
		return NULL;
	if (a->zero)
		memset(p, 0, a->size);
	if (ZM_UNLIKELY(zm_sample_next(a->size)))
		zm_hook->alloc(p, a->size, a->fn, a->ra, a->call, &a->at);
	return p;
}

void *
zm_block_new(const struct zm_ask *a)
{
	void *q;
	if (only_sampled() && a->align <= 16 && (q = new_sampled(a)))
		return q;
	zm_boot_once();
	if (in_fork())
		return new_in_fork(a);
	if (ZM_UNLIKELY(zm_is_slow() & ZM_SLOW_ATTACH))
		zm_logger_attach(a->ra, a->zero);
	struct zm_thread *t = zm_thread(); /* makes the cache too */
	unsigned slow = zm_is_slow();
	if (slow & ZM_SLOW_CHECK)
		zm_check_tick();
	if (slow & ZM_SLOW_HOOK && t && t->in_logger)
		return zm_block_new_in(zm_logger_zone(), a);
	if (slow & ZM_SLOW_DEFAULT)
		return from_default(a);
	void *p = from_main(a, slow);
	if (ZM_UNLIKELY(!p))
		return zm_no_memory();
	if (slow & ZM_SLOW_LOG)
		zm_log(p, "allocated", a->size);
	if (slow & ZM_SLOW_HOOK)
		tell_alloc(p, a);
	return p;
}

static __attribute__((noinline)) void *
block_plain(size_t size, enum zm_fn fn, const void *ra)
{
	void *p = zm_block_new(&(struct zm_ask){ .size = size,
						 .fn = fn,
						 .call = ZT_CALL_malloc,
						 .ra = ra,
						 .at = ZM_ENTRY(ra) });
	ZM_TRACE_END(malloc, size, p);
	return p;
}

void *
zm_block_plain(size_t size, enum zm_fn fn, const void *ra)
{
	int64_t left = zm_sample_left - (int64_t)size - 1;
	void *p;
	/* a block of 0 bytes counts as one of 1, in zm_sample_next too */
	if (only_sampled() && left >= 0 && size <= ZM_CACHED_MAX &&
	    (p = zm_fast_malloc(size))) {
		zm_sample_left = left + (size != 0);
		ZM_TRACE_END(malloc, size, p);
		return p;
	}
	return block_plain(size, fn, ra);
}

void *
zm_block_zeroed(size_t size, enum zm_fn fn, const void *ra)
{
	void *p = zm_block_new(&(struct zm_ask){ .size = size,
						 .zero = true,
						 .fn = fn,
						 .call = ZT_CALL_calloc,
						 .ra = ra,
						 .at = ZM_ENTRY(ra) });
	ZM_TRACE_END(calloc, size, p);
	return p;
}

static void
free_foreign(void *p)
{
	size_t size;
	unsigned reader = zm_registry_enter();
	malloc_zone_t *z = zm_registry_foreign(p, &size);
	if (z)
		z->free(z, p);
	else
		zm_corrupt(not_allocated, p);
	zm_registry_leave(reader);
}

static void
free_in_fork(void *p, const void *ra)
{
	zm_block_free(p, ra);
	zm_fork_resume();
}

static __attribute__((noinline)) void
block_free(void *p, const void *ra)
{
	struct zm_entry at = ZM_ENTRY(ra);
	zm_boot_once();
	if (in_fork()) {
		free_in_fork(p, ra);
		return;
	}
	unsigned slow = zm_is_slow();
	if (slow & ZM_SLOW_CHECK)
		zm_check_tick();
	struct zm_region *r = zm_region_of(p);
	if (ZM_UNLIKELY(!r)) {
		int e = errno;
		free_foreign(p);
		errno = e;
		return;
	}
	if (slow & ZM_SLOW_LOG)
		zm_log(p, "freed", 0);
	if (recorded(r))
		tell_free(r, p, true, ra, &at);
	if (!only_hook(slow) || !zm_fast_free(p))
		zm_szone_free(zm_szone_of(r), r, p);
}

void
zm_block_free(void *p, const void *ra)
{
	if (only_sampled()) {
		struct zm_slice *s = zm_slice_of((uintptr_t)p);
		struct zm_region *r =
		    s ? __atomic_load_n(&s->region, __ATOMIC_ACQUIRE) : NULL;
		if (ZM_LIKELY(r && untagged(r, p)) && zm_fast_free(p))
			return;
	}
	block_free(p, ra);
}

static void
free_zone_in_fork(struct zm_zone *z, void *p, const void *ra)
{
	zm_block_free_in(z, p, ra);
	zm_fork_resume();
}

void
zm_block_free_in(struct zm_zone *z, void *p, const void *ra)
{
	if (in_fork()) {
		free_zone_in_fork(z, p, ra);
		return;
	}
	struct zm_region *r = zm_region_of(p);
	if (!r || zm_szone_of(r) != z->szone) {
		zm_corrupt(not_allocated, p);
		return;
	}
	if (zm_is_slow() & ZM_SLOW_LOG)
		zm_log(p, "freed", 0);
	if (recorded(r))
		tell_free(r, p, true, ra, NULL);
	zm_szone_free(z->szone, r, p);
}

static void *
resize_foreign(void *p, const struct zm_ask *a)
{
	size_t size;
	unsigned reader = zm_registry_enter();
	malloc_zone_t *z = zm_registry_foreign(p, &size);
	void *q = NULL;
	if (z)
		q = z->realloc(z, p, a->size);
	else
		zm_corrupt(not_reallocatable, p);
	zm_registry_leave(reader);
	return q ? q : zm_no_memory();
}

static void *
move(struct zm_region *r, void *p, size_t usable, const struct zm_ask *a)
{
	struct zm_szone *s = zm_szone_of(r);
	void *q = zm_szone_malloc(s, a->size);
	if (ZM_UNLIKELY(!q))
		return zm_no_memory();
	memcpy(q, p, usable < a->size ? usable : a->size);
	if (zm_is_slow() & ZM_SLOW_LOG) {
		zm_log(p, "freed by realloc", 0);
		zm_log(q, "allocated by realloc", a->size);
	}
	if (recorded(r)) {
		tell_free(r, p, false, a->ra, &a->at);
		if (!in_logger())
			tell_alloc(q, a);
	}
	zm_szone_free(s, r, p);
	return q;
}

static void *
resize_in_fork(struct zm_zone *in, void *p, const struct zm_ask *a)
{
	void *q = zm_block_resize(in, p, a);
	zm_fork_resume();
	return q;
}

void *
zm_block_resize(struct zm_zone *in, void *p, const struct zm_ask *a)
{
	zm_boot_once();
	if (in_fork())
		return resize_in_fork(in, p, a);
	if (zm_is_slow() & ZM_SLOW_CHECK)
		zm_check_tick();
	struct zm_region *r = zm_region_of(p);
	if (!r && !in)
		return resize_foreign(p, a);
	size_t usable = r ? zm_block_size(p) : 0;
	if (!usable || (in && zm_szone_of(r) != in->szone)) {
		zm_corrupt(not_reallocatable, p);
		return zm_no_memory();
	}
	if (a->size > PTRDIFF_MAX)
		return zm_no_memory();
	if (!zm_szone_resize(zm_szone_of(r), p, a->size))
		return move(r, p, usable, a);
	if (zm_is_slow() & ZM_SLOW_LOG)
		zm_log(p, "resized in place", a->size);
	if (recorded(r) && !in_logger())
		tell_resize(p, a);
	return p;
}

size_t
zm_block_usable(const void *p)
{
	size_t size = 0;
	if (!p)
		return 0;
	if (zm_region_of(p))
		return zm_block_size(p);
	unsigned reader = zm_registry_enter();
	if (!zm_registry_foreign(p, &size))
		size = 0;
	zm_registry_leave(reader);
	return size;
}
