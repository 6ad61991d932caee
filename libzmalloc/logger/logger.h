/*
 * logger.h - what the files of the recorder share.
 *
 * The recorder runs inside the target, on the target's threads.  Rules for
 * all of it:
 * - system calls through os/os.h only; errno is left as it was;
 * - memory from zm_logger_alloc (the logger zone) or from the segment's pool;
 * - no lock while unwinding or calling dl_iterate_phdr; a lock is held for a
 *   few stores and never taken for an event whose stack is known already;
 * - functions of libc that are called, all of them free of allocation or made
 *   under in_logger, so that what they allocate comes from the logger zone:
 *     clock_gettime    the vDSO's, no system call, no lock
 *     dl_iterate_phdr  the only portable list of modules (modules.c)
 *     dlopen, dlsym, dlerror  once, from the library's constructor (unwind.c)
 *     unw_*            libunwind's (unwind.c)
 *     getcontext       once, at exit (unwind.c)
 *     pthread_getattr_np  when a thread ends (scan/ended.c)
 *     __cxa_thread_atexit_impl  once (record.c)
 *     sigaction        once, before it is replaced (scan/fatal.c)
 *     mem*, str*, getauxval  pure functions
 *
 * Files: session.c (segment, start), areas.c (access to it), handover.c (to the
 * recorder), launch.c (starts a recorder), ledger.c (regions and tags),
 * stacks.c (trie), modules.c, walk.c (stacks of the moment), rules.c and cfi.c
 * (how to go up), unwind.c (libunwind), pause.c (fork), threads.c, counters.c,
 * hook.c, history.c, record.c (fork, exit, public functions), control.c (start
 * and stop in a running program), marks.c, sample.c (which blocks are
 * recorded).
 */
#ifndef ZMALLOC_LOGGER_LOGGER_H
#define ZMALLOC_LOGGER_LOGGER_H

#include <stdbool.h>
#include <ucontext.h>

#include "logger/cfi.h"
#include "logger/session.h"
#include "malloc/hook.h"
#include "os/lock.h"
#include "zone/region.h"

/* What each event runs through: a few ns matter, and there is no buffer that
 * could overflow. */
#if __has_attribute(no_stack_protector)
#define ZM_EVENT __attribute__((no_stack_protector))
#else
#define ZM_EVENT
#endif

/* ---- the session ------------------------------------------------------ */

/*
 * This process's view of its segment.  All of it is private memory, copied by
 * fork, and describes the parent's session until the child starts its own.
 */
struct zm_session {
	char *base;   /* the mapping; the same address in fork children */
	size_t bytes; /* of it */
	struct zs_header *h;
	struct zs_region *regions;
	struct zs_zone *zones;
	struct zs_node *nodes;
	struct zs_stack *stacks;
	struct zs_thread *threads;
	struct zs_module *modules;
	struct zs_group *groups;
	struct zs_mark *marks;
	struct zs_scan *scans;
	uint64_t *graph;
	uint64_t pool_used;  /* atomic; header.pool_used follows it */
	uint64_t zero_ns;    /* CLOCK_MONOTONIC at the start */
	uint64_t sample;     /* as in the header */
	uint32_t depth;	     /* frames kept per stack */
	uint32_t generation; /* incremented at each start in this line of
				processes; 0: never started */
	uint32_t cause;	     /* enum zs_cause */
	int failed;	     /* could not start; do not try again */
};
extern struct zm_session zm_session;

/*
 * Not 0 while this process has a session that may be written.  Lies in a page
 * that the kernel clears in every child with memory of its own, however the
 * child was made, so that no child ever writes into its parent's segment.
 */
extern volatile uint32_t *zm_session_flag;

static inline int
zm_session_active(void)
{
	return __builtin_expect(*zm_session_flag != 0, 1);
}

/* First session of a process image.  System calls only.  0 or -errno. */
int zm_session_boot(void);
/* The session of a fork child, at its first event.  0 or -errno. */
int zm_session_refork(void);
/* A session in a running program, for the recorder whose name is known.  0 or
 * -errno; nobody is in the recorder, and others may run. */
int zm_session_begin(void);
/* Nothing is written from here on. */
void zm_session_close(uint32_t state);

/* Zeroed bytes of the segment, 64-aligned; returns the offset, 0 when full
 * (trouble is noted).  Lock-free. */
uint64_t zm_pool_alloc(size_t bytes);
/* Copies a string into the pool; 0 when full. */
uint64_t zm_pool_string(const char *s, size_t len);

/* areas.c: makes an entry, or the pool up to an offset, accessible before it
 * is written.  False when that cannot be; trouble is noted. */
bool zm_table_open(const struct zs_table *t, uint32_t index);
bool zm_pool_open(uint64_t end);
/* So many words of the graph; no trouble is noted. */
bool zm_graph_open(uint64_t words);
bool zm_areas_start(uint64_t pool, uint64_t pool_used);
/* Puts private memory in the place of the segment, page for page. */
void zm_areas_drop(void);

void zm_trouble(uint32_t bits);
/* An event that could not be recorded. */
void zm_lost(void);

uint64_t zm_session_ns(void); /* since the session began */
/* now_ms becomes so much, unless it is more already. */
void zm_clock_set(uint64_t ms);

/* Takes an index of a table: its count grows.  0 when it is full. */
uint32_t zm_table_take(struct zs_table *t);

/* ---- handing it over -------------------------------------------------- */

/* Sends the descriptor to the recorder whose socket is known, starting one if
 * this process should.  0 or -errno.  Leaves no descriptor open. */
int zm_handover(int fd);
/* Remembers the abstract socket's name; bytes without the leading NUL. */
void zm_handover_name(const char *name, size_t bytes);
/* Whether there is a recorder with that name. */
bool zm_handover_answers(void);
/* Starts a recorder that writes its report as the options say and sets the
 * socket's name.  0 or -errno. */
int zm_launch_recorder(void);

/* ---- start and stop in a running program ------------------------------- */

/* 0 or -errno: -EALREADY when there is a recording. */
int zm_record_start(void);
/* The same with a recorder that asked for it. */
int zm_record_start_with(const struct zs_control *);
/* Ends the recording; the program goes on.  0 or -errno. */
int zm_record_stop(void);
/* The recorder wants something, */
static inline bool
zm_record_asked(void)
{
	return __builtin_expect(
	    __atomic_load_n(&zm_session.h->request, __ATOMIC_RELAXED) != 0, 0);
}
/* .. and that is: no more. */
static inline bool
zm_record_unwanted(void)
{
	return __atomic_load_n(&zm_session.h->request, __ATOMIC_RELAXED) ==
	       ZS_REQUEST_STOP;
}
/* .. or a leak scan; true for one thread. */
bool zm_record_scan_wanted(void);
/* Begins it.  held: a block that only the recorder holds at the moment. */
void zm_record_scan(const void *held);

/* ---- regions and tags ------------------------------------------------- */

/* Region ids are below this; grows only. */
extern uint32_t zm_ledger_end;
/* ZS_TAG_SIDE or 0: part of each new tag's w1. */
extern uint64_t zm_tag_side;

int zm_ledger_boot(uint32_t regions);
/* Directory and tags for all regions that exist; for a new session. */
void zm_ledger_rebuild(void);
/* The same while other threads run; lets writers in. */
void zm_ledger_resume(void);
void zm_ledger_observe(void);
/* The region with this id if there is one; lock-free, may be stale. */
struct zm_region *zm_ledger_region(uint32_t id);
/* Usable bytes of the block of a tag of region r. */
static inline size_t
zm_tag_usable(const struct zm_region *r, uint64_t w1)
{
	if (r->tier == ZM_TIER_NANO)
		return r->quantum;
	if (r->tier == ZM_TIER_LARGE)
		return zm_session.regions[r->id].bytes;
	return (size_t)zs_tag_quanta(w1) * r->quantum;
}

/* ---- modules ---------------------------------------------------------- */

/* Index of the module that pc lies in; 0: none known. */
unsigned zm_module_of(uintptr_t pc);
/* Looks whether the set of loaded modules changed and, if so, updates the
 * table.  Returns 1 when a module is gone, so that its pcs mean nothing any
 * more.  Hold no lock. */
int zm_modules_refresh(void);
/* Where the module of pc has its table of frames; false: nowhere. */
bool zm_module_frames(uintptr_t pc, struct zm_frames *);
/* The addresses of a loaded module. */
bool zm_module_range(uintptr_t pc, uintptr_t *start, uintptr_t *end);
void zm_modules_reset(void); /* for a new session */

/* ---- stacks ----------------------------------------------------------- */

struct zm_lthread;
/* Stack id of n return addresses, leaf first; 0 when the table is full. */
uint32_t zm_stack_get(struct zm_lthread *, const uintptr_t *pcs, unsigned n);
/* The node of a child, made if need be; 0 when there is no room, or when nodes
 * became invalid.  checked: this walk has looked for new modules. */
uint32_t zm_node_look_up(struct zm_lthread *, uint32_t parent, uint64_t pc,
			 bool *checked);
static inline bool
zm_node_is(uint32_t n, uint32_t parent, uint64_t pc)
{
	const struct zs_node *node = &zm_session.nodes[n];

	return node->parent == parent && zs_node_pc(node) == pc;
}
/* The stack that ends at this node. */
uint32_t zm_stack_new(uint32_t node);
/* Changes when nodes or rules became invalid. */
extern uint32_t zm_stacks_epoch;
/* Whether pc lies in the loader: what it allocates may be for a new module,
 * which may come where an older one was. */
extern uintptr_t zm_loader_start, zm_loader_bytes;
static inline bool
zm_stacks_loader(uintptr_t pc)
{
	return __builtin_expect(pc - zm_loader_start < zm_loader_bytes, 0);
}
/* Looks for modules that came or went; 1 when nodes became invalid.  Hold no
 * lock. */
int zm_stacks_check_modules(void);
void zm_stacks_reset(void);
/* Gives modules to the nodes that were made before libc was up. */
void zm_stacks_started(void);
void zm_stacks_lock(void);
void zm_stacks_unlock(void);

/* ---- unwinding -------------------------------------------------------- */

enum { ZM_WALK_MAX = 4096 }; /* frames that one walk captures at most */

/* A frame: where it goes on, and its stack and frame pointer. */
struct zm_regs {
	uintptr_t pc, sp, fp;
};

/* A frame of the walk before; see walk.c. */
struct zm_step {
	struct zm_regs s;
	uint64_t rule;	  /* to its caller */
	uint64_t version; /* another one whenever it changes; shortcut.h's */
	uint32_t node;	  /* of the trie */
	uint16_t words;	  /* that led to the frames outside this one */
	bool live;	  /* fp matters for the way up */
};

enum { ZM_KIDS = 8192 };

/* A word of the stack, and what it held. */
struct zm_word {
	const uintptr_t *at;
	uintptr_t value;
};

/* The way from a caller to a remembered frame, see shortcut.h. */
enum { ZM_SHORTCUTS = 256, ZM_SHORTCUT_WORDS = 14, ZM_SHORTCUT_NONE = 0xff };
struct zm_shortcut {
	uintptr_t ra, sp, fp;
	uint64_t version; /* of the frame that it leads to */
	uint32_t left;	  /* which one, from the outermost; 0: none */
	uint32_t stack;
	uint8_t words; /* ZM_SHORTCUT_NONE: seen once, not yet filled in */
	uint8_t live;  /* fp matters */
	uint16_t at[ZM_SHORTCUT_WORDS]; /* from sp */
	uintptr_t value[ZM_SHORTCUT_WORDS];
};

/* The stack id of a call that returns to ra, 0 when the table is full. */
struct zm_lthread;
uint32_t zm_walk_stack(struct zm_lthread *, uintptr_t ra,
		       const struct zm_entry *);
/* Where a thread's versions of frames begin, see shortcut.h. */
uint64_t zm_walk_versions(void);
/* A walk in progress. */
struct zm_climb {
	struct zm_lthread *t;
	struct zm_regs s; /* the frame that is next */
	unsigned left;	  /* remembered frames that may still be met */
	unsigned fresh;	  /* new ones so far */
};

#ifdef ZM_WALK_CHECK
struct zm_walk_counts {
	unsigned long walks, checked, met, complex, deep, kept, fresh;
	unsigned long shortcut;
};
extern struct zm_walk_counts zm_walk_counts;
#define ZM_WALK_COUNT(what) \
	__atomic_fetch_add(&zm_walk_counts.what, 1, __ATOMIC_RELAXED)
bool zm_walk_broken(void);
void zm_walk_check(const struct zm_climb *, uintptr_t ra);
void zm_walk_check_stack(struct zm_lthread *, uint32_t stack, uintptr_t ra);
void zm_walk_report(void);
#else
#define ZM_WALK_COUNT(what) ((void)0)
#define zm_walk_broken()    false
static inline void
zm_walk_check(const struct zm_climb *c, uintptr_t ra)
{
	(void)c;
	(void)ra;
}
static inline void
zm_walk_check_stack(struct zm_lthread *t, uint32_t stack, uintptr_t ra)
{
	(void)t;
	(void)stack;
	(void)ra;
}
static inline void
zm_walk_report(void)
{
}
#endif
/* libunwind's step from a frame that is on the stack: > 0 done, 0 it was the
 * outermost, < 0 it cannot be told. */
int zm_unwind_step(struct zm_lthread *, const struct zm_regs *from,
		   struct zm_regs *to);
/* Modules are gone: what libunwind knows of them is void. */
void zm_unwind_flush(void);
extern bool zm_unwind_started;

/*
 * Captures return addresses, leaf first, from the caller up, at most max.
 * Returns their number; the one place where an unwinder is plugged in.  Used
 * where rules do not do.
 */
extern unsigned (*zm_unwind)(uintptr_t *pcs, unsigned max);

/* Loads libunwind; from the library's constructor. */
void zm_unwind_start(void);
/* The state of the calling thread in its innermost frame of the program. */
struct zm_frame {
	uintptr_t sp; /* lowest live word of the stack */
	unsigned count;
	uintptr_t reg[16]; /* those that calls preserve */
};
/* Leaves out the frames of this library, of libc and of the loader, in whose
 * unused words pointers of the program's past survive.  False when it cannot
 * be told; then *f is unchanged. */
bool zm_unwind_program(struct zm_frame *f);

/*
 * Around fork: until no thread is inside the unwinder, whose locks the child
 * would find taken for ever.  Waits for a bounded time: a walk may itself wait
 * for the loader's lock, which the forking thread may hold.
 */
struct zm_lthread;
void zm_walks_pause(const struct zm_lthread *mine);
void zm_walks_resume(void);
void zm_walk_begin(struct zm_lthread *t);
/* Waits, for a bounded time, until no other thread is in the recorder; it is
 * closed to new ones.  False: some still are. */
bool zm_hooks_quiet(const struct zm_lthread *mine);

/* ---- threads and counters --------------------------------------------- */

/* What the recorder keeps per thread; from the logger zone. */
struct zm_lthread {
	uint32_t generation; /* of the session that it belongs to */
	uint32_t index;	     /* in the thread table; 0: not known */
	struct zm_thread *owner;
	struct zs_thread *record;
	int64_t pending; /* live bytes not yet published */
	uintptr_t
	    last; /* address of the block of this thread's last allocation,
		     complemented, lest the scan take it for a pointer */
	uint32_t walking; /* in the unwinder; fork waits for that */
	struct zm_lthread *next, **link; /* on the list of all */
	struct zs_shard *shard[ZS_ZONES_MAX];
	struct zs_ring *ring;	      /* of the history; NULL: none so far */
	struct zm_chunks *chunks;     /* this thread's tallies; counters.c's */
	uint32_t cached, cache_epoch; /* of cache_pc and cache_node */
	uint32_t frames, noded, walk_epoch; /* of step; those with a node */
	uintptr_t last_sp, last_pc;	    /* see walk.c, worth */
	uint64_t version, root_version;	    /* of step, see shortcut.h */
	uint32_t clock_events;	      /* until it looks at the clock again */
	uint32_t turn, misses, pause; /* shortcut.h's */
	uintptr_t pcs[ZM_WALK_MAX];   /* of the walk in progress */
	/* Children that were looked up, by hash; a hint, never cleared: what a
	 * node is child of says the node. */
	uint32_t kid[ZM_KIDS];
	struct zm_shortcut shortcut[ZM_SHORTCUTS];
	/* walk.c's: the walk before, outermost frame first, the words that it
	 * read, and the new frames of this one, innermost first */
	struct zm_step step[ZM_WALK_MAX];
	struct zm_step fresh[ZM_WALK_MAX];
	struct zm_word word[3 * ZM_WALK_MAX];
	uintptr_t cursor[1024]; /* libunwind's */
	ucontext_t context;
	/* The stack before, outermost frame first, and its nodes: what two
	 * stacks have in common is not looked up again.  stacks.c's. */
	uintptr_t cache_pc[ZM_WALK_MAX];
	uint32_t cache_node[ZM_WALK_MAX];
};

#define ZM_PC_MASK ((UINT64_C(1) << 48) - 1)

/* The product does not wait for the parent. */
static inline uint32_t *
zm_kid_of(struct zm_lthread *t, uint32_t parent, uint64_t pc)
{
	uint64_t h = pc * UINT64_C(0x9e3779b97f4a7c15) >> 40;

	return &t->kid[(h + parent * 5) & (ZM_KIDS - 1)];
}

static inline void
zm_walk_end(struct zm_lthread *t)
{
	__atomic_store_n(&t->walking, 0, __ATOMIC_RELEASE);
}

/*
 * The time of an event in ms since the session began.  Reading even the coarse
 * clock is dearer than everything else that a tag takes, so each thread does
 * it once in ZM_CLOCK_EVENTS of its events and tells all others.  The recorder
 * sets the time too, every tenth of a second, and marks do: after a pause a
 * few events may have a time that is that much too early.
 */
enum { ZM_CLOCK_EVENTS = 16 };
void zm_clock_look(struct zm_lthread *);
static inline uint64_t
zm_clock_ms(struct zm_lthread *t)
{
	if (__builtin_expect(!t->clock_events--, 0))
		zm_clock_look(t);
	return __atomic_load_n(&zm_session.h->now_ms, __ATOMIC_RELAXED);
}

/* Calls fn for each thread's record; the list is locked. */
void zm_lthread_each(void (*fn)(struct zm_lthread *, void *), void *ctx);

/* More than one thread has been seen: shared counters need atomics. */
extern int zm_multi;

/* This thread's record for the current session, created if need be; NULL
 * when there is none to be had. */
struct zm_lthread *zm_lthread_get(struct zm_thread *t);
/* The stand-in for threads without one: NULL when it is taken. */
struct zm_lthread *zm_lthread_orphan(void);
void zm_lthread_orphan_done(void);
void zm_lthread_exit(void *logger);
void zm_threads_reset(void);
/* What is live now, by the counters: exact when no other thread allocates. */
void zm_live_totals(uint64_t *blocks, uint64_t *bytes);
/* Names as they are now, of the threads that still run. */
void zm_threads_names(void);

/* Counts an internal trace point. */
void zm_count_point(enum zt_point point, unsigned zone);
/* Publishes what the thread holds back. */
void zm_count_flush(struct zm_lthread *t);
void zm_shards_release(struct zm_lthread *t);
void zm_tallies_release(struct zm_lthread *t);
void zm_tallies_reset(void);

/* ---- marks ------------------------------------------------------------ */

void zm_marks_reset(void); /* in a fork child */

/* ---- history ---------------------------------------------------------- */

extern bool zm_history_on;
/* For a new session, before anybody else writes. */
void zm_history_start(void);
/* One event of the calling thread.  kind: enum zs_event_kind. */
void zm_history_event(struct zm_lthread *t, unsigned kind, const void *p,
		      size_t size, uint32_t stack);
/* The thread ends: its ring goes to the next one. */
void zm_history_exit(struct zm_lthread *t);

/* Writes the names of the zones; for a new session. */
void zm_hook_zones(void);
extern const struct zm_hook zm_hook_table;

/* The id of a zone in the record: zones beyond the table share the last. */
static inline uint16_t
zm_zone_recorded(uint16_t zone)
{
	return zone < ZS_ZONES_MAX ? zone : ZS_ZONES_MAX - 1;
}

/* ---- fork, exit ------------------------------------------------------- */

void zm_record_fork_prepare(void);
void zm_record_fork_parent(void);
void zm_record_fork_child(void);
void zm_record_exiting(int status, int known);
/* On the first thread, libc is up: a scan comes when it calls exit. */
void zm_record_watch_exit(void);

/* ---- small things ----------------------------------------------------- */

/*
 * One instruction, so that a signal handler on the same thread that counts
 * too loses nothing; no lock prefix: for words that one thread writes.
 */
static inline void
zm_add_own(uint64_t *p, uint64_t v)
{
#if defined(__x86_64__)
	__asm__ volatile("addq %1, %0" : "+m"(*p) : "er"(v) : "cc");
#else
	__atomic_fetch_add(p, v, __ATOMIC_RELAXED);
#endif
}

#endif
