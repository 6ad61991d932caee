/*
 * directory.h - adding regions to and removing them from the directory.
 *
 * Called by the tiers; readers use region.h.
 */
#ifndef ZMALLOC_ZONE_DIRECTORY_H
#define ZMALLOC_ZONE_DIRECTORY_H

#include "zone/types.h"

/*
 * Gives r an id, tells the observer, enters [r->base, r->base + span) in the
 * slice table.  All other fields are set by the caller.  False out of memory;
 * then nothing happened.
 */
bool zm_region_add(struct zm_region *r, size_t span, uint64_t fast0,
		   uint64_t fast_step);
/* The reverse; r->base and bytes become 0. */
void zm_region_remove(struct zm_region *r, size_t span);
/* A region that changed its length (large): observer and table follow. */
bool zm_region_resized(struct zm_region *r, size_t old_span, size_t span);

/* As zm_region_each for the regions of one zone. */
void zm_region_each_of(const struct zm_szone *,
		       void (*fn)(struct zm_region *, void *), void *ctx);

void zm_directory_lock(void);
void zm_directory_unlock(void);
void zm_directory_reinit(void);

/* zm_block_at and the like, tier by tier; r is not NULL, p lies in it. */
bool zm_nano_block_at(struct zm_region *r, uintptr_t p, struct zm_block *);
bool zm_rack_block_at(struct zm_region *r, uintptr_t p, struct zm_block *);
bool zm_large_block_at(struct zm_region *r, uintptr_t p, struct zm_block *);

#endif
