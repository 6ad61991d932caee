/*
 * scan.c - a heap for leak scans: how fast they read it, and how long the
 * program stands still.
 *
 *   scan SHAPE MEGABYTES THREADS ROUNDS
 *
 * SHAPE: near (a tree of blocks of 64 bytes in order of allocation), tree (the
 * same in random order), list (each points to the next, in random order), mixed
 * (16 bytes to 64 KiB, a pointer to anywhere in every fourth word), bytes (4
 * KiB without pointers).  THREADS threads hold parts of the heap and never
 * sleep. Each round is a call of zmalloc_record_snapshot; the best one is
 * printed.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define ZMALLOC_RECORD_WEAK
#include "../libzmalloc/include/zmalloc/record.h"

enum { THREADS_MAX = 64 };

static void ***part; /* [threads][blocks] */
static size_t total;
static volatile int stage; /* parts that are there */
static volatile uint64_t beat[THREADS_MAX * 8];

static uint64_t
chance(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	return *s ^= *s << 17;
}

static size_t
size_of(const char *shape, uint64_t *seed)
{
	if (!strcmp(shape, "bytes"))
		return 4096;
	if (strcmp(shape, "mixed") != 0)
		return 64;
	return (size_t)16 << chance(seed) % 13;
}

static int
is_tree(const char *shape)
{
	return !strcmp(shape, "tree") || !strcmp(shape, "near");
}

/* One part: n blocks in an array, then pointers between them. */
static void **
build(const char *shape, size_t bytes, uint64_t seed)
{
	size_t n = 0, room = bytes / 64 + 1, sum = 0;
	size_t *size = malloc(room * sizeof *size);
	void **b = malloc(room * sizeof *b);

	while (sum < bytes && n < room) {
		size[n] = size_of(shape, &seed);
		b[n] = malloc(size[n]);
		memset(b[n], 1, size[n]);
		sum += size[n++];
	}
	for (size_t i = n - 1; i > 0 && strcmp(shape, "near") != 0; i--) {
		size_t k = chance(&seed) % (i + 1);
		void *p = b[i];
		size_t s = size[i];
		b[i] = b[k];
		size[i] = size[k];
		b[k] = p;
		size[k] = s;
	}
	for (size_t i = 0; i < n; i++) {
		void **w = b[i];
		if (!strcmp(shape, "list") && i + 1 < n)
			w[0] = b[i + 1];
		else if (is_tree(shape) && 2 * i + 2 < n)
			w[0] = b[2 * i + 1], w[1] = b[2 * i + 2];
		else if (!strcmp(shape, "mixed"))
			for (size_t k = 0; k < size[i] / 8; k += 4)
				w[k] = b[chance(&seed) % n];
	}
	__atomic_fetch_add(&total, sum, __ATOMIC_RELAXED);
	/* tree and list hang on their first block */
	if (!strcmp(shape, "list") || is_tree(shape)) {
		void *first = b[0];
		free(b);
		b = malloc(sizeof *b);
		b[0] = first;
	}
	free(size);
	return b;
}

static const char *the_shape;
static size_t the_bytes;

static void *
run(void *arg)
{
	size_t i = (size_t)arg;

	part[i] = build(the_shape, the_bytes, 88172645463325252u + i);
	__atomic_fetch_add(&stage, 1, __ATOMIC_SEQ_CST);
	for (;;)
		if (++beat[i * 8] % 100000 == 0)
			usleep(1000);
	return NULL;
}

static double
cpu(void)
{
	struct rusage r;

	getrusage(RUSAGE_CHILDREN, &r);
	return (double)r.ru_utime.tv_sec + (double)r.ru_utime.tv_usec * 1e-6 +
	       (double)r.ru_stime.tv_sec + (double)r.ru_stime.tv_usec * 1e-6;
}

int
main(int argc, char **argv)
{
	size_t threads = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
	size_t mb = argc > 2 ? strtoul(argv[2], NULL, 10) : 64;
	int rounds = argc > 4 ? atoi(argv[4]) : 3;
	double best = 1e9;
	pthread_t t;

	the_shape = argc > 1 ? argv[1] : "tree";
	if (!zmalloc_record_snapshot || threads > THREADS_MAX)
		return 2;
	the_bytes = (mb << 20) / threads;
	part = calloc(threads, sizeof *part);
	for (size_t i = 0; i < threads; i++)
		pthread_create(&t, NULL, run, (void *)i);
	while ((size_t)stage < threads) {
		struct timespec ts = { 0, 1000000 };
		nanosleep(&ts, NULL);
	}
	for (int i = 0; i < rounds; i++) {
		double before = cpu();
		int error = zmalloc_record_snapshot(NULL);
		if (error) {
			fprintf(stderr, "snapshot: %s\n", strerror(error));
			return 1;
		}
		double took = cpu() - before;
		best = took < best ? took : best;
	}
	printf("%-6s %5zu MB %2zu threads  %6.3f s  %5.2f GB/s\n", the_shape,
	       total >> 20, threads, best, (double)total / best * 1e-9);
	fflush(stdout);
	kill(getpid(), SIGKILL); /* one more scan would come with the end */
	return 0;
}
