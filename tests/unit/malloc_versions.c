/*
 * malloc_versions.c - zones that programs bring along, of every version of the
 * table.
 *
 * Members that a version does not have hold a trap here: a real zone of that
 * version ends there, and whatever follows it in memory would be called.
 * Behind the table is an arena that counts.
 */
#include <errno.h>
#include <malloc.h>
#include <zmalloc/malloc.h>

#include "malloc_check.h"

enum { ARENA = 1 << 20, LAST = 15 };

static struct {
	malloc_zone_t zone;
	malloc_introspection_t looks;
	_Alignas(4096) char memory[ARENA];
	size_t used;
	int mallocs, frees, aligned, batches, options, reliefs, claims;
	int destroyed, checks, prints, logs, discharges;
	int locks, unlocks, reinits;
} own;

/* ---- the zone ----------------------------------------------------------- */

static void
trap(void)
{
	check_failed(__FILE__, __LINE__, "a member of a later version");
}

static size_t
own_size(malloc_zone_t *z, const void *p)
{
	(void)z;
	uintptr_t offset = (uintptr_t)p - (uintptr_t)own.memory;
	const size_t *volatile block = p;
	return offset < ARENA && offset % 16 == 0 && offset ? block[-1] : 0;
}

static void *
own_aligned(size_t align, size_t n)
{
	size_t at = (own.used + 16 + align - 1) & -align;
	n = n ? (n + 15) & ~(size_t)15 : 16;
	if (n > ARENA || at + n > ARENA)
		return NULL;
	char *p = own.memory + at;
	((size_t *)p)[-1] = n;
	own.used = at + n;
	return p;
}

static void *
own_malloc(malloc_zone_t *z, size_t n)
{
	(void)z;
	own.mallocs++;
	return own_aligned(16, n);
}

static void *
own_calloc(malloc_zone_t *z, size_t count, size_t n)
{
	return own_malloc(z, count * n); /* memory is never used twice */
}

static void *
own_valloc(malloc_zone_t *z, size_t n)
{
	(void)z;
	own.mallocs++;
	return own_aligned(4096, n);
}

static void *
own_memalign(malloc_zone_t *z, size_t align, size_t n)
{
	(void)z;
	own.aligned++;
	return own_aligned(align < 16 ? 16 : align, n);
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

static unsigned
own_batch_malloc(malloc_zone_t *z, size_t n, void **out, unsigned count)
{
	own.batches++;
	for (unsigned i = 0; i < count / 2; i++)
		out[i] = own_malloc(z, n);
	return count / 2;
}

static void
own_batch_free(malloc_zone_t *z, void **p, unsigned count)
{
	own.batches++;
	for (unsigned i = 0; i < count; i++)
		own_free(z, p[i]);
}

static size_t
own_relief(malloc_zone_t *z, size_t goal)
{
	(void)z;
	(void)goal;
	own.reliefs++;
	return 4096;
}

static boolean_t
own_claimed(malloc_zone_t *z, void *p)
{
	(void)z;
	own.claims++;
	return (uintptr_t)p - (uintptr_t)own.memory < ARENA;
}

static void *
own_options(malloc_zone_t *z, size_t align, size_t n, malloc_options_t options)
{
	(void)options;
	own.options++;
	return own_memalign(z, align, n);
}

static boolean_t
own_check(malloc_zone_t *z)
{
	(void)z;
	own.checks++;
	return 1;
}

static void
own_print(malloc_zone_t *z, boolean_t verbose)
{
	(void)z;
	(void)verbose;
	own.prints++;
}

static void
own_log(malloc_zone_t *z, void *address)
{
	(void)z;
	(void)address;
	own.logs++;
}

static void
own_statistics(malloc_zone_t *z, malloc_statistics_t *s)
{
	(void)z;
	s->blocks_in_use = 1000;
}

static void
own_discharge(malloc_zone_t *z, void *p)
{
	(void)z;
	(void)p;
	own.discharges++;
}

static void
own_lock(malloc_zone_t *z)
{
	(void)z;
	own.locks++;
}

static void
own_unlock(malloc_zone_t *z)
{
	(void)z;
	own.unlocks++;
}

static void
own_reinit(malloc_zone_t *z)
{
	(void)z;
	own.reinits++;
}

/* A member is there from a version on, a trap before. */
#define MEMBER(member, since, function)                          \
	__atomic_store_n((void **)&own.zone.member,              \
			 version >= (since) ? (void *)(function) \
					    : (void *)trap,      \
			 __ATOMIC_RELAXED)

/* optional: with the members that a zone may leave out. */
static malloc_zone_t *
own_zone(unsigned version, bool optional)
{
	memset(&own, 0, offsetof(__typeof__(own), memory));
	memset(&own.used, 0, sizeof(own) - offsetof(__typeof__(own), used));
	own.zone = (malloc_zone_t){ .size = own_size,
				    .malloc = own_malloc,
				    .calloc = own_calloc,
				    .valloc = own_valloc,
				    .free = own_free,
				    .realloc = own_realloc,
				    .destroy = own_destroy,
				    .zone_name = "own",
				    .version = version };
	MEMBER(memalign, 5, optional ? own_memalign : NULL);
	MEMBER(free_definite_size, 6, NULL);
	MEMBER(pressure_relief, 8, optional ? own_relief : NULL);
	MEMBER(claimed_address, 10, optional ? own_claimed : NULL);
	MEMBER(try_free_default, 13, NULL);
	MEMBER(malloc_with_options, 15, optional ? own_options : NULL);
	if (!optional)
		return &own.zone;
	own.zone.batch_malloc = own_batch_malloc;
	own.zone.batch_free = own_batch_free;
	own.looks.check = own_check;
	own.looks.print = own_print;
	own.looks.log = own_log;
	own.looks.statistics = own_statistics;
	own.looks.force_lock = own_lock;
	own.looks.force_unlock = own_unlock;
	*(void **)&own.looks.discharge =
	    version >= 7 ? (void *)own_discharge : (void *)trap;
	*(void **)&own.looks.reinit_lock =
	    version >= 9 ? (void *)own_reinit : (void *)trap;
	own.zone.introspect = &own.looks;
	return &own.zone;
}

/* ---- tests -------------------------------------------------------------- */

static void
use_blocks(malloc_zone_t *z, unsigned version, bool optional)
{
	char *p = malloc_zone_malloc(z, 100);
	CHECK(own_size(z, p) && malloc_zone_from_ptr(p) == z);
	CHECK(malloc_size(p) == 112 && malloc_size(p + 1) == 0);
	strcpy(p, "text");
	p = malloc_zone_realloc(z, p, 200);
	CHECK(strcmp(p, "text") == 0 && own.frees == 1);
	p = realloc(p, 300);
	CHECK(strcmp(p, "text") == 0 && own.frees == 2);
	malloc_zone_free(z, p);
	free(malloc_zone_calloc(z, 3, 5));
	CHECK(own.frees == 4);
	p = malloc_zone_valloc(z, 10);
	CHECK(own_size(z, p) && (uintptr_t)p % 4096 == 0);
	free(p);
	/* what old zones lack: memalign up to a page is valloc */
	p = malloc_zone_memalign(z, 256, 50);
	CHECK(own_size(z, p) && (uintptr_t)p % 256 == 0);
	CHECK(own.aligned == (version >= 5 && optional));
	free(p);
	p = malloc_zone_malloc_with_options(z, 64, 128, MALLOC_OPTION_CLEAR);
	CHECK(own_size(z, p) && (uintptr_t)p % 64 == 0 && p[127] == 0);
	CHECK(own.options == (version >= 15 && optional));
	free(p);
	p = malloc_zone_malloc_with_options(z, 0, 33, 0);
	CHECK(own_size(z, p));
	free(p);
	errno = 0;
	CHECK(!malloc_zone_malloc(z, ARENA * 2) && errno == ENOMEM);
}

static void
use_batch(malloc_zone_t *z, bool optional)
{
	void *p[6];
	unsigned n = malloc_zone_batch_malloc(z, 20, p, 6);
	CHECK(n == (optional ? 3 : 0));
	for (; n < 6; n++)
		p[n] = malloc_zone_malloc(z, 20);
	int before = own.frees;
	malloc_zone_batch_free(z, p, 6);
	CHECK(own.frees == before + 6);
	CHECK(own.batches == (optional ? 2 : 0));
}

static void
ignore(void *memory, void *info, void *context)
{
	(void)memory;
	(void)info;
	(void)context;
}

static void
use_looks(malloc_zone_t *z, unsigned version, bool optional)
{
	malloc_statistics_t s;
	int local;
	bool claims = version >= 10 && optional;
	CHECK(malloc_zone_claimed_address(z, own.memory + 50));
	CHECK(malloc_zone_claimed_address(z, &local) == !claims);
	CHECK(malloc_claimed_address(&local) == !claims);
	CHECK(malloc_zone_pressure_relief(z, 0) ==
	      (version >= 8 && optional ? 4096 : 0));
	malloc_zone_pressure_relief(NULL, 0);
	CHECK(own.reliefs == (version >= 8 && optional ? 2 : 0));
	CHECK(malloc_zone_check(z) && malloc_zone_check(NULL));
	CHECK(own.checks == (optional ? 2 : 0));
	malloc_zone_print(z, 0);
	CHECK(own.prints == (optional ? 1 : 0));
	malloc_zone_log(z, own.memory);
	malloc_zone_log(NULL, NULL);
	CHECK(own.logs == (optional ? 2 : 0));
	malloc_zone_statistics(z, &s);
	CHECK(s.blocks_in_use == (optional ? 1000 : 0));
	malloc_zone_statistics(NULL, &s);
	CHECK((s.blocks_in_use >= 1000) == optional);
	CHECK(!malloc_zone_enable_discharge_checking(z));
	malloc_zone_disable_discharge_checking(z);
	malloc_zone_discharge(z, own.memory);
	CHECK(own.discharges == (version >= 7 && optional));
	malloc_zone_enumerate_discharged_pointers(z, ignore, NULL);
	malloc_zone_enumerate_discharged_pointers(NULL, ignore, NULL);
}

/* Locked before, unlocked in the parent, new locks in the child. */
static void
use_fork(unsigned version, bool optional)
{
	int status, times = optional ? 1 : 0;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(own.locks == times);
		CHECK(own.reinits == (optional && version >= 9));
		CHECK(own.unlocks == (optional && version < 9));
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(own.locks == times && own.unlocks == times && !own.reinits);
}

static void
as_default(malloc_zone_t *z, bool optional)
{
	malloc_zone_t *first = malloc_zones[0];
	malloc_zone_unregister(first);
	malloc_zone_register(first);
	CHECK(malloc_zones[0] == z);
	void *p[6] = { malloc(50),	  calloc(3, 5), realloc(NULL, 20),
		       memalign(128, 30), NULL,		valloc(20) };
	CHECK(posix_memalign(&p[4], 64, 100) == 0);
	for (int i = 0; i < 6; i++) {
		CHECK(own_size(z, p[i]));
		free(p[i]);
	}
	malloc_zone_t *v = malloc_default_zone();
	CHECK(malloc_good_size(77) == 77 && malloc_zone_check(v));
	unsigned n = malloc_zone_batch_malloc(v, 24, p, 6);
	CHECK(n == 6 || (optional && n == 3));
	for (unsigned i = 0; i < n; i++)
		CHECK(own_size(z, p[i]));
	malloc_zone_batch_free(v, p, n);
	malloc_zone_unregister(z);
	malloc_zone_register(z);
	CHECK(malloc_zones[0] == first);
}

static void
all_versions(bool optional)
{
	for (unsigned version = 0; version <= LAST; version++) {
		malloc_zone_t *z = own_zone(version, optional);
		malloc_zone_register(z);
		use_blocks(z, version, optional);
		use_batch(z, optional);
		use_looks(z, version, optional);
		use_fork(version, optional);
		as_default(z, optional);
		CHECK(strcmp(malloc_get_zone_name(z), "own") == 0);
		malloc_destroy_zone(z);
		CHECK(own.destroyed == 1);
		CHECK(malloc_size(own.memory + 16) == 0);
	}
}

static void
test_bare(void)
{
	all_versions(false);
}

static void
test_full(void)
{
	all_versions(true);
}

int
main(void)
{
	static const struct test tests[] = {
		{ "versions 0 to 15, with nothing optional", test_bare },
		{ "versions 0 to 15, with all they may have", test_full },
	};
	return RUN_TESTS(tests);
}
