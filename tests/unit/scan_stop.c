/*
 * scan_stop.c - threads stop for the scan, wherever they are, and go on.
 *
 * The truth is in the threads themselves: counters that stand still, a value
 * in a register, the address of a local variable.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "os/os.h"
#include "scan/scan.h"
#include "unit/malloc_check.h"

#define MAGIC UINT64_C(0x5ca1ab1e0ddba11)

static volatile uint64_t ticks[4];
static volatile int quit;
static int fds[2];
static uintptr_t local_of_reader;

static void *
spin(void *arg)
{
	volatile uint64_t *t = arg;

	while (!quit)
		++*t;
	return NULL;
}

/* A value that is nowhere but in a register. */
static void *
hold(void *arg)
{
	(void)arg;
#if defined(__x86_64__)
	uint64_t half = MAGIC / 2;
	__asm__ volatile("lea 1(%0,%0), %%r12\n"
			 "xor %0, %0\n"
			 "1: incq %1\n"
			 "cmpl $0, %2\n"
			 "je 1b\n"
			 : "+r"(half), "+m"(ticks[1])
			 : "m"(quit)
			 : "r12", "cc");
#else
	while (!quit)
		ticks[1]++;
#endif
	return NULL;
}

static void *
block(void *arg)
{
	char c;
	int here = 0;

	(void)arg;
	__atomic_store_n(&local_of_reader, (uintptr_t)&here, __ATOMIC_RELEASE);
	return read(fds[0], &c, 1) == 1 && c == 'x' && !here ? fds : NULL;
}

static void *
masked(void *arg)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	return spin(arg);
}

/* Out of libc's sight: not even signal 33 comes through. */
static void *
deaf(void *arg)
{
	zm_sigset all = ~UINT64_C(0), old;

	zm_os_sigprocmask(SIG_SETMASK, &all, &old);
	spin(arg);
	zm_os_sigprocmask(SIG_SETMASK, &old, NULL);
	return NULL;
}

static void
nap(void)
{
	struct timespec ts = { 0, 20000000 };

	nanosleep(&ts, NULL);
}

static bool
has_magic(const struct zm_stop *s)
{
	for (uint32_t i = 0; i < s->count; i++) {
		for (uint32_t k = 0; k < s->thread[i].count; k++) {
			if (s->thread[i].reg[k] == MAGIC)
				return true;
		}
	}
	return false;
}

static bool
has_stack(const struct zm_stop *s, uintptr_t local)
{
	for (uint32_t i = 0; i < s->count; i++) {
		uintptr_t sp = s->thread[i].sp;
		if (sp <= local && local - sp < 65536)
			return true;
	}
	return false;
}

static void
wait_until_running(int n)
{
	for (int i = 0; i < n; i++) {
		while (!ticks[i])
			nap();
	}
	while (!__atomic_load_n(&local_of_reader, __ATOMIC_ACQUIRE))
		nap();
	nap();
}

static void
test_all_stop(void)
{
	pthread_t t[4];
	struct zm_stop s;
	struct zm_sigaction before, after;
	uint64_t seen[3];
	void *result;

	CHECK(pipe(fds) == 0);
	pthread_create(&t[0], NULL, spin, (void *)&ticks[0]);
	pthread_create(&t[1], NULL, hold, NULL);
	pthread_create(&t[2], NULL, masked, (void *)&ticks[2]);
	pthread_create(&t[3], NULL, block, NULL);
	wait_until_running(3);
	zm_os_sigaction(33, NULL, &before);
	CHECK(zm_stop_threads(&s) == 0);
	CHECK(s.count == 4);
	CHECK(s.missed == 0);
	for (int i = 0; i < 3; i++)
		seen[i] = ticks[i];
	nap();
	for (int i = 0; i < 3; i++)
		CHECK(seen[i] == ticks[i]);
#if defined(__x86_64__)
	CHECK(has_magic(&s));
#endif
	CHECK(has_stack(&s, local_of_reader));
	zm_resume_threads(&s);
	zm_os_sigaction(33, NULL, &after);
	CHECK(before.handler == after.handler);
	nap();
	nap();
	CHECK(seen[0] != ticks[0]);
	quit = 1;
	CHECK(write(fds[1], "x", 1) == 1);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	pthread_join(t[3], &result);
	CHECK(result == fds); /* the read was not disturbed */
}

static void
test_deaf_thread_is_counted(void)
{
	pthread_t t;
	struct zm_stop s;

	pthread_create(&t, NULL, deaf, (void *)&ticks[3]);
	while (!ticks[3])
		nap();
	CHECK(zm_stop_threads(&s) == 0);
	CHECK(s.count == 0);
	CHECK(s.missed == 1);
	zm_resume_threads(&s);
	quit = 1; /* now the late signal arrives and does no harm */
	CHECK(pthread_join(t, NULL) == 0);
	nap();
}

static void
test_alone(void)
{
	struct zm_stop s;

	CHECK(zm_stop_threads(&s) == 0);
	CHECK(s.count == 0 && s.missed == 0);
	zm_resume_threads(&s);
}

static void *
short_life(void *arg)
{
	(void)arg;
	return NULL;
}

static void *
breeder(void *arg)
{
	pthread_t t;

	(void)arg;
	while (!quit) {
		if (pthread_create(&t, NULL, short_life, NULL) == 0)
			pthread_join(t, NULL);
		ticks[0]++;
	}
	return NULL;
}

/* Threads that come and go meanwhile. */
static void
test_restless(void)
{
	pthread_t t[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, breeder, NULL);
	while (ticks[0] < 10)
		nap();
	for (int i = 0; i < 50; i++) {
		struct zm_stop s;
		CHECK(zm_stop_threads(&s) == 0);
		CHECK(s.count >= 2);
		uint64_t seen = ticks[0];
		zm_os_yield();
		CHECK(s.missed || seen == ticks[0]);
		zm_resume_threads(&s);
		zm_os_yield();
	}
	quit = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

/* libc's own use of the signal: setuid in all threads. */
static void
test_setxid_still_works(void)
{
	pthread_t t;
	struct zm_stop s;

	pthread_create(&t, NULL, spin, (void *)&ticks[0]);
	while (!ticks[0])
		nap();
	CHECK(zm_stop_threads(&s) == 0);
	zm_resume_threads(&s);
	CHECK(setuid(getuid()) == 0);
	quit = 1;
	pthread_join(t, NULL);
}

int
main(void)
{
	static const struct test tests[] = {
		{ "threads stop and go on", test_all_stop },
		{ "a deaf thread is counted as missed",
		  test_deaf_thread_is_counted },
		{ "a single thread", test_alone },
		{ "threads that come and go", test_restless },
		{ "setuid after a stop", test_setxid_still_works },
	};

	return RUN_TESTS(tests);
}
