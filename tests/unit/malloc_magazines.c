/*
 * malloc_magazines.c - the environment variables about magazines and about the
 * nano tier's pages, each by its effect.
 *
 * With a magazine for each, two threads' blocks lie in different regions.
 */
#include <pthread.h>
#include <zmalloc/malloc.h>

#include "malloc_child.h"

#define MIB ((size_t)1 << 20)

/* Of the program, in memory. */
static long
resident_bytes(void)
{
	long total, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	CHECK(f && fscanf(f, "%ld %ld", &total, &resident) == 2);
	fclose(f);
	return resident * 4096;
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

/* ---- magazines ---------------------------------------------------------- */

static pthread_barrier_t both;

static size_t block_size;

static void *
one_block(void *arg)
{
	mag_set_thread_index((unsigned)(uintptr_t)arg);
	void *p = malloc(block_size);
	pthread_barrier_wait(&both);
	return p;
}

static int
first_region(malloc_zone_t *z)
{
	int count = 0;
	z->introspect->enumerator(0, &count, MALLOC_PTR_REGION_RANGE_TYPE,
				  (vm_address_t)z, NULL, count_regions);
	return count;
}

/* Regions that two threads' blocks of one size lie in. */
static int
regions_for(size_t size)
{
	pthread_t t[2];
	block_size = size;
	pthread_barrier_init(&both, NULL, 2);
	int before = first_region(malloc_zones[0]);
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, one_block, (void *)i);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	return first_region(malloc_zones[0]) - before;
}

static int
role_magazines(void)
{
	return regions_for(20000);
}

static int
role_medium_magazines(void)
{
	return regions_for(2 * MIB);
}

static int
role_nano_magazines(void)
{
	return regions_for(208);
}

static void
test_magazines(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip_test("one CPU");
	int many = child_exit("magazines", NULL, NULL, NULL);
	int one = child_exit("magazines", "MallocMaxMagazines=1", NULL, NULL);
	CHECK(many == one + 1);
	CHECK(child_exit("magazines", "_MallocMaxMagazines=1", NULL, NULL) ==
	      one);
}

/* The variable, by either name, has the effect on this tier alone. */
static void
one_tier(const char *tier, const char *other, const char *variable)
{
	char var[64];
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip_test("one CPU");
	int many = child_exit(tier, NULL, NULL, NULL);
	int others = child_exit(other, NULL, NULL, NULL);
	for (int underscore = 0; underscore < 2; underscore++) {
		snprintf(var, sizeof(var), "%s%s=1", underscore ? "_" : "",
			 variable);
		CHECK(child_exit(tier, var, NULL, NULL) == many - 1);
		CHECK(child_exit(other, var, NULL, NULL) == others);
	}
}

static void
test_medium_magazines(void)
{
	one_tier("medium magazines", "magazines", "MallocMaxMediumMagazines");
}

static void
test_nano_magazines(void)
{
	one_tier("nano magazines", "magazines", "MallocNanoMaxMagazines");
}

static void
test_medium_efficient(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip_test("one CPU");
	int many = child_exit("medium magazines", NULL, NULL, NULL);
	const char *spare = "MallocSpaceEfficient=1";
	const char *medium = "MallocMediumSpaceEfficient=1";
	CHECK(child_exit("medium magazines", spare, NULL, NULL) == many);
	CHECK(child_exit("medium magazines", medium, NULL, NULL) == many);
	CHECK(child_exit("medium magazines", spare, medium, NULL) == many - 1);
	CHECK(child_exit("medium magazines", spare, medium,
			 "MallocMaxMediumMagazines=2") == many);
}

/* How many MiB of 48 stay in memory when all nano blocks are freed, and
 * whether relief takes what is left (100). */
static int
role_nano_pages(void)
{
	enum { N = 48 << 12 };
	static char *p[N];
	malloc_zone_t *z = malloc_create_zone(0, 0);
	long before = resident_bytes();
	for (int i = 0; i < N; i++)
		memset(p[i] = malloc_zone_malloc(z, 256), 1, 256);
	for (int i = 0; i < N; i++)
		free(p[i]);
	int left = (int)((resident_bytes() - before) >> 20);
	malloc_zone_pressure_relief(z, 0);
	long rest = resident_bytes() - before;
	return left + (rest < 8 << 20 ? 100 : 0);
}

static void
test_nano_madvise(void)
{
#define POLICY "MallocNanoMadvisePolicy="
	int normal = child_exit("nano pages", NULL, NULL, NULL);
	int now = child_exit("nano pages", POLICY "immediate", NULL, NULL);
	int late = child_exit("nano pages", POLICY "critical", NULL, NULL);
	CHECK(child_exit("nano pages", POLICY "warning", NULL, NULL) == normal);
	CHECK(now >= 100 && normal >= 100 && late >= 100);
	CHECK(normal - 100 < 12 && late - 100 >= 44 && now <= normal);
}

static const struct role roles[] = {
	{ "magazines", role_magazines },
	{ "medium magazines", role_medium_magazines },
	{ "nano magazines", role_nano_magazines },
	{ "nano pages", role_nano_pages },
};

int
main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "MallocMaxMagazines", test_magazines },
		{ "MallocMaxMediumMagazines", test_medium_magazines },
		{ "MallocNanoMaxMagazines", test_nano_magazines },
		{ "MallocMediumSpaceEfficient", test_medium_efficient },
		{ "MallocNanoMadvisePolicy", test_nano_madvise },
	};
	CHILD_MAIN(argc, argv, roles);
	return RUN_TESTS(tests);
}
