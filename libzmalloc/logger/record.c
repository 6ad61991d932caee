/*
 * record.c - fork, exit, and what programs may call (zmalloc/record.h).
 *
 * A fork child has no session until its first event: a child that only
 * executes another program costs nothing and reports nothing.  Called by
 * malloc/ through hook.h.
 */
#include <errno.h>

#include "logger/logger.h"
#include "malloc/state.h"
#include "os/os.h"
#include "scan/leave.h"
#include "zmalloc/record.h"

/* ---- fork ------------------------------------------------------------- */

void
zm_record_fork_prepare(void)
{
	struct zm_thread *t = zm_thread();

	zm_walks_pause(t ? t->logger : NULL);
	zm_stacks_lock();
}

void
zm_record_fork_parent(void)
{
	zm_stacks_unlock();
	zm_walks_resume();
}

/* The flag is clear already, unless the kernel is old. */
void
zm_record_fork_child(void)
{
	*zm_session_flag = 0;
	zm_marks_reset();
	zm_threads_reset();
	zm_stacks_unlock();
	zm_walks_resume();
}

/* ---- leak scans ------------------------------------------------------- */

typedef int (*scan_fn)(const struct zm_self *, void *ctx);

/*
 * Calls fn with the state of the program's innermost frame.  Where that cannot
 * be found, or with held: with the registers that the caller's code may still
 * need, saved in this function's frame, the lowest that is read then.
 */
static __attribute__((noinline)) int
scan_from_here(scan_fn fn, void *ctx, const void *held)
{
	struct zm_frame f = { 0 };

	__builtin_unwind_init();
	f.sp = (uintptr_t)__builtin_frame_address(0);
#if defined(__x86_64__)
	__asm__ volatile("mov %%rsp, %0" : "=r"(f.sp));
#elif defined(__aarch64__)
	__asm__ volatile("mov %0, sp" : "=r"(f.sp));
#endif
	if (held) /* inside malloc or free, whose frames may hold more */
		f.reg[f.count++] = (uintptr_t)held;
	else
		zm_unwind_program(&f);
	struct zm_self self = { .sp = f.sp, .reg = f.reg, .regs = f.count };
	return fn(&self, ctx);
}

static int
scan_end(const struct zm_self *self, void *ctx)
{
	(void)ctx;
	return zm_scan(self, true, NULL);
}

static int
scan_and_wait(const struct zm_self *self, void *ctx)
{
	(void)ctx;
	return zm_snapshot(self, true, true);
}

static int
scan_and_go_on(const struct zm_self *self, void *ctx)
{
	(void)ctx;
	return zm_snapshot(self, true, false);
}

bool
zm_record_scan_wanted(void)
{
	uint32_t wanted = ZS_REQUEST_SCAN;

	return __atomic_load_n(&zm_session.h->request, __ATOMIC_RELAXED) ==
		   wanted &&
	       __atomic_compare_exchange_n(&zm_session.h->request, &wanted,
					   ZS_REQUEST_NONE, false,
					   __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void
zm_record_scan(const void *held)
{
	scan_from_here(scan_and_go_on, NULL, held);
}

/* ---- exit ------------------------------------------------------------- */

/*
 * What only objects with destructors hold is gone when the last of them has
 * run.  So there is one more scan when exit begins: thread-local destructors
 * are what it calls first, those of the thread that calls it.  The first
 * thread's has this one.  What was held then and is lost at the end differs
 * between the two.
 */
extern int __cxa_thread_atexit_impl(void (*fn)(void *), void *obj, void *dso)
    __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));

enum { IN_PLACE_MAX = 64 << 20 }; /* live bytes; more: in a copy */

static bool exit_begun;

static void
exit_begins(void *unused)
{
	struct zm_thread *t = zm_thread();

	(void)unused;
	if (!t || t->in_logger || !zm_session_active() ||
	    zm_session.h->pid != zm_os_getpid())
		return;
	int saved = errno;
	exit_begun = true;
	t->in_logger++;
	zm_snapshot_end(false);
	if (zm_session.h->live_bytes <= IN_PLACE_MAX)
		scan_from_here(scan_end, NULL, NULL);
	else
		scan_from_here(scan_and_go_on, NULL, NULL);
	t->in_logger--;
	errno = saved;
}

void
zm_record_watch_exit(void)
{
	static bool watched;
	struct zm_thread *t = zm_thread();

	/* what libc takes for it shall be the logger zone's */
	if (watched || !t || !zm_hook_on || !__cxa_thread_atexit_impl ||
	    zm_os_gettid() != zm_os_getpid())
		return;
	watched = true;
	t->in_logger++;
	__cxa_thread_atexit_impl(exit_begins, NULL, &__dso_handle);
	t->in_logger--;
}

void
zm_record_exiting(int status, int known)
{
	struct zm_thread *t = zm_thread();
	struct zs_header *h = zm_session.h;

	if (!zm_session_active() || !zm_leave_begin())
		return;
	h->exit_ns = zm_session_ns();
	h->exit_status = status;
	h->exit_status_known = known != 0;
	__atomic_store_n(&h->state, ZS_EXITING, __ATOMIC_RELEASE);
	if (t)
		t->in_logger++;
	zm_threads_names();
	if (t && t->logger)
		zm_count_flush(t->logger);
	zm_walk_report();
	zm_snapshot_end(exit_begun);
	scan_from_here(scan_end, NULL, NULL);
	if (t)
		t->in_logger--;
	zm_hook_enable(0);
	zm_session_close(ZS_SCANNED);
}

/* ---- for programs ----------------------------------------------------- */

ZM_EXPORT int
zmalloc_record_start(void)
{
	return -zm_record_start();
}

ZM_EXPORT int
zmalloc_record_stop(void)
{
	return -zm_record_stop();
}

ZM_EXPORT int
zmalloc_record_snapshot(const char *label)
{
	static uint32_t scanning;
	struct zm_thread *t = zm_thread();

	if (!zm_session_active())
		return ENOTCONN;
	if (!t || __atomic_exchange_n(&scanning, 1, __ATOMIC_ACQUIRE))
		return EBUSY;
	if (label)
		zmalloc_record_mark(label);
	int saved = errno;
	t->in_logger++;
	int err = scan_from_here(scan_and_wait, NULL, NULL);
	t->in_logger--;
	__atomic_store_n(&scanning, 0, __ATOMIC_RELEASE);
	errno = saved;
	return err == 0 || err == -EBUSY ? -err : EAGAIN;
}

ZM_EXPORT int
zmalloc_record_running(void)
{
	return zm_session_active();
}
