/*
 * alloc.c - allocator patterns, timed.  Run once per allocator under
 * LD_PRELOAD by bench/run; prints one "pattern value" line each, in ns per
 * operation (a pair is one allocation and one free).
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double
now_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static uint64_t seed = 88172645463325252ull;
static uint32_t
rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

static void
pairs(size_t size)
{
	long n = size <= 32768 ? 4000000 : size <= 1 << 20 ? 200000 : 20000;
	double t = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (long i = 0; i < n; i++) {
		char *p = malloc(size);
		*(volatile char *)p = 1;
		free(p);
	}
	printf("pair-%zu %.2f\n", size,
	       (now_ns(CLOCK_PROCESS_CPUTIME_ID) - t) / (double)n);
}

static void
batch(size_t size)
{
	void *p[64];
	long n = 100000;
	double t = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (long i = 0; i < n; i++) {
		for (int k = 0; k < 64; k++)
			p[k] = malloc(size);
		for (int k = 0; k < 64; k++)
			free(p[k]);
	}
	printf("batch64-%zu %.2f\n", size,
	       (now_ns(CLOCK_PROCESS_CPUTIME_ID) - t) / (double)n / 64);
}

static void
replace(const char *name, size_t window, size_t lo, size_t hi, long n)
{
	void **p = calloc(window, sizeof *p);
	double t = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (long i = 0; i < n; i++) {
		size_t k = rnd() % window;
		size_t size = lo + rnd() % (hi - lo + 1);
		free(p[k]);
		p[k] = malloc(size);
		*(volatile char *)p[k] = 1;
	}
	for (size_t k = 0; k < window; k++)
		free(p[k]);
	printf("%s %.2f\n", name,
	       (now_ns(CLOCK_PROCESS_CPUTIME_ID) - t) / (double)n);
	free(p);
}

/* Grow and free a million blocks. */
static void
grow(size_t size)
{
	enum { N = 1000000 };
	void **p = malloc(N * sizeof *p);
	memset(p, 1, N * sizeof *p);
	double t = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = 0; i < N; i++)
		p[i] = malloc(size);
	for (int i = 0; i < N; i++)
		free(p[i]);
	printf("grow1M-%zu %.2f\n", size,
	       (now_ns(CLOCK_PROCESS_CPUTIME_ID) - t) / N);
	free(p);
}

enum { RING = 1024, ITEMS = 2000000 };
static void *ring[RING];
static unsigned head, tail;

static void *
consumer(void *arg)
{
	(void)arg;
	for (unsigned n = 0; n < ITEMS;) {
		unsigned h = __atomic_load_n(&head, __ATOMIC_ACQUIRE);
		for (; n != h; n++) {
			free(ring[n % RING]);
			__atomic_store_n(&tail, n + 1, __ATOMIC_RELEASE);
		}
	}
	return NULL;
}

static void
remote(size_t size)
{
	pthread_t t;
	head = tail = 0;
	double start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	pthread_create(&t, NULL, consumer, NULL);
	for (unsigned n = 0; n < ITEMS; n++) {
		while (n - __atomic_load_n(&tail, __ATOMIC_ACQUIRE) >= RING)
			;
		ring[n % RING] = malloc(size);
		__atomic_store_n(&head, n + 1, __ATOMIC_RELEASE);
	}
	pthread_join(t, NULL);
	printf("producer-consumer-%zu %.2f\n", size,
	       (now_ns(CLOCK_PROCESS_CPUTIME_ID) - start) / ITEMS);
}

int
main(void)
{
	static const size_t sizes[] = { 16,    64,     256,	1008,	4096,
					32768, 131072, 1 << 20, 8 << 20 };
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		pairs(sizes[i]);
	batch(64);
	batch(512);
	replace("replace-8-64", 1000, 8, 64, 5000000);
	replace("replace-8-256", 10000, 8, 256, 5000000);
	replace("replace-16-1K", 10000, 16, 1024, 3000000);
	replace("replace-512-32K", 1000, 512, 32768, 1000000);
	replace("replace-4K-4M", 30, 4096, 4 << 20, 20000);
	grow(40);
	grow(400);
	remote(64);
	remote(4096);
	return 0;
}
