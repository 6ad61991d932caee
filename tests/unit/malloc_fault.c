/*
 * malloc_fault.c - the public functions while calls for memory fail, each one
 * in turn: NULL with ENOMEM, or success; afterwards everything is as before.
 * Threads' first calls and new zones are among what happens.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zmalloc/malloc.h>

#include "fault.h"

static const size_t sizes[] = { 1,    100,   256,   257,    1008,
				1009, 32768, 32769, 500000, (8 << 20) + 1 };
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]), ZONES = 2 };

static malloc_zone_t *zones[ZONES];
static unsigned char *block[ZONES + 2][SIZES];
static long nulls;
static const char *wrong;

static unsigned char *
granted(void *p, size_t size, unsigned char mark)
{
	unsigned char *c = p;
	if (!c) {
		if (errno != ENOMEM)
			wrong = "NULL without ENOMEM";
		nulls++;
		return NULL;
	}
	if (malloc_size(c) < size)
		wrong = "usable size too small";
	c[0] = c[size - 1] = mark;
	return c;
}

static void
get(malloc_zone_t *z, unsigned char **out, int how)
{
	for (int i = 0; i < SIZES; i++) {
		if (out[i])
			continue;
		size_t n = sizes[i];
		errno = 0;
		void *p = z		  ? malloc_zone_malloc(z, n)
			  : (i + how) % 3 ? malloc(n)
			  : i < SIZES - 1 ? calloc(1, n)
					  : memalign(65536, n);
		out[i] = granted(p, n, (unsigned char)(i + 1));
	}
}

static void
grow(unsigned char **b)
{
	for (int i = 0; i < SIZES; i++) {
		if (!b[i])
			continue;
		errno = 0;
		void *p = realloc(b[i], sizes[i] + 3000 + sizes[i] % 32768);
		if (p)
			b[i] = p;
		else
			granted(NULL, 0, 0);
		if (b[i][0] != i + 1 || b[i][sizes[i] - 1] != i + 1)
			wrong = "realloc lost contents";
	}
}

static void
give(unsigned char **b)
{
	for (int i = 0; i < SIZES; i++) {
		if (b[i] && (b[i][0] != i + 1 || b[i][sizes[i] - 1] != i + 1))
			wrong = "contents changed";
		errno = 5;
		free(b[i]);
		b[i] = NULL;
		if (errno != 5)
			wrong = "free changed errno";
	}
}

/* A thread's first call; it ends while calls may still fail. */
static void *
thread(void *arg)
{
	get(NULL, block[ZONES + 1], 1);
	give(block[ZONES + 1]);
	return arg;
}

static void
all(void)
{
	pthread_t t;
	get(NULL, block[ZONES], 0);
	for (int i = 0; i < ZONES; i++) {
		errno = 0;
		if (!zones[i])
			zones[i] = malloc_create_zone(0, 0);
		if (!zones[i])
			granted(NULL, 0, 0);
		else
			get(zones[i], block[i], 0);
	}
	if (pthread_create(&t, NULL, thread, NULL) == 0)
		pthread_join(t, NULL);
	for (int i = 0; i <= ZONES; i++)
		grow(block[i]);
	malloc_zone_pressure_relief(NULL, 0);
	give(block[ZONES]);
	give(block[0]);
	malloc_trim(0);
	get(NULL, block[ZONES], 2);
}

static long
life(void)
{
	all();
	fault_end();
	long seen = nulls;
	nulls = 0;
	if (!malloc_zone_check(NULL))
		wrong = "malloc_zone_check";
	all();
	for (int i = 0; i <= ZONES; i++)
		give(block[i]);
	for (int i = 0; i < ZONES; i++)
		if (zones[i])
			malloc_destroy_zone(zones[i]);
	if (nulls)
		wrong = "refused though memory is there";
	if (!malloc_zone_check(NULL))
		wrong = "malloc_zone_check at the end";
	if (wrong)
		fprintf(stderr, "%s\n", wrong);
	return wrong ? -1 : seen;
}

static int
each(long length, const char *name)
{
	long total, refused, at = fault_each(length, life, &total, &refused);
	if (at)
		printf("not ok %s - call %ld not survived\n", name, at);
	else if (total < 40 || !refused)
		printf("not ok %s - %ld calls, %ld NULLs: did not bite\n", name,
		       total, refused);
	else
		printf("ok %s\n", name);
	return at || !refused;
}

int
main(int argc, char **argv)
{
	if (argc > 1) { /* CALL: one of them, to look into */
		struct fault_run run = fault_try(atol(argv[1]), 1, life);
		printf("%ld calls, %ld NULLs\n", run.calls, run.nulls);
		return run.status != 0;
	}
	return each(1, "each call for memory fails") |
	       each(9, "nine calls fail in a row");
}
