/*
 * points.c - calls of every kind of allocation function, in numbers that
 * tests/tools/probes.sh knows.
 *
 *   points 0|1            nothing, or one of each list below
 *   points threads N      four threads, each N malloc, N calloc, 2 N free
 */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zmalloc/malloc.h>

/* weak: the library is preloaded */
#pragma weak malloc_create_zone
#pragma weak malloc_destroy_zone
#pragma weak malloc_zone_malloc
#pragma weak malloc_zone_calloc
#pragma weak malloc_zone_memalign
#pragma weak malloc_zone_valloc
#pragma weak malloc_zone_malloc_with_options
#pragma weak malloc_zone_free

static void *volatile block[1000];

/* malloc 1000, free 1000 */
static void
small(void)
{
	for (int i = 0; i < 1000; i++)
		block[i] = malloc(100);
	for (int i = 0; i < 1000; i++)
		free(block[i]);
	free(NULL); /* is no free */
}

/* malloc 7, realloc 10, free 10: eight, and two by realloc(p, 0) */
static void
resized(void)
{
	for (int i = 0; i < 7; i++)
		block[i] = malloc(100);
	for (int i = 0; i < 4; i++)
		block[i] = realloc(block[i], 90); /* stays */
	for (int i = 4; i < 7; i++)
		block[i] = realloc(block[i], 50000); /* moves */
	for (int i = 7; i < 10; i++)
		block[i] = realloc(NULL, 200);
	for (int i = 0; i < 8; i++)
		free(block[i]);
	for (int i = 8; i < 10; i++)
		block[i] = realloc(block[i], 0);
}

/* calloc 3, memalign 7, valloc 4, free 14 */
static void
others(void)
{
	int n = 0;
	for (int i = 0; i < 3; i++)
		block[n++] = calloc(10, 30);
	for (int i = 0; i < 3; i++)
		block[n++] = memalign(64, 100);
	for (int i = 0; i < 2; i++)
		block[n++] = aligned_alloc(128, 256);
	for (int i = 0; i < 2; i++) {
		void *p = NULL;
		if (posix_memalign(&p, 4096, 5000))
			abort();
		block[n++] = p;
	}
	for (int i = 0; i < 3; i++)
		block[n++] = valloc(100);
	block[n++] = pvalloc(100);
	while (n > 0)
		free(block[--n]);
}

/* malloc 5, free 3; large_malloc 5, large_free 3 */
static void
large(void)
{
	for (int i = 0; i < 5; i++)
		block[i] = malloc((size_t)(20 + i) << 20);
	for (int i = 0; i < 3; i++)
		free(block[i]);
}

/* malloc 2, calloc 2, memalign 2, valloc 2, malloc_options 2, free 3; the
 * seven that go with the zone are no frees */
static void
zone(void)
{
	malloc_zone_t *z = malloc_create_zone(0, 0);
	for (int i = 0; i < 10; i += 5) {
		block[i] = malloc_zone_malloc(z, 100);
		block[i + 1] = malloc_zone_calloc(z, 3, 100);
		block[i + 2] = malloc_zone_memalign(z, 64, 100);
		block[i + 3] = malloc_zone_valloc(z, 100);
		block[i + 4] = malloc_zone_malloc_with_options(z, 16, 64, 0);
	}
	for (int i = 0; i < 3; i++)
		malloc_zone_free(z, block[i]);
	malloc_destroy_zone(z);
}

static void *
churn(void *arg)
{
	for (long i = *(long *)arg; i > 0; i--) {
		void *volatile p = malloc(40), *volatile q = calloc(2, 40);
		free(p);
		free(q);
	}
	return NULL;
}

static int
threads(long n)
{
	pthread_t t[4];
	for (int i = 0; i < 4; i++)
		if (pthread_create(&t[i], NULL, churn, &n))
			return 2;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "threads") == 0)
		return threads(atol(argv[2]));
	if (argc > 1 && strcmp(argv[1], "1") == 0) {
		small();
		resized();
		others();
		large();
		zone();
	}
	return 0;
}
