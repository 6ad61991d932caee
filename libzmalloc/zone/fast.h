/*
 * fast.h - the thread caches' data and the two inline paths through them.
 *
 * A cache has a bin for each length of block.  A bin is a list through the
 * blocks: the first word of a cached block is the next one's address, the
 * second the first word, the block's address and a secret, mixed:
 *	word[0] ^ word[1] ^ address == zm_cache_key
 * Both words become zero when the block is handed out, or given back to its
 * magazine.  So a block that was written to after it was freed is noticed when
 * it is handed out again, no stale pointer is left in a block for the leak
 * scan to find, and a block that was freed twice is never handed out twice: it
 * is found when it is freed if it is the latest one freed of its length or
 * rests in its magazine again, else when the list comes to it once more.
 *
 * Freeing does not read the block.  It left the processor's caches long ago,
 * and a load that misses costs more than all the rest of free, where a store
 * does not make anybody wait.
 *
 * No atomics and no locks here: a cache is touched by its thread alone, except
 * when other threads stand still (enumeration, fork, destruction of a zone).
 * A cache holds blocks of the cached zone only (szone.c).
 *
 * Included by cache.c and szone.c, and by malloc/'s entry points.
 */
#ifndef ZMALLOC_ZONE_FAST_H
#define ZMALLOC_ZONE_FAST_H

#include "zone/arena.h"
#include "zone/types.h"

enum {
	ZM_KIND_SHIFT = 48,
	/* bins: quanta of tiny (and nano) as they are, then the others';
	 * bin 0 and a gap between them stay empty for ever */
	ZM_BIN_SMALL = 64,
	ZM_BIN_MEDIUM = 130,
	ZM_MEDIUM_BINS = 33, /* up to 1 MiB */
	ZM_CACHED_MAX = (ZM_MEDIUM_BINS - 1) << 15,
	ZM_BIN_BIG = ZM_BIN_MEDIUM + ZM_MEDIUM_BINS,
	ZM_BINS = ZM_BIN_BIG + 1,
	ZM_BIN_MOST = 512 /* blocks in a list, above every limit */
};

struct zm_bin {
	uintptr_t *head;
	uint32_t count;
	uint16_t limit; /* blocks; 0 until the bin is used */
	uint16_t epoch; /* of its last slow visit */
};

struct zm_cache {
	struct zm_bin bin[ZM_BINS];
	struct zm_szone *zone;	      /* NULL: not used so far */
	uint32_t mag;		      /* index of this thread's magazines */
	uint32_t hand;		      /* bin that is next to be made smaller */
	uint32_t sweep;		      /* bin that is next to be tidied */
	size_t reserved;	      /* sum of limit * size over the bins */
	size_t budget;		      /* bound of reserved */
	size_t high, low;	      /* of the live bytes, lately */
	size_t big_bytes;	      /* length of the block in ZM_BIN_BIG */
	uint32_t slow;		      /* visits to the slow paths */
	bool flush;		      /* another thread asks to flush */
	struct zm_cache *next, *prev; /* all caches */
};

extern uintptr_t zm_cache_key;
/* As zm_cache_current, but an empty cache in place of NULL. */
extern __thread struct zm_cache *zm_cache_fast
    __attribute__((tls_model("initial-exec")));

static inline bool
zm_looks_cached(const uintptr_t *p)
{
	return (p[0] ^ p[1] ^ (uintptr_t)p) == zm_cache_key;
}

static inline void
zm_bin_push(struct zm_bin *b, uintptr_t *p)
{
	uintptr_t head = (uintptr_t)b->head;
	p[0] = head;
	p[1] = head ^ (uintptr_t)p ^ zm_cache_key;
	b->head = p;
	b->count++;
}

static inline struct zm_bin *
zm_bin_at(struct zm_cache *c, size_t offset)
{
	return (struct zm_bin *)((char *)c->bin + offset);
}

/* Of the block for a request of more than ZM_CACHED_MAX bytes. */
static inline size_t
zm_medium_bytes(size_t size)
{
	return size <= ZM_MEDIUM_MAX ? (size + 32767) & ~(size_t)32767 : 0;
}

/*
 * From the calling thread's cache.  NULL: the slow path must do it.  The
 * offset of a bin is computed from the size in one piece: bins are 16 bytes,
 * as is the quantum of the shortest blocks.
 */
static inline void *
zm_fast_malloc(size_t size)
{
	struct zm_cache *c = zm_cache_fast;
	size_t at;
	static_assert(sizeof(struct zm_bin) == 16, "offsets are sizes");
	if (ZM_LIKELY(size <= ZM_TINY_MAX))
		at = (size + 15) & ~(size_t)15;
	else if (ZM_LIKELY(size <= ZM_SMALL_MAX))
		at = ZM_BIN_SMALL * 16 + (((size + 511) >> 5) & ~(size_t)15);
	else
		at =
		    ZM_BIN_MEDIUM * 16 + (((size + 32767) >> 11) & ~(size_t)15);
	if (ZM_UNLIKELY(size > ZM_CACHED_MAX)) {
		if (zm_medium_bytes(size) != c->big_bytes)
			return NULL;
		at = ZM_BIN_BIG * 16;
	}
	struct zm_bin *b = zm_bin_at(c, at);
	uintptr_t *p = b->head;
	if (ZM_UNLIKELY(!p || !zm_looks_cached(p)))
		return NULL;
	b->head = (uintptr_t *)p[0];
	b->count--;
	p[0] = 0;
	p[1] = 0;
	return p;
}

/*
 * The bin of a block of the cached zone that starts at p; 0: the slow path
 * must look.  big_bytes: the length that goes to ZM_BIN_BIG.  The slice's word
 * names a nano slab's bits or a region's marks, of which one entry tells
 * whether a block starts here, and its length.
 */
static inline __attribute__((always_inline)) unsigned
zm_fast_bin(uintptr_t p, size_t big_bytes)
{
	uintptr_t off = p - zm_arena.base;
	if (ZM_UNLIKELY(off >= zm_arena.bytes))
		return 0;
	uint64_t fast = ZM_LOAD(&zm_arena.slices[off >> ZM_SLICE_SHIFT].fast);
	unsigned kind = (unsigned)(fast >> ZM_KIND_SHIFT);
	uintptr_t low = p & (ZM_SLICE - 1);
	uintptr_t at = fast & ((UINT64_C(1) << ZM_KIND_SHIFT) - 1);
	if (kind - 1 < ZM_NANO_CLASSES) {
		const uint64_t *bits = (const uint64_t *)at;
		if (ZM_UNLIKELY(
			(low & 15) ||
			!(ZM_LOAD(&bits[low >> 10]) >> (low >> 4 & 63) & 1)))
			return 0;
		return kind;
	}
	const zm_mark *marks = (const zm_mark *)at;
	if (kind == ZM_KIND_TINY) {
		unsigned mark = ZM_LOAD(&marks[low >> 8]);
		if (ZM_UNLIKELY((low & 15) ||
				(mark & 31) != ((low >> 4 & 15) | 16)))
			return 0;
		return mark >> 5;
	}
	if (kind == ZM_KIND_SMALL) {
		unsigned mark = ZM_LOAD(&marks[low >> 10]);
		if (ZM_UNLIKELY((low & 511) ||
				(mark & 31) != ((low >> 9 & 1) | 16)))
			return 0;
		return ZM_BIN_SMALL + (mark >> 5);
	}
	if (kind == ZM_KIND_MEDIUM) {
		unsigned mark = ZM_LOAD(marks);
		if (ZM_UNLIKELY((low & 32767) ||
				(mark & 31) != ((low >> 15) | 16)))
			return 0;
		if (mark >> 5 < ZM_MEDIUM_BINS)
			return ZM_BIN_MEDIUM + (mark >> 5);
		return (size_t)(mark >> 5) << 15 == big_bytes ? ZM_BIN_BIG : 0;
	}
	return 0;
}

/* False: the slow path must do it, also for every p that is not a block's
 * start: bin 0 has no room, ever. */
static inline bool
zm_fast_free(void *p)
{
	struct zm_cache *c = zm_cache_fast;
	unsigned bin = zm_fast_bin((uintptr_t)p, c->big_bytes);
	struct zm_bin *b = &c->bin[bin];
	if (ZM_UNLIKELY(b->count >= b->limit || b->head == p))
		return false;
	zm_bin_push(b, p);
	return true;
}

/* Usable bytes of what surely is the start of a live block; 0: the slow path
 * must look. */
static inline size_t
zm_trusted_size(const void *p)
{
	uintptr_t off = (uintptr_t)p - zm_arena.base;
	if (ZM_UNLIKELY(off >= zm_arena.bytes))
		return 0;
	uint64_t fast = ZM_LOAD(&zm_arena.slices[off >> ZM_SLICE_SHIFT].fast);
	unsigned kind = (unsigned)(fast >> ZM_KIND_SHIFT);
	uintptr_t low = (uintptr_t)p & (ZM_SLICE - 1);
	const zm_mark *marks =
	    (const zm_mark *)(uintptr_t)(fast &
					 ((UINT64_C(1) << ZM_KIND_SHIFT) - 1));
	if (ZM_LIKELY(kind - 1 < ZM_NANO_CLASSES))
		return (size_t)kind << 4;
	if (kind == ZM_KIND_TINY)
		return (size_t)(ZM_LOAD(&marks[low >> 8]) >> 5) << 4;
	if (kind == ZM_KIND_SMALL)
		return (size_t)(ZM_LOAD(&marks[low >> 10]) >> 5) << 9;
	return kind == ZM_KIND_MEDIUM ? (size_t)(ZM_LOAD(marks) >> 5) << 15 : 0;
}

/* Usable bytes of the block of the cached zone that starts at p, 0: the slow
 * path must look. */
static inline size_t
zm_fast_size(const void *p)
{
	unsigned bin = zm_fast_bin((uintptr_t)p, 0);
	if (ZM_LIKELY(bin < ZM_BIN_SMALL))
		return (size_t)bin << 4;
	return bin < ZM_BIN_MEDIUM ? (size_t)(bin - ZM_BIN_SMALL) << 9
				   : (size_t)(bin - ZM_BIN_MEDIUM) << 15;
}

#endif
