/*
 * types.h - the insides of zone/: glossary, data structures, invariants.
 *
 * Glossary
 *   slice     64 KiB of address space, the unit of the slice table.
 *   span      a run of slices, handed out by the arena (arena.h).
 *   slab      one slice cut in slots of one size: nano.
 *   rack      regions, magazines and depot of one size range: tiny, small
 *             and medium are three racks with different parameters.
 *   quantum   unit of length of a rack's blocks and runs.
 *   granule   least distance of two blocks' starts in a rack's region
 *             (region.h: tag_shift), a power of two of quanta.
 *   run       free quanta between two blocks, as long as possible: two runs
 *             never touch.  A run may be shorter than a granule.
 *   tail      the part of a rack's region behind its last block that was
 *             never handed out since the region was mapped or purged.
 *   magazine  regions and free runs of a rack that threads share by lock.
 *   depot     the magazine of a rack that nobody allocates from: regions that
 *             the others had too much of.
 *   bin       blocks of one length in a thread's cache.
 *   death row freed large blocks that wait to be used again.
 *
 * A block is in one of these states
 *   live      handed out.  Its mark in its region's metadata is set.
 *   cached    in a bin.  The mark is set too.
 *   last-free waits as its magazine's last-free block.  No mark, no run.
 *   free      the mark is clear; part of a run (rack) or a clear bit (nano).
 *
 * Locks: the ranks of os/lock.h.  Readers of marks take no lock; marks are
 * written with single relaxed stores under the lock of the magazine.
 */
#ifndef ZMALLOC_ZONE_TYPES_H
#define ZMALLOC_ZONE_TYPES_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/lock.h"
#include "os/os.h"
#include "zone/szone.h"

#define ZM_LIKELY(x)   __builtin_expect(!!(x), 1)
#define ZM_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ZM_LOAD(p)     __atomic_load_n(p, __ATOMIC_RELAXED)
#define ZM_STORE(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)

enum {
	ZM_NANO_MAX = 256,
	ZM_TINY_MAX = 1008,
	ZM_SMALL_MAX = 32 << 10,
	ZM_MEDIUM_MAX = 8 << 20,
	ZM_MAGAZINES_MAX = 64,
};

static inline size_t
zm_round_up(size_t n, size_t to) /* to: a power of two */
{
	return (n + to - 1) & ~(to - 1);
}

/* ---- nano --------------------------------------------------------------- */

enum { ZM_NANO_CLASSES = 16, ZM_SLAB_WORDS = 64 };

/*
 * One slab.  Bound to its slice for ever, so it is type-stable.
 *   used == number of set bits
 *   bit i set <=> the slot that starts 16 * i bytes in is live or cached
 *   listed <=> used < slots and the slab is in its magazine's partial list
 * Lock: the magazine `mag`; mag itself changes under the locks of both.
 */
struct zm_slab {
	struct zm_region r;
	struct zm_slab *next, *prev; /* partial list, or the free slabs */
	uint16_t slots, used;
	uint16_t hint; /* no free slot starts in the words before this one */
	uint16_t mag;
	uint8_t class; /* 1..16: slot size / 16 */
	bool listed;
	size_t touched;	 /* bytes from the start that were made present */
	uintptr_t slice; /* its slice, also while it is free */
	struct zm_slab_group *group; /* slabs.c */
	uint64_t bits[ZM_SLAB_WORDS];
};

struct zm_nano_mag {
	struct zm_lock lock;
	struct zm_slab *partial[ZM_NANO_CLASSES + 1];
	uint32_t empties[ZM_NANO_CLASSES + 1];
	uint32_t slabs;
	size_t blocks, bytes; /* live and cached */
} __attribute__((aligned(64)));

/* ---- racks -------------------------------------------------------------- */

enum {
	ZM_SLOTS = 257,
	ZM_SLOT_WORDS = 5,
	ZM_RACKS = 3,
	ZM_TABLE_CHUNKS = 1024 /* of 1024 regions */
};
#define ZM_NIL UINT32_C(0)

/*
 * Three arrays beside a region, an entry per granule:
 * mark     of the block that starts there: bits 0-3 its quantum within the
 *          granule, bit 4 set, bits 5-13 its length in quanta; 0: none.  Apart
 *          from the others because free() reads nothing else.
 * run_end  where a run ends there, the granule in which it starts (a hint:
 *          valid only if that run's own word agrees).
 * run      the run that starts there.
 */
typedef uint16_t zm_mark;

/* The run that starts in a granule.  word: bits 0-3 as in a mark, bit 4 pages
 * are known to be zero, bits 5-31 length in quanta; 0: no run. */
struct zm_run {
	uint32_t next,
	    prev; /* reference of the neighbour in the list, or nil */
	uint32_t word;
};

struct zm_rack;

/*
 * One region of a rack.  Type-stable, followed by marks, run ends, runs and,
 * in a rack that keeps count of pages (medium), a bit for each quantum.
 *   used == sum of lengths of marked blocks and a last-free block
 *   these and runs cover [0, tail) without overlap
 *   [tail, quanta) is in no block and no run; from high >= tail on it reads as
 *   zero
 *   warm: empty, in the depot, and has pages
 *   a bit of dirty set <=> the quantum is in a run and may have pages
 */
struct zm_rregion {
	struct zm_region r;
	struct zm_rack *rack;
	struct zm_rregion *next, *prev; /* regions of the magazine */
	zm_mark *marks;
	uint16_t *run_end;
	struct zm_run *runs;
	uint64_t *dirty; /* NULL: not counted */
	uint32_t dirty_count;
	uint8_t qshift, gshift; /* as the rack's, and as constant as marks */
	uint16_t max_quanta;
	uint32_t slot; /* index in the rack's table: part of references */
	uint32_t quanta, tail, high;
	uint32_t used, blocks;
	uint32_t mag; /* index of the magazine; changes under both locks */
	size_t committed;
	size_t touched; /* bytes from the start that were made present */
	bool warm;
	bool cooled; /* in the depot, in use, and gave up pages */
};

/*
 *   slot i of head holds the runs of i quanta, the last one all longer ones
 *   bit i of map set <=> head[i] != nil
 *   used == sum over its regions, likewise quanta
 *   dirty == number of dirty bits of its regions
 *   peak >= used, sinks towards it with each free
 */
struct zm_magazine {
	struct zm_lock lock;
	struct zm_rregion *regions, *bump; /* bump: has a tail */
	uint32_t count;
	size_t used, blocks, quanta;
	size_t dirty, peak; /* quanta */
	void *last;	    /* last-free block; NULL: none */
	struct zm_rregion *last_region;
	uint32_t last_quanta;
	uint64_t map[ZM_SLOT_WORDS];
	uint32_t head[ZM_SLOTS];
} __attribute__((aligned(64)));

struct zm_rack {
	uint8_t tier;
	uint8_t qshift;	     /* log2 of the quantum */
	uint8_t gshift;	     /* log2 of quanta per granule */
	uint8_t gbits;	     /* log2 of granules per region, at most */
	uint16_t max_quanta; /* longest block */
	uint16_t nmag;
	bool counts_dirty;
	size_t region_bytes;
	size_t commit_step;
	struct zm_szone *zone;
	struct zm_magazine *mags; /* [nmag + 1]; the last is the depot */
	/* under the depot's lock: empty regions that may be warm, those that
	 * are, those that gave up their pages lately and were not missed so
	 * far, when the latest did */
	uint32_t warm_max, warm_now, cold;
	uint64_t gave_up_at;
	struct zm_lock table_lock;
	struct zm_rregion ***table; /* [ZM_TABLE_CHUNKS]: slot -> region */
	uint32_t table_used;
};

/* ---- large -------------------------------------------------------------- */

enum { ZM_DEATH_ROW_MAX = 64 };

/* One large block.  Type-stable.  span covers guards and the block. */
struct zm_large {
	struct zm_region r;
	struct zm_large *next, *prev;
	uintptr_t span;
	size_t span_bytes;
	bool clean;	      /* pages are known to be zero */
	bool dying;	      /* on death row */
	struct zm_lazy *lazy; /* the kernel may drop its contents: lazy.c */
};

struct zm_large_zone {
	struct zm_lock lock;
	struct zm_large *live;
	size_t blocks, bytes;
	struct zm_large *row[ZM_DEATH_ROW_MAX]; /* oldest first */
	unsigned row_count;
	size_t row_bytes;
	size_t warm;	    /* bytes of the row that may keep their pages */
	uint64_t missed_at; /* when one was taken that had lost them */
};

/* ---- zone --------------------------------------------------------------- */

struct zm_szone {
	uint16_t id;
	uint16_t nmag;
	bool nano;   /* sizes up to 256 are nano's */
	bool medium; /* the medium rack is in use */
	bool cached; /* threads keep caches of this zone's blocks */
	size_t meta_bytes;
	uint32_t next_mag; /* magazine of the next thread */
	size_t touched;	   /* bytes made present ahead of use: populate.h */
	struct zm_nano_mag *nano_mags; /* [nmag] */
	struct zm_transfer *transfer;  /* [nmag] if cached */
	struct zm_large_zone large;
	struct zm_rack rack[ZM_RACKS];
};

/* Fast-path classes of a region's slices: see fast.h. */
enum {
	ZM_KIND_NONE = 0, /* 1..16: nano of a cached zone */
	ZM_KIND_TINY = 17,
	ZM_KIND_SMALL = 18,
	ZM_KIND_MEDIUM = 19,
};

#endif
