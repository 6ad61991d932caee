/*
 * depot.h - regions of a rack: made, moved between magazines and the depot,
 * given back.
 *
 * Called by rack.c.  Locks are named with each function; the order is
 * magazine, then depot.
 */
#ifndef ZMALLOC_ZONE_DEPOT_H
#define ZMALLOC_ZONE_DEPOT_H

#include "zone/types.h"

/* Makes memory up to that quantum accessible. */
bool zm_rregion_commit(struct zm_rregion *, uint32_t quanta);
/* Gets m (locked) a region that has room for n quanta: from the depot, or a
 * new one.  False out of memory. */
bool zm_region_get(struct zm_rack *, unsigned mag, uint32_t n);
/* After frees in m (locked, not the depot): gives regions up while the rule
 * says so.  Returns regions to be unmapped with zm_regions_drop when no
 * lock is held, linked by next. */
struct zm_rregion *zm_recirculate(struct zm_rack *, unsigned mag,
				  struct zm_rregion *freed);
/* After the last block of r, a region of the depot (locked), was freed. */
struct zm_rregion *zm_depot_emptied(struct zm_rack *, struct zm_rregion *r);
void zm_regions_drop(struct zm_rack *, struct zm_rregion *list);
/* Everything of m (locked) moves to the depot, empty regions are returned
 * for dropping. */
struct zm_rregion *zm_depot_all(struct zm_rack *, unsigned mag);
/* Really frees m's (locked) last-free block; false: there was none. */
bool zm_last_flush(struct zm_rack *, struct zm_magazine *m);

/* For type-stable structs, at fork. */
void zm_rregion_pool_lock(void);
void zm_rregion_pool_unlock(void);
void zm_rregion_pool_reinit(void);

#endif
