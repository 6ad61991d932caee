/*
 * szone.h - a scalable zone: nano, tiny, small, medium and large of one heap.
 *
 * This is all that malloc/ sees of the tiers.  The default zone, zones made by
 * malloc_create_zone and the logger zone are szones; malloc/ wraps each in a
 * malloc_zone_t.  Everything here is thread-safe unless said otherwise, sets
 * no errno and prints nothing except through zm_zone_fatal.
 */
#ifndef ZMALLOC_ZONE_SZONE_H
#define ZMALLOC_ZONE_SZONE_H

#include "zone/region.h"

struct zm_szone; /* opaque; lives in metadata memory, not in a zone */

enum {
	ZM_SZONE_NO_NANO = 1,  /* sizes up to 256 come from tiny */
	ZM_SZONE_NO_CACHE = 2, /* no per-thread caches (debug modes) */
};

/* What the debugging options ask of every zone; set once, before the first
 * zone is created (early start), constant afterwards. */
struct zm_zone_config {
	bool scribble;	  /* 0xAA on malloc, 0x55 on free */
	bool guard_edges; /* guard pages around large blocks */
	bool guard_all;	  /* and around regions */
	bool no_prelude, no_postlude;
	bool medium;	  /* medium tier on */
	bool large_cache; /* death row on */
	bool aggressive_madvise;
	bool nano;
	unsigned max_magazines;	   /* 0: one per CPU */
	unsigned retained_regions; /* empty regions a depot keeps; default 2 */
	unsigned max_medium_magazines; /* of medium alone; 0: as the others */
	unsigned max_nano_magazines;   /* of nano alone; 0: as the others */
	unsigned nano_keep; /* free slabs that may always keep their pages:
				0 none at all, default 16 */
	uint64_t large_expanded_ram; /* from here on 64 on death row, not 16 */
};
extern struct zm_zone_config zm_zone_config;

/* id: zone id as in region.h (1 default, 2 logger, then others). */
struct zm_szone *zm_szone_create(uint16_t id, unsigned flags);
/* Gives back all memory of the zone; no other thread may use it any more. */
void zm_szone_destroy(struct zm_szone *);

/* 16-byte aligned; size 0 is a block of the least size; NULL out of memory or
 * above PTRDIFF_MAX. */
void *zm_szone_malloc(struct zm_szone *, size_t size);
/* As malloc, zeroed; does not clear pages that are fresh from the kernel. */
void *zm_szone_calloc(struct zm_szone *, size_t size);
/* alignment: a power of two. */
void *zm_szone_memalign(struct zm_szone *, size_t alignment, size_t size);
/* Tries to make the block that starts at p hold size bytes without moving;
 * true on success.  Never leaves the tier or breaks region.h's granule. */
bool zm_szone_resize(struct zm_szone *, void *p, size_t size);
/* Frees a block of this zone.  p must lie in region r of this zone
 * (zm_region_of); anything but the start of a live block is fatal. */
void zm_szone_free(struct zm_szone *, struct zm_region *r, void *p);
/* The same for many: up to count blocks of one size, how many there were; the
 * blocks of this zone, none of them NULL. */
unsigned zm_szone_batch_malloc(struct zm_szone *, size_t size, void **out,
			       unsigned count);
void zm_szone_batch_free(struct zm_szone *, void *const *blocks,
			 unsigned count);
/* The calling thread allocates from magazine `index` from now on. */
void zm_szone_pin(struct zm_szone *, unsigned index);
/* Usable bytes of the block that starts exactly at p, 0 when none does. */
size_t zm_block_size(const void *p);
/* The same, but 0 also for a block that rests in a cache.  Reads the block: the
 * memory of one that was freed may vanish meanwhile, if other threads free. */
size_t zm_block_size_live(const void *p);
size_t zm_szone_good_size(struct zm_szone *, size_t size);

struct zm_szone *zm_szone_of(const struct zm_region *); /* owner */
uint16_t zm_szone_id(const struct zm_szone *);
/* The zone that threads' caches serve: the first created without
 * ZM_SZONE_NO_CACHE.  Its entry points may use zone/fast.h inline. */
struct zm_szone *zm_szone_cached(void);

struct zm_statistics {
	size_t blocks_in_use, size_in_use, max_size_in_use, size_allocated;
};
enum {
	ZM_SUB_TINY,
	ZM_SUB_SMALL,
	ZM_SUB_LARGE,
	ZM_SUB_HUGE,
	ZM_SUB_MEDIUM,
	ZM_SUB_NANO,
	ZM_SUB_ALL
};
void zm_szone_statistics(struct zm_szone *, int sub, struct zm_statistics *);

/* Calls fn for each live block (cached ones are not live).  Locks the zone;
 * fn must not call into it.  Exact when no other thread is in malloc. */
void zm_szone_enumerate(struct zm_szone *,
			void (*fn)(uintptr_t start, size_t usable, void *ctx),
			void *ctx);
/* Calls fn for each block that waits in a cache or between two; takes no lock:
 * for those who see the zone stand still. */
void zm_szone_waiting(const struct zm_szone *,
		      void (*fn)(uintptr_t start, size_t usable, void *ctx),
		      void *ctx);
/* As zm_szone_enumerate for the regions and for our metadata of it. */
void zm_szone_regions(struct zm_szone *,
		      void (*fn)(uintptr_t start, size_t bytes, bool metadata,
				 void *),
		      void *);
/* Verifies every invariant; false and a constant text in *why otherwise. */
bool zm_szone_check(struct zm_szone *, const char **why);
/* Gives back what can be: caches of the calling thread, depot, death row,
 * empty regions, free pages.  Returns the bytes really returned. */
size_t zm_szone_pressure_relief(struct zm_szone *, size_t goal);

/* All locks of a zone, in rank order; for fork and for introspection. */
void zm_szone_lock(struct zm_szone *);
void zm_szone_unlock(struct zm_szone *);
void zm_szone_reinit_locks(struct zm_szone *); /* in the child of fork */
bool zm_szone_locked(struct zm_szone *);
/* The locks that all zones share.  Around fork: lock after the last zone;
 * then unlock in the parent, reinit in the child. */
void zm_zone_globals_lock(void);
void zm_zone_globals_unlock(void);
void zm_zone_globals_reinit(void);
/* In the child of fork, after all locks were reset: blocks that rest in the
 * caches of threads that are gone go back to the zone. */
void zm_zone_after_fork(struct zm_szone *);

/*
 * Per-thread caches.  malloc/ keeps one struct zm_cache per thread behind its
 * TLS pointer and hands it to the zone layer through zm_cache_use, so that
 * the fast path is: TLS pointer, list of the class, pop.  The zone layer owns
 * the content.  create takes metadata memory (NULL: none); flush returns all
 * blocks to their magazines, destroy flushes and frees.
 */
struct zm_cache;
struct zm_cache *zm_cache_create(void);
void zm_cache_flush(struct zm_cache *);
void zm_cache_destroy(struct zm_cache *);
void zm_cache_use(struct zm_cache *); /* the calling thread's from now on */
extern __thread struct zm_cache *zm_cache_current
    __attribute__((tls_model("initial-exec")));

/*
 * Fatal corruption: a constant text and the address; never returns unless
 * malloc/ says so.  Set by malloc/ (messages); the default aborts.
 */
extern void (*zm_zone_fatal)(const char *why, const void *p);

/* Metadata memory: zeroed, page-wise mapped, never from a zone, thread-safe.
 * NULL out of memory. */
void *zm_meta_alloc(size_t bytes);
void zm_meta_free(void *p, size_t bytes);

#endif
