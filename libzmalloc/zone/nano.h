/*
 * nano.h - blocks up to 256 bytes: slabs of equal slots.
 *
 * Relies on arena and directory.  Called by szone.c and cache.c.
 */
#ifndef ZMALLOC_ZONE_NANO_H
#define ZMALLOC_ZONE_NANO_H

#include "zone/types.h"

void zm_nano_init(struct zm_szone *);
/* Up to `count` blocks of class (16 * class bytes) from magazine mag; how
 * many were put in out. */
unsigned zm_nano_take(struct zm_szone *, unsigned mag, unsigned class,
		      unsigned count, void **out);
/* Frees live blocks; each lies in a nano region of the zone.  A pointer that
 * is not a live slot's start is fatal and left out. */
void zm_nano_give(struct zm_szone *, void **blocks, unsigned count);
/* True when p is the start of a live or cached slot of its slab. */
bool zm_nano_is_start(const struct zm_region *r, uintptr_t p);
/* Gives back what it can. */
void zm_nano_relief(struct zm_szone *);
const char *zm_nano_check(struct zm_szone *);
/* All slabs back to the pool. */
void zm_nano_destroy(struct zm_szone *);

/* Reciprocal of a slot size: offset * magic >> 32 is the slot's index for
 * every offset in a slab, for slot * index checked by multiplication. */
uint32_t zm_nano_magic(unsigned class);

#endif
