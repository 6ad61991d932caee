/*
 * malloc_memory.c - after a program has freed everything, the memory is the
 * kernel's again; the judge is the kernel: resident memory of the process
 * outside of the program's own tables.
 */
#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <zmalloc/malloc.h>

#include "malloc_check.h"

enum { BYTES = 64 << 20 };
static const size_t sizes[] = { 40,   200,   256,    600,     1000,   3000,
				9000, 30000, 100000, 1000000, 9 << 20 };
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

/* Bytes of private anonymous memory; no allocation in here. */
static size_t
resident(void)
{
	char buf[4096];
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	CHECK(n > 0);
	buf[n] = '\0';
	const char *at = strstr(buf, "RssAnon:");
	CHECK(at);
	return strtoul(at + 8, NULL, 10) << 10;
}

static void **
table(size_t n)
{
	void **p = mmap(NULL, n * sizeof(*p), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	CHECK(p != MAP_FAILED);
	return p;
}

static void
fill(void **p, size_t n, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		p[i] = malloc(size ? size : sizes[i % (SIZES - 2)]);
		CHECK(p[i]);
		memset(p[i], 1, malloc_usable_size(p[i]));
	}
}

/* Order of freeing: as made, or the odd ones first. */
static void
empty(void **p, size_t n, bool scattered)
{
	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < n; i++)
			if (scattered ? i % 2 != k : k == 0) {
				free(p[i]);
				p[i] = NULL;
			}
}

static void
goes_back(size_t size, bool scattered)
{
	size_t n = size ? BYTES / size : 4000;
	void **p = table(n);
	malloc_zone_pressure_relief(NULL, 0);
	size_t before = resident();
	fill(p, n, size);
	size_t peak = resident() - before;
	empty(p, n, scattered);
	size_t freed = resident();
	size_t said = malloc_zone_pressure_relief(NULL, 0), left = resident();
	size_t stays = left > before ? left - before : 0;
	size_t gone = freed > left ? freed - left : 0;
	if (stays > peak / 20)
		printf("  size %zu: %zu KiB of %zu KiB stay\n", size,
		       stays >> 10, peak >> 10);
	CHECK(stays <= peak / 20);
	/* 5 %, and 1 MiB for books, which are not counted */
	size_t off = said > gone ? said - gone : gone - said;
	if (off > gone / 20 + (1 << 20))
		printf("  size %zu: %zu KiB said, %zu KiB gone\n", size,
		       said >> 10, gone >> 10);
	CHECK(off <= gone / 20 + (1 << 20));
	munmap(p, n * sizeof(*p));
}

static void
test_relief(void)
{
	goes_back(0, false); /* the first pages of the books stay */
	for (int i = 0; i < SIZES; i++) {
		goes_back(sizes[i], false);
		goes_back(sizes[i], true);
	}
	goes_back(0, true);
}

/* Nobody asked: what the depots and the death row keep, and no more. */
static void
test_by_itself(void)
{
	for (int i = 0; i < SIZES - 1; i++) {
		size_t n = 2 * BYTES / sizes[i];
		void **p = table(n);
		size_t before = resident();
		fill(p, n, sizes[i]);
		empty(p, n, true);
		size_t after = resident();
		munmap(p, n * sizeof(*p));
		if (after > before + BYTES / 2)
			printf("  size %zu: %zu KiB of %d KiB stay\n", sizes[i],
			       (after - before) >> 10, 2 * BYTES >> 10);
		CHECK(after <= before + BYTES / 2);
		malloc_zone_pressure_relief(NULL, 0);
	}
}

/* A zone that is destroyed takes everything along. */
static void
test_destroy(void)
{
	malloc_zone_t *z = malloc_create_zone(0, 0);
	malloc_destroy_zone(z);
	size_t before = resident();
	for (int round = 0; round < 3; round++) {
		z = malloc_create_zone(0, 0);
		for (int i = 0; i < 5000; i++) {
			size_t n = sizes[i % (SIZES - 2)];
			memset(malloc_zone_malloc(z, n), 1, n);
		}
		CHECK(resident() > before + (40 << 20));
		malloc_destroy_zone(z);
	}
	CHECK(resident() < before + (2 << 20));
}

int
main(void)
{
	static const struct test tests[] = {
		{ "pressure relief gives everything back", test_relief },
		{ "most goes back by itself", test_by_itself },
		{ "a destroyed zone leaves nothing", test_destroy },
	};
	return RUN_TESTS(tests);
}
