/*
 * handoff.c - threads that come and go, allocate, put the block in a slot of a
 * table and free what was there: nearly every block is freed by another thread
 * than its own, at once, and its address goes to a third.  Arguments: threads
 * at a time, blocks of each, generations.  Prints the numbers of allocations
 * and frees that it made.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 64 };

static void *slot[SLOTS];
static long blocks, freed; /* freed: atomic */

static void *
alloc_handed(size_t n)
{
	return malloc(n);
}

static void *
worker(void *arg)
{
	uint32_t r = (uint32_t)(uintptr_t)arg;
	long frees = 0;

	for (long i = 0; i < blocks; i++) {
		r = r * 1664525u + 1013904223u;
		void *p = alloc_handed(16 + (r >> 20) % 200);
		void *old = __atomic_exchange_n(&slot[r >> 8 & (SLOTS - 1)], p,
						__ATOMIC_ACQ_REL);
		frees += old != NULL;
		free(old);
	}
	__atomic_fetch_add(&freed, frees, __ATOMIC_RELAXED);
	return NULL;
}

int
main(int argc, char **argv)
{
	enum { MOST = 64 };
	pthread_t id[MOST];
	long threads = argc > 1 ? atol(argv[1]) : 4;
	long generations = argc > 3 ? atol(argv[3]) : 1;

	blocks = argc > 2 ? atol(argv[2]) : 1000;
	if (threads < 1 || threads > MOST)
		return 2;
	for (long g = 0; g < generations; g++) {
		for (long i = 0; i < threads; i++)
			pthread_create(&id[i], NULL, worker,
				       (void *)(g * MOST + i + 1));
		for (long i = 0; i < threads; i++)
			pthread_join(id[i], NULL);
	}
	printf("%ld %ld\n", threads * blocks * generations, freed);
	return 0;
}
