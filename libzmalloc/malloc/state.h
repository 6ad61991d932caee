/*
 * state.h - what the files of malloc/ share about the state of the library.
 *
 * Lock ranks are in os/lock.h; malloc/ owns ZM_RANK_REGISTRY (table of zones)
 * and ZM_RANK_LEAF (list of thread records).
 */
#ifndef ZMALLOC_MALLOC_STATE_H
#define ZMALLOC_MALLOC_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "malloc/hook.h"
#include "zone/szone.h"

#define ZM_EXPORT      __attribute__((visibility("default")))
#define ZM_HIDDEN      __attribute__((visibility("hidden"))) /* no GOT */
#define ZM_LIKELY(x)   __builtin_expect(!!(x), 1)
#define ZM_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ZM_CALLER      __builtin_return_address(0)

/* An exported second name of a function of the same file. */
#if __has_attribute(copy)
#define ZM_ALIAS(target) \
	__attribute__((visibility("default"), alias(#target), copy(target)))
#else
#define ZM_ALIAS(target) __attribute__((visibility("default"), alias(#target)))
#endif

/*
 * Why an entry point may not take its fast path; 0 in a program that runs
 * without any option.  One word, so that the fast path has one branch.
 */
enum zm_slow {
	ZM_SLOW_BOOT = 1,    /* the first call of the process comes first */
	ZM_SLOW_HOOK = 2,    /* the recorder wants to know */
	ZM_SLOW_DEFAULT = 4, /* the default zone is not zone 1 */
	ZM_SLOW_CHECK = 8,   /* operations are counted for MallocCheckHeap */
	ZM_SLOW_FORK = 16,   /* a thread is in fork and holds all locks */
	ZM_SLOW_LOG = 32,    /* malloc_zone_log: operations are printed */
	ZM_SLOW_SAMPLE = 64, /* .. but only of some blocks; with HOOK */
	/* Somebody wants this process recorded.  Set from outside by a store
	 * to the uppermost byte, which nobody else stores to: no update of the
	 * word from within, all of them atomic, can undo it. */
	ZM_SLOW_ATTACH = 1 << 24
};
extern unsigned zm_slow ZM_HIDDEN;

static inline unsigned
zm_is_slow(void)
{
	return __atomic_load_n(&zm_slow, __ATOMIC_RELAXED);
}

void zm_slow_set(unsigned bits, bool on);

/* Brings the library up: options, first zone, recorder.  Safe to call again;
 * returns when the library is usable. */
void zm_boot(void);

static inline void
zm_boot_once(void)
{
	if (ZM_UNLIKELY(zm_is_slow() & ZM_SLOW_BOOT))
		zm_boot();
}

/* The szone of zone 1, where malloc allocates from unless ZM_SLOW_DEFAULT. */
extern struct zm_szone *zm_main_szone ZM_HIDDEN;

/* threads.c: the key whose destructor ends a thread's record. */
void zm_threads_start(void);
/* Memory for a result, the calling thread's until its next call or its end;
 * NULL out of memory. */
void *zm_thread_keep(size_t bytes);
void zm_threads_lock(void);
void zm_threads_unlock(void);
void zm_threads_reinit(void);

/* fork.c: registers the handlers, once. */
void zm_fork_start(void);
/* True when this thread was in fork with all locks held; they are released
 * then, until zm_fork_resume. */
bool zm_fork_pause(void);
void zm_fork_resume(void);

/*
 * What every process runs, also one that allocates nothing, lies together: a
 * page of a library that is touched brings its neighbours into memory.
 */
#define ZM_STARTUP __attribute__((section(".text.startup")))

/* deepbind.c: leaves nobody a way to libc's own malloc.  start, from the
 * constructor, finds out whether and when it has to be done.  Returns whether
 * the program was linked with the library, so that it may look at
 * malloc_zones before it allocates. */
bool zm_deepbind_start(void);
void zm_deepbind(void) __attribute__((cold));
/* Where libc's own function is, whoever else defines that name, and how long it
 * is; 0: there is none. */
uintptr_t zm_libc_function(const char *name, size_t *bytes);
/* The dynamic linker's code, until zm_deepbind ran; else empty. */
extern struct zm_linker {
	uintptr_t base;
	size_t bytes;
} zm_linker ZM_HIDDEN;

/* calloc is how the linker gets memory for a module that it is about to load:
 * the moment before somebody could find libc's functions. */
static inline void
zm_deepbind_watch(const void *caller)
{
	if (ZM_UNLIKELY((uintptr_t)caller - zm_linker.base < zm_linker.bytes))
		zm_deepbind();
}

/* check.c: counts an operation, and checks all zones when it is time. */
void zm_check_start(void);
void zm_check_tick(void);

#endif
