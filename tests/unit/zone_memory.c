/*
 * zone_memory.c - memory goes back: by itself when regions get empty, all of
 * it on request, and the number that is reported is the kernel's.
 */
#include <stdlib.h>

#include "zone_util.h"

/* Private anonymous memory in use, from the kernel. */
static size_t
resident(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[128];
	size_t kib = 0;
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %zu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib << 10;
}

static void
fill_and_free(struct zm_szone *z, size_t size, bool scattered)
{
	enum { BYTES = 48 << 20 };
	size_t n = BYTES / size;
	void **p = test_map(n * sizeof(*p));
	size_t before = resident();
	for (size_t i = 0; i < n; i++) {
		p[i] = zm_szone_malloc(z, size);
		memset(p[i], 1, size);
	}
	size_t full = resident() - before;
	CHECK(full > BYTES * 9l / 10);
	if (scattered) /* every tenth stays: nothing is empty as a whole */
		for (size_t i = 0; i < n; i++)
			if (i % 10) {
				zfree(z, p[i]);
				p[i] = NULL;
			}
	sound(z);
	for (size_t i = 0; i < n; i++)
		if (p[i])
			zfree(z, p[i]);
	sound(z);
	size_t freed = resident();
	size_t said = zm_szone_pressure_relief(z, 0);
	size_t left = resident();
	size_t gone = freed > left ? freed - left : 0;
	/* the books themselves take pages, and lose some */
	if (said > gone + (1 << 20) || said + (4 << 20) < gone)
		fail("size %zu: said %zu bytes, the kernel says %zu", size,
		     said, gone);
	if (left > before + full / 20 + n * sizeof(*p))
		fail("size %zu: %zu of %zu bytes are still there", size,
		     left - before, full);
	munmap(p, n * sizeof(*p));
	sound(z);
}

/* Beyond the retained regions nothing waits for a request. */
static void
by_itself(struct zm_szone *z, size_t size, size_t may_stay)
{
	enum { BYTES = 200 << 20 };
	size_t n = BYTES / size;
	void **p = test_map(n * sizeof(*p));
	size_t before = resident();
	for (size_t i = 0; i < n; i++) {
		p[i] = zm_szone_malloc(z, size);
		memset(p[i], 1, size);
	}
	for (size_t i = 0; i < n; i++)
		zfree(z, p[i]);
	munmap(p, n * sizeof(*p));
	size_t after = resident();
	if (after > before + may_stay)
		fail("size %zu: %zu KiB stayed", size, (after - before) >> 10);
	zm_szone_pressure_relief(z, 0);
}

/*
 * The ends of regions, which their long blocks leave over, are filled with
 * short ones.  Whatever becomes of the empty regions, calloc's memory is zero.
 */
static void
zero_again(struct zm_szone *z, size_t size, size_t filler)
{
	enum { BYTES = 200 << 20, FILLERS = 2000 };
	size_t n = BYTES / size + FILLERS;
	unsigned char **p = test_map(n * sizeof(*p));
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < n; i++) {
			size_t bytes = i < BYTES / size ? size : filler;
			p[i] = zm_szone_calloc(z, bytes);
			for (size_t k = 0; k < bytes; k++)
				if (p[i][k])
					fail("calloc(%zu): byte %zu is %d",
					     bytes, k, p[i][k]);
			memset(p[i], 0xff, zm_block_size(p[i]));
		}
		sound(z);
		for (size_t i = 0; i < n; i++)
			zfree(z, p[i]);
		sound(z);
	}
	munmap(p, n * sizeof(*p));
	zm_szone_pressure_relief(z, 0);
}

int
main(void)
{
	static const size_t sizes[] = { 32,   200,   256,    500,     1000,
					3000, 20000, 100000, 1000000, 9 << 20 };
	struct zm_szone *z = zm_szone_create(1, 0);
	zm_cache_use(zm_cache_create());
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		fill_and_free(z, sizes[i], false);
		fill_and_free(z, sizes[i], true);
	}
	result("zone_memory relief");
	by_itself(z, 100, 8 << 20);
	by_itself(z, 600, 8 << 20);
	by_itself(z, 9000, 24 << 20);
	result("zone_memory by itself");
	zm_szone_destroy(z);
	z = zm_szone_create(3, ZM_SZONE_NO_CACHE);
	zero_again(z, 31 << 10, 300);
	zero_again(z, 31 << 10, 1500);
	result("zone_memory zero again");
	zm_szone_destroy(z);
	return test_failures != 0;
}
