/*
 * malloc_tuning.c - the environment variables about debugging aids and memory,
 * each by its effect in a process that runs with it, and its absence without.
 *
 * What memory can be touched the kernel says, which tier a block is of the
 * zone's statistics, whose figures malloc_zones.c tests.
 */
#include <zmalloc/malloc.h>

#include "malloc_child.h"

#define MIB ((size_t)1 << 20)

enum { BIG = 9 << 20 }; /* large, a multiple of every unit there is */

static unsigned
blocks_of(unsigned tier)
{
	malloc_statistics_t s;
	CHECK(scalable_zone_statistics(malloc_default_zone(), &s, tier));
	return s.blocks_in_use;
}

/* ---- guards ------------------------------------------------------------- */

/* Two large blocks that follow each other, and their distance. */
static char *
neighbours(size_t *distance)
{
	static char *p[8];
	char *first = NULL;
	*distance = SIZE_MAX;
	for (int i = 0; i < 8; i++)
		p[i] = malloc(BIG);
	for (int i = 0; i < 8; i++)
		for (int k = 0; k < 8; k++)
			if (p[k] > p[i] && (size_t)(p[k] - p[i]) < *distance) {
				*distance = (size_t)(p[k] - p[i]);
				first = p[i];
			}
	return first;
}

static int
role_past_end(void)
{
	size_t distance;
	volatile char *p = neighbours(&distance);
	p[BIG] = 1;
	return 0;
}

static int
role_before_start(void)
{
	size_t distance;
	volatile char *p = neighbours(&distance) + distance;
	p[-1] = 1;
	return 0;
}

/* Bytes between two neighbours, in slices of 64 KiB. */
static int
role_gap(void)
{
	size_t distance;
	neighbours(&distance);
	return (int)((distance - BIG) >> 16);
}

static void
note_edges(task_t task, void *context, unsigned type, vm_range_t *r, unsigned n)
{
	int *open = context;
	(void)task;
	(void)type;
	for (unsigned i = 0; i < n; i++)
		if (r[i].size >= MIB && r[i].size != BIG)
			*open += readable((char *)r[i].address - 1) +
				 readable((char *)r[i].address + r[i].size);
}

/* How many edges of the regions of small blocks lie open. */
static int
role_open_edges(void)
{
	malloc_zone_t *z = malloc_zones[0];
	int open = 0;
	for (int i = 0; i < 1200; i++)
		memset(malloc(32000), 1, 32000);
	z->introspect->enumerator(0, &open, MALLOC_PTR_REGION_RANGE_TYPE,
				  (vm_address_t)z, NULL, note_edges);
	return open;
}

#define DIED	(1000 + SIGSEGV)
#define GUARDS	"MallocGuardEdges=1"
#define ALL	"MallocGuardEdges=all"
#define NO_PRE	"MallocDoNotProtectPrelude=1"
#define NO_POST "MallocDoNotProtectPostlude=1"

static void
test_guard_edges(void)
{
	CHECK(child_exit("past end", NULL, NULL, NULL) == 0);
	CHECK(child_exit("before start", NULL, NULL, NULL) == 0);
	CHECK(child_exit("past end", GUARDS, NULL, NULL) == DIED);
	CHECK(child_exit("before start", GUARDS, NULL, NULL) == DIED);
	CHECK(child_exit("past end", "MallocGuardEdges=0", NULL, NULL) == 0);
}

static void
test_guard_sides(void)
{
	CHECK(child_exit("gap", NULL, NULL, NULL) == 0);
	CHECK(child_exit("gap", GUARDS, NULL, NULL) == 2);
	CHECK(child_exit("gap", GUARDS, NO_PRE, NULL) == 1);
	CHECK(child_exit("gap", GUARDS, NO_POST, NULL) == 1);
	CHECK(child_exit("gap", GUARDS, NO_PRE, NO_POST) == 0);
	CHECK(child_exit("past end", GUARDS, NO_PRE, NO_POST) == 0);
	CHECK(child_exit("past end", GUARDS, NO_PRE, NULL) == DIED);
	CHECK(child_exit("before start", GUARDS, NO_POST, NULL) == DIED);
	/* 'all' means all */
	CHECK(child_exit("gap", ALL, NO_PRE, NO_POST) == 2);
}

static void
test_guard_all(void)
{
	CHECK(child_exit("open edges", NULL, NULL, NULL) > 0);
	CHECK(child_exit("open edges", GUARDS, NULL, NULL) > 0);
	CHECK(child_exit("open edges", ALL, NULL, NULL) == 0);
}

/* ---- scribble ----------------------------------------------------------- */

static int
bytes_not(const unsigned char *volatile p, size_t n, unsigned char value)
{
	int others = 0;
	for (size_t i = 0; i < n; i++)
		others += p[i] != value;
	return others;
}

/* Bit 0: new blocks are filled, bit 1: freed ones; in every tier alike. */
static int
role_fill(void)
{
	static const size_t sizes[] = { 60, 256, 1000, 20000, 200000 };
	int filled = 0;
	for (int i = 0; i < 5; i++) {
		unsigned char *p = malloc(sizes[i]);
		int now = bytes_not(p, sizes[i], 0xaa) == 0;
		memset(p, 1, sizes[i]);
		free(p);
		/* a free list may use the first words */
		now |= 2 * (bytes_not(p + 32, sizes[i] - 32, 0x55) == 0);
		if (i && now != filled)
			return 9;
		filled = now;
		unsigned char *q = calloc(1, sizes[i]);
		if (bytes_not(q, sizes[i], 0))
			return 8;
	}
	return filled;
}

static void
test_scribble(void)
{
	CHECK(child_exit("fill", NULL, NULL, NULL) == 0);
	CHECK(child_exit("fill", "MallocScribble=0", NULL, NULL) == 0);
	CHECK(child_exit("fill", "MallocScribble=1", NULL, NULL) == 3);
}

/* ---- tiers -------------------------------------------------------------- */

/* The tier that blocks of a size come from. */
static int
tier_for(size_t size)
{
	static const unsigned tiers[] = { MALLOC_TIER_NANO, MALLOC_TIER_TINY,
					  MALLOC_TIER_SMALL, MALLOC_TIER_MEDIUM,
					  MALLOC_TIER_LARGE };
	unsigned before[6] = { 0 };
	for (int i = 0; i < 5; i++)
		before[tiers[i]] = blocks_of(tiers[i]);
	for (int i = 0; i < 20; i++)
		CHECK(malloc(size));
	for (int i = 0; i < 5; i++)
		if (blocks_of(tiers[i]) == before[tiers[i]] + 20)
			return (int)tiers[i];
	return 99;
}

static int
role_tier_100(void)
{
	int tier = tier_for(100);
	return (tier == MALLOC_TIER_NANO) == (malloc_engaged_nano() != 0) ? tier
									  : 98;
}

static int
role_tier_100000(void)
{
	return tier_for(100000);
}

static void
test_nano_zone(void)
{
	static const char *const on[] = { NULL, "MallocNanoZone=1",
					  "MallocNanoZone=V1",
					  "MallocNanoZone=V2" };
	for (int i = 0; i < 4; i++)
		CHECK(child_exit("tier of 100", on[i], NULL, NULL) ==
		      MALLOC_TIER_NANO);
	CHECK(child_exit("tier of 100", "MallocNanoZone=0", NULL, NULL) ==
	      MALLOC_TIER_TINY);
}

static void
test_medium_zone(void)
{
#define THRESHOLD "MallocMediumActivationThreshold="
	CHECK(child_exit("tier of 100000", NULL, NULL, NULL) ==
	      MALLOC_TIER_MEDIUM);
	CHECK(child_exit("tier of 100000", "MallocMediumZone=0", NULL, NULL) ==
	      MALLOC_TIER_LARGE);
	CHECK(child_exit("tier of 100000", THRESHOLD "1000", NULL, NULL) ==
	      MALLOC_TIER_MEDIUM);
	CHECK(child_exit("tier of 100000", THRESHOLD "0x4000000000000000", NULL,
			 NULL) == MALLOC_TIER_LARGE);
}

/* ---- what is kept ------------------------------------------------------- */

/* How many of 40 freed large blocks are still mapped. */
static int
role_kept_large(void)
{
	static char *p[40];
	int kept = 0;
	for (int i = 0; i < 40; i++)
		p[i] = malloc(BIG);
	for (int i = 0; i < 40; i++)
		free(p[i]);
	for (int i = 0; i < 40; i++)
		kept += readable(p[i]);
	return kept;
}

static void
test_large_cache(void)
{
#define EXPANDED "MallocLargeExpandedCacheThreshold="
	CHECK(child_exit("kept large", EXPANDED "1", NULL, NULL) == 40);
	CHECK(child_exit("kept large", EXPANDED "0x4000000000000000", NULL,
			 NULL) == 16);
	CHECK(child_exit("kept large", "MallocLargeCache=0", NULL, NULL) == 0);
	CHECK(child_exit("kept large", "MallocSpaceEfficient=1", NULL, NULL) ==
	      0);
	CHECK(child_exit("kept large", "MallocLargeCache=0", EXPANDED "1",
			 NULL) == 0);
}

static void
count_regions(task_t task, void *context, unsigned type, vm_range_t *r,
	      unsigned n)
{
	int *count = context;
	(void)task;
	(void)type;
	(void)r;
	*count += (int)n;
}

/* Regions of a zone of small blocks, after all of them were freed. */
static int
role_kept_regions(void)
{
	static void *p[4000];
	malloc_zone_t *z = malloc_create_zone(0, 0);
	int count = 0;
	for (int i = 0; i < 4000; i++)
		p[i] = malloc_zone_malloc(z, 32000);
	for (int i = 0; i < 4000; i++)
		malloc_zone_free(z, p[i]);
	z->introspect->enumerator(0, &count, MALLOC_PTR_REGION_RANGE_TYPE,
				  (vm_address_t)z, NULL, count_regions);
	return count;
}

/* With one magazine, so that it does not matter which CPU runs what. */
static int
kept_regions(const char *variable)
{
	return child_exit("kept regions", "MallocMaxMagazines=1", variable,
			  NULL);
}

static void
test_retained(void)
{
	int few = kept_regions("MallocRecircRetainedRegions=0");
	int normal = kept_regions(NULL);
	CHECK(few > 0 && normal == few + 2);
	CHECK(kept_regions("MallocRecircRetainedRegions=2") == normal);
	CHECK(kept_regions("MallocRecircRetainedRegions=8") == few + 8);
	CHECK(kept_regions("MallocSpaceEfficient=1") == few);
}

static int
resident_pages(void *p, size_t bytes)
{
	unsigned char map[2048];
	int pages = 0;
	CHECK(bytes / 4096 <= sizeof(map) && mincore(p, bytes, map) == 0);
	for (size_t i = 0; i < bytes / 4096; i++)
		pages += map[i] & 1;
	return pages;
}

/* 1: the pages of freed blocks in the middle of others are still there. */
static int
role_freed_pages(void)
{
	char *p[100];
	malloc_zone_t *z = malloc_create_zone(0, 0);
	for (int i = 0; i < 100; i++) {
		p[i] = malloc_zone_malloc(z, 32768);
		memset(p[i], 1, 32768);
	}
	free(p[40]);
	free(p[50]); /* the latest one may rest */
	uintptr_t page = ((uintptr_t)p[40] + 4095) & ~(uintptr_t)4095;
	return resident_pages((void *)page, 28672) != 0;
}

static void
test_madvise(void)
{
	CHECK(child_exit("freed pages", NULL, NULL, NULL) == 1);
	CHECK(child_exit("freed pages", "MallocAggressiveMadvise=1", NULL,
			 NULL) == 0);
	CHECK(child_exit("freed pages", "MallocSpaceEfficient=1", NULL, NULL) ==
	      0);
	CHECK(child_exit("freed pages", "MallocSpaceEfficient=0", NULL, NULL) ==
	      1);
}

static const struct role roles[] = {
	{ "past end", role_past_end },
	{ "before start", role_before_start },
	{ "gap", role_gap },
	{ "open edges", role_open_edges },
	{ "fill", role_fill },
	{ "tier of 100", role_tier_100 },
	{ "tier of 100000", role_tier_100000 },
	{ "kept large", role_kept_large },
	{ "kept regions", role_kept_regions },
	{ "freed pages", role_freed_pages },
};

int
main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "MallocGuardEdges", test_guard_edges },
		{ "MallocDoNotProtectPrelude, Postlude", test_guard_sides },
		{ "MallocGuardEdges=all", test_guard_all },
		{ "MallocScribble", test_scribble },
		{ "MallocNanoZone", test_nano_zone },
		{ "MallocMediumZone, ActivationThreshold", test_medium_zone },
		{ "MallocLargeCache, ExpandedCacheThreshold",
		  test_large_cache },
		{ "MallocRecircRetainedRegions", test_retained },
		{ "MallocAggressiveMadvise, SpaceEfficient", test_madvise },
	};
	CHILD_MAIN(argc, argv, roles);
	return RUN_TESTS(tests);
}
