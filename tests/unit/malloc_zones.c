/*
 * malloc_zones.c - the zone functions of <zmalloc/malloc.h>.
 *
 * Expectations are known by construction: how many blocks of which size the
 * test put into a zone, and Apple's documented behaviour.
 */
#include <errno.h>
#include <sys/mman.h>
#include <zmalloc/malloc.h>

#include "malloc_check.h"

enum { BLOCKS = 500 };

static const size_t sizes[] = { 1,     16,    17,      100,	256,
				257,   1000,  1008,    1009,	5000,
				32768, 40000, 1 << 20, 9 << 20, 20 << 20 };
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static void
test_create_destroy(void)
{
	unsigned count = malloc_num_zones;
	malloc_zone_t *z = malloc_create_zone(0, 0);
	CHECK(z && malloc_num_zones == count + 1);
	CHECK(malloc_zones[count] == z);
	CHECK(!malloc_get_zone_name(z));
	for (int i = 0; i < BLOCKS; i++) {
		char *p = malloc_zone_malloc(z, sizes[i % SIZES]);
		CHECK(p && malloc_zone_from_ptr(p) == z);
		*p = 1;
	}
	malloc_destroy_zone(z);
	CHECK(malloc_num_zones == count);
}

/* A freed block is none, wherever it rests. */
static void
test_freed(void)
{
	for (int i = 0; i < SIZES; i++) {
		void *keep = malloc(sizes[i]), *p = malloc(sizes[i]);
		CHECK(malloc_size(p) >= sizes[i]);
		CHECK(malloc_zone_from_ptr(p) == malloc_zones[0]);
		free(p);
		CHECK(malloc_size(p) == 0);
		CHECK(malloc_zone_from_ptr(p) == NULL);
		CHECK(malloc_size(keep) >= sizes[i]);
		free(keep);
	}
}

static void
test_many_zones(void)
{
	malloc_zone_t *z[200];
	void *p[200];
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 200; i++) {
			z[i] = malloc_create_zone(0, 0);
			CHECK(z[i]);
			p[i] = malloc_zone_malloc(z[i], 100);
			CHECK(malloc_zone_from_ptr(p[i]) == z[i]);
		}
		for (int i = 0; i < 200; i++) {
			free(p[i]);
			malloc_destroy_zone(z[i]);
		}
	}
}

static void
test_names(void)
{
	char name[] = "garden";
	malloc_zone_t *z = malloc_create_zone(0, 0);
	malloc_set_zone_name(z, name);
	name[0] = 'x'; /* it was copied */
	CHECK(strcmp(malloc_get_zone_name(z), "garden") == 0);
	malloc_set_zone_name(z, "shed");
	CHECK(strcmp(malloc_get_zone_name(z), "shed") == 0);
	malloc_set_zone_name(z, NULL);
	CHECK(!malloc_get_zone_name(z));
	CHECK(strcmp(malloc_get_zone_name(malloc_default_zone()),
		     "DefaultMallocZone") == 0);
	malloc_destroy_zone(z);
}

static void
test_blocks(void)
{
	malloc_zone_t *z = malloc_create_zone(0, 0);
	for (int i = 0; i < SIZES; i++) {
		size_t n = sizes[i];
		char *c = malloc_zone_calloc(z, 1, n);
		CHECK(c && malloc_size(c) >= n);
		for (size_t k = 0; k < n; k += 97)
			CHECK(c[k] == 0);
		memset(c, 7, n);
		c = malloc_zone_realloc(z, c, n + n / 2);
		CHECK(c && c[0] == 7 && c[n - 1] == 7);
		CHECK(malloc_zone_from_ptr(c) == z);
		c = malloc_zone_realloc(z, c, 0);
		CHECK(c && malloc_zone_from_ptr(c) == z);
		malloc_zone_free(z, c);
		c = malloc_zone_valloc(z, n);
		CHECK(c && (uintptr_t)c % 4096 == 0);
		malloc_zone_free(z, c);
		for (size_t a = 8; a <= 1 << 20; a *= 4) {
			c = malloc_zone_memalign(z, a, n);
			CHECK(c && (uintptr_t)c % a == 0);
			CHECK(malloc_size(c) >= n);
			free(c);
		}
	}
	CHECK(!malloc_zone_memalign(z, 24, 100));
	CHECK(!malloc_zone_memalign(z, 4, 100));
	errno = 0;
	CHECK(!malloc_zone_calloc(z, SIZE_MAX / 2, 3) && errno == ENOMEM);
	malloc_destroy_zone(z);
}

static void
test_options(void)
{
	malloc_zone_t *z = malloc_create_zone(0, 0);
	char *p =
	    malloc_zone_malloc_with_options(z, 64, 128, MALLOC_OPTION_CLEAR);
	CHECK(p && (uintptr_t)p % 64 == 0);
	for (int i = 0; i < 128; i++)
		CHECK(p[i] == 0);
	CHECK(!malloc_zone_malloc_with_options(z, 64, 100, 0));
	CHECK(!malloc_zone_malloc_with_options(z, 48, 96, 0));
	p = malloc_zone_malloc_with_options(NULL, 0, 33, 0);
	CHECK(p && malloc_zone_from_ptr(p) == malloc_zones[0]);
	free(p);
	malloc_destroy_zone(z);
}

static void
test_batch(void)
{
	void *p[300];
	malloc_zone_t *z = malloc_create_zone(0, 0);
	unsigned n = malloc_zone_batch_malloc(z, 48, p, 300);
	CHECK(n <= 300);
	for (unsigned i = 0; i < n; i++) {
		CHECK(malloc_zone_from_ptr(p[i]) == z);
		memset(p[i], (int)i, 48);
	}
	for (unsigned i = 0; i < n; i++)
		CHECK(((unsigned char *)p[i])[47] == (unsigned char)i);
	malloc_zone_batch_free(z, p, n);
	malloc_statistics_t s;
	malloc_zone_statistics(z, &s);
	CHECK(s.blocks_in_use == 0);
	malloc_destroy_zone(z);
}

static void
test_size(void)
{
	int local;
	CHECK(malloc_size(NULL) == 0);
	CHECK(malloc_size(&local) == 0);
	CHECK(malloc_size((void *)test_size) == 0);
	for (int i = 0; i < SIZES; i++) {
		char *p = malloc(sizes[i]);
		CHECK(malloc_size(p) >= sizes[i]);
		CHECK(malloc_size(p) == malloc_good_size(sizes[i]));
		CHECK(malloc_size(p + 1) == 0);
		CHECK(malloc_size(p + malloc_size(p) / 2) == 0);
		free(p);
	}
	CHECK(malloc_good_size(0) >= 1);
}

/* ---- enumeration -------------------------------------------------------- */

struct seen {
	unsigned count;
	size_t bytes;
	void *want[BLOCKS];
	bool found[BLOCKS];
	unsigned strangers;
};

static void
note_blocks(task_t task, void *ctx, unsigned type, vm_range_t *r, unsigned n)
{
	struct seen *s = ctx;
	(void)task;
	if (type != MALLOC_PTR_IN_USE_RANGE_TYPE)
		return;
	for (unsigned i = 0; i < n; i++) {
		bool known = false;
		for (int k = 0; k < BLOCKS && !known; k++)
			if ((vm_address_t)s->want[k] == r[i].address)
				known = s->found[k] = true;
		s->strangers += !known;
		s->count++;
		s->bytes += r[i].size;
	}
}

static void
test_enumerate(void)
{
	static struct seen s;
	malloc_zone_t *z = malloc_create_zone(0, 0);
	size_t bytes = 0;
	unsigned live = 0;
	for (int i = 0; i < BLOCKS; i++)
		s.want[i] = malloc_zone_malloc(z, sizes[i % 13]);
	for (int i = 0; i < BLOCKS; i += 3) {
		free(s.want[i]);
		s.want[i] = NULL;
	}
	for (int i = 0; i < BLOCKS; i++) {
		live += s.want[i] != NULL;
		bytes += malloc_size(s.want[i]);
	}
	CHECK(z->introspect->enumerator(0, &s, MALLOC_PTR_IN_USE_RANGE_TYPE,
					(vm_address_t)z, NULL,
					note_blocks) == KERN_SUCCESS);
	CHECK(s.strangers == 0);
	CHECK(s.count == live);
	CHECK(s.bytes == bytes);
	malloc_statistics_t st;
	malloc_zone_statistics(z, &st);
	CHECK(st.blocks_in_use == live);
	CHECK(st.size_in_use == bytes);
	CHECK(st.size_allocated >= bytes);
	malloc_destroy_zone(z);
}

struct cover {
	uintptr_t want[BLOCKS];
	unsigned hit;
};

static void
note_regions(task_t task, void *ctx, unsigned type, vm_range_t *r, unsigned n)
{
	struct cover *c = ctx;
	(void)task;
	for (unsigned i = 0; type == MALLOC_PTR_REGION_RANGE_TYPE && i < n; i++)
		for (int k = 0; k < BLOCKS; k++)
			if (c->want[k] - r[i].address < r[i].size)
				c->hit++;
}

/* Every block lies in exactly one region. */
static void
test_regions(void)
{
	static struct cover c;
	malloc_zone_t *z = malloc_create_zone(0, 0);
	for (int i = 0; i < BLOCKS; i++)
		c.want[i] = (uintptr_t)malloc_zone_malloc(z, sizes[i % SIZES]);
	CHECK(z->introspect->enumerator(0, &c, MALLOC_PTR_AND_ADMIN_RANGE_TYPES,
					(vm_address_t)z, NULL,
					note_regions) == KERN_SUCCESS);
	CHECK(c.hit == BLOCKS);
	CHECK(z->introspect->enumerator(1, &c, 1, (vm_address_t)z, NULL,
					note_regions) == KERN_NOT_SUPPORTED);
	malloc_destroy_zone(z);
}

static void
test_check_claim_relief(void)
{
	int local;
	malloc_zone_t *z = malloc_create_zone(0, 0);
	void *p[200];
	for (int i = 0; i < 200; i++) {
		p[i] = malloc_zone_malloc(z, 30000);
		memset(p[i], 1, 30000);
	}
	CHECK(malloc_zone_check(z) && malloc_zone_check(NULL));
	CHECK(malloc_zone_claimed_address(z, p[7]));
	CHECK(malloc_claimed_address((char *)p[7] + 5));
	CHECK(!malloc_claimed_address(&local));
	CHECK(!malloc_claimed_address(NULL));
	for (int i = 0; i < 199; i++)
		free(p[i]);
	CHECK(malloc_zone_pressure_relief(z, 0) > 100 * 30000);
	for (int i = 0; i < 30000; i++)
		CHECK(((char *)p[199])[i] == 1);
	CHECK(malloc_zone_check(z));
	malloc_destroy_zone(z);
}

static void
test_all_zones(void)
{
	vm_address_t *zones;
	unsigned n;
	CHECK(malloc_get_all_zones(0, NULL, &zones, &n) == KERN_SUCCESS);
	CHECK(n == malloc_num_zones && n >= 1);
	for (unsigned i = 0; i < n; i++)
		CHECK(zones[i] == (vm_address_t)malloc_zones[i]);
	CHECK(malloc_get_all_zones(1, NULL, &zones, &n) == KERN_NOT_SUPPORTED);
}

/* A stray write to a zone's table or to the registry must fault. */
static void
test_protected(void)
{
	malloc_zone_t *z = malloc_create_zone(0, 0);
	int fd[2];
	CHECK(pipe(fd) == 0);
	/* read(2) into memory that is read-only: EFAULT */
	CHECK(write(fd[1], "x", 1) == 1);
	CHECK(read(fd[0], &z->malloc, 1) < 0 && errno == EFAULT);
	CHECK(read(fd[0], &malloc_zones[0], 1) < 0 && errno == EFAULT);
}

int
main(void)
{
	static const struct test tests[] = {
		{ "zone: freed blocks", test_freed },
		{ "zone: create and destroy", test_create_destroy },
		{ "zone: many", test_many_zones },
		{ "zone: names", test_names },
		{ "zone: malloc family", test_blocks },
		{ "zone: with options", test_options },
		{ "zone: batch", test_batch },
		{ "malloc_size, malloc_good_size", test_size },
		{ "zone: enumerate blocks, statistics", test_enumerate },
		{ "zone: enumerate regions", test_regions },
		{ "zone: check, claimed address, relief",
		  test_check_claim_relief },
		{ "malloc_get_all_zones", test_all_zones },
		{ "zone tables are read-only", test_protected },
	};
	return RUN_TESTS(tests);
}
