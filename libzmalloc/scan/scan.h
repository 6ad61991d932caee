/*
 * scan.h - which live blocks can the program still reach?
 *
 * The other threads are stopped (stop.c), roots are read (roots.c), pointers
 * followed (mark.c), and each live block gets a verdict in its tag
 * (verdict.c).  When the program is about to end this happens where it is, on
 * the thread that ends it (scan.c, leave.c); while it runs, in a copy of the
 * process, and the threads stand still for the time of a fork (snapshot.c).
 * While threads are stopped they may hold any lock: nothing here takes one,
 * allocates from a zone or calls libc but for memory and string functions; all
 * memory is mapped for the scan and unmapped after it.
 *
 * Glossary
 *   node     a block that the scan knows: recorded (its tag is set), or a
 *            conduit: live but not recorded (of the logger zone, where the
 *            loader keeps some of its lists, or inherited over fork).  A
 *            conduit is followed and gets no verdict.
 *   size     the bytes of a node that are read: the requested ones; all usable
 *            bytes of a conduit.
 *   state    one byte per node: what the scan has found so far.
 *   frozen   the scan runs in a copy of the process.  All memory is that of
 *            the moment, but for the segment, which the program goes on to
 *            write: a tag counts when it is older than the moment
 *            (zm_scan_tag); a block without one is a conduit.
 */
#ifndef ZMALLOC_SCAN_SCAN_H
#define ZMALLOC_SCAN_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logger/session.h"
#include "zone/arena.h"

static inline uintptr_t
zm_thread_pointer(void)
{
	uintptr_t tp;

#if defined(__x86_64__)
	__asm__("mov %%fs:0, %0" : "=r"(tp));
#else
	__asm__("mrs %0, tpidr_el0" : "=r"(tp));
#endif
	return tp;
}

/* ---- stopped threads -------------------------------------------------- */

enum { ZM_REGISTERS = 34 };

struct zm_stopped {
	int32_t tid;
	uint32_t count; /* registers */
	uintptr_t sp;
	uintptr_t tp; /* thread pointer */
	uintptr_t reg[ZM_REGISTERS];
	const uintptr_t *vec; /* vector registers, in its signal frame */
	size_t vecs;	      /* words of them */
};

struct zm_stop {
	struct zm_stopped *thread; /* [count] */
	uint32_t count;		   /* stopped, without the scanning one */
	uint32_t missed;	   /* that did not answer in time */
	size_t bytes;		   /* of the mapping behind `thread` */
};

/* Stops all other threads.  0, or -errno when nothing is known of them. */
int zm_stop_threads(struct zm_stop *);
void zm_resume_threads(struct zm_stop *);

/* resume.c: the system call that a thread sleeps in; nr < 0: in none. */
struct zm_asleep {
	long nr;
	long arg[6];
	uintptr_t sp, pc;
};
void zm_asleep_read(int tid, struct zm_asleep *);
/* In the handler that interrupted it: it is made again if it should be. */
void zm_asleep_resume(const struct zm_asleep *, void *ucontext);

/* ---- stacks of threads that ended -------------------------------------- */

/* On a thread that is about to end: remembers its stack, which libc keeps for
 * the next thread with all that was written there. */
void zm_ended_note(void);
/* Bytes from addr to the end of such a stack that no thread uses now; 0 when
 * addr is in none, and then *clear ends where the next begins.  No lock. */
size_t zm_ended_stack(uintptr_t addr, size_t *clear);
struct zm_scan;
/* Calls fn with the thread pointer of each such thread. */
void zm_ended_each(void (*fn)(struct zm_scan *, uintptr_t tp),
		   struct zm_scan *);

/* ---- the scan --------------------------------------------------------- */

enum zm_state {
	ZM_STATE_NONE = 0,
	ZM_STATE_REACHABLE = 1,
	ZM_STATE_POSSIBLE = 2,
	ZM_STATE_LOST = 3,
	ZM_STATE_DEFINITE = 4,
	ZM_STATE_FREE = 5, /* in a thread's cache: no node */
	ZM_STATE_KIND = 7,
	ZM_STATE_INTERIOR = 8, /* an interior pointer to it was seen */
	ZM_STATE_PENDING = 16, /* still to be read: the work list was full */
	ZM_STATE_ENTRY = 32,   /* where the first walk over lost ones began */
	ZM_STATE_SECOND = 64,  /* met by the second such walk */
	ZM_STATE_THIRD = 128   /* met by the third */
};

struct zm_node {
	uintptr_t start;
	size_t size;
	uint8_t *state;
	uint64_t *tag; /* NULL: a conduit */
};

enum zm_pass {
	ZM_PASS_REACH,	  /* follow pointers to starts, note interior ones */
	ZM_PASS_POSSIBLE, /* follow both */
	ZM_PASS_LOST,	  /* find entries into what is left */
	ZM_PASS_LEADERS,  /* .. and the definite ones of them */
	ZM_PASS_GROUPS	  /* what is lost with each */
};

struct zm_work {
	uintptr_t start;
	size_t size;
	const uint64_t *tag;
};

enum { ZM_AHEAD = 32 }; /* a power of two */

struct zm_hole {
	uintptr_t start, end;
};

/* ---- what points to what ---------------------------------------------- */

enum { ZM_TLS_MAX = 64 };

struct zm_tls {
	unsigned module;
	uintptr_t at; /* from the thread pointer */
	size_t bytes;
};

/* What graph.c writes; see logger/session.h. */
struct zm_graph {
	bool on;
	uint64_t *out;	    /* NULL: none is written */
	uint64_t first, at; /* words: where it begins; where it goes on */
	uint64_t open, end; /* up to here they can be written; their end */
	uint64_t extra;	    /* edges that need not be kept */
	uint64_t dropped;
	uint32_t flags;	  /* of zs_scan */
	uint64_t head[2]; /* of the root that is read, not yet written */
	unsigned heads;
	uint64_t mapping;
	enum zs_root kind;
	uintptr_t source; /* the block that is read */
	uintptr_t target; /* where its last edge leads */
	size_t base;	  /* of its offsets */
	struct zm_tls tls[ZM_TLS_MAX];
	unsigned tls_count;
};

struct zm_scan {
	bool frozen;
	uint64_t side, ms;   /* frozen: ZS_TAG_SIDE of older tags; the moment */
	uint64_t begin_ns;   /* threads stand still */
	uintptr_t lo, hi;    /* all regions lie in here */
	uint64_t heap_bytes; /* .. with so many bytes */
	bool follow_untagged; /* inherited blocks exist */
	enum zm_pass pass;

	uint32_t *order; /* region ids by address */
	uint32_t regions;
	uint32_t ids;	 /* ids are below this */
	uint64_t *first; /* [ids]: where its states begin */
	uint8_t *state;
	uint64_t states;

	uintptr_t reading; /* the block that is read */
	struct zm_work *work;
	size_t work_count, work_room;
	/* blocks whose words are on their way into the processor's caches */
	struct zm_work ahead[ZM_AHEAD];
	uint32_t ahead_first, ahead_count;
	bool overflow;

	struct zm_hole *hole; /* memory that cannot be read, by address */
	uint32_t holes, hole_room;
	struct zm_hole *clear; /* between two of them */

	struct zm_hole own; /* the library's data */
	struct zm_stop stop;
	uintptr_t sp; /* lowest live word of the scanning thread's stack */
	const uintptr_t *reg; /* its registers */
	unsigned regs;
	const uintptr_t *vec;
	size_t vecs;
	int tid;
	struct zm_graph graph;
	int pagemap;			    /* descriptor, or negative */
	char *buffer;			    /* copy of a piece of a root */
	uint64_t root_bytes, block_bytes;   /* that were read */
	uint64_t group_blocks, group_bytes; /* ZM_PASS_GROUPS */

	char *memory; /* all of the above */
	size_t memory_bytes;
};

/* The calling thread as the scan sees it. */
struct zm_self {
	uintptr_t sp; /* lowest live word of its stack */
	const uintptr_t *reg;
	unsigned regs;
	const uintptr_t *vec; /* vector registers, where they matter */
	size_t vecs;
};

/* Where a signal frame has the vector registers; returns how many words. */
size_t zm_vector_registers(const void *ucontext, const uintptr_t **words);

/* stack.c: calls fn on a stack that has room.  start: when a recording begins.
 */
void zm_scan_stack_start(void);
void zm_scan_on_stack(void (*fn)(void *), void *ctx);

/* A scan here and now; other threads stand still meanwhile, with `stay` also
 * afterwards until zm_resume_threads(*stay).  locks: the loader may be asked.
 * Writes verdicts and the header's scan fields.  0 or -errno. */
int zm_scan(const struct zm_self *, bool locks, struct zm_stop *stay);
/* The parts of it.  prepare: before threads stop.  stop: stops them.  run:
 * all the rest but resuming them. */
void zm_scan_prepare(struct zm_scan *, const struct zm_self *, bool locks);
int zm_scan_stop(struct zm_scan *);
int zm_scan_run(struct zm_scan *);

/* snapshot.c: a scan in a copy of the process; with `wait` it has ended when
 * this returns.  -EBUSY: one is going on. */
int zm_snapshot(const struct zm_self *, bool locks, bool wait);
/* When this returns none is going on. */
void zm_snapshot_end(bool wait);

/* A tag's words if it counts: *w0 is 0 if it does not. */
static inline void
zm_scan_tag(const struct zm_scan *s, const uint64_t *tag, uint64_t *w0,
	    uint64_t *w1)
{
	*w0 = __atomic_load_n(&tag[0], __ATOMIC_ACQUIRE);
	*w1 = __atomic_load_n(&tag[1], __ATOMIC_ACQUIRE);
	if (!s->frozen || !*w0)
		return;
	uint64_t ms = zs_tag_ms(*w1);
	if (ms > s->ms || (ms == s->ms && (*w1 & ZS_TAG_SIDE) != s->side))
		*w0 = 0;
}

/* roots.c: reads every root and marks what it points to.  0 or -errno. */
int zm_scan_roots(struct zm_scan *);
/* Finds what cannot be read; before any block is.  0 or -errno. */
int zm_scan_holes(struct zm_scan *);
/* Calls fn for the pieces of [start, end) that have pages. */
void zm_scan_present(struct zm_scan *, uintptr_t start, uintptr_t end,
		     void (*fn)(struct zm_scan *, uintptr_t, uintptr_t));
bool zm_scan_readable_slow(const struct zm_scan *, uintptr_t start,
			   size_t bytes);
/* What was asked for last is mostly near. */
static inline bool
zm_scan_readable(const struct zm_scan *s, uintptr_t start, size_t bytes)
{
	return (start >= s->clear->start && start < s->clear->end &&
		bytes <= s->clear->end - start) ||
	       zm_scan_readable_slow(s, start, bytes);
}

/* mark.c */
/* first: how far the first word is from the start of the block or root. */
void zm_mark_words(struct zm_scan *, const uintptr_t *word, size_t count,
		   size_t first);
void zm_mark_drain(struct zm_scan *);
void zm_mark_push(struct zm_scan *, const struct zm_node *);
/* The node with this tag index, false when there is none. */
bool zm_mark_node(const struct zm_scan *, const struct zm_region *,
		  uint32_t index, struct zm_node *);

/* graph.c */
/* Before threads stop; locks: the loader may be asked. */
void zm_graph_prepare(struct zm_scan *, bool locks);
void zm_graph_start(struct zm_scan *);
void zm_graph_finish(struct zm_scan *, uint64_t begin_ns, uint64_t end_ns);
/* What is read next: registers, a piece of a mapping, a block. */
void zm_graph_registers(struct zm_scan *, int tid);
void zm_graph_mapping(struct zm_scan *, uintptr_t start, uintptr_t end,
		      const char *path);
void zm_graph_root(struct zm_scan *, uintptr_t at);
void zm_graph_block(struct zm_scan *, const struct zm_work *);
/* It points to a block, so many words from its start.  holds: to the start;
 * found: nothing did before. */
void zm_graph_edge(struct zm_scan *, uintptr_t block, size_t word, bool holds,
		   bool found);
/* A definite block. */
void zm_graph_leader(struct zm_scan *, uintptr_t start);

/* verdict.c: lost blocks, groups, verdicts. */
void zm_verdicts(struct zm_scan *);

#endif
