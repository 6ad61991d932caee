/*
 * malloc_atfork.c - zone functions in atfork handlers that run while the
 * library holds all its locks.
 *
 * Handlers that are registered before the library's own are called last before
 * a fork: then every lock is taken.  A constructor of this program comes first,
 * as one of another library would.
 */
#include <pthread.h>
#include <zmalloc/malloc.h>

#include "malloc_check.h"

static malloc_zone_t *zone; /* NULL: nothing to be done yet */
static int calls;

static void
use_zone(void)
{
	void *p, *batch[5];
	if (!zone)
		return;
	for (size_t size = 16; size < 10 << 20; size *= 7) {
		p = malloc_zone_malloc(zone, size);
		CHECK(p && malloc_zone_from_ptr(p) == zone);
		p = malloc_zone_realloc(zone, p, size * 2);
		CHECK(p && malloc_size(p) >= size * 2);
		malloc_zone_free(zone, p);
		free(malloc_zone_calloc(zone, 1, size));
		free(malloc_zone_memalign(zone, 64, size));
		free(malloc_zone_valloc(malloc_default_zone(), size));
		CHECK(malloc_zone_batch_malloc(zone, size, batch, 5) == 5);
		malloc_zone_batch_free(zone, batch, 5);
	}
	calls++;
}

__attribute__((constructor(101))) static void
register_early(void)
{
	pthread_atfork(use_zone, use_zone, use_zone);
}

static int stop;

static void *
churn(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		malloc_zone_free(zone, malloc_zone_malloc(zone, 300));
	return arg;
}

static void
fork_some(int times)
{
	int status;
	for (int i = 0; i < times; i++) {
		calls = 0;
		pid_t pid = fork();
		CHECK(pid >= 0 && calls == 2);
		if (pid == 0) {
			alarm(20);
			use_zone();
			CHECK(malloc_zone_check(zone));
			_exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	CHECK(malloc_zone_check(zone));
}

static void
test_alone(void)
{
	zone = malloc_create_zone(0, 0);
	fork_some(5);
}

static void
test_threads(void)
{
	pthread_t t;
	zone = malloc_create_zone(0, 0);
	pthread_create(&t, NULL, churn, NULL);
	fork_some(5);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
}

int
main(void)
{
	static const struct test tests[] = {
		{ "atfork handlers use zones", test_alone },
		{ "atfork handlers use zones, threads", test_threads },
	};
	return RUN_TESTS(tests);
}
