/*
 * malloc_purgeable.c - blocks whose contents the kernel may take.
 *
 * The kernel takes them when memory is short; MADV_PAGEOUT makes it do so at
 * once, and MADV_DONTNEED on a page has the same effect where that is not
 * known.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <zmalloc/malloc.h>

#include "malloc_check.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

enum { BYTES = 9 << 20, PAGE = 4096, PAGES = BYTES / PAGE };

static char *
full_block(malloc_zone_t *z)
{
	char *p = malloc_zone_malloc(z, BYTES);
	CHECK(p);
	for (size_t i = 0; i < BYTES; i++)
		p[i] = (char)(i * 31 >> 3);
	return p;
}

static bool
intact(const char *p)
{
	for (size_t i = 0; i < BYTES; i++)
		if (p[i] != (char)(i * 31 >> 3))
			return false;
	return true;
}

static void
test_zone(void)
{
	malloc_zone_t *z = malloc_default_purgeable_zone();
	CHECK(z && malloc_default_purgeable_zone() == z);
	CHECK(z != malloc_default_zone());
	CHECK(strcmp(malloc_get_zone_name(z), "DefaultPurgeableMallocZone") ==
	      0);
	unsigned found = 0;
	for (unsigned i = 0; i < malloc_num_zones; i++)
		found += malloc_zones[i] == z;
	CHECK(found == 1);
	static const size_t sizes[] = { 1, 300, 2000, 100000, BYTES };
	for (int i = 0; i < 5; i++) {
		char *p = malloc_zone_malloc(z, sizes[i]);
		CHECK(malloc_zone_from_ptr(p) == z);
		p = realloc(p, sizes[i] * 2);
		CHECK(malloc_zone_from_ptr(p) == z);
		free(p);
		p = malloc_zone_memalign(z, 8192, sizes[i]);
		CHECK(p && (uintptr_t)p % 8192 == 0);
		malloc_zone_free(z, p);
	}
}

static void *
ask(void *arg)
{
	(void)arg;
	return malloc_default_purgeable_zone();
}

static void
test_zone_race(void)
{
	pthread_t t[8];
	void *z[8];
	unsigned before = malloc_num_zones;
	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, ask, NULL);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], &z[i]);
	for (int i = 1; i < 8; i++)
		CHECK(z[i] == z[0]);
	CHECK(malloc_num_zones == before + 1);
}

static void
test_kept(void)
{
	char *p = full_block(malloc_default_purgeable_zone());
	CHECK(malloc_make_nonpurgeable(p) == 0); /* it was not */
	for (int i = 0; i < 3; i++) {
		malloc_make_purgeable(p);
		malloc_make_purgeable(p);
		CHECK(malloc_make_nonpurgeable(p) == 0);
		CHECK(intact(p));
	}
	free(p);
}

/* After nonpurgeable the kernel takes nothing, however short memory is. */
static void
test_stays(void)
{
	char *p = full_block(malloc_default_purgeable_zone());
	malloc_make_purgeable(p);
	CHECK(malloc_make_nonpurgeable(p) == 0);
	madvise(p, BYTES, MADV_PAGEOUT);
	CHECK(intact(p));
	free(p);
}

static void
test_taken(void)
{
	char *p = full_block(malloc_default_purgeable_zone());
	malloc_make_purgeable(p);
	if (madvise(p, BYTES, MADV_PAGEOUT))
		skip_test("no MADV_PAGEOUT");
	int result = malloc_make_nonpurgeable(p);
	CHECK(result == (intact(p) ? 0 : EFAULT));
	if (!result)
		skip_test("this kernel takes nothing");
	/* it is a block like others from now on */
	memset(p, 7, BYTES);
	CHECK(malloc_make_nonpurgeable(p) == 0);
	madvise(p, BYTES, MADV_PAGEOUT);
	for (size_t i = 0; i < BYTES; i++)
		CHECK(p[i] == 7);
	free(p);
}

/* One page of many, also the first and the last. */
static void
test_one_page(void)
{
	static const size_t pages[] = { 0, 1, PAGES / 2, PAGES - 1 };
	for (int i = 0; i < 4; i++) {
		char *p = full_block(malloc_default_purgeable_zone());
		malloc_make_purgeable(p);
		CHECK(madvise(p + pages[i] * PAGE, PAGE, MADV_DONTNEED) == 0);
		malloc_make_purgeable(p); /* it is, and what is gone is gone */
		CHECK(malloc_make_nonpurgeable(p) == EFAULT);
		CHECK(malloc_make_nonpurgeable(p) == 0); /* told once */
		free(p);
	}
}

/* Pages of zeros lose nothing, and a page with one byte that is not zero does,
 * wherever that is. */
static void
test_zeros(void)
{
	char *p = malloc_zone_calloc(malloc_default_purgeable_zone(), 1, BYTES);
	malloc_make_purgeable(p);
	CHECK(madvise(p, BYTES, MADV_DONTNEED) == 0);
	CHECK(malloc_make_nonpurgeable(p) == 0);
	for (int at = 0; at < PAGE; at += 455) {
		p[5 * PAGE + at] = 1;
		malloc_make_purgeable(p);
		CHECK(malloc_make_nonpurgeable(p) == 0);
		CHECK(p[5 * PAGE + at] == 1);
		malloc_make_purgeable(p);
		CHECK(madvise(p, BYTES, MADV_DONTNEED) == 0);
		CHECK(malloc_make_nonpurgeable(p) == EFAULT);
	}
	free(p);
}

/* Freed while purgeable: whoever gets the memory next has nothing of it. */
static void
test_freed(void)
{
	for (int i = 0; i < 3; i++) {
		char *p = full_block(malloc_default_purgeable_zone());
		malloc_make_purgeable(p);
		free(p);
		char *q =
		    malloc_zone_malloc(malloc_default_purgeable_zone(), BYTES);
		memset(q, 0, BYTES);
		CHECK(malloc_make_nonpurgeable(q) == 0);
		free(q);
	}
	malloc_zone_t *z = malloc_create_zone(0, 0);
	malloc_make_purgeable(full_block(z));
	malloc_destroy_zone(z);
}

/* Nothing happens to what does not qualify. */
static void
test_others(void)
{
	int local = 5;
	char *small = malloc(300), *large = full_block(malloc_default_zone());
	memset(small, 5, 300);
	malloc_make_purgeable(NULL);
	malloc_make_purgeable(&local);
	malloc_make_purgeable(small);
	malloc_make_purgeable(large + PAGE);
	CHECK(malloc_make_nonpurgeable(NULL) == 0);
	CHECK(malloc_make_nonpurgeable(small) == 0 && small[299] == 5);
	CHECK(malloc_make_nonpurgeable(large + PAGE) == 0);
	CHECK(malloc_make_nonpurgeable(&local) == 0 && local == 5);
	CHECK(intact(large));
	free(small);
	free(large);
	malloc_destroy_zone(malloc_default_purgeable_zone()); /* a message */
	free(full_block(malloc_default_purgeable_zone()));
}

int
main(void)
{
	static const struct test tests[] = {
		{ "purgeable: the zone", test_zone },
		{ "purgeable: one zone for all threads", test_zone_race },
		{ "purgeable: kept", test_kept },
		{ "purgeable: stays afterwards", test_stays },
		{ "purgeable: taken", test_taken },
		{ "purgeable: one page is taken", test_one_page },
		{ "purgeable: pages of zeros", test_zeros },
		{ "purgeable: freed", test_freed },
		{ "purgeable: what does not qualify", test_others },
	};
	return RUN_TESTS(tests);
}
