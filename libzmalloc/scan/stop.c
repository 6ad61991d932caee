/*
 * stop.c - stops the other threads of the process without ptrace.
 *
 * Each thread gets signal 33, which libc keeps for itself and does not let
 * programs block, with a value that tells it from libc's own use.  Its handler
 * saves the registers, sleeps until it is released, and has the call go on that
 * it interrupted (resume.c).  A thread that does not
 * answer in time is left alone and counted: the signal may reach it later,
 * when our handler, or libc's, ignores it.  Called by scan.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "malloc/message.h"
#include "os/os.h"
#include "scan/scan.h"

enum {
	STOP_SIGNAL = 33,
	SLICE_NS = 5000000,	  /* between looks at who is missing */
	PATIENCE_NS = 1000000000, /* for all threads together */
	RED_ZONE = 128		  /* live bytes below a stack pointer */
};

struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	uint16_t d_reclen;
	uint8_t d_type;
	char d_name[];
};

/* Whom the signal was sent to; behind the threads in the same mapping. */
struct roll {
	uint32_t count, room;
	struct called {
		int32_t tid;
		struct zm_asleep asleep;
	} * called;
};

/* What the handler sees. */
static struct {
	struct zm_stopped *thread;
	uint32_t room;
	uint32_t stopped;  /* handlers that have begun */
	uint32_t answered; /* .. and have saved their registers; futex */
	uint32_t hold;	   /* number of the stop, 0 while none; futex */
	uint32_t leaving;  /* handlers that have gone */
	struct zm_sigaction old;
	struct roll roll;
} stop;

static uint32_t stop_number;

/* ---- on the stopped thread -------------------------------------------- */

/*
 * x86: the state that XSAVE wrote, XMM registers from byte 160 on, whatever
 * the processor has behind them.  aarch64: a list of records; NEON's and SVE's
 * are among them.
 */
size_t
zm_vector_registers(const void *ucontext, const uintptr_t **words)
{
	const ucontext_t *uc = ucontext;

	*words = NULL;
#if defined(__x86_64__)
	enum { XMM = 160, LEGACY = 512, SOFTWARE = 464, MOST = 1 << 14 };
	const char *state = (const char *)uc->uc_mcontext.fpregs;
	struct {
		uint32_t magic, bytes;
	} sw;
	if (!state || (uintptr_t)state & 7)
		return 0;
	memcpy(&sw, state + SOFTWARE, sizeof sw);
	size_t bytes = LEGACY;
	if (sw.magic == 0x46505853 && sw.bytes > LEGACY && sw.bytes < MOST)
		bytes = sw.bytes;
	*words = (const uintptr_t *)(state + XMM);
	return (bytes - XMM) / sizeof(uintptr_t);
#else
	const char *first = (const char *)uc->uc_mcontext.__reserved;
	size_t at = 0, room = sizeof uc->uc_mcontext.__reserved;
	struct {
		uint32_t magic, bytes;
	} head;
	while (at + sizeof head <= room) {
		memcpy(&head, first + at, sizeof head);
		if (!head.magic || head.bytes < sizeof head ||
		    head.bytes > room - at)
			break;
		at += head.bytes;
	}
	*words = (const uintptr_t *)first;
	return at / sizeof(uintptr_t);
#endif
}

static void
save_registers(struct zm_stopped *t, const ucontext_t *uc)
{
#if defined(__x86_64__)
	for (int i = 0; i < 16; i++)
		t->reg[i] = (uintptr_t)uc->uc_mcontext.gregs[i];
	t->count = 16;
	t->sp = (uintptr_t)uc->uc_mcontext.gregs[REG_RSP] - RED_ZONE;
#else
	for (int i = 0; i < 31; i++)
		t->reg[i] = uc->uc_mcontext.regs[i];
	t->count = 31;
	t->sp = uc->uc_mcontext.sp - RED_ZONE;
#endif
}

static const struct called *
find(const struct roll *r, int tid)
{
	uint32_t n = __atomic_load_n(&r->count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < n; i++) {
		if (r->called[i].tid == tid)
			return &r->called[i];
	}
	return NULL;
}

static void
pass_on(int sig, siginfo_t *info, void *uc)
{
	void *h = stop.old.handler;

	if (!h || h == (void *)1) /* SIG_DFL, SIG_IGN */
		return;
	if (stop.old.flags & SA_SIGINFO)
		((void (*)(int, siginfo_t *, void *))h)(sig, info, uc);
	else
		((void (*)(int))h)(sig);
}

static void
handler(int sig, siginfo_t *info, void *uc)
{
	uint32_t number = __atomic_load_n(&stop.hold, __ATOMIC_ACQUIRE);

	if (info->si_code != SI_QUEUE || info->si_value.sival_ptr != &stop) {
		pass_on(sig, info, uc);
		return;
	}
	if (!number)
		return; /* too late */
	const struct called *c = find(&stop.roll, zm_os_gettid());
	struct zm_asleep asleep = { .nr = -1 };
	if (c)
		asleep = c->asleep;
	uint32_t i = __atomic_fetch_add(&stop.stopped, 1, __ATOMIC_RELAXED);
	if (i < stop.room) {
		save_registers(&stop.thread[i], uc);
		stop.thread[i].vecs =
		    zm_vector_registers(uc, &stop.thread[i].vec);
		stop.thread[i].tp = zm_thread_pointer();
		__atomic_store_n(&stop.thread[i].tid, zm_os_gettid(),
				 __ATOMIC_RELEASE);
	}
	__atomic_fetch_add(&stop.answered, 1, __ATOMIC_RELEASE);
	zm_os_futex_wake(&stop.answered, 1);
	while (__atomic_load_n(&stop.hold, __ATOMIC_ACQUIRE) == number)
		zm_os_futex_wait(&stop.hold, number, 0);
	zm_asleep_resume(&asleep, uc);
	__atomic_fetch_add(&stop.leaving, 1, __ATOMIC_RELEASE);
}

/* ---- on the scanning thread ------------------------------------------- */

static int
send_stop(int pid, int tid)
{
	siginfo_t info;

	memset(&info, 0, sizeof info);
	info.si_signo = STOP_SIGNAL;
	info.si_code = SI_QUEUE;
	info.si_pid = pid;
	info.si_value.sival_ptr = &stop;
	return (int)zm_os_syscall(SYS_rt_tgsigqueueinfo, pid, tid, STOP_SIGNAL,
				  (long)&info, 0, 0);
}

static int
number_of(const char *s)
{
	int n = 0;

	for (; *s >= '0' && *s <= '9' && n < 100000000; s++)
		n = n * 10 + (*s - '0');
	return n;
}

/* Calls fn for each thread but this one; returns how many, or -errno. */
static int
each_task(void (*fn)(int tid, void *ctx), void *ctx)
{
	char buf[4096] __attribute__((aligned(8)));
	int self = zm_os_gettid(), count = 0;
	int fd = zm_os_open("/proc/self/task",
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	ssize_t n;

	if (fd < 0)
		return fd;
	while ((n = zm_os_getdents(fd, buf, sizeof buf)) > 0) {
		for (ssize_t at = 0; at < n;) {
			struct linux_dirent64 *d = (void *)(buf + at);
			int tid = number_of(d->d_name);
			at += d->d_reclen;
			if (tid <= 0 || tid == self)
				continue;
			count++;
			if (fn)
				fn(tid, ctx);
		}
	}
	zm_os_close(fd);
	return n < 0 ? (int)n : count;
}

static void
send_new(int tid, void *ctx)
{
	struct roll *r = ctx;

	if (r->count >= r->room || find(r, tid))
		return;
	struct called *c = &r->called[r->count];
	c->tid = tid;
	zm_asleep_read(tid, &c->asleep);
	__atomic_store_n(&r->count, r->count + 1, __ATOMIC_RELEASE);
	if (send_stop(zm_os_getpid(), tid) != 0)
		r->count--;
}

static bool
has_answered(int tid)
{
	uint32_t n = __atomic_load_n(&stop.stopped, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < n && i < stop.room; i++) {
		if (__atomic_load_n(&stop.thread[i].tid, __ATOMIC_ACQUIRE) ==
		    tid)
			return true;
	}
	return false;
}

/* A thread that ended, or the leader that ended before the others. */
static bool
is_gone(int tid)
{
	char path[64], text[256], *s;
	int fd;

	zm_format(path, sizeof path, "/proc/self/task/%d/stat", tid);
	fd = zm_os_open(path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd == -ENOENT || fd == -ESRCH;
	ssize_t n = zm_os_read(fd, text, sizeof text - 1);
	zm_os_close(fd);
	if (n <= 0)
		return n == -ESRCH;
	text[n] = 0;
	s = strrchr(text, ')');
	return s && s[1] && (s[2] == 'Z' || s[2] == 'X');
}

static void
strike_gone(struct roll *r)
{
	for (uint32_t i = 0; i < r->count;) {
		if (!has_answered(r->called[i].tid) &&
		    is_gone(r->called[i].tid))
			r->called[i] = r->called[--r->count];
		else
			i++;
	}
}

/* Until everybody on the roll has answered or the time is up. */
static void
await(struct roll *r, uint64_t deadline)
{
	for (;;) {
		uint32_t n = __atomic_load_n(&stop.answered, __ATOMIC_ACQUIRE);
		if (n >= r->count)
			return;
		int err = zm_os_futex_wait(&stop.answered, n, SLICE_NS);
		if (err == -ETIMEDOUT)
			strike_gone(r);
		if (zm_os_now() >= deadline)
			return;
	}
}

static void
stop_all(struct roll *r)
{
	uint64_t deadline = zm_os_now() + PATIENCE_NS;
	uint32_t before;

	/* A thread may have begun another one before it stopped. */
	do {
		before = r->count;
		if (each_task(send_new, r) <= 0)
			break;
		await(r, deadline);
	} while (r->count != before && zm_os_now() < deadline);
}

int
zm_stop_threads(struct zm_stop *s)
{
	struct zm_sigaction act = {
		.handler = (void *)handler,
		.flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK,
		.mask = ~(zm_sigset)0,
	};
	int others = each_task(NULL, NULL);

	memset(s, 0, sizeof *s);
	if (others <= 0)
		return others;
	struct roll *roll = &stop.roll;
	roll->room = (uint32_t)others * 2 + 64;
	s->bytes = roll->room * (sizeof *s->thread + sizeof *roll->called);
	s->thread = zm_os_map(s->bytes, "zmalloc scan");
	if (!s->thread)
		return -ENOMEM;
	roll->called = (struct called *)(s->thread + roll->room);
	roll->count = 0;
	stop.thread = s->thread;
	stop.room = roll->room;
	stop.stopped = stop.answered = stop.leaving = 0;
	int err = zm_os_sigaction(STOP_SIGNAL, &act, &stop.old);
	if (err < 0)
		return err;
	if (!++stop_number)
		stop_number = 1;
	__atomic_store_n(&stop.hold, stop_number, __ATOMIC_RELEASE);
	stop_all(roll);
	s->count = __atomic_load_n(&stop.answered, __ATOMIC_ACQUIRE);
	if (s->count > stop.room)
		s->count = stop.room;
	s->missed = roll->count > s->count ? roll->count - s->count : 0;
	return 0;
}

void
zm_resume_threads(struct zm_stop *s)
{
	if (!s->thread)
		return;
	uint32_t stopped = __atomic_load_n(&stop.stopped, __ATOMIC_ACQUIRE);
	__atomic_store_n(&stop.hold, 0, __ATOMIC_RELEASE);
	zm_os_futex_wake(&stop.hold, 0x7fffffff);
	while (__atomic_load_n(&stop.leaving, __ATOMIC_ACQUIRE) < stopped)
		zm_os_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	/* A late signal would kill where there was no handler before. */
	if (!s->missed || stop.old.handler > (void *)1)
		zm_os_sigaction(STOP_SIGNAL, &stop.old, NULL);
	zm_os_unmap(s->thread, s->bytes);
	s->thread = NULL;
}
