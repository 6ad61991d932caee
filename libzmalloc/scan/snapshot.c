/*
 * snapshot.c - a scan of the running program, in a copy of it.
 *
 * The threads stop, the process is copied as fork does it, the threads go on;
 * the copy looks for leaks in its own memory, which nobody changes any more,
 * and writes what it finds into the segment, which both share.
 *
 * The program is not to notice its child.  The copy has no exit signal, so
 * that wait() does not see it and no SIGCHLD comes; it shares the descriptors
 * until it leaves them, so that none stays open for its sake; all signals are
 * blocked in it, so that no handler of the program runs there; it goes into a
 * session of its own, yields to the program, and is the first that the kernel
 * takes when memory runs out.  Whoever asks for the next scan, or ends the
 * program, reaps it.
 *
 * Called by logger/record.c, by any thread of the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "logger/logger.h"
#include "os/os.h"
#include "scan/scan.h"

enum { NICE = 5, OLD_DESCRIPTORS = 1 << 16 };

uint64_t zm_tag_side;

static struct {
	uint32_t busy; /* id of the thread that begins, waits or cancels */
	int32_t child; /* the copy; 0: none, or it was reaped */
	int32_t owner; /* process whose child it is */
} look;

/* A fork child may inherit the mark of a thread that it does not have. */
static bool
take_turn(void)
{
	int me = zm_os_getpid();

	if (look.owner != me && look.busy) {
		look.busy = 0;
		look.child = 0;
	}
	if (__atomic_exchange_n(&look.busy, 1, __ATOMIC_ACQUIRE))
		return false;
	if (look.owner != me) {
		look.owner = me;
		look.child = 0;
	}
	return true;
}

static void
end_turn(void)
{
	__atomic_store_n(&look.busy, 0, __ATOMIC_RELEASE);
}

/* Whether the copy is gone. */
static bool
reap(bool wait)
{
	long got = 0;

	while (look.child) {
		got = zm_os_wait4(look.child, NULL,
				  (int)__WALL | (wait ? 0 : WNOHANG));
		if (got == 0)
			return false;
		if (got != -EINTR)
			look.child = 0;
	}
	return true;
}

/* ---- in the copy -------------------------------------------------------- */

static void
leave_descriptors(void)
{
	if (zm_os_close_range(0, ~0u, CLOSE_RANGE_UNSHARE) == 0)
		return;
	if (zm_os_syscall(SYS_unshare, CLONE_FILES, 0, 0, 0, 0, 0) < 0)
		return;
	for (int fd = 0; fd < OLD_DESCRIPTORS; fd++)
		zm_os_close(fd);
}

static void
be_modest(void)
{
	const uint64_t no_core[2] = { 1, 1 }; /* not even through a pipe */

	zm_os_setsid();
	zm_os_syscall(SYS_prlimit64, 0, RLIMIT_CORE, (long)no_core, 0, 0, 0);
	zm_os_syscall(SYS_setpriority, PRIO_PROCESS, 0, NICE, 0, 0, 0);
	int fd =
	    zm_os_open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	zm_os_write(fd, "1000", 4);
	zm_os_close(fd);
}

static void
look_around(struct zm_scan *s)
{
	leave_descriptors();
	be_modest();
	/* The kernel means the end of a thread: the first one's is mostly the
	 * program's. */
	if (s->tid == look.owner)
		zm_os_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	*zm_session_flag = 1; /* cleared in every copy */
	__atomic_store_n(&zm_session.h->groups.count, 1, __ATOMIC_RELEASE);
	zm_os_exit(zm_scan_run(s) < 0);
}

/* ---- in the program ------------------------------------------------------ */

static int
copy(struct zm_scan *s)
{
	struct zs_header *h = zm_session.h;

	int err = zm_scan_stop(s);
	if (err < 0)
		return err;
	s->frozen = true;
	s->ms = h->now_ms;
	s->side = zm_tag_side;
	zm_tag_side ^= ZS_TAG_SIDE;
	int child = zm_os_clone(CLONE_FILES);
	if (child == 0)
		look_around(s);
	zm_resume_threads(&s->stop);
	uint64_t pause = zm_session_ns() - s->begin_ns;
	if (pause > h->scan_pause_ns)
		h->scan_pause_ns = pause;
	return child;
}

struct begin {
	const struct zm_self *self;
	bool locks;
	int child; /* or -errno */
};

static void
begin(void *ctx)
{
	const zm_sigset all = ~UINT64_C(0);
	struct begin *b = ctx;
	struct zm_scan s;
	zm_sigset old;

	zm_scan_prepare(&s, b->self, b->locks);
	zm_os_sigprocmask(SIG_SETMASK, &all, &old);
	b->child = copy(&s);
	zm_os_sigprocmask(SIG_SETMASK, &old, NULL);
}

int
zm_snapshot(const struct zm_self *self, bool locks, bool wait)
{
	uint32_t done = zm_session.h->scans_done;

	if (!take_turn())
		return -EBUSY;
	struct begin b = { self, locks, -EBUSY };
	if (reap(false))
		zm_scan_on_stack(begin, &b);
	if (b.child > 0)
		look.child = b.child;
	if (b.child > 0 && wait) {
		reap(true);
		if (zm_session.h->scans_done == done)
			b.child = -EAGAIN;
	}
	end_turn();
	return b.child < 0 ? b.child : 0;
}

void
zm_snapshot_end(bool wait)
{
	if (look.owner != zm_os_getpid() || !look.child)
		return;
	/* Whoever has the turn waits for the same child. */
	if (!wait)
		zm_os_kill(look.child, SIGKILL);
	if (!take_turn())
		return;
	reap(true);
	end_turn();
}
