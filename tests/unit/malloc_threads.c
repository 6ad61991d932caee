/*
 * malloc_threads.c - threads that come and go, and fork among them.
 *
 * Leaks of the library itself are seen from outside: resident and mapped
 * memory of the process, from /proc/self/statm, must stop growing.
 */
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <zmalloc/malloc.h>

#include "malloc_check.h"

/* Resident pages; no allocation in here. */
static long
resident(void)
{
	char buf[128] = "";
	int fd = open("/proc/self/statm", O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	CHECK(n > 0);
	return atol(strchr(buf, ' '));
}

static void *
use_heap(void *arg)
{
	void *p[200];
	size_t seed = (size_t)arg;
	for (size_t i = 0; i < 200; i++) {
		p[i] = malloc((i * 37 + seed * 13) % 3000);
		CHECK(p[i]);
	}
	for (size_t i = 0; i < 200; i++)
		free(p[i]);
	return NULL;
}

static void
run_threads(int count)
{
	for (int i = 0; i < count; i++) {
		pthread_t t;
		CHECK(pthread_create(&t, NULL, use_heap, (void *)(size_t)i) ==
		      0);
		pthread_join(t, NULL);
	}
}

static void
test_short_threads(void)
{
	malloc_statistics_t before, after;
	run_threads(1000);
	malloc_zone_statistics(NULL, &before);
	long pages = resident();
	run_threads(9000);
	malloc_zone_statistics(NULL, &after);
	CHECK(after.blocks_in_use == before.blocks_in_use);
	CHECK(resident() < pages + 64);
}

/* Blocks that one thread made and others free. */
static void *
free_them(void *arg)
{
	void **p = arg;
	for (int i = 0; i < 1000; i++)
		free(p[i]);
	return NULL;
}

static void
test_remote_free(void)
{
	static void *p[1000];
	malloc_statistics_t before, after;
	malloc_zone_statistics(NULL, &before);
	long pages = 0;
	for (int round = 0; round < 300; round++) {
		pthread_t t;
		for (int i = 0; i < 1000; i++)
			p[i] = malloc((size_t)i);
		pthread_create(&t, NULL, free_them, p);
		pthread_join(t, NULL);
		if (round == 100)
			pages = resident();
	}
	malloc_zone_statistics(NULL, &after);
	CHECK(after.blocks_in_use <= before.blocks_in_use + 4);
	CHECK(resident() < pages + 256);
}

/* One thread makes, the other ends: blocks must come home, and memory must
 * not grow with what passed. */
enum { PIPE = 256, PASSED_BYTES = 100 << 20 };
static void *slots[PIPE];
static unsigned long made, ended;

static void *
consume(void *arg)
{
	(void)arg;
	for (;; ended++) {
		void **slot = &slots[ended % PIPE], *p;
		while (!(p = __atomic_exchange_n(slot, NULL, __ATOMIC_ACQ_REL)))
			sched_yield();
		if (p == slots)
			return NULL;
		free(p);
	}
}

static void
produce(void *p)
{
	void **slot = &slots[made++ % PIPE];
	while (__atomic_load_n(slot, __ATOMIC_ACQUIRE))
		sched_yield();
	__atomic_store_n(slot, p, __ATOMIC_RELEASE);
}

static void
test_pipeline(void)
{
	pthread_t t;
	size_t sent = 0;
	long first = 0;
	CHECK(pthread_create(&t, NULL, consume, NULL) == 0);
	for (unsigned i = 0; sent < PASSED_BYTES; i++) {
		size_t n = i % 64 ? i * 7919 % 1500 : i * 7919 % 60000;
		char *p = malloc(n + 1);
		CHECK(p);
		memset(p, 1, n + 1);
		sent += n;
		produce(p);
		if (!first && sent > PASSED_BYTES / 10)
			first = resident();
	}
	produce(slots);
	pthread_join(t, NULL);
	CHECK(resident() < first + 8 * 256); /* 8 MiB of 90 that passed */
	CHECK(malloc_zone_check(NULL));
}

/* Destructors of thread data that allocate, in every round. */
static pthread_key_t keys[8];
static int destructions;

static void
allocate_again(void *arg)
{
	size_t round = *(size_t *)arg;
	free(arg);
	__atomic_fetch_add(&destructions, 1, __ATOMIC_RELAXED);
	if (round >= 3)
		return;
	size_t *next = malloc(sizeof(*next));
	*next = round + 1;
	for (int i = 0; i < 8; i++) {
		if (pthread_getspecific(keys[i]))
			continue;
		pthread_setspecific(keys[i], next);
		return;
	}
	free(next);
}

static void *
with_keys(void *arg)
{
	(void)arg;
	for (int i = 0; i < 8; i += 2) {
		size_t *p = calloc(1, sizeof(*p));
		pthread_setspecific(keys[i], p);
	}
	return NULL;
}

static void
test_destructors(void)
{
	malloc_statistics_t before, after;
	for (int i = 0; i < 8; i++)
		pthread_key_create(&keys[i], allocate_again);
	malloc_zone_statistics(NULL, &before);
	for (int i = 0; i < 500; i++) {
		pthread_t t;
		pthread_create(&t, NULL, with_keys, NULL);
		pthread_join(t, NULL);
	}
	malloc_zone_statistics(NULL, &after);
	CHECK(destructions >= 2000);
	CHECK(after.blocks_in_use <= before.blocks_in_use + 8);
}

/* ---- fork ---------------------------------------------------------------- */

static int stop;

static void *
churn(void *arg)
{
	void *p[64] = { NULL };
	unsigned x = (unsigned)(size_t)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		x = x * 1103515245 + 12345;
		unsigned i = x >> 16 & 63;
		free(p[i]);
		p[i] = malloc(x >> 8 & 0x7fff);
	}
	for (int i = 0; i < 64; i++)
		free(p[i]);
	return NULL;
}

static void
child_work(void)
{
	void *p[300];
	for (size_t i = 0; i < 300; i++) {
		p[i] = malloc(i * 311);
		if (!p[i])
			_exit(3);
		memset(p[i], 1, i * 311);
	}
	for (size_t i = 0; i < 300; i++)
		free(p[i]);
	malloc_zone_t *z = malloc_create_zone(0, 0);
	if (!z || !malloc_zone_malloc(z, 10))
		_exit(4);
	malloc_destroy_zone(z);
	pthread_t t;
	if (pthread_create(&t, NULL, use_heap, NULL) || pthread_join(t, NULL))
		_exit(5);
	_exit(malloc_zone_check(NULL) ? 0 : 6);
}

static void
test_fork(void)
{
	pthread_t t[3];
	for (size_t i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, churn, (void *)(i + 1));
	for (int i = 0; i < 60; i++) {
		int status;
		void *mine = malloc(100);
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			alarm(20);
			free(mine);
			child_work();
		}
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(status == 0);
		free(mine);
	}
	stop = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

static void
allocate_in_handler(void)
{
	void *p[20];
	for (size_t i = 0; i < 20; i++)
		p[i] = malloc(1ul << i);
	for (size_t i = 0; i < 20; i++)
		free(p[i]);
}

/* Runs before the library's first call when nothing else allocates: then its
 * handlers come before ours, and run while ours hold the locks. */
__attribute__((constructor(101))) static void
register_early(void)
{
	pthread_atfork(allocate_in_handler, allocate_in_handler,
		       allocate_in_handler);
}

/* Handlers of others may allocate, before and after the fork. */
static void
test_fork_handlers(void)
{
	for (int i = 0; i < 100; i++) /* more than libc keeps in place */
		CHECK(pthread_atfork(allocate_in_handler, allocate_in_handler,
				     allocate_in_handler) == 0);
	for (int i = 0; i < 5; i++) {
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			alarm(20);
			child_work();
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
}

int
main(void)
{
	static const struct test tests[] = {
		{ "threads come and go", test_short_threads },
		{ "blocks freed by another thread", test_remote_free },
		{ "a hundred MiB through two threads", test_pipeline },
		{ "thread data destructors allocate", test_destructors },
		{ "fork while threads allocate", test_fork },
		{ "atfork handlers allocate", test_fork_handlers },
	};
	return RUN_TESTS(tests);
}
