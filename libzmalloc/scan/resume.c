/*
 * resume.c - a thread that slept in a system call when it was stopped goes on
 * sleeping.
 *
 * After a signal handler with SA_RESTART the kernel restarts most calls, but
 * not sleep, poll, epoll_wait, select, sigsuspend and the like: they return
 * EINTR, which a program without handlers of its own does not expect.  So the
 * stopping thread first asks the kernel in which call each thread sleeps
 * (/proc/self/task/TID/syscall), and where the handler finds that this very
 * call would return EINTR, it has it made once more.
 *
 * A time limit counts from its beginning again, which only the kernel knows:
 * so it may become up to twice as long, but not longer, however often the
 * thread is stopped: from the second time on the rest is known.  Where the
 * kernel has written down what is left, that is taken.
 *
 * Called by stop.c; the handler runs on the stopped thread and takes no lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>

#include "malloc/message.h"
#include "os/os.h"
#include "scan/scan.h"

enum { SLOTS = 64, MS_NS = 1000000 };
#define SECOND_NS INT64_C(1000000000)

/* A call whose time limit was begun again; one per thread, if there is room. */
static struct slot {
	int32_t tid;
	struct zm_asleep made; /* the call, as it was made again */
	uint64_t deadline;
	struct timespec rest;
} slots[SLOTS];

/* ---- on the stopping thread ------------------------------------------------
 */

static uint64_t
number(const char **s)
{
	uint64_t v = 0;

	while (**s == ' ')
		++*s;
	bool hex = (*s)[0] == '0' && (*s)[1] == 'x';
	if (hex)
		*s += 2;
	for (;; ++*s) {
		char c = **s;
		if (c >= '0' && c <= '9')
			v = v * (hex ? 16 : 10) + (uint64_t)(c - '0');
		else if (hex && c >= 'a' && c <= 'f')
			v = v * 16 + (uint64_t)(c - 'a' + 10);
		else
			return v;
	}
}

void
zm_asleep_read(int tid, struct zm_asleep *a)
{
	char path[64], text[256];
	const char *s = text;

	a->nr = -1;
	zm_format(path, sizeof path, "/proc/self/task/%d/syscall", tid);
	int fd = zm_os_open(path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	ssize_t n = zm_os_read(fd, text, sizeof text - 1);
	zm_os_close(fd);
	if (n <= 0 || text[0] < '0' || text[0] > '9')
		return; /* running, or in no call */
	text[n] = 0;
	long nr = (long)number(&s);
	for (int i = 0; i < 6; i++)
		a->arg[i] = (long)number(&s);
	a->sp = number(&s);
	a->pc = number(&s);
	a->nr = nr;
}

/* ---- in the handler --------------------------------------------------------
 */

/* What is left of a time limit in ns: all of it when the call is seen for the
 * first time. */
static int64_t
rest(const struct slot *s, const struct zm_asleep *a, int64_t limit)
{
	uint64_t now = zm_os_now();

	if (s->tid != zm_os_gettid() || memcmp(&s->made, a, sizeof *a) != 0)
		return limit;
	return s->deadline > now ? (int64_t)(s->deadline - now) : 0;
}

static void
remember(struct slot *s, const struct zm_asleep *a, int64_t left)
{
	s->tid = zm_os_gettid();
	s->made = *a;
	s->deadline = zm_os_now() + (uint64_t)left;
}

static struct slot *
slot(void)
{
	return &slots[(uint32_t)zm_os_gettid() % SLOTS];
}

static void
rest_of_sleep(struct zm_asleep *a, unsigned request, unsigned remaining)
{
	const struct timespec *t = (const void *)a->arg[request];
	struct slot *s = slot();

	if (a->arg[remaining]) { /* the kernel has written it down */
		a->arg[request] = a->arg[remaining];
		return;
	}
	int64_t left = rest(s, a, (int64_t)t->tv_sec * SECOND_NS + t->tv_nsec);
	s->rest.tv_sec = (time_t)(left / SECOND_NS);
	s->rest.tv_nsec = (long)(left % SECOND_NS);
	a->arg[request] = (long)&s->rest;
	remember(s, a, left);
}

static void
rest_of_poll(struct zm_asleep *a, unsigned timeout)
{
	int64_t ms = (int)a->arg[timeout];
	struct slot *s = slot();

	if (ms <= 0)
		return;
	int64_t left = rest(s, a, ms * MS_NS);
	a->arg[timeout] = (left + MS_NS - 1) / MS_NS;
	remember(s, a, left);
}

static bool
is_absolute_wait(long op)
{
	op &= FUTEX_CMD_MASK;
	return op == FUTEX_WAIT_BITSET || op == FUTEX_LOCK_PI ||
	       op == FUTEX_WAIT_REQUEUE_PI;
}

/* Whether the call may be made again; its arguments are fit for that then. */
static bool
again(struct zm_asleep *a)
{
	switch (a->nr) {
#ifdef SYS_pause
	case SYS_pause:
#endif
#ifdef SYS_select
	case SYS_select: /* the kernel has written down the rest */
#endif
	case SYS_pselect6:
	case SYS_ppoll:
	case SYS_rt_sigsuspend:
	case SYS_semop:
	case SYS_msgsnd:
	case SYS_msgrcv:
	/* these with a time limit of the socket's */
	case SYS_read:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_accept:
	case SYS_accept4:
		return true;
	case SYS_nanosleep:
		rest_of_sleep(a, 0, 1);
		return true;
	case SYS_clock_nanosleep:
		if (!(a->arg[1] & TIMER_ABSTIME))
			rest_of_sleep(a, 2, 3);
		return true;
#ifdef SYS_poll
	case SYS_poll:
		rest_of_poll(a, 2);
		return true;
#endif
#ifdef SYS_epoll_wait
	case SYS_epoll_wait:
#endif
	case SYS_epoll_pwait:
		rest_of_poll(a, 3);
		return true;
	case SYS_futex:
		return !a->arg[3] || is_absolute_wait(a->arg[1]);
	case SYS_rt_sigtimedwait:
		return !a->arg[2];
	case SYS_semtimedop:
		return !a->arg[3];
	default:
		return false;
	}
}

void
zm_asleep_resume(const struct zm_asleep *before, void *ucontext)
{
	ucontext_t *uc = ucontext;
	struct zm_asleep a = *before;

	if (a.nr < 0)
		return;
#if defined(__x86_64__)
	enum { INSTRUCTION = 2 };
	greg_t *r = uc->uc_mcontext.gregs;
	static const int at[6] = { REG_RDI, REG_RSI, REG_RDX,
				   REG_R10, REG_R8,  REG_R9 };
	if (r[REG_RAX] != -EINTR || (uintptr_t)r[REG_RIP] != a.pc ||
	    (uintptr_t)r[REG_RSP] != a.sp || !again(&a))
		return;
	for (int i = 0; i < 6; i++)
		r[at[i]] = a.arg[i];
	r[REG_RAX] = a.nr;
	r[REG_RIP] -= INSTRUCTION;
#else
	enum { INSTRUCTION = 4 };
	mcontext_t *m = &uc->uc_mcontext;
	if ((long)m->regs[0] != -EINTR || m->pc != a.pc || m->sp != a.sp ||
	    !again(&a))
		return;
	for (int i = 0; i < 6; i++)
		m->regs[i] = (uint64_t)a.arg[i];
	m->regs[8] = (uint64_t)a.nr;
	m->pc -= INSTRUCTION;
#endif
}
