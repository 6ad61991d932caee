/*
 * regions.h - what the live blocks of each region are, for the rows of regions
 * and of resident memory.  Fed by blocks.c, in the order of the addresses.
 */
#ifndef ZRECORD_REGIONS_H
#define ZRECORD_REGIONS_H

#include "memory.h"

struct region_sum;

struct regions {
	struct region_sum *sum; /* NULL: out of memory, nothing is known */
	uint32_t count;
	uint64_t page;				/* bytes */
	uint64_t live_resident, slack_resident; /* bytes */
};

void regions_begin(struct regions *, uint32_t count);

/* A live block of region i, which r is a copy of. */
void regions_block(struct regions *, const struct memory *, uint32_t i,
		   const struct zs_region *r, uint64_t address, uint64_t size,
		   uint64_t usable);

/* Writes the rows of regions and memory, and frees. */
void regions_end(struct regions *, const struct process *,
		 const struct zs_region *, struct writer *);

#endif
