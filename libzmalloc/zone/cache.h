/*
 * cache.h - the slow side of the threads' caches (data and fast side: fast.h).
 *
 * Relies on nano and rack.  Called by szone.c; create, flush and destroy
 * (szone.h) by malloc/.
 */
#ifndef ZMALLOC_ZONE_CACHE_H
#define ZMALLOC_ZONE_CACHE_H

#include "zone/fast.h"

/* The bin for a request, 0 when caches do not hold such blocks. */
unsigned zm_bin_for(size_t size);
size_t zm_bin_bytes(unsigned bin);

/* The calling thread's cache when it serves the zone (from now on), or NULL. */
struct zm_cache *zm_cache_of(struct zm_szone *);
/* A block of that bin, from the bin or after filling it; NULL out of
 * memory. */
void *zm_cache_alloc(struct zm_cache *, unsigned bin);
/* Takes a valid block; false: it must be freed without the cache. */
bool zm_cache_put(struct zm_cache *, unsigned bin, void *p);

/* A block of that bin or length will be made without the cache; from
 * ZM_BIN_MEDIUM on the cache keeps only lengths that were asked for. */
void zm_cache_asked(struct zm_cache *, unsigned bin);
/* A block of that length, of more than ZM_CACHED_MAX bytes, and the reverse:
 * false: it must be freed without the cache. */
void *zm_cache_take_big(struct zm_cache *, size_t bytes);
bool zm_cache_put_big(struct zm_cache *, void *p, size_t bytes);

/* Calls fn for each block in any cache of the zone.  Lists that other threads
 * are changing are followed as far as they make sense. */
void zm_cache_each(const struct zm_szone *,
		   void (*fn)(uintptr_t p, size_t bytes, void *ctx), void *ctx);
/* All caches forget the zone's blocks: they are about to vanish. */
void zm_cache_forget(const struct zm_szone *);
/* Gives back what waits in transfer, and asks all other threads to flush at
 * their next slow visit. */
void zm_cache_flush_chains(struct zm_szone *);
/* Makes the blocks of a list look as if they had never been in a cache. */
void zm_chain_forget(uintptr_t *head, uint32_t count);
/* In the child of fork: the other threads' blocks go back. */
void zm_cache_reap(const struct zm_szone *);
const char *zm_cache_check(const struct zm_szone *);

void zm_cache_lock(void);
void zm_cache_unlock(void);
void zm_cache_reinit(void);

#endif
