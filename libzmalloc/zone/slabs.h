/*
 * slabs.h - the pool of free slabs that all zones share.
 *
 * Relies on arena, meta and os.  Called by nano.c.
 */
#ifndef ZMALLOC_ZONE_SLABS_H
#define ZMALLOC_ZONE_SLABS_H

#include "zone/types.h"

/* A slab with memory at s->slice, not in the directory; NULL out of memory. */
struct zm_slab *zm_slab_get(void);
void zm_slab_put(struct zm_slab *);
/* Gives the pages of all free slabs back. */
void zm_slabs_relief(void);

void zm_slabs_lock(void);
void zm_slabs_unlock(void);
void zm_slabs_reinit(void);

#endif
