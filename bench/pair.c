/*
 * pair.c - what a malloc+free pair costs at a given depth, on some threads.
 *
 *   pair [PAIRS [FRAMES [THREADS]]]     ns of CPU per pair; THREADS 0: main
 * alone
 *
 * The stack below the pair changes at each step as that of a program does: one
 * of four functions allocates, called from a loop, which is called anew every
 * 16 pairs.  Run under the recorders by bench/run record.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOINLINE __attribute__((noinline, noclone))

static long pairs = 2000000;
static int frames = 20, threads;

#define LEAF(n)                                             \
	static NOINLINE void leaf##n(size_t size)           \
	{                                                   \
		char *p = malloc(size);                     \
		__asm__ volatile("" : : "r"(p) : "memory"); \
		free(p);                                    \
		__asm__ volatile("");                       \
	}
LEAF(0)
LEAF(1)
LEAF(2)
LEAF(3)

static NOINLINE void
sixteen(long i)
{
	for (int k = 0; k < 4; k++) {
		leaf0(16 + (size_t)i % 100);
		leaf1(40);
		leaf2(100);
		leaf3(200);
	}
	__asm__ volatile("");
}

static NOINLINE void
down(int depth)
{
	if (depth > 0) {
		down(depth - 1);
		__asm__ volatile("");
		return;
	}
	for (long i = 0; i < pairs / 16; i++)
		sixteen(i);
	__asm__ volatile("");
}

static void *
body(void *unused)
{
	struct timespec a, b;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	down(frames - 5);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	double *ns = malloc(sizeof *ns);
	*ns = ((double)(b.tv_sec - a.tv_sec) * 1e9 +
	       (double)(b.tv_nsec - a.tv_nsec)) /
	      (double)pairs;
	return ns;
}

int
main(int argc, char **argv)
{
	pthread_t t[64];
	double sum = 0;
	void *ns;

	if (argc > 1)
		pairs = atol(argv[1]);
	if (argc > 2)
		frames = atoi(argv[2]);
	if (argc > 3)
		threads = atoi(argv[3]);
	if (threads > 64)
		return 2;
	if (!threads) { /* the only thread */
		ns = body(NULL);
		printf("%.1f\n", *(double *)ns);
		return 0;
	}
	for (int i = 0; i < threads; i++)
		pthread_create(&t[i], NULL, body, NULL);
	for (int i = 0; i < threads; i++) {
		pthread_join(t[i], &ns);
		sum += *(double *)ns;
		free(ns);
	}
	printf("%.1f\n", sum / threads);
	return 0;
}
