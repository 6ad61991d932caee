/*
 * forks.c - the program forks again and again while other threads allocate in
 * every tier; each child allocates, frees what it inherited, makes threads and
 * a zone, looks at the zones' soundness, and ends.
 *
 *   forks [COUNT]
 *
 * A child that hangs on a lock ends by its alarm, and its status tells.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmalloc/malloc.h>

#pragma weak malloc_create_zone
#pragma weak malloc_destroy_zone
#pragma weak malloc_zone_check
#pragma weak malloc_zone_malloc

enum { THREADS = 4, SLOTS = 100, TIERS = 9 };

static const size_t tier[TIERS] = { 16,	  256,	 257,	 1008,	 1009,
				    9000, 32769, 300000, 9 << 20 };
static int stop;
static void *mine[SLOTS], *inherited[TIERS];

static void *
body(void *arg)
{
	uint32_t s = (uint32_t)(uintptr_t)arg;
	void *p[SLOTS] = { NULL };

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		s = s * 1664525u + 1013904223u;
		unsigned i = (s >> 8) % SLOTS;
		free(p[i]);
		p[i] = malloc((s >> 4) % (s >> 28   ? 500
					  : s >> 24 ? 50000
						    : 10 << 20));
	}
	for (int i = 0; i < SLOTS; i++)
		free(p[i]);
	return NULL;
}

/* Each tier twice, the second time from what was just freed. */
static void *
short_body(void *arg)
{
	void *p[TIERS];
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < TIERS; i++) {
			p[i] = malloc(tier[i]);
			if (!p[i])
				_exit(3);
			memset(p[i], i, tier[i] < 4096 ? tier[i] : 4096);
		}
		for (int i = 0; i < TIERS; i++)
			free(p[i]);
	}
	for (int i = 0; i < 200; i++)
		free(malloc((size_t)i * 50));
	return arg;
}

static void
in_threads(void)
{
	pthread_t t[2];
	for (int i = 0; i < 2; i++)
		if (pthread_create(&t[i], NULL, short_body, NULL))
			_exit(2);
	short_body(NULL);
	for (int i = 0; i < 2; i++)
		if (pthread_join(t[i], NULL))
			_exit(2);
}

static void
child(void)
{
	alarm(60);
	for (int i = 0; i < SLOTS; i++) {
		if (mine[i] && *(int *)mine[i] != i)
			_exit(1);
		free(mine[i]);
		mine[i] = malloc(300);
	}
	for (int i = 0; i < TIERS; i++)
		free(inherited[i]);
	in_threads();
	malloc_zone_t *z = malloc_create_zone(0, 0);
	if (!z || !malloc_zone_malloc(z, 1000))
		_exit(4);
	malloc_destroy_zone(z);
	if (!malloc_zone_check(NULL))
		_exit(5);
	exit(0);
}

int
main(int argc, char **argv)
{
	int forks = argc > 1 ? atoi(argv[1]) : 40, bad = 0;
	pthread_t t[THREADS];

	for (int i = 0; i < SLOTS; i++) {
		mine[i] = malloc(sizeof(int) + (size_t)i * 40);
		*(int *)mine[i] = i;
	}
	for (int i = 0; i < TIERS; i++)
		inherited[i] = malloc(tier[i]);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, body, (void *)(i + 1));
	for (int i = 0; i < forks; i++) {
		int status = -1;
		pid_t pid = fork();

		if (pid == 0)
			child();
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			bad++;
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	return bad != 0 || !malloc_zone_check(NULL);
}
