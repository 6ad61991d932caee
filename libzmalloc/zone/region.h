/*
 * region.h - pointer to region to block, for every address, in constant time.
 *
 * A region is a run of addresses that one tier of one zone carves blocks
 * from: a nano slab (slots of one size), a rack's region (tiny, small,
 * medium: runs of quanta) or one large block.  free, malloc_size, zone from
 * pointer, introspection, the debug checks, the recorder's tags and the leak
 * scan all stand on these few functions.
 *
 * Lock-free readers: struct zm_region is type-stable memory.  It is never
 * unmapped, only reused, so a stale pointer may be read (its base and bytes
 * then no longer cover the address), never faults.
 */
#ifndef ZMALLOC_ZONE_REGION_H
#define ZMALLOC_ZONE_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zm_szone;

enum zm_tier { /* the values of enum zs_tier in logger/session.h */
	       ZM_TIER_NONE,
	       ZM_TIER_NANO,
	       ZM_TIER_TINY,
	       ZM_TIER_SMALL,
	       ZM_TIER_MEDIUM,
	       ZM_TIER_LARGE
};

/*
 * The part of a region's metadata that all tiers share; each tier embeds it
 * as the first member of its own struct.
 *
 * granule (1 << tag_shift) is the least distance between the starts of two
 * allocated blocks of a rack's region, so that
 *	index(block) = (block - base) >> tag_shift
 * is unique.  A rack keeps that promise: no block handed out by it, also not
 * by realloc in place or memalign, is shorter than the granule.
 *
 * tags is memory of the observer (the recorder), two words per index, NULL
 * when nobody observes.  Set in region_added, or later for regions that exist
 * when observation begins.
 */
struct zm_region {
	uintptr_t base;
	size_t bytes;
	uint64_t *tags;	     /* [2 * tag_count] */
	uint32_t tag_count;  /* how many indices there can be */
	uint32_t id;	     /* dense, reused; index of the directory */
	uint32_t quantum;    /* slot size (nano), quantum (rack), 0 (large) */
	uint32_t slot_magic; /* nano: reciprocal of quantum */
	uint16_t zone;	     /* zone id */
	uint8_t tag_shift;   /* rack */
	uint8_t tier;	     /* enum zm_tier */
	uint32_t tagged;     /* recorded blocks, where only some are; atomic */
	struct zm_szone *owner;
};

/* What lies at an address. */
struct zm_block {
	struct zm_region *region;
	uintptr_t start;
	size_t usable;	/* bytes */
	uint32_t index; /* tag index */
	bool live;	/* handed out; false also for a block in a cache where
			   the tier can tell, see zm_block_at */
};

/* The region that holds p, or NULL when p is not in any zone of ours. */
struct zm_region *zm_region_of(const void *p);

/*
 * The block that holds address p, which may point anywhere inside it.  False
 * when p lies in no block (metadata, free space, foreign memory).  Takes no
 * lock; during concurrent changes of the region the answer is that of some
 * moment.  live is exact for blocks whose owner is not inside malloc or free,
 * except that blocks resting in a thread's cache may count as live: whoever
 * needs the truth while recording asks the tag (tags[2 * index] != 0).
 */
bool zm_block_at(const void *p, struct zm_block *out);

/* Tag index of the block that starts at `start`; the caller knows that. */
static inline uint32_t
zm_tag_index(const struct zm_region *r, uintptr_t start)
{
	uint64_t off = start - r->base;

	if (r->tier == ZM_TIER_NANO)
		return (uint32_t)(off * r->slot_magic >> 32);
	if (r->tier == ZM_TIER_LARGE)
		return 0;
	return (uint32_t)(off >> r->tag_shift);
}

/* Calls fn for every region there is; region creation is locked out. */
void zm_region_each(void (*fn)(struct zm_region *, void *), void *ctx);

/*
 * The observer learns of each region before its first block is handed out
 * (added) and after its last one came back (removed).  Called with the
 * region's locks held: it must not allocate from a zone.  added may leave
 * r->tags NULL: such a region is not recorded.
 */
struct zm_region_observer {
	void (*added)(struct zm_region *);
	void (*removed)(struct zm_region *);
};

/* Sets the observer (NULL: none) and, if set, calls added for each region
 * that exists and has no tags. */
void zm_region_observe(const struct zm_region_observer *);

#endif
