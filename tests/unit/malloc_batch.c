/*
 * malloc_batch.c - malloc_zone_batch_malloc and malloc_zone_batch_free.
 *
 * What must be there is known by construction; the recorder's events are
 * counted by a hook of the test's own.
 */
#include <errno.h>
#include <pthread.h>
#include <zmalloc/malloc.h>

#include "malloc/hook.h"
#include "malloc_child.h"

enum { MANY = 3000 };

static void *block[MANY];

static const size_t sizes[] = { 0,    1,    16,	   48,	  256,	  257,	  1008,
				1009, 5000, 32768, 32769, 200000, 9 << 20 };
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static unsigned
many(size_t size)
{
	return size > 1 << 20 ? 4 : size > 32768 ? 40 : MANY;
}

static unsigned
live(malloc_zone_t *z)
{
	malloc_statistics_t s;
	malloc_zone_statistics(z, &s);
	return s.blocks_in_use;
}

/* Distinct blocks of this zone that hold what was asked for. */
static void
check_blocks(malloc_zone_t *z, size_t size, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		CHECK(malloc_zone_from_ptr(block[i]) == z);
		CHECK(malloc_size(block[i]) >= size);
		CHECK((uintptr_t)block[i] % 16 == 0);
		if (size >= sizeof(i))
			memcpy(block[i], &i, sizeof(i));
		if (size)
			((char *)block[i])[size - 1] ^= 0x11;
	}
	for (unsigned i = 0; size > sizeof(i) && i < n; i++)
		CHECK(memcmp(block[i], &i, sizeof(i)) == 0);
}

static void
try_sizes(malloc_zone_t *z, malloc_zone_t *owner)
{
	for (int i = 0; i < SIZES; i++) {
		unsigned before = live(owner), n = many(sizes[i]);
		CHECK(malloc_zone_batch_malloc(z, sizes[i], block, n) == n);
		CHECK(live(owner) == before + n);
		check_blocks(owner, sizes[i], n);
		CHECK(malloc_zone_check(owner));
		for (unsigned k = 0; k < n; k += 7) { /* holes are allowed */
			free(block[k]);
			block[k] = NULL;
		}
		malloc_zone_batch_free(z, block, n);
		CHECK(live(owner) == before);
		CHECK(malloc_zone_check(owner));
	}
}

static void
test_zone(void)
{
	malloc_zone_t *z = malloc_create_zone(0, 0);
	try_sizes(z, z);
	CHECK(malloc_zone_batch_malloc(z, 10, block, 0) == 0);
	malloc_zone_batch_free(z, block, 0);
	CHECK(malloc_zone_batch_malloc(z, 10, block, 1) == 1);
	malloc_destroy_zone(z);
}

static void
test_default(void)
{
	try_sizes(malloc_default_zone(), malloc_zones[0]);
	try_sizes(malloc_zones[0], malloc_zones[0]);
}

static void
test_no_memory(void)
{
	errno = 0;
	CHECK(malloc_zone_batch_malloc(malloc_default_zone(),
				       (size_t)PTRDIFF_MAX + 1, block, 5) == 0);
	CHECK(errno == ENOMEM);
}

/* Blocks of other zones through the default's object, as free() takes them. */
static void
test_mixed(void)
{
	malloc_zone_t *z = malloc_create_zone(0, 0);
	unsigned before = live(malloc_zones[0]);
	for (int i = 0; i < 300; i++)
		block[i] = i % 3 ? malloc((size_t)i * 20)
				 : malloc_zone_malloc(z, (size_t)i * 20);
	malloc_zone_batch_free(malloc_default_zone(), block, 300);
	CHECK(live(z) == 0 && live(malloc_zones[0]) == before);
	malloc_destroy_zone(z);
}

/* Blocks from the caches and to them. */
static void
test_cached(void)
{
	unsigned before = live(malloc_zones[0]);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 200; i++)
			block[i] = malloc(80);
		malloc_zone_batch_free(malloc_zones[0], block, 200);
		CHECK(malloc_zone_batch_malloc(malloc_zones[0], 80, block,
					       200) == 200);
		for (int i = 0; i < 200; i++)
			free(block[i]);
		CHECK(malloc_zone_check(NULL));
	}
	CHECK(live(malloc_zones[0]) == before);
}

static void *
worker(void *arg)
{
	malloc_zone_t *z = arg;
	void *p[100];
	for (int round = 0; round < 300; round++) {
		size_t size = (size_t)(round % 40) * 30;
		unsigned n = malloc_zone_batch_malloc(z, size, p, 100);
		CHECK(n == 100);
		for (unsigned i = 0; i < n; i++)
			memset(p[i], round, size);
		for (unsigned i = 0; i < n; i++)
			for (size_t k = 0; k < size; k += 29)
				CHECK(((char *)p[i])[k] == (char)round);
		malloc_zone_batch_free(z, p, n);
	}
	return NULL;
}

static void
test_threads(void)
{
	malloc_zone_t *z = malloc_create_zone(0, 0);
	pthread_t t[3];
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, worker, z);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	CHECK(live(z) == 0 && malloc_zone_check(z));
	malloc_destroy_zone(z);
}

/* ---- events ------------------------------------------------------------- */

static struct {
	unsigned allocs, frees, wrong;
	size_t size;
} seen;

static void
on_alloc(void *p, size_t size, enum zm_fn fn, const void *ra, enum zt_call call,
	 const struct zm_entry *at)
{
	(void)call;
	(void)at;
	seen.allocs++;
	seen.wrong += size != seen.size || fn != ZM_FN_ZONE || !ra ||
		      malloc_size(p) < size;
}

static void
on_free(struct zm_region *r, void *p, bool called, const void *ra,
	const struct zm_entry *at)
{
	(void)at;
	(void)r;
	(void)ra;
	(void)called;
	seen.frees++;
	seen.wrong += malloc_size(p) < seen.size; /* still alive */
}

static void
on_zone(uint16_t id, const char *name)
{
	(void)id;
	(void)name;
}

static void
test_events(void)
{
	static const struct zm_hook hook = { .alloc = on_alloc,
					     .free = on_free,
					     .zone = on_zone };
	malloc_zone_t *z = malloc_create_zone(0, 0);
	zm_hook = &hook;
	for (int i = 0; i < SIZES; i++) {
		unsigned n = many(sizes[i]);
		memset(&seen, 0, sizeof(seen));
		seen.size = sizes[i];
		zm_hook_enable(1);
		CHECK(malloc_zone_batch_malloc(z, sizes[i], block, n) == n);
		CHECK(seen.allocs == n && seen.frees == 0);
		malloc_zone_batch_free(z, block, n);
		zm_hook_enable(0);
		CHECK(seen.allocs == n && seen.frees == n && !seen.wrong);
	}
}

/* ---- misuse ------------------------------------------------------------- */

/* One block twice in a batch, one that is in a cache, one that is none. */
static int
role_twice(void)
{
	void *p[3] = { malloc(100), malloc(100), NULL };
	p[2] = p[0];
	malloc_zone_batch_free(malloc_zones[0], p, 3);
	return 0;
}

static int
role_freed(void)
{
	void *p[2] = { malloc(100), malloc(100) };
	void *volatile q = p[1];
	free(q);
	malloc_zone_batch_free(malloc_zones[0], p, 2);
	return 0;
}

static int
role_stranger(void)
{
	malloc_zone_t *z = malloc_create_zone(0, 0);
	void *p[2] = { malloc_zone_malloc(z, 100), malloc(100) };
	malloc_zone_batch_free(z, p, 2);
	return 0;
}

static int
role_scribble(void)
{
	for (int i = 0; i < SIZES - 1; i++) {
		size_t n = sizes[i];
		CHECK(malloc_zone_batch_malloc(malloc_zones[0], n, block, 2) ==
		      2);
		const unsigned char *p = block[1];
		for (size_t k = 0; k < n; k++)
			CHECK(p[k] == 0xaa);
		malloc_zone_batch_free(malloc_zones[0], block, 2);
		for (size_t k = 32; k < n && n < 30000; k++)
			CHECK(p[k] == 0x55);
	}
	return 0;
}

static void
test_misuse(void)
{
	static const char *const role[] = { "twice", "freed", "stranger" };
	static const char *const why[] = { "Double free", "Double free",
					   "was not allocated" };
	for (int i = 0; i < 3; i++) {
		struct outcome o = child_run(role[i], NULL, NULL, NULL, NULL);
		CHECK(WIFSIGNALED(o.status) && WTERMSIG(o.status) == SIGABRT);
		CHECK(strstr(o.text, why[i]));
		CHECK(child_exit(role[i], "MallocCorruptionAbort=0", NULL,
				 NULL) == 0);
	}
	CHECK(child_exit("scribble", "MallocScribble=1", NULL, NULL) == 0);
}

static const struct role roles[] = { { "twice", role_twice },
				     { "freed", role_freed },
				     { "stranger", role_stranger },
				     { "scribble", role_scribble } };

int
main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "batch: a zone", test_zone },
		{ "batch: the default zone", test_default },
		{ "batch: out of memory", test_no_memory },
		{ "batch: blocks of several zones", test_mixed },
		{ "batch: beside the caches", test_cached },
		{ "batch: threads", test_threads },
		{ "batch: one event for each block", test_events },
		{ "batch: misuse and scribble", test_misuse },
	};
	CHILD_MAIN(argc, argv, roles);
	return RUN_TESTS(tests);
}
