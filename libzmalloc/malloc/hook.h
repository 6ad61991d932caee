/*
 * hook.h - the one place where the allocator knows of the recorder.
 *
 * malloc/ calls through zm_hook when zm_hook_on is set; logger/ implements the
 * table and hands it over from zm_logger_boot.  Linked without logger/, the
 * weak default of zm_logger_boot returns NULL and nothing is ever recorded.
 *
 * Rules for the entry points
 * - alloc after the block exists and before it is returned, with the return
 *   address of the entry point: the frame that the program knows.
 * - free before the block goes back to its zone, so that its tag is clear
 *   before anybody can get it again.
 * - realloc is, in the record, a free of the old block and an allocation of
 *   the new one, also in place; a failed one is nothing.
 * - hook->free is called for every block of a zone of ours that is freed, also
 *   while in_logger is not 0; not for blocks of the logger zone, and not for
 *   those of zones that the program brought along (no region, no tag).
 * - alloc, free and resize keep errno.
 * - while zm_thread()->in_logger is not 0, malloc and relatives of that thread
 *   serve from the logger zone and call no alloc hook; free always works by
 *   the block's own zone.
 */
#ifndef ZMALLOC_MALLOC_HOOK_H
#define ZMALLOC_MALLOC_HOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/trace.h"

enum zm_fn { /* the values of enum zs_fn in logger/session.h */
	     ZM_FN_OTHER,
	     ZM_FN_MALLOC,
	     ZM_FN_CALLOC,
	     ZM_FN_REALLOC,
	     ZM_FN_MEMALIGN,
	     ZM_FN_NEW,
	     ZM_FN_NEW_ARRAY,
	     ZM_FN_ZONE
};

/* The caller of an entry point at the moment of the call: its stack pointer
 * behind the return address, its frame pointer.  All 0: not known. */
struct zm_entry {
	uintptr_t sp, fp;
};

struct zm_region;
struct zm_hook {
	/* call: the trace point that it counts for */
	void (*alloc)(void *p, size_t size, enum zm_fn fn, const void *ra,
		      enum zt_call call, const struct zm_entry *at);
	/* p is in this region; called: by a call of free, not by realloc or the
	 * end of a zone; ra and at as for alloc, NULL: not known */
	void (*free)(struct zm_region *, void *p, bool called, const void *ra,
		     const struct zm_entry *at);
	/* realloc in place: one free and one allocation of the same block */
	void (*resize)(void *p, size_t size, const void *ra,
		       const struct zm_entry *at);
	/* a zone was created, renamed or destroyed */
	void (*zone)(uint16_t id, const char *name);
	/* a thread that has a zm_thread ends (its logger pointer may be set) */
	void (*thread_exit)(void *logger);
	/* around fork; locks of the logger rank above all zone locks */
	void (*fork_prepare)(void);
	void (*fork_parent)(void);
	void (*fork_child)(void);
	/* library constructor: libc is up, dlopen works */
	void (*started)(void);
	/* library destructor; status is exit's argument if known */
	void (*exiting)(int status, int known);
};

extern const struct zm_hook *zm_hook;
extern int zm_hook_on; /* set by malloc/ once zm_hook is valid */

/* Switches the calls through zm_hook on or off; the logger uses it to stop
 * recording in a running program.  Blocks of the time in between stay
 * untagged. */
void zm_hook_enable(int on);

/* Installs the table in a running program, zones named and the end watched;
 * sampled: not all blocks are of interest. */
void zm_hook_install(const struct zm_hook *, bool sampled);

/*
 * Whether a block is to be recorded while ZM_SLOW_SAMPLE is set; asked once for
 * each.  The thread's bytes to the next one are counted here, what happens at
 * its end is the logger's (sample.c).
 */
extern __thread int64_t zm_sample_left
    __attribute__((tls_model("initial-exec")));
bool zm_sample_end(int64_t size);

static inline bool
zm_sample_next(size_t size)
{
	int64_t n = size > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)size;

	zm_sample_left -= n + !n;
	return __builtin_expect(zm_sample_left <= 0, 0) &&
	       zm_sample_end(n + !n);
}

/* ZM_SLOW_ATTACH was seen by an allocation that returns to ra. */
void zm_logger_attach(const void *ra, bool zeroed);

/*
 * Called once, at the first malloc of the process or in the constructor,
 * whichever is first, when the options ask for tracing.  Returns the table or
 * NULL.  It must use system calls only: libc may not be initialised.
 */
const struct zm_hook *zm_logger_boot(void);

/*
 * What each thread keeps, behind one initial-exec TLS pointer.  malloc/ owns
 * it; the logger uses in_logger and logger.
 */
struct zm_thread {
	unsigned in_logger; /* depth of logger code on this thread */
	void *logger;	    /* the logger's own per-thread data, or NULL */
	/* malloc/ adds its caches behind these in a struct of its own */
};

/* This thread's record, created when missing; NULL only out of memory or
 * after the thread's destructors ran. */
struct zm_thread *zm_thread(void);
/* The same where it exists already. */
extern __thread struct zm_thread *zm_thread_current
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Memory for the logger itself, from the logger zone: never recorded, never
 * scanned.  NULL when out of memory.  Freed with zm_logger_free. */
void *zm_logger_alloc(size_t bytes);
void zm_logger_free(void *p);

#endif
