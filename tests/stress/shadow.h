/*
 * shadow.h - what the stress tests know of each block by themselves: a record
 * with address, size and the key of the bytes they wrote into it.  Records
 * live in mapped memory, never in the heap under test, and nothing here calls
 * a function of libc that may allocate.
 */
#ifndef TESTS_STRESS_SHADOW_H
#define TESTS_STRESS_SHADOW_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct block {
	unsigned char *p; /* NULL: no block */
	size_t size, usable;
	uint64_t key; /* of the contents, see block_word */
	void *zone;
};

/* Who speaks, for the message of a failure. */
static __thread struct {
	unsigned thread;
	unsigned long op;
} here;
static uint64_t model_seed = 1;
static const char *model_name = "test";

__attribute__((format(printf, 1, 2), noreturn, unused)) static void
fail(const char *format, ...)
{
	char line[400];
	int n = snprintf(line, sizeof(line),
			 "%s: seed %llu, thread %u, op %lu: ", model_name,
			 (unsigned long long)model_seed, here.thread, here.op);
	va_list args;
	va_start(args, format);
	n += vsnprintf(line + n, sizeof(line) - 2 - (size_t)n, format, args);
	va_end(args);
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	if (write(2, line, (size_t)n) != n)
		_exit(2);
	_exit(1);
}

static inline void *
map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		fail("no memory for the test's own records");
	return p;
}

static inline uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static inline uint64_t
rnd(uint64_t *state)
{
	return mix(*state += UINT64_C(0x9e3779b97f4a7c15));
}

/* ---- contents ----------------------------------------------------------- */

static inline uint64_t
block_word(const struct block *b, size_t i)
{
	return b->key + i * UINT64_C(0x9e3779b97f4a7c15);
}

/* All of short blocks; both ends of long ones, and something in between. */
static inline size_t
block_next(const struct block *b, size_t i)
{
	size_t n = b->usable, step = n <= 256 << 10 ? 1024 : 65536;
	if (n <= 4096 || i < 256 || i + 264 >= n)
		return i + 8;
	return i + step < n - 256 ? i + step : (n - 256) & ~(size_t)7;
}

/* Writes over the whole usable length. */
static inline void
block_fill(struct block *b, uint64_t seed)
{
	b->key = mix((uintptr_t)b->p ^ mix(b->size ^ mix(seed)));
	for (size_t i = 0; i < b->usable; i = block_next(b, i)) {
		uint64_t word = block_word(b, i);
		if (b->usable - i >= 8)
			*(uint64_t *)(b->p + i) = word;
		else
			memcpy(b->p + i, &word, b->usable - i);
	}
}

/* Verifies the first n bytes of what b holds, found at `at`. */
static inline void
block_verify(const struct block *b, const unsigned char *at, size_t n,
	     const char *when)
{
	for (size_t i = 0; i < n; i = block_next(b, i)) {
		uint64_t want = block_word(b, i);
		size_t k = n - i < 8 ? n - i : 8;
		if (k == 8 ? *(const uint64_t *)(at + i) != want
			   : memcmp(at + i, &want, k) != 0)
			fail("%s: block %p of %zu bytes (usable %zu): byte %zu "
			     "at %p changed",
			     when, (const void *)b->p, b->size, b->usable, i,
			     (const void *)at);
	}
}

/* All bytes are `byte`; of long blocks the ends and each page's start. */
static inline void
block_is(const unsigned char *p, size_t n, unsigned char byte, const char *what)
{
	for (size_t i = 0; i < n;) {
		if (p[i] != byte)
			fail("%s: %p of %zu bytes: byte %zu is %#x", what,
			     (const void *)p, n, i, p[i]);
		if (n <= 32768 || i < 512 || i + 512 >= n)
			i++;
		else
			i = i + 512 < n - 512 ? (i + 512) & ~(size_t)511
					      : n - 512;
	}
}

/* ---- sizes -------------------------------------------------------------- */

/* Each tier gets its share, and so do the sizes where tiers and classes meet;
 * none is above `most`, which keeps the test within its memory. */
static inline size_t
random_size(uint64_t *state, size_t most)
{
	static const size_t border[] = { 0,	    16,	     32,     240,
					 256,	    512,     1008,   1024,
					 4096,	    15360,   32768,  65536,
					 127 << 10, 1 << 20, 8 << 20 };
	uint64_t r = rnd(state), x = r >> 16, size;
	switch (r % 100) {
	case 0 ... 34:
		size = x % 257;
		break;
	case 35 ... 54:
		size = x % 1009;
		break;
	case 55 ... 66:
		size = x % 4096;
		break;
	case 67 ... 81:
		size = x % 32769;
		break;
	case 82 ... 90: /* 32 KiB to 8 MiB, each power of two alike */
		size = (size_t)32768 << x % 8;
		size += (x >> 8) % size;
		break;
	case 91:
		size = (8 << 20) + x % (16 << 20);
		break;
	default:
		size = border[x % (sizeof(border) / sizeof(*border))];
		size += (x >> 8) % 3;
		size -= size != 0;
	}
	return size <= most ? size : size % 1025;
}

/* ---- sets --------------------------------------------------------------- */

/* Shell sort by address: qsort may allocate. */
static inline void
sort_blocks(struct block *a, size_t n)
{
	for (size_t gap = n / 2; gap; gap = gap == 2 ? 1 : gap * 5 / 11)
		for (size_t i = gap; i < n; i++) {
			struct block t = a[i];
			size_t j = i;
			for (; j >= gap && t.p < a[j - gap].p; j -= gap)
				a[j] = a[j - gap];
			a[j] = t;
		}
}

/* The entry for exactly this address, or NULL. */
static inline const struct block *
find_block(const struct block *a, size_t n, const void *p)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (a[mid].p == p)
			return &a[mid];
		if (a[mid].p < (const unsigned char *)p)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static inline void
no_overlap(const struct block *sorted, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (sorted[i - 1].p + sorted[i - 1].usable > sorted[i].p)
			fail("blocks overlap: %p of %zu and %p of %zu",
			     (void *)sorted[i - 1].p, sorted[i - 1].usable,
			     (void *)sorted[i].p, sorted[i].usable);
}

#endif
