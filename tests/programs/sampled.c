/*
 * sampled.c - allocations whose totals are known, for tests of --sample:
 * sampled THREADS.  Prints for each size class: class, blocks, bytes, and the
 * blocks and bytes that stay allocated.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	size_t size;	/* requested, the least of .. */
	size_t step;	/* .. three sizes */
	size_t class;	/* that all three are in */
	unsigned count; /* per thread */
} kinds[] = {
	{ 1, 7, 16, 20000 },	      { 33, 7, 48, 20000 },
	{ 241, 7, 256, 10000 },	      { 993, 7, 1008, 4000 },
	{ 4000, 48, 4096, 2000 },     { 31750, 250, 32256, 300 },
	{ 70000, 10000, 98304, 100 }, { 400000, 4000, 425984, 30 },
};
enum { KINDS = sizeof kinds / sizeof kinds[0], THREADS_MAX = 16 };

/* Every third block stays; what is freed goes at once, or after realloc. */
static void *
work(void *arg)
{
	for (size_t k = 0; k < KINDS; k++) {
		void **kept = arg;
		for (unsigned i = 0; i < kinds[k].count; i++) {
			size_t n = kinds[k].size + i % 3 * kinds[k].step;
			void *p = i & 1 ? malloc(n) : calloc(1, n);
			if (i % 3)
				free(p);
			else if (n >= sizeof p) { /* a list */
				*(void **)p = *kept;
				*kept = p;
			}
		}
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 1;
	static void *lists[THREADS_MAX];
	pthread_t t[THREADS_MAX];

	for (int i = 0; i < threads && i < THREADS_MAX; i++)
		pthread_create(&t[i], NULL, work, &lists[i]);
	for (int i = 0; i < threads && i < THREADS_MAX; i++)
		pthread_join(t[i], NULL);
	for (size_t k = 0; k < KINDS; k++) {
		unsigned long blocks = 0, bytes = 0, live = 0, live_bytes = 0;
		for (unsigned i = 0; i < kinds[k].count; i++) {
			size_t n = kinds[k].size + i % 3 * kinds[k].step;
			blocks++;
			bytes += n;
			live += i % 3 == 0;
			live_bytes += i % 3 == 0 ? n : 0;
		}
		printf("%zu %lu %lu %lu %lu\n", kinds[k].class,
		       blocks * threads, bytes * threads, live * threads,
		       live_bytes * threads);
	}
	return 0;
}
