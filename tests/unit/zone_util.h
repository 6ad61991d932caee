/*
 * zone_util.h - what the tests of zone/ share: result lines, random numbers,
 * and a shadow map that knows by itself which blocks must be alive.
 *
 * Memory of the tests comes from mmap, so that the allocator under test is
 * not the one that keeps the books, and malloc/ is not linked in.
 */
#ifndef TESTS_UNIT_ZONE_UTIL_H
#define TESTS_UNIT_ZONE_UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "zone/szone.h"

static int test_failures;
static const char *test_why; /* first failure of the running group */
static char test_text[256];

__attribute__((format(printf, 1, 2))) static inline void
fail(const char *format, ...)
{
	if (test_why)
		return;
	va_list args;
	va_start(args, format);
	vsnprintf(test_text, sizeof(test_text), format, args);
	va_end(args);
	test_why = test_text;
}

#define CHECK(cond)                                                   \
	do {                                                          \
		if (!(cond))                                          \
			fail("%s:%d: %s", __FILE__, __LINE__, #cond); \
	} while (0)

static inline void
result(const char *name)
{
	if (test_why) {
		printf("not ok %s - %s\n", name, test_why);
		test_failures++;
	} else {
		printf("ok %s\n", name);
	}
	fflush(stdout);
	test_why = NULL;
}

static inline void *
test_map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) {
		perror("mmap");
		_exit(99);
	}
	return p;
}

static inline uint64_t
rnd(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t x = *state;
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* A size of a random tier; large ones are rare. */
static inline size_t
random_size(uint64_t *state)
{
	uint64_t r = rnd(state), x = rnd(state);
	if (r % 1024 == 0)
		return x % (24 << 20);
	switch (r % 64) {
	case 1:
		return x % (x % 8 ? 256 << 10 : 2 << 20);
	case 2 ... 6:
		return x % (128 << 10);
	case 7 ... 25:
		return x % (x % 4 ? 4 << 10 : 32 << 10);
	case 26 ... 40:
		return x % 1009;
	default:
		return x % 257;
	}
}

/* ---- shadow map --------------------------------------------------------- */

struct shadow {
	unsigned char *p;
	size_t size, usable;
	unsigned char seed;
};

/* The bytes that are written and read back: all of short blocks, the ends and
 * one byte per page of long ones. */
static inline bool
pattern(struct shadow *s, bool write)
{
	size_t n = s->size;
	for (size_t i = 0; i < n;) {
		unsigned char want = (unsigned char)(s->seed + i * 7);
		if (write)
			s->p[i] = want;
		else if (s->p[i] != want)
			return false;
		i += n <= 2048 || i < 64 || i + 64 >= n ? 1
		     : i + 4096 < n - 64		? 4096
							: n - 64 - i;
	}
	return true;
}

static inline int
shadow_compare(const void *a, const void *b)
{
	const struct shadow *x = a, *y = b;
	return x->p < y->p ? -1 : x->p > y->p;
}

/* qsort may call malloc: a plain shell sort does. */
static inline void
shadow_sort(struct shadow *a, size_t n)
{
	for (size_t gap = n / 2; gap; gap = gap == 2 ? 1 : gap * 5 / 11)
		for (size_t i = gap; i < n; i++) {
			struct shadow t = a[i];
			size_t j = i;
			for (; j >= gap && shadow_compare(&t, &a[j - gap]) < 0;
			     j -= gap)
				a[j] = a[j - gap];
			a[j] = t;
		}
}

struct found {
	struct shadow *at;
	size_t count, room;
};

static inline void
found_one(uintptr_t start, size_t usable, void *ctx)
{
	struct found *f = ctx;
	if (f->count < f->room)
		f->at[f->count] =
		    (struct shadow){ (unsigned char *)start, 0, usable, 0 };
	f->count++;
}

/* The zone's enumeration must be exactly the live entries of the maps. */
static inline void
same_as_shadow(struct zm_szone *z, const struct shadow *map, size_t n)
{
	size_t bytes = (n + 1) * sizeof(struct shadow);
	struct shadow *want = test_map(bytes);
	struct found got = { test_map(bytes), 0, n + 1 };
	size_t live = 0, total = 0;
	for (size_t i = 0; i < n; i++)
		if (map[i].p) {
			want[live++] = map[i];
			total += map[i].usable;
		}
	zm_szone_enumerate(z, found_one, &got);
	if (got.count != live)
		fail("enumerated %zu blocks, %zu are live", got.count, live);
	shadow_sort(want, live);
	if (got.count <= n)
		shadow_sort(got.at, got.count);
	for (size_t i = 0; i < live && got.count == live; i++)
		if (want[i].p != got.at[i].p ||
		    want[i].usable != got.at[i].usable)
			fail("block %p (%zu) enumerated as %p (%zu)",
			     (void *)want[i].p, want[i].usable,
			     (void *)got.at[i].p, got.at[i].usable);
	for (size_t i = 1; i < live; i++)
		if (want[i - 1].p + want[i - 1].usable > want[i].p)
			fail("blocks %p and %p overlap", (void *)want[i - 1].p,
			     (void *)want[i].p);
	struct zm_statistics st;
	zm_szone_statistics(z, ZM_SUB_ALL, &st);
	if (st.blocks_in_use != live || st.size_in_use != total)
		fail("statistics say %zu blocks, %zu bytes; true: %zu, %zu",
		     st.blocks_in_use, st.size_in_use, live, total);
	munmap(want, bytes);
	munmap(got.at, bytes);
}

static inline void
sound(struct zm_szone *z)
{
	const char *why;
	if (!zm_szone_check(z, &why))
		fail("check: %s", why);
}

static inline void
zfree(struct zm_szone *z, void *p)
{
	struct zm_region *r = zm_region_of(p);
	if (!r)
		fail("%p is in no region", p);
	else
		zm_szone_free(z, r, p);
}

#endif
