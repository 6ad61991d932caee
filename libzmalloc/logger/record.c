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
#include "scan/scan.h"
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

/* ---- exit ------------------------------------------------------------- */

/*
 * Runs the scan with the state of the program's innermost frame.  Where that
 * cannot be found: with the registers that the caller's code may still need,
 * saved in this function's frame, the lowest that is read then.
 */
static __attribute__((noinline)) void
scan_from_here(void)
{
	struct zm_frame f = { 0 };

	__builtin_unwind_init();
	f.sp = (uintptr_t)__builtin_frame_address(0);
#if defined(__x86_64__)
	__asm__ volatile("mov %%rsp, %0" : "=r"(f.sp));
#elif defined(__aarch64__)
	__asm__ volatile("mov %0, sp" : "=r"(f.sp));
#endif
	zm_unwind_program(&f);
	zm_scan(f.sp, f.reg, f.count);
}

void
zm_record_exiting(int status, int known)
{
	struct zm_thread *t = zm_thread();
	struct zs_header *h = zm_session.h;

	if (!zm_session_active())
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
	zm_modules_refresh(); /* the loader's lock: before threads are stopped
			       */
	zm_walk_report();
	scan_from_here();
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

/* What was found before is forgotten: kinds are those of the last scan. */
ZM_EXPORT int
zmalloc_record_snapshot(const char *label)
{
	static uint32_t scanning;
	struct zm_thread *t = zm_thread();
	struct zs_header *h = zm_session.h;

	if (!zm_session_active())
		return ENOTCONN;
	if (!t || __atomic_exchange_n(&scanning, 1, __ATOMIC_ACQUIRE))
		return EBUSY;
	if (label)
		zmalloc_record_mark(label);
	int saved = errno;
	uint32_t trouble = h->trouble;
	t->in_logger++;
	zm_modules_refresh();
	__atomic_store_n(&h->groups.count, 1, __ATOMIC_RELEASE);
	scan_from_here();
	t->in_logger--;
	__atomic_store_n(&scanning, 0, __ATOMIC_RELEASE);
	errno = saved;
	return (h->trouble & ~trouble) & ZS_TROUBLE_SCAN_FAILED ? EAGAIN : 0;
}

ZM_EXPORT int
zmalloc_record_running(void)
{
	return zm_session_active();
}
