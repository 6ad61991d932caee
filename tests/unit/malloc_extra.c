/*
 * malloc_extra.c - the functions of <zmalloc/malloc.h> for people and tools:
 * printing, logging, statistics of tiers, memory events, protection of the
 * tables, the bound of the number of zones.
 *
 * Text is compared with what the test did; what may not be written to, a
 * child tries to write to.
 */
#include <errno.h>
#include <pthread.h>
#include <zmalloc/malloc.h>

#include "malloc_child.h"

/* ---- roles: text -------------------------------------------------------- */

static int
role_log(void)
{
	malloc_zone_t *z = malloc_create_zone(0, 0);
	malloc_set_zone_name(z, "garden");
	char *p = malloc_zone_malloc(z, 5000);
	malloc_zone_log(z, p);
	void *other = malloc_zone_malloc(z, 5000);
	free(other);
	char *q = realloc(p, 4990); /* in place */
	if (q != p)
		return 1;
	q = realloc(p, 100000); /* elsewhere */
	if (q == p)
		return 2;
	malloc_zone_log(z, NULL);
	free(q);
	free(malloc_zone_malloc(z, 5000));
	return 0;
}

static int
role_log_all(void)
{
	malloc_zone_t *z = malloc_create_zone(0, 0);
	void *batch[3];
	malloc_zone_log(z, (void *)-1);
	free(malloc_zone_malloc(z, 100));
	malloc_zone_free(z, malloc_zone_calloc(z, 10, 100));
	malloc_zone_batch_malloc(z, 16, batch, 3);
	malloc_zone_batch_free(z, batch, 3);
	free(malloc(300)); /* another zone */
	malloc_zone_log(z, NULL);
	malloc_zone_log(malloc_default_zone(), (void *)-1);
	free(malloc(77));
	malloc_zone_log(malloc_default_zone(), NULL);
	free(malloc(300));
	malloc_destroy_zone(z);
	return 0;
}

/* A zone with blocks of every tier. */
static malloc_zone_t *
furnished(void)
{
	static const size_t sizes[] = { 100, 600, 20000, 100000, 9 << 20 };
	malloc_zone_t *z = malloc_create_zone(0, 0);
	malloc_set_zone_name(z, "garden");
	for (int i = 0; i < 5; i++)
		for (int k = i; k < 5; k++)
			CHECK(malloc_zone_malloc(z, sizes[i]));
	return z;
}

static int
role_print(void)
{
	malloc_zone_print(furnished(), 0);
	return 0;
}

static int
role_print_all(void)
{
	furnished();
	malloc_zone_print(NULL, 1);
	return 0;
}

static int
role_print_pointers(void)
{
	malloc_zone_t *z = malloc_create_zone(0, 0);
	malloc_set_zone_name(z, "garden");
	char *p = malloc_zone_malloc(z, 5000), *q = malloc_zone_malloc(z, 600);
	malloc_zone_print_ptr_info(p);
	malloc_zone_print_ptr_info(p + 17);
	free(q);
	malloc_zone_print_ptr_info(&z);
	malloc_zone_print_ptr_info(NULL);
	malloc_zone_print_ptr_info(q);
	printf("%p %p\n", (void *)p, (void *)q);
	return 0;
}

/* ---- roles: protection -------------------------------------------------- */

static int
role_write_table(void)
{
	malloc_zone_t *z = malloc_create_zone(0, 0);
	*(void *volatile *)&z->free = NULL;
	return 0;
}

static int
role_write_name(void)
{
	malloc_zone_t *z = malloc_create_zone(0, 0);
	malloc_set_zone_name(z, "garden");
	*(volatile char *)(uintptr_t)z->zone_name = 'x';
	return 0;
}

static int
role_write_registry(void)
{
	*(malloc_zone_t *volatile *)&malloc_zones[0] = NULL;
	return 0;
}

static int
role_write_virtual(void)
{
	*(void *volatile *)&malloc_default_zone()->malloc = NULL;
	return 0;
}

static int
role_write_introspection(void)
{
	*(void *volatile *)&malloc_zones[0]->introspect->check = NULL;
	return 0;
}

/* ---- tests -------------------------------------------------------------- */

static int
count(const char *text, const char *what)
{
	int n = 0;
	for (const char *p = text; (p = strstr(p, what)); p++)
		n++;
	return n;
}

static void
test_log(void)
{
	struct outcome o = child_run("log", NULL, NULL, NULL, NULL);
	CHECK(o.status == 0);
	CHECK(count(o.text, "zone garden: 0x") == 2 &&
	      count(o.text, "\n") == 2);
	CHECK(count(o.text, "resized in place, 4990 bytes") == 1);
	CHECK(count(o.text, "freed by realloc, 5120 bytes") == 1);
	o = child_run("log all", NULL, NULL, NULL, NULL);
	CHECK(o.status == 0);
	CHECK(count(o.text, "allocated, 100 bytes") == 1);
	CHECK(count(o.text, "allocated, 1000 bytes") == 1);
	CHECK(count(o.text, "allocated, 16 bytes") == 3);
	CHECK(count(o.text, "freed, ") == 5 + 1);
	CHECK(count(o.text, "300 bytes") == 0);
	CHECK(count(o.text, "zone DefaultMallocZone: ") == 2);
	CHECK(count(o.text, "allocated, 77 bytes") == 1);
	CHECK(count(o.text, "\n") == 12);
}

static void
test_print(void)
{
	struct outcome o = child_run("print", NULL, NULL, NULL, NULL);
	CHECK(o.status == 0 && count(o.text, "\n") == 1);
	CHECK(count(o.text, "garden: 15 blocks, 9") == 1);
	o = child_run("print all", NULL, NULL, NULL, NULL);
	CHECK(count(o.text, "garden: 15 blocks") == 1);
	CHECK(count(o.text, "DefaultMallocZone: ") == 1);
	const char *garden = strstr(o.text, "garden");
	static const char *const row[] = { "nano          5 blocks",
					   "tiny          4 blocks",
					   "small         3 blocks",
					   "medium        2 blocks",
					   "large         1 blocks" };
	for (int i = 0; i < 5; i++) {
		const char *at = strstr(garden, row[i]);
		CHECK(at && count(at, " 1 regions") >= 1);
	}
}

static void
test_print_pointers(void)
{
	struct outcome o = child_run("print pointers", NULL, NULL, NULL, NULL);
	void *p, *q;
	char text[100];
	CHECK(o.status == 0 && count(o.text, "\n") == 6);
	CHECK(sscanf(strrchr(o.text, ')') + 2, "%p %p", &p, &q) == 2);
	snprintf(text, sizeof(text),
		 "%p: live block %p of 5120 bytes, offset 0", p, p);
	CHECK(count(o.text, text) == 1);
	snprintf(text, sizeof(text),
		 "%p: live block %p of 5120 bytes, offset 17",
		 (void *)((char *)p + 17), p);
	CHECK(count(o.text, text) == 1);
	snprintf(text, sizeof(text), "%p: free", q);
	CHECK(count(o.text, text) == 1);
	CHECK(count(o.text, "small region") == 2);
	CHECK(count(o.text, "tiny region") == 1);
	CHECK(count(o.text, "of zone garden") == 3);
	CHECK(count(o.text, "not in memory of any zone") == 2);
}

static void
test_protected(void)
{
	static const char *const role[] = { "write table", "write name",
					    "write registry", "write virtual",
					    "write introspection" };
	for (int i = 0; i < 5; i++)
		CHECK(child_exit(role[i], NULL, NULL, NULL) == 1000 + SIGSEGV);
}

static void
test_tier_statistics(void)
{
	static const struct {
		unsigned tier, blocks;
		size_t bytes;
	} want[] = {
		{ MALLOC_TIER_NANO, 5, 5 * 112 },
		{ MALLOC_TIER_TINY, 4, 4 * 608 },
		{ MALLOC_TIER_SMALL, 3, (size_t)3 * 20480 },
		{ MALLOC_TIER_MEDIUM, 2, (size_t)2 * 131072 },
		{ MALLOC_TIER_LARGE, 1, 9 << 20 },
		{ MALLOC_TIER_HUGE, 0, 0 },
	};
	malloc_zone_t *z = furnished();
	malloc_statistics_t s, all;
	size_t allocated = 0;
	for (int i = 0; i < 6; i++) {
		CHECK(scalable_zone_statistics(z, &s, want[i].tier));
		CHECK(s.blocks_in_use == want[i].blocks);
		CHECK(s.size_in_use == want[i].bytes);
		CHECK(s.size_allocated >= s.size_in_use);
		allocated += s.size_allocated;
	}
	malloc_zone_statistics(z, &all);
	CHECK(all.blocks_in_use == 15 && all.size_allocated == allocated);
	CHECK(!scalable_zone_statistics(z, &s, 6));
	CHECK(!scalable_zone_statistics(z, &s, 99));
	struct mstats m = mstats();
	CHECK(m.chunks_used >= 15 && m.bytes_used >= all.size_in_use);
	CHECK(m.bytes_total == m.bytes_used + m.bytes_free);
	malloc_destroy_zone(z);
}

static void
test_memory_event(void)
{
	malloc_zone_t *z = malloc_create_zone(0, 0);
	char *p = malloc_zone_malloc(z, 9 << 20);
	memset(p, 1, 9 << 20);
	free(p); /* waits on death row */
	malloc_memory_event_handler(1);
	CHECK(readable(p));
	malloc_memory_event_handler(MALLOC_MEMORY_EVENT_WARN);
	CHECK(!readable(p));
	p = malloc_zone_malloc(z, 9 << 20);
	free(p);
	malloc_memory_event_handler(MALLOC_MEMORY_EVENT_CRITICAL);
	CHECK(!readable(p));
	malloc_destroy_zone(z);
}

/* Twice, and one that is not there: words, and nothing else happens. */
static int
role_register(void)
{
	static malloc_zone_t stranger;
	malloc_zone_t *z = malloc_create_zone(0, 0);
	unsigned before = malloc_num_zones;
	malloc_zone_register(z);
	malloc_zone_register(malloc_zones[0]);
	malloc_zone_unregister(&stranger);
	return malloc_num_zones != before || malloc_zones[before - 1] != z;
}

static void
test_register(void)
{
	struct outcome o = child_run("register", NULL, NULL, NULL, NULL);
	CHECK(o.status == 0);
	CHECK(count(o.text, "zone is registered already") == 2);
	CHECK(count(o.text, "zone is not registered") == 1);
}

static void
test_too_many_zones(void)
{
	static malloc_zone_t *z[5000];
	int n = 0;
	fflush(stdout);
	int out = memfd_create("text", 0), keep = dup(2);
	dup2(out, 2);
	errno = 0;
	while (n < 5000 && (z[n] = malloc_create_zone(0, 0)))
		n++;
	int e = errno;
	dup2(keep, 2);
	struct outcome o;
	child_text(out, &o);
	CHECK(n > 1000 && n < 5000 && e == ENOMEM);
	CHECK(count(o.text, "too many zones") == 1);
	void *p = malloc_zone_malloc(z[n - 1], 100);
	CHECK(malloc_zone_from_ptr(p) == z[n - 1]);
	for (int i = 0; i < n; i++)
		malloc_destroy_zone(z[i]);
	CHECK((z[0] = malloc_create_zone(0, 0)) != NULL);
}

static volatile size_t too_much = SIZE_MAX;

static unsigned
live(void)
{
	malloc_statistics_t s;
	malloc_zone_statistics(malloc_default_zone(), &s);
	return s.blocks_in_use;
}

static void
test_reallocf(void)
{
	unsigned before = live();
	char *p = reallocf(NULL, 100);
	strcpy(p, "text");
	p = reallocf(p, 10000);
	CHECK(p && strcmp(p, "text") == 0 && live() == before + 1);
	errno = 0;
	CHECK(!reallocf(p, too_much) && errno == ENOMEM && live() == before);
	p = reallocarrayf(NULL, 10, 10);
	strcpy(p, "text");
	p = reallocarrayf(p, 30, 1000);
	CHECK(malloc_size(p) >= 30000 && strcmp(p, "text") == 0);
	errno = 0;
	CHECK(!reallocarrayf(p, too_much / 2, 3) && errno == ENOMEM);
	CHECK(live() == before);
	p = malloc(10);
	CHECK(!reallocarrayf(p, 0, 7) && live() == before);
	errno = 0;
	CHECK(!reallocarrayf(NULL, too_much / 2, 3) && errno == ENOMEM);
	vfree(malloc(10));
	CHECK(live() == before);
}

static void *
pinned(void *arg)
{
	for (unsigned i = 0; i < 200; i++) {
		mag_set_thread_index(i);
		void *p = malloc(i * 40), *q = calloc(1, i * 90);
		CHECK(p && q);
		free(p);
		free(q);
	}
	return arg;
}

static void
test_rest(void)
{
	pthread_t t[3];
	vm_address_t wrapped = 1;
	malloc_zone_t *z = malloc_create_zone(0, 0);
	CHECK(malloc_get_wrapped_zone(0, NULL, (vm_address_t)z, &wrapped) ==
	      KERN_SUCCESS);
	CHECK(wrapped == 0);
	malloc_zero_on_free_disable();
	CHECK(malloc_engaged_nano() == 2);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, pinned, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	CHECK(malloc_zone_check(NULL));
}

static const struct role roles[] = {
	{ "log", role_log },
	{ "log all", role_log_all },
	{ "print", role_print },
	{ "print all", role_print_all },
	{ "print pointers", role_print_pointers },
	{ "register", role_register },
	{ "write table", role_write_table },
	{ "write name", role_write_name },
	{ "write registry", role_write_registry },
	{ "write virtual", role_write_virtual },
	{ "write introspection", role_write_introspection },
};

int
main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "malloc_zone_log", test_log },
		{ "malloc_zone_print", test_print },
		{ "malloc_zone_print_ptr_info", test_print_pointers },
		{ "tables die before they change", test_protected },
		{ "scalable_zone_statistics, mstats", test_tier_statistics },
		{ "malloc_memory_event_handler", test_memory_event },
		{ "registering twice", test_register },
		{ "too many zones", test_too_many_zones },
		{ "reallocf, reallocarrayf, vfree", test_reallocf },
		{ "the rest of the API", test_rest },
	};
	CHILD_MAIN(argc, argv, roles);
	return RUN_TESTS(tests);
}
