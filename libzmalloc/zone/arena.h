/*
 * arena.h - address space, and from address to region.
 *
 * One range of addresses is reserved at the first use and cut in slices; a
 * flat table says for each slice which region it belongs to.  Where address
 * space is limited (RLIMIT_AS) or too little could be reserved, spans are
 * mappings of their own and a radix table takes the place of the flat one;
 * blocks too big for the arena use it as well.
 *
 * Relies on os/.  Called by the tiers for spans, by region.c for look-ups.
 */
#ifndef ZMALLOC_ZONE_ARENA_H
#define ZMALLOC_ZONE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zone/region.h"

enum { ZM_SLICE_SHIFT = 16, ZM_SLICE = 1 << ZM_SLICE_SHIFT };

/*
 * region is what zm_region_of answers.  fast belongs to the fast path of free:
 * bits 48-63 enum ZM_KIND, bits 0-47 an even address that depends on the kind.
 * In the first and last slice of a free span it is the address of the span's
 * node plus one instead, so that this word alone tells what the slice is.
 */
struct zm_slice {
	struct zm_region *region;
	uint64_t fast;
};

struct zm_arena {
	uintptr_t base;
	size_t bytes; /* 0: there is none */
	struct zm_slice *slices;
};
extern struct zm_arena zm_arena;

/* True when address space is scarce; valid after zm_arena_start. */
extern bool zm_arena_limited;
/* Reserves; harmless when called again.  False out of memory. */
bool zm_arena_start(void);

/* A span of so many bytes (a multiple of the slice) with a start that is a
 * multiple of align (at least the slice).  Not accessible before
 * zm_os_commit.  0 when there is none. */
uintptr_t zm_span_alloc(size_t bytes, size_t align, const char *name);
/* Gives a span back, contents and all. */
void zm_span_free(uintptr_t start, size_t bytes);
/* Moves the end of a span; false: could not.  Growth is not committed. */
bool zm_span_resize(uintptr_t start, size_t bytes, size_t new_bytes);

/* Enters a region in the table for [start, start + bytes), NULL to remove it.
 * fast0: the first slice's fast word, growing by fast_step per slice.  False
 * out of memory (never when removing). */
bool zm_slices_set(uintptr_t start, size_t bytes, struct zm_region *,
		   uint64_t fast0, uint64_t fast_step);
/* The table's entry for an address, NULL when there is none. */
struct zm_slice *zm_slice_slow(uintptr_t p);

static inline struct zm_slice *
zm_slice_of(uintptr_t p)
{
	uintptr_t off = p - zm_arena.base;
	if (__builtin_expect(off < zm_arena.bytes, 1))
		return &zm_arena.slices[off >> ZM_SLICE_SHIFT];
	return zm_slice_slow(p);
}

/* The locks of arena, directory and metadata, for fork. */
void zm_arena_lock(void);
void zm_arena_unlock(void);
void zm_arena_reinit(void);

#endif
