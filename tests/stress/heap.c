/*
 * heap.c - threads allocate, resize, hand over and free blocks of all sizes and
 * alignments; every block carries a pattern that only its owner writes, so
 * that two blocks that overlap, or one that moves without its contents, show.
 * `heap [SECONDS-LIKE FACTOR]`: 1 is a second or two.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 6, SLOTS = 400, SHARED = 64 };

struct block {
	unsigned char *p;
	size_t n;
	unsigned char mark;
};

static struct block shared[SHARED];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long rounds = 120000;

static void
fail(const char *what, struct block *b, size_t i)
{
	char line[200];
	int n = snprintf(line, sizeof(line),
			 "%s: block %p of %zu bytes, byte %zu\n", what,
			 (void *)b->p, b->n, i);

	if (write(2, line, (size_t)n) != n)
		_exit(2);
	_exit(1);
}

static uint32_t
next(uint32_t *s)
{
	*s = *s * 1664525u + 1013904223u;
	return *s >> 7;
}

/* The first and last bytes: large blocks are not touched throughout. */
static void
fill(struct block *b, unsigned char mark)
{
	size_t edge = b->n < 300 ? b->n : 300;

	b->mark = mark;
	memset(b->p, mark, edge);
	memset(b->p + b->n - edge, mark, edge);
}

static void
verify(struct block *b, size_t n)
{
	size_t edge = b->n < 300 ? b->n : 300;

	for (size_t i = 0; i < edge && i < n; i++)
		if (b->p[i] != b->mark)
			fail("overwritten", b, i);
	if (n < b->n)
		return;
	for (size_t i = b->n - edge; i < b->n; i++)
		if (b->p[i] != b->mark)
			fail("overwritten at its end", b, i);
}

static size_t
size_for(uint32_t r)
{
	switch (r % 64) {
	case 0:
		return r % (2 << 20);
	case 1 ... 4:
		return r % 40000;
	case 5 ... 14:
		return r % 3000;
	default:
		return r % 300;
	}
}

static void
make(struct block *b, uint32_t r, uint32_t size)
{
	size_t align = 16;

	b->n = size_for(size);
	if (r % 11 == 0) {
		align = (size_t)16 << (r % 10);
		if (posix_memalign((void **)&b->p, align, b->n))
			b->p = NULL;
	} else if (r % 7 == 0) {
		b->p = calloc(1, b->n);
		for (size_t i = 0; b->p && i < b->n && i < 4096; i++)
			if (b->p[i])
				fail("calloc is not zero", b, i);
	} else {
		b->p = malloc(b->n);
		align = b->n < 16 ? 8 : 16;
	}
	if (!b->p || (uintptr_t)b->p % align)
		fail("missing or misaligned", b, align);
	if (malloc_usable_size(b->p) < b->n)
		fail("usable size too small", b, malloc_usable_size(b->p));
	fill(b, (unsigned char)r);
}

static void
resize(struct block *b, uint32_t r, uint32_t size)
{
	size_t n = size_for(size) + 1;
	struct block old = *b;

	b->p = realloc(b->p, n);
	if (!b->p)
		fail("realloc failed", &old, n);
	old.p = b->p;
	if (n >= old.n)
		verify(&old, old.n);
	else
		verify(&old, n);
	b->n = n;
	fill(b, (unsigned char)r);
}

static void
swap(struct block *b, uint32_t r)
{
	pthread_mutex_lock(&lock);
	struct block other = shared[r % SHARED];
	shared[r % SHARED] = *b;
	*b = other;
	pthread_mutex_unlock(&lock);
}

static void *
body(void *arg)
{
	uint32_t s = (uint32_t)(uintptr_t)arg * 12345u + 1;
	struct block *blocks = calloc(SLOTS, sizeof(*blocks));

	for (long i = 0; i < rounds; i++) {
		struct block *b = &blocks[next(&s) % SLOTS];
		uint32_t r = next(&s), size = next(&s);

		if (!b->p) {
			make(b, r, size);
			continue;
		}
		verify(b, b->n);
		if (r % 4 == 0) {
			resize(b, r, size);
		} else if (r % 4 == 1) {
			swap(b, r);
		} else {
			free(b->p);
			b->p = NULL;
		}
	}
	for (int i = 0; i < SLOTS; i++)
		if (blocks[i].p)
			verify(&blocks[i], blocks[i].n), free(blocks[i].p);
	free(blocks);
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_t t[THREADS];

	if (argc > 1)
		rounds *= atol(argv[1]);
	/* Two generations: the second inherits what dead threads left. */
	for (int g = 0; g < 2; g++) {
		for (uintptr_t i = 0; i < THREADS; i++)
			pthread_create(&t[i], NULL, body,
				       (void *)(i + 10 * (uintptr_t)g));
		for (int i = 0; i < THREADS; i++)
			pthread_join(t[i], NULL);
	}
	for (int i = 0; i < SHARED; i++)
		if (shared[i].p)
			verify(&shared[i], shared[i].n), free(shared[i].p);
	return 0;
}
