/*
 * session.h - the session segment: what a recorded process shares with the
 * recorder.
 *
 * The segment is one sparse memfd.  The target creates it, maps it, hands the
 * descriptor to the recorder over a local socket (struct zs_hello) and closes
 * it.  From then on the target writes into plain memory and the recorder reads
 * it, also after the target was killed: nothing is ever buffered elsewhere.
 *
 * This header, with the table of trace points that it includes, is the only
 * thing the tools include from the library, and the library and the tools
 * include nothing else in common.  It depends on libc headers alone.  Readers
 * must treat every field as untrusted: a wild write of the target may have hit
 * the segment.
 *
 * Glossary
 *   tag      16 bytes per block: who allocated it, how much, when.  A block
 *            is live exactly when tag.w0 != 0.  Tags lie in arrays, one array
 *            per region, found through the region directory.
 *   region   a run of addresses that one tier of one zone carves blocks from
 *            (a nano slab, a tiny/small/medium region, or one large block).
 *   node     one frame of the stack trie: (return address, parent node).
 *   stack    a trie node at which some allocation happened, with counters.
 *   shard    the size-class counters of one zone that one thread writes;
 *            the process's counter is the sum over all shards.
 *   pool     the growing part of the segment: tags, shards, strings.
 *
 * Layout: header page(s), then the fixed tables at the offsets the header
 * gives, then the pool up to header.pool_used.  Offsets are bytes from the
 * start of the segment; 0 means "none".
 *
 * Writers: each field says who writes it.  "owner" is the thread that the
 * record belongs to.  All words that change while the recorder reads are
 * written with single aligned stores.
 */
#ifndef ZMALLOC_LOGGER_SESSION_H
#define ZMALLOC_LOGGER_SESSION_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "../os/trace_codes.h"

#define ZS_MAGIC   UINT64_C(0x3153534d4c414d5a) /* "ZMALMSS1" */
#define ZS_VERSION 4u

/* ---- size classes ----------------------------------------------------- */

/*
 * A size class is the usable size of a block: multiples of 16 up to 1008
 * (nano and tiny), of 512 up to 32 KiB (small), of 32 KiB up to 8 MiB
 * (medium), then the next power of two (large).
 */
enum {
	ZS_CLASS_TINY_MAX = 1008,
	ZS_CLASS_SMALL_MAX = 32 << 10,
	ZS_CLASS_MEDIUM_MAX = 8 << 20,
	ZS_CLASS_TINY = 0,     /* 63 classes: 16, 32, .. 1008 */
	ZS_CLASS_SMALL = 63,   /* 63 classes: 1024, 1536, .. 32768 */
	ZS_CLASS_MEDIUM = 126, /* 255 classes: 64K, 96K, .. 8M */
	ZS_CLASS_LARGE = 381,  /* 40 classes: 16M, 32M, .. 2^63 */
	ZS_CLASSES = 421
};

/* Index of the class of a block with so many usable bytes. */
static inline unsigned
zs_class_index(size_t usable)
{
	if (usable <= ZS_CLASS_TINY_MAX)
		return usable ? (unsigned)((usable - 1) >> 4) : 0;
	if (usable <= ZS_CLASS_SMALL_MAX)
		return ZS_CLASS_SMALL - 2 + (unsigned)((usable + 511) >> 9);
	if (usable <= ZS_CLASS_MEDIUM_MAX)
		return ZS_CLASS_MEDIUM - 2 + (unsigned)((usable + 32767) >> 15);
	unsigned log = 64 - (unsigned)__builtin_clzll(usable - 1);
	return ZS_CLASS_LARGE + (log > 63 ? 63 : log) - 24;
}

/* Largest usable size of a class: the number that users see. */
static inline uint64_t
zs_class_bytes(unsigned index)
{
	if (index < ZS_CLASS_SMALL)
		return (uint64_t)(index + 1) << 4;
	if (index < ZS_CLASS_MEDIUM)
		return (uint64_t)(index - ZS_CLASS_SMALL + 2) << 9;
	if (index < ZS_CLASS_LARGE)
		return (uint64_t)(index - ZS_CLASS_MEDIUM + 2) << 15;
	return UINT64_C(1) << (index - ZS_CLASS_LARGE + 24);
}

/* ---- tags ------------------------------------------------------------- */

/* Which entry point made the block. */
enum zs_fn {
	ZS_FN_OTHER,
	ZS_FN_MALLOC,
	ZS_FN_CALLOC,
	ZS_FN_REALLOC,
	ZS_FN_MEMALIGN, /* memalign, posix_memalign, aligned_alloc, valloc .. */
	ZS_FN_NEW,
	ZS_FN_NEW_ARRAY,
	ZS_FN_ZONE /* malloc_zone_* */
};

/* What the scan said of a live block. */
enum zs_verdict {
	ZS_UNSCANNED,
	ZS_REACHABLE,
	ZS_POSSIBLE,
	ZS_INDIRECT,
	ZS_DEFINITE
};

/*
 * w0: bits 0-31 stack id (never 0 in a live block), 32-55 requested bytes
 *     (all ones in a large block: see zs_region.large_size), 56-59 zs_fn,
 *     60-63 zs_verdict.
 * w1: bits 0-29 milliseconds since the session began (all ones: later than
 *     that can say), 30-49 thread index (0: not known), 50-53 offset of the
 *     block's start inside the tag's granule, in quanta, 54-62 block length
 *     in quanta (0: one slot, or a large block), 63 changes with each scan
 *     of the running program: which side of that moment the block is of when
 *     the milliseconds do not tell.
 *
 * malloc stores w1, then w0; free stores 0 in w0.
 */
struct zs_tag {
	uint64_t w0;
	uint64_t w1;
};
static_assert(sizeof(struct zs_tag) == 16, "tag size");

#define ZS_TAG_SIZE_MAX	  ((UINT64_C(1) << 24) - 1)
#define ZS_TAG_MS_MAX	  ((UINT64_C(1) << 30) - 1)
#define ZS_TAG_THREAD_MAX ((UINT64_C(1) << 20) - 1)
#define ZS_TAG_SIDE	  (UINT64_C(1) << 63)

static inline uint64_t
zs_tag_w0(uint32_t stack, uint64_t size, enum zs_fn fn)
{
	if (size > ZS_TAG_SIZE_MAX)
		size = ZS_TAG_SIZE_MAX;
	return stack | size << 32 | (uint64_t)fn << 56;
}

static inline uint64_t
zs_tag_w1(uint64_t ms, uint64_t thread, unsigned sub, unsigned quanta)
{
	if (ms > ZS_TAG_MS_MAX)
		ms = ZS_TAG_MS_MAX;
	if (thread > ZS_TAG_THREAD_MAX)
		thread = 0;
	return ms | thread << 30 | (uint64_t)(sub & 15) << 50 |
	       (uint64_t)(quanta & 511) << 54;
}

static inline uint32_t
zs_tag_stack(uint64_t w0)
{
	return (uint32_t)w0;
}
static inline uint64_t
zs_tag_size(uint64_t w0)
{
	return w0 >> 32 & ZS_TAG_SIZE_MAX;
}
static inline unsigned
zs_tag_fn(uint64_t w0)
{
	return w0 >> 56 & 15;
}
static inline unsigned
zs_tag_verdict(uint64_t w0)
{
	return (unsigned)(w0 >> 60);
}
static inline uint64_t
zs_tag_ms(uint64_t w1)
{
	return w1 & ZS_TAG_MS_MAX;
}
static inline uint32_t
zs_tag_thread(uint64_t w1)
{
	return w1 >> 30 & ZS_TAG_THREAD_MAX;
}
static inline unsigned
zs_tag_sub(uint64_t w1)
{
	return w1 >> 50 & 15;
}
static inline unsigned
zs_tag_quanta(uint64_t w1)
{
	return w1 >> 54 & 511;
}

/* ---- sampling --------------------------------------------------------- */

/*
 * With --sample=B each byte that is asked for begins a record with probability
 * 1/B (exactly: events of a Poisson process along the bytes), so a block of
 * `size` bytes is recorded with probability p = 1 - exp(-size / B).  It stands
 * for 1/p blocks like it.  1/p is rarely whole, counters are: of the two whole
 * numbers next to it a block gets one, the upper with the probability that
 * makes the mean 1/p.  The choice follows from the tag and the address alone,
 * so that free, the scan and the recorder all find the same number.
 */
enum { ZS_SAMPLE_LOG_MAX = 40 }; /* B is at most 1 << this */

static inline double
zs_weight_mean(uint64_t sample, uint64_t size)
{
	double x = (double)(size ? size : 1) / (double)sample;

	if (x > 32) /* p is 1 but for 1e-14 */
		return 1;
	if (x < 1) /* 1/(1-exp(-x)) as a series: no cancellation */
		return 1 / x + 0.5 + x / 12 - x * x * x / 720 +
		       x * x * x * x * x / 30240;
	/* exp(-x) = exp(-x/64)^64 */
	double y = -x / 64, e = 1;
	for (int i = 10; i > 0; i--)
		e = 1 + y * e / i;
	for (int i = 0; i < 6; i++)
		e *= e;
	return 1 / (1 - e);
}

/* How many blocks the one with this tag at this address stands for; sample:
 * header.sample_bytes, size: its requested bytes. */
static inline uint64_t
zs_weight(uint64_t sample, uint64_t size, uint64_t address, uint64_t w1)
{
	if (!sample || sample >> (ZS_SAMPLE_LOG_MAX + 1))
		return 1;
	double mean = zs_weight_mean(sample, size);
	uint64_t whole = (uint64_t)mean;
	uint64_t h = (address ^ w1 * UINT64_C(0x9e3779b97f4a7c15)) + size;
	h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
	h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
	h ^= h >> 32;
	return whole + ((double)(h >> 11) * 0x1p-53 < mean - (double)whole);
}

/* ---- region directory ------------------------------------------------- */

enum zs_tier {
	ZS_TIER_NONE, /* entry unused */
	ZS_TIER_NANO,
	ZS_TIER_TINY,
	ZS_TIER_SMALL,
	ZS_TIER_MEDIUM,
	ZS_TIER_LARGE
};

/*
 * One entry per region, indexed by region id.
 *
 * Address of tag i:
 *   nano     base + i * quantum                        usable = quantum
 *   rack     base + (i << tag_shift) + sub * quantum   usable = quanta *
 * quantum large    base                                      usable = bytes
 * where a rack's granule (1 << tag_shift) is the least size of a block in that
 * region, so that no two live blocks share a tag.
 *
 * Writer: whoever creates or removes the region, under the zone's lock; tier
 * is stored last when created and first (as NONE) when removed.
 */
struct zs_region {
	uint64_t base;
	uint64_t bytes;
	uint64_t tags; /* offset of the tag array */
	uint64_t
	    large_size; /* requested bytes of the block in a large region */
	uint32_t tag_count;
	uint32_t quantum; /* slot size of a nano slab, quantum of a rack */
	uint16_t zone;	  /* zone id */
	uint8_t tag_shift;
	uint8_t tier;	     /* enum zs_tier */
	uint32_t generation; /* incremented at each reuse of the entry */
	uint32_t reserved[3];
};
static_assert(sizeof(struct zs_region) == 64, "region size");

/* ---- zones ------------------------------------------------------------ */

enum {
	ZS_ZONES_MAX = 256,
	ZS_ZONE_NONE = 0,
	ZS_ZONE_DEFAULT = 1,
	ZS_ZONE_LOGGER = 2
};

/* Indexed by zone id; written under the registry's lock. */
struct zs_zone {
	uint8_t in_use; /* stays 1 after the zone was destroyed */
	char name[63];	/* NUL-terminated */
};

/* ---- stacks ----------------------------------------------------------- */

/* Frames whose pc is one of these are remarks, not addresses. */
#define ZS_PC_CUT     UINT64_C(1) /* frames were left out here: depth limit */
#define ZS_PC_UNKNOWN UINT64_C(2) /* the unwinder could not go on from here */
#define ZS_PC_EARLY   UINT64_C(3) /* before the unwinder was loaded */

/*
 * One frame.  Nodes are immutable once node_count covers them, except stack.
 * Node 0 is the root of the trie and no frame.
 */
struct zs_node {
	uint64_t pc_module; /* bits 0-47 return address, 48-63 module index */
	uint32_t parent;    /* the caller's node; 0: outermost frame */
	uint32_t stack; /* index in the stack table; 0: none allocated here */
};
static_assert(sizeof(struct zs_node) == 16, "node size");

static inline uint64_t
zs_node_pc(const struct zs_node *n)
{
	return n->pc_module & ((UINT64_C(1) << 48) - 1);
}
static inline unsigned
zs_node_module(const struct zs_node *n)
{
	return (unsigned)(n->pc_module >> 48);
}

/*
 * Counters of one stack; entry 0 is unused.  The process's numbers are these
 * plus the sums over the stack's tallies: the first thread alone writes here,
 * every other one its own tallies, so that no two write the same cache line.
 *
 * peak_bytes is exact where the first thread alone allocates and frees at a
 * stack; each other thread may hold back less than ZS_STACK_STEP bytes, by
 * which the peak may be too low, and what it held back at most is in the
 * tally's high.
 */
struct zs_stack {
	uint32_t node; /* leaf: the caller of the allocation function */
	uint32_t flags;
	uint64_t allocations;
	uint64_t frees;
	uint64_t bytes;	      /* requested, all allocations */
	uint64_t freed_bytes; /* requested, of the freed ones */
	uint64_t peak_bytes;  /* highest live bytes; atomic, all threads */
	uint64_t temporary;   /* freed before the thread's next allocation */
	uint64_t published;   /* live bytes that tallies no longer hold back;
				 atomic, all threads; may be negative */
};
static_assert(sizeof(struct zs_stack) == 64, "stack size");

enum { ZS_STACK_STEP = 16 << 10, ZS_TALLIES = 16 };

/* What one thread other than the first has done at one stack. */
struct zs_tally {
	uint64_t allocations;
	uint64_t frees;
	uint64_t bytes;
	uint64_t freed_bytes;
	uint64_t temporary;
	int64_t pending; /* live bytes not yet published */
	int64_t high;	 /* the most that was ever held back */
	uint64_t reserved;
};
static_assert(sizeof(struct zs_tally) == 64, "tally size");

/*
 * Tallies of stacks first to first + ZS_TALLIES - 1; several chunks may be for
 * the same stacks.  Written by the owning thread only; one that ended leaves
 * its chunks to a later one.
 */
struct zs_chunk {
	uint64_t next;	/* offset of the next one in the header's list */
	uint32_t first; /* a multiple of ZS_TALLIES */
	uint32_t reserved[13];
	struct zs_tally tally[ZS_TALLIES];
};

/* ---- size-class counters ---------------------------------------------- */

struct zs_counter {
	uint64_t allocations;
	uint64_t frees;
	uint64_t bytes;
	uint64_t freed_bytes;
};

/* Written by the owning thread only; reused, not cleared, by a later one. */
struct zs_shard {
	uint32_t zone;
	uint32_t thread; /* index of the thread that writes it now; 0: none */
	uint64_t next; /* offset of the next shard of the list in the header */
	struct zs_counter class[ZS_CLASSES];
	/*
	 * By enum zt_call.  Allocations that are not calls of malloc: calls[c]
	 * for calloc, realloc and so on; malloc's are what is left of all
	 * allocations.  Likewise calls[0] is frees that are not calls of free:
	 * of blocks that realloc replaced, or that went with their zone.
	 * [ZT_CALL_malloc] and [ZT_CALL_free] stay 0, so that the two most
	 * frequent events cost nothing more.
	 */
	uint64_t calls[ZT_CALLS];
};

/* ---- threads ---------------------------------------------------------- */

/* Indexed by thread index; entry 0 is unused.  Never reused. */
struct zs_thread {
	int32_t tid; /* as the kernel's gettid() */
	uint32_t flags;
	uint64_t started_ns; /* since the session began */
	uint64_t ended_ns;   /* 0: not seen to end */
	uint64_t allocations;
	uint64_t frees; /* by this thread, of any thread's blocks */
	uint64_t bytes;
	char name[16]; /* comm at the first and, if it ended, last moment */
};
static_assert(sizeof(struct zs_thread) == 64, "thread size");

/* ---- modules ---------------------------------------------------------- */

/* Indexed by module index; entry 0 is unused.  Never reused or removed. */
struct zs_module {
	uint64_t start; /* lowest address of its loadable segments */
	uint64_t end;	/* first address after them */
	uint64_t bias;	/* run-time address minus address in the file */
	uint64_t path;	/* offset of a NUL-terminated string; may be empty */
	uint64_t loaded_ns;
	uint64_t unloaded_ns; /* 0: not seen to go */
	uint8_t build_id_bytes;
	uint8_t build_id[31];
};

/* ---- leaks ------------------------------------------------------------ */

/* What is lost together with a definite block, if anything. */
struct zs_group {
	uint64_t leader; /* address of the definite block */
	uint64_t indirect_blocks;
	uint64_t indirect_bytes;
};

struct zs_mark {
	uint64_t t_ns;
	uint64_t label; /* offset of a NUL-terminated string; several marks
			   may share one */
	uint64_t live_blocks, live_bytes;
};
static_assert(sizeof(struct zs_mark) == 32, "mark size");

/* ---- scans and what points to what ------------------------------------ */

/*
 * One leak scan, entered when it has finished; entry 0 is unused.  Its graph
 * is words [first, first + words) of the graph table.  The graph of a scan
 * that the recorder has read (header.scans_read) may be written over.
 */
struct zs_scan {
	uint64_t begin_ns; /* since the session began: threads stand still */
	uint64_t end_ns;
	uint64_t first;
	uint64_t words;
	uint64_t edges_dropped; /* pointers that were left out; those that hold
				   a block first never are */
	uint32_t flags;
	uint32_t reserved0;
	uint64_t reserved[2];
};
static_assert(sizeof(struct zs_scan) == 64, "scan size");

enum { ZS_SCAN_CUT = 1 /* the graph ends early: no room */ };

/*
 * A word of the graph: bits 0-1 say what it is.
 *
 * ZS_GRAPH_BLOCK: a live block that the scan read, in the order of reading;
 *   its edges follow.  Bits 2-45 address / 16, 46-48 what this scan found so
 *   far (enum zs_verdict; lost blocks are ZS_INDIRECT, see LEADER), 49-51 the
 *   verdict of the scan before (ZS_UNSCANNED: it is newer than that), 52 it is
 *   recorded, 53 a word follows with all its bytes, 54 then one follows with
 *   its first word, which points into a module.  The next word is always
 *   bits 0-31 stack, 32-63 requested bytes.
 * ZS_GRAPH_EDGE: a pointer in the block or root that came last.  Bits 2-45
 *   address / 16 of the block that it points to, 46 it holds it: it points to
 *   the start or what counts as such, 47 it found it; 48-63 where it lies, in
 *   words from the base (the start of the block or root, or see BASE).
 * ZS_GRAPH_ROOT: roots begin: bits 2-49 their address / 8, or for registers
 *   the thread's id; 50-52 enum zs_root.  The next word is the mapping that
 *   they lie in: bits 0-35 page, 36-63 pages, of 4096 bytes.
 * ZS_GRAPH_MORE: bits 2-3 enum zs_more, 4-63 a number.
 */
enum zs_graph { ZS_GRAPH_BLOCK, ZS_GRAPH_EDGE, ZS_GRAPH_ROOT, ZS_GRAPH_MORE };

enum zs_root {
	ZS_ROOT_FILE,  /* a mapping of a file: mostly a module's data */
	ZS_ROOT_ANON,  /* without a name: bss, stacks, TLS, others */
	ZS_ROOT_HEAP,  /* [heap] */
	ZS_ROOT_STACK, /* [stack] */
	ZS_ROOT_REGISTERS
};

enum zs_more {
	ZS_MORE_BASE,	/* of the next edges, in words from the start */
	ZS_MORE_LEADER, /* address of a definite block */
	ZS_MORE_THREAD, /* id; then its stack and its thread pointer */
	ZS_MORE_TLS	/* thread-local data of a module: its index; then where
			   it is relative to the thread pointer, and bytes */
};

#define ZS_GRAPH_ADDRESS ((UINT64_C(1) << 44) - 1)
enum { ZS_GRAPH_OFFSET_MAX = 0xffff };

static inline unsigned
zs_graph_type(uint64_t w)
{
	return w & 3;
}
/* Of a block, or of the block that an edge points to. */
static inline uint64_t
zs_graph_block(uint64_t w)
{
	return (w >> 2 & ZS_GRAPH_ADDRESS) << 4;
}

/* ---- history ---------------------------------------------------------- */

/* Kinds of events; those from ZS_EVENT_ALLOC on: plus enum zs_fn. */
enum zs_event_kind {
	ZS_EVENT_NONE,
	ZS_EVENT_FREE,
	ZS_EVENT_FREE_OTHER, /* by realloc, or with its zone */
	ZS_EVENT_THREAD,     /* size: index of the thread from here on */
	ZS_EVENT_WIDE,	     /* ticks: bytes of the allocation that follows */
	ZS_EVENT_ALLOC = 8
};

struct zs_event {
	uint64_t ticks; /* of zs_header.tick_source */
	uint64_t where; /* address of the block | enum zs_event_kind */
	uint32_t stack;
	uint32_t size; /* requested bytes; all ones: see ZS_EVENT_WIDE */
};
static_assert(sizeof(struct zs_event) == 24, "event size");

enum { ZS_RING_EVENTS = 1 << 16 };

/*
 * The latest events of one thread.  The owner fills event[reserved++ % n] and
 * then sets written; a signal handler may come in between and do the same, so
 * only the outermost one (busy is 0 again) sets it.  The recorder copies
 * [read, written) and sets read; the owner waits for it when it is that far
 * ahead.  Reused, not cleared, by a later thread.
 */
struct zs_ring {
	uint64_t next;	 /* offset of the next ring of the list in the header */
	uint32_t owner;	 /* thread index; 0: none; all ones: not known */
	uint32_t events; /* length of the array */
	uint64_t reserved; /* by the owner */
	uint64_t busy;	   /* depth of writing; its events have later ticks
			      than those that were written before */
	uint64_t unused[4];
	uint64_t written; /* by the owner */
	uint64_t unused2[7];
	uint64_t read; /* by the recorder */
	uint64_t unused3[7];
	struct zs_event event[];
};
static_assert(sizeof(struct zs_ring) == 192, "a cache line for each writer");

/* Where zs_event.ticks come from. */
enum zs_ticks {
	ZS_TICKS_NS, /* CLOCK_MONOTONIC */
	ZS_TICKS_TSC /* x86's time stamp counter or aarch64's cntvct_el0 */
};

/* ---- header ----------------------------------------------------------- */

enum zs_state {
	ZS_STARTING,
	ZS_RUNNING,
	ZS_EXITING, /* exit() began; frees still count */
	ZS_SCANNED, /* verdicts are in the tags; nothing is recorded any more */
	ZS_STOPPED  /* recording was switched off in the running program */
};

enum zs_cause { ZS_CAUSE_START, ZS_CAUSE_FORK, ZS_CAUSE_ATTACH };

/* Why a record may be incomplete: bits of zs_header.trouble. */
enum {
	ZS_TROUBLE_NO_MEMORY = 1, /* the segment is full: events were lost */
	ZS_TROUBLE_NO_UNWINDER =
	    2, /* libunwind not found: stacks of one frame */
	ZS_TROUBLE_SCAN_FAILED = 4, /* the scan could not finish */
	ZS_TROUBLE_THREADS_MISSED =
	    8,			/* threads that did not stop for the scan */
	ZS_TROUBLE_HISTORY = 16 /* the recorder was too late: no more events */
};

/* A fixed table: entries of `stride` bytes at `offset`; `count` are used,
 * counting the unused entry 0.  count grows after the entry is written. */
struct zs_table {
	uint64_t offset;
	uint32_t stride;
	uint32_t capacity;
	uint32_t count;
	uint32_t reserved;
};

struct zs_header {
	uint64_t magic;
	uint32_t version;
	uint32_t header_bytes; /* sizeof(struct zs_header) */
	uint64_t bytes;	       /* size of the segment */
	uint64_t pool;	       /* offset where the pool begins */
	uint64_t pool_used;    /* offset of its first unused byte; atomic */

	int32_t pid; /* in the target's own pid namespace */
	int32_t ppid;
	uint32_t cause;	      /* enum zs_cause */
	uint32_t state;	      /* enum zs_state; atomic */
	uint32_t trouble;     /* bits; atomic or */
	uint32_t depth;	      /* frames kept per stack */
	uint64_t lost_events; /* events that could not be recorded; atomic */
	uint64_t inherited_frees; /* frees of blocks older than the session */

	uint64_t start_realtime_ns;  /* CLOCK_REALTIME */
	uint64_t start_monotonic_ns; /* CLOCK_MONOTONIC: the session's zero */
	uint64_t exit_ns;	     /* since the session began; 0: not seen */
	int32_t exit_status;	     /* argument of exit() */
	uint32_t exit_status_known;

	uint64_t live_bytes; /* published by threads in steps of publish_step */
	uint64_t peak_bytes; /* highest live_bytes */
	uint64_t peak_ns;
	uint64_t publish_step; /* bytes a thread may hold back */

	uint64_t scan_begin_ns;
	uint64_t scan_end_ns;
	uint64_t scan_root_bytes; /* bytes read as roots */
	uint32_t scan_threads; /* threads stopped, the scanning one included */
	uint32_t scan_threads_missed;

	uint64_t command; /* offset of argv, NUL-separated */
	uint64_t command_bytes;
	uint64_t exe; /* offset of the path of /proc/self/exe */

	uint64_t shards; /* offset of the first shard */

	/* how often each internal trace point was passed in zones other than
	 * the logger's, by enum zt_point; atomic */
	uint64_t points[ZT_POINTS];

	struct zs_table regions;
	struct zs_table zones;
	struct zs_table nodes;
	struct zs_table stacks;
	struct zs_table threads;
	struct zs_table modules;
	struct zs_table groups;
	struct zs_table marks;

	uint64_t rings;		/* offset of the first ring */
	uint64_t start_ticks;	/* at start_monotonic_ns; 0: no history */
	uint32_t tick_source;	/* enum zs_ticks */
	uint32_t recorder_beat; /* by the recorder: changes while it lives */
	uint64_t chunks;	/* offset of the first chunk of tallies */
	/* Read by the target at each event, written by the recorder and, every
	 * few ms, by the target: on a cache line of their own. */
	uint64_t line_before[8];
	uint32_t request; /* enum zs_request; the recorder's */
	uint32_t now_ms;  /* since the session began, see zm_clock_ms */
	uint32_t line_after[14];

	/* --sample: one allocation in so many bytes; 0: all of them.  Counters
	 * and sums of bytes are then estimates: a block counts zs_weight times
	 */
	uint64_t sample_bytes;
	uint64_t samples; /* blocks that were recorded; atomic */
	/* of all zones of ours when a session began in a running program */
	uint64_t before_blocks;
	uint64_t before_bytes; /* usable */
	uint64_t stopped_ns;   /* ZS_STOPPED: when, since the session began */

	struct zs_table scans;
	struct zs_table graph; /* entries are words */
	uint32_t scans_read;   /* by the recorder: entries it needs no more */
	uint32_t reserved0;

	/* Leak scans, in the program or in a copy of it. */
	uint32_t scans_begun;
	uint32_t scans_done; /* verdicts of so many are, or were, in the tags */
	uint64_t scan_pause_ns; /* the longest that other threads stood still */
	uint64_t scan_bytes;	/* of blocks that the latest scan read */
	uint32_t end;		/* enum zs_end: what the last scan was for */
	uint32_t end_signal;

	/* Address in the target of a table of own_count pairs of words, the
	 * first address and the end of each mapping that the library has made
	 * for itself (first 0: unused).  Constant; read by the recorder. */
	uint64_t own_ranges;
	uint32_t own_count;
	uint32_t reserved1;
};

/* How the process was about to end when it looked for leaks. */
enum zs_end {
	ZS_END_EXIT,	/* exit(), behind the last destructor */
	ZS_END_AT_ONCE, /* _exit() and the like */
	ZS_END_EXEC,	/* another program takes its place */
	ZS_END_SIGNAL	/* a signal without a handler */
};

enum zs_request {
	ZS_REQUEST_NONE,
	ZS_REQUEST_STOP, /* nothing is written any more once this is seen */
	ZS_REQUEST_SCAN	 /* look for leaks; the target resets it */
};

/* ---- handing it over -------------------------------------------------- */

/* The one message on the recorder's SOCK_SEQPACKET socket; the segment's
 * descriptor travels with it.  No answer is sent. */
struct zs_hello {
	uint64_t magic;
	uint32_t version;
	uint32_t cause;
	int32_t pid;
	int32_t ppid;
};

/* ---- attaching to a program that runs --------------------------------- */

#define ZS_CONTROL_MAGIC  UINT64_C(0x314c5443414d5a) /* "ZMACTL1" */
#define ZS_CONTROL_SYMBOL "zmalloc_record_control"
enum { ZS_CONTROL_VERSION = 1, ZS_SESSION_MAX = 108 };

#define ZS_WORD_SYMBOL "zmalloc_record_word"
enum { ZS_WAKE_BYTE = 3 };

/*
 * In the library's data, under the exported name ZS_CONTROL_SYMBOL.  Whoever
 * wants to record the process writes session, depth and sample, then request,
 * then 1 to byte ZS_WAKE_BYTE of ZS_WORD_SYMBOL: the next allocation looks
 * here.  (That is a word that every allocation tests anyway, and a byte of it
 * that nobody else stores to: the program pays nothing for being attachable.)
 */
struct zs_control {
	uint64_t magic;
	uint32_t version;
	uint32_t bytes;	  /* sizeof(struct zs_control) */
	uint32_t request; /* enum zs_control_request; the target resets it */
	uint32_t running; /* this process is being recorded; the target's */
	int32_t error;	/* why the last start failed, an errno; the target's */
	uint32_t depth; /* 0: as its options say */
	uint64_t sample;
	char session[ZS_SESSION_MAX]; /* of the recorder, NUL-terminated */
	uint32_t reserved;
};
static_assert(sizeof(struct zs_control) == 152, "control size");

enum zs_control_request { ZS_CONTROL_NONE, ZS_CONTROL_START };

#endif
