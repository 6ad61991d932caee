/*
 * malloc_fork_inside.c - fork from a signal handler that interrupted malloc or
 * free in the middle of a system call, where locks are held.
 *
 * The place is chosen, not left to chance: the hook in front of the system
 * calls does what a handler would do there, at each call in turn.  Neither the
 * parent nor the child may wait for a lock that the interrupted call holds.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <zmalloc/malloc.h>

#include "malloc_check.h"
#include "os/os.h"

static long calls, fork_at;
static bool child_allocates, busy, forked;
static const size_t sizes[] = { 20, 700, 5000, 100000, 9 << 20 };

static void
use_heap(int rounds)
{
	void *p[5 * 40];
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < 200; i++) {
			p[i] = malloc(sizes[i < 180 ? i % 3 : i % 5]);
			if (!p[i])
				_exit(3);
			*(char *)p[i] = 1;
		}
		for (int i = 0; i < 200; i++)
			free(p[i]);
		malloc_zone_pressure_relief(NULL, 0);
	}
}

static void
handler(void)
{
	int status = -1;
	pid_t pid = fork();
	if (pid == 0) {
		alarm(10);
		if (child_allocates)
			for (int i = 0; i < 5; i++)
				free(malloc(sizes[i]));
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		_exit(4);
	forked = true;
}

static bool
interrupt(long nr, const long arg[6], long *answer)
{
	(void)arg;
	(void)answer;
	if (nr != SYS_mmap && nr != SYS_mprotect && nr != SYS_mremap &&
	    nr != SYS_munmap && nr != SYS_madvise && nr != SYS_prctl)
		return false;
	if (busy || ++calls != fork_at)
		return false;
	busy = true;
	handler();
	busy = false;
	return false;
}

static void *
other(void *arg)
{
	use_heap(1);
	return arg;
}

/* One process for each place. */
static void
at_each_call(bool allocate)
{
	child_allocates = allocate;
	for (fork_at = 1;; fork_at++) {
		int status = -1;
		pid_t pid = fork();
		if (pid == 0) {
			pthread_t t;
			alarm(10);
			CHECK(pthread_create(&t, NULL, other, NULL) == 0);
			pthread_join(t, NULL);
			zm_os_override = interrupt;
			use_heap(2);
			zm_os_override = NULL;
			use_heap(1);
			CHECK(malloc_zone_check(NULL));
			_exit(forked ? 0 : 42);
		}
		CHECK(waitpid(pid, &status, 0) == pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 42)
			break;
		if (status)
			printf("  call %ld: status %#x\n", fork_at, status);
		CHECK(status == 0);
	}
	CHECK(fork_at > 20);
}

static void
test_child_ends(void)
{
	at_each_call(false);
}

static void
test_child_allocates(void)
{
	at_each_call(true);
}

int
main(void)
{
	static const struct test tests[] = {
		{ "fork inside malloc, the child ends", test_child_ends },
		{ "fork inside malloc, the child allocates",
		  test_child_allocates },
	};
	return RUN_TESTS(tests);
}
