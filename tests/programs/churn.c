/*
 * churn.c - millions of allocations in a pattern that is the same each time:
 * `churn THREADS ROUNDS [KEEP]`.  Each thread frees what it made, but for KEEP
 * blocks that stay reachable.  Prints what it did on standard output:
 * allocations, frees and requested bytes of the threads together.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 512, THREADS_MAX = 64 };

static long rounds, keep;
static void *kept[THREADS_MAX][SLOTS];
static struct total {
	unsigned long allocations, frees, bytes;
} totals[THREADS_MAX];

static uint32_t
next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Small sizes often, large ones seldom. */
static size_t
size_for(uint32_t r)
{
	if (r % 1000 == 0)
		return 100000 + r % 1000000;
	return r % 16 == 0 ? r % 20000 : r % 400;
}

static void *
alloc_churn(struct total *t, void *old, uint32_t r)
{
	size_t n = size_for(r) + 1;
	void *p;

	t->allocations++;
	t->bytes += n;
	if (old && r % 3 == 0) {
		t->frees++;
		p = realloc(old, n);
	} else {
		if (old) {
			t->frees++;
			free(old);
		}
		p = r % 5 ? malloc(n) : calloc(1, n);
	}
	memset(p, (int)r, n < 64 ? n : 64);
	return p;
}

static void *
body(void *arg)
{
	long id = (long)(intptr_t)arg;
	uint32_t state = 2463534242u + (uint32_t)id * 77;
	void **slot = kept[id];
	struct total *t = &totals[id];

	for (long i = 0; i < rounds; i++) {
		uint32_t r = next(&state);
		unsigned s = next(&state) % SLOTS;
		slot[s] = alloc_churn(t, slot[s], r);
	}
	for (long s = 0; s < SLOTS; s++) {
		if (!slot[s] || s < keep)
			continue;
		free(slot[s]);
		slot[s] = NULL;
		t->frees++;
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	long threads = argc > 1 ? atol(argv[1]) : 1;
	pthread_t t[THREADS_MAX];
	struct total sum = { 0, 0, 0 };
	char line[100];

	if (threads > THREADS_MAX)
		threads = THREADS_MAX;
	rounds = argc > 2 ? atol(argv[2]) : 100000;
	keep = argc > 3 ? atol(argv[3]) : 0;
	if (threads == 0)
		body(NULL);
	for (long i = 0; i < threads; i++)
		pthread_create(&t[i], NULL, body, (void *)(intptr_t)i);
	for (long i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	for (long i = 0; i < THREADS_MAX; i++) {
		sum.allocations += totals[i].allocations;
		sum.frees += totals[i].frees;
		sum.bytes += totals[i].bytes;
	}
	int n = snprintf(line, sizeof(line), "%lu %lu %lu\n", sum.allocations,
			 sum.frees, sum.bytes);
	return write(1, line, (size_t)n) == n ? 0 : 1;
}
