/*
 * malloc_foreign.c - zones that the program brings along, and switching the
 * default zone.
 *
 * The foreign zone is an arena of its own that counts its calls, so the test
 * knows what must have happened.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <zmalloc/malloc.h>

#include "malloc_check.h"

enum { ARENA = 1 << 20 };

static struct {
	malloc_zone_t zone;
	_Alignas(4096) char memory[ARENA];
	size_t used;
	int mallocs, frees, destroyed;
} own;

static size_t
own_size(malloc_zone_t *z, const void *p)
{
	(void)z;
	uintptr_t offset = (uintptr_t)p - (uintptr_t)own.memory;
	const size_t *volatile block = p;
	return offset < ARENA && offset % 16 == 0 && offset ? block[-1] : 0;
}

static void *
own_malloc(malloc_zone_t *z, size_t n)
{
	(void)z;
	n = (n + 15) & ~(size_t)15;
	if (own.used + n + 16 > ARENA)
		return NULL;
	char *p = own.memory + own.used + 16;
	((size_t *)p)[-1] = n ? n : 16;
	own.used += n + 16;
	own.mallocs++;
	return p;
}

static void *
own_calloc(malloc_zone_t *z, size_t count, size_t n)
{
	void *p = own_malloc(z, count * n);
	return p ? memset(p, 0, count * n) : NULL;
}

static void
own_free(malloc_zone_t *z, void *p)
{
	CHECK(own_size(z, p));
	own.frees++;
}

static void *
own_realloc(malloc_zone_t *z, void *p, size_t n)
{
	void *q = own_malloc(z, n);
	if (q && p) {
		size_t old = own_size(z, p);
		memcpy(q, p, old < n ? old : n);
		own_free(z, p);
	}
	return q;
}

static void
own_destroy(malloc_zone_t *z)
{
	(void)z;
	own.destroyed++;
}

static malloc_zone_t *
own_zone(void)
{
	own.zone = (malloc_zone_t){ .size = own_size,
				    .malloc = own_malloc,
				    .calloc = own_calloc,
				    .valloc = own_malloc,
				    .free = own_free,
				    .realloc = own_realloc,
				    .destroy = own_destroy,
				    .zone_name = "own",
				    .version = 0 };
	malloc_zone_register(&own.zone);
	return &own.zone;
}

static void
test_dispatch(void)
{
	malloc_zone_t *z = own_zone();
	char *p = malloc_zone_malloc(z, 100), *q;
	CHECK(own.mallocs == 1 && own_size(z, p) == 112);
	CHECK(malloc_size(p) == 112);
	CHECK(malloc_zone_from_ptr(p) == z);
	strcpy(p, "text");
	q = realloc(p, 200);
	CHECK(q != p && strcmp(q, "text") == 0 && own.frees == 1);
	free(q);
	CHECK(own.frees == 2);
	CHECK(malloc_zone_claimed_address(z, q)); /* it cannot tell */
	CHECK(malloc_zone_pressure_relief(z, 0) == 0);
	void *batch[3];
	CHECK(malloc_zone_batch_malloc(z, 16, batch, 3) == 0);
	batch[0] = malloc_zone_calloc(z, 2, 8);
	batch[1] = malloc_zone_malloc(z, 8);
	malloc_zone_batch_free(z, batch, 2);
	CHECK(own.frees == 4);
	CHECK(malloc_zone_check(NULL));
	malloc_statistics_t s;
	malloc_zone_statistics(NULL, &s);
	malloc_destroy_zone(z);
	CHECK(own.destroyed == 1);
	CHECK(malloc_size(q) == 0);
}

static void
test_names(void)
{
	malloc_zone_t *z = own_zone();
	CHECK(strcmp(malloc_get_zone_name(z), "own") == 0);
	malloc_set_zone_name(z, "mine");
	CHECK(strcmp(malloc_get_zone_name(z), "mine") == 0);
	CHECK(own_size(z, z->zone_name)); /* in the zone itself */
	malloc_zone_unregister(z);
}

/* register(own), unregister(default), register(default): own is first. */
static void
test_default(void)
{
	void *old = malloc(100);
	malloc_zone_t *first = malloc_zones[0];
	malloc_zone_t *virtual = malloc_default_zone();
	malloc_zone_t *z = own_zone();
	malloc_zone_unregister(first);
	malloc_zone_register(first);
	CHECK(malloc_zones[0] == z);
	CHECK(malloc_default_zone() == virtual);
	int before = own.mallocs;
	void *p = malloc(50), *q = calloc(3, 5);
	void *r = malloc_zone_malloc(virtual, 20);
	void *s = memalign(16, 30);
	CHECK(own.mallocs == before + 4);
	CHECK(own_size(z, p) && own_size(z, q) && own_size(z, r) &&
	      own_size(z, s));
	free(p);
	free(q);
	malloc_zone_free(virtual, r);
	free(s);
	CHECK(own.frees == 4);
	CHECK(malloc_zone_from_ptr(old) == first);
	old = realloc(old, 1000);
	CHECK(malloc_zone_from_ptr(old) == first);
	free(old);
	errno = 0;
	CHECK(!malloc(ARENA) && errno == ENOMEM);
	/* and back again */
	malloc_zone_unregister(z);
	CHECK(malloc_zones[0] == first);
	p = malloc(50);
	CHECK(malloc_zone_from_ptr(p) == first);
	free(p);
}

/* A zone of ours as the default. */
static void
test_other_default(void)
{
	malloc_zone_t *first = malloc_zones[0];
	malloc_zone_t *z = malloc_create_zone(0, 0);
	malloc_zone_unregister(first);
	malloc_zone_register(first);
	CHECK(malloc_zones[0] == z);
	void *p = malloc(77);
	CHECK(malloc_zone_from_ptr(p) == z);
	free(p);
	malloc_zone_unregister(z);
	malloc_zone_register(z);
	CHECK(malloc_zones[0] == first);
	malloc_destroy_zone(z);
}

static int stop;

static void *
reader(void *arg)
{
	malloc_zone_t *z = arg;
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		int local;
		CHECK(malloc_size(&local) == 0);
		(void)z;
	}
	return NULL;
}

/* After unregister returns nobody calls size() any more. */
static void
test_unregister_race(void)
{
	pthread_t t[3];
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, reader, NULL);
	for (int i = 0; i < 2000; i++) {
		malloc_zone_t *z = calloc(1, sizeof(*z));
		*z = *own_zone();
		malloc_zone_unregister(&own.zone);
		malloc_zone_register(z);
		malloc_zone_unregister(z);
		memset(z, 0x55, sizeof(*z));
		free(z);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

int
main(void)
{
	static const struct test tests[] = {
		{ "foreign zone: dispatch", test_dispatch },
		{ "foreign zone: name", test_names },
		{ "foreign zone as default", test_default },
		{ "other zone as default", test_other_default },
		{ "unregister waits for readers", test_unregister_race },
	};
	return RUN_TESTS(tests);
}
