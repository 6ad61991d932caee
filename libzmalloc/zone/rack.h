/*
 * rack.h - blocks of quanta: tiny, small and medium, by parameters.
 *
 * Relies on runs, arena and directory.  Called by szone.c and cache.c.
 * Lengths are in quanta unless they are called bytes.
 */
#ifndef ZMALLOC_ZONE_RACK_H
#define ZMALLOC_ZONE_RACK_H

#include "zone/types.h"

/* Sets the parameters of the tier; mags is zeroed memory for nmag + 1. */
void zm_rack_init(struct zm_rack *, struct zm_szone *, enum zm_tier,
		  struct zm_magazine *mags);
void zm_rack_destroy(struct zm_rack *);

/* Length of a block that holds so many bytes; 0 when it is too long. */
static inline unsigned
zm_rack_quanta(const struct zm_rack *k, size_t bytes)
{
	size_t q = (bytes + ((size_t)1 << k->qshift) - 1) >> k->qshift;
	size_t least = (size_t)1 << k->gshift;
	q = q < least ? least : q;
	return q <= k->max_quanta ? (unsigned)q : 0;
}

/* Up to `count` blocks of n quanta; how many were put in out. */
unsigned zm_rack_take(struct zm_rack *, unsigned mag, unsigned n,
		      unsigned count, void **out);
/* One block, NULL when there is none; *zero: it is known to read as zero. */
void *zm_rack_alloc(struct zm_rack *, unsigned mag, unsigned n, bool *zero);
/* Length n + alignment must not be longer than a block may be. */
void *zm_rack_memalign(struct zm_rack *, unsigned mag, unsigned n,
		       size_t align);
/* Frees live blocks of this rack.  What is no live block is fatal and left
 * out. */
void zm_rack_give(struct zm_rack *, void **blocks, unsigned count);
/* The same for one, which may stay as its magazine's last-free block. */
void zm_rack_free(struct zm_rack *, struct zm_rregion *, void *p);
/* In place; false when it cannot be. */
bool zm_rack_resize(struct zm_rack *, struct zm_rregion *, void *p,
		    size_t bytes);

/* Length of the block that starts at p, 0 when none does. */
unsigned zm_rack_length(const struct zm_rregion *, uintptr_t p);

void zm_rack_relief(struct zm_rack *); /* gives back what it can */
const char *zm_rack_check(struct zm_rack *);
struct zm_statistics;
void zm_rack_statistics(struct zm_rack *, struct zm_statistics *); /* adds */

#endif
