/*
 * zone_fault_each.c - a short life that visits every tier, two zones and a
 * second thread, with every single call for memory failing once, each in a
 * fresh process.  The answer is NULL or the allocator does without; when the
 * fault is over nothing is lost: all invariants hold, what lives is what the
 * test knows, all of it can be freed, and the same requests are granted.
 */
#include <pthread.h>
#include <stdlib.h>

#include "fault.h"
#include "zone_util.h"

enum { COPIES = 3, FRONT = 20000 /* bytes that are written */ };

static const size_t sizes[] = { 1,    200,   256,   257,    1008,	  1009,
				4000, 32768, 32769, 300000, (8 << 20) + 1 };
enum { SIZES = sizeof(sizes) / sizeof(*sizes), SLOTS = SIZES * COPIES };

static struct shadow map[2][SLOTS], theirs[SLOTS];
static struct zm_szone *zone[2];
static long nulls;

static void
get(struct zm_szone *z, struct shadow *s, size_t size, int how)
{
	s->size = size < FRONT ? size : FRONT;
	s->seed = (unsigned char)(size + (unsigned)how);
	s->p = how == 0	  ? zm_szone_malloc(z, size)
	       : how == 1 ? zm_szone_calloc(z, size)
			  : zm_szone_memalign(z, 16384, size);
	if (!s->p) {
		nulls++;
		return;
	}
	s->usable = zm_block_size(s->p);
	if (s->usable < size || (how == 2 && (uintptr_t)s->p % 16384))
		fail("%zu bytes: %zu usable at %p", size, s->usable,
		     (void *)s->p);
	for (size_t i = 0; how == 1 && i < size; i += i < FRONT ? 1 : 99997)
		if (s->p[i])
			fail("calloc(%zu) is not zero at %zu", size, i);
	pattern(s, true);
}

static void
get_all(struct zm_szone *z, struct shadow *of)
{
	for (int i = 0; i < SLOTS; i++)
		if (!of[i].p)
			get(z, &of[i], sizes[i % SIZES],
			    i % SIZES == SIZES - 1 ? 0 : i / SIZES);
}

static void
give(struct zm_szone *z, struct shadow *s)
{
	if (!s->p)
		return;
	if (!pattern(s, false))
		fail("contents of %p (%zu) changed", (void *)s->p, s->size);
	zfree(z, s->p);
	s->p = NULL;
}

/* Where it cannot grow or shrink in place, it stays as it is. */
static void
change(struct zm_szone *z, struct shadow *s, size_t size)
{
	if (!s->p)
		return;
	if (!zm_szone_resize(z, s->p, size)) {
		if (zm_block_size(s->p) != s->usable || !pattern(s, false))
			fail("a failed resize changed the block");
		return;
	}
	if (!pattern(&(struct shadow){ s->p, 64, 64, s->seed }, false) &&
	    size >= 64 && s->size > 2048)
		fail("resize lost contents");
	s->size = size < FRONT ? size : FRONT;
	s->usable = zm_block_size(s->p);
	if (s->usable < size)
		fail("usable %zu after resize to %zu", s->usable, size);
	pattern(s, true);
}

/* The newest block grows into memory that was never used before. */
static void
grow_newest(struct zm_szone *z)
{
	static const size_t first[] = { 600, 9000, 100000 };
	for (int i = 0; i < 3; i++) {
		struct shadow s = { 0 };
		get(z, &s, first[i], 0);
		for (int step = 0; s.p && step < 12; step++) {
			change(z, &s, s.usable + first[i]);
			s.p[s.usable - 1] = 1; /* is really there */
			pattern(&s, true);
		}
		give(z, &s);
	}
}

static void *
second(void *arg)
{
	zm_cache_use(zm_cache_create());
	get_all(zone[0], theirs);
	for (int i = 0; i < SLOTS; i += 2)
		give(zone[0], &theirs[i]);
	for (int i = 0; i < SLOTS; i += 5) /* another thread's */
		give(zone[0], &map[0][i]);
	if (zm_cache_current)
		zm_cache_destroy(zm_cache_current);
	zm_cache_use(NULL);
	return arg;
}

static void
with_faults(void)
{
	pthread_t t;
	zm_cache_use(zm_cache_create());
	zone[0] = zm_szone_create(1, 0);
	zone[1] = zm_szone_create(3, ZM_SZONE_NO_CACHE);
	nulls += !zone[0] + !zone[1];
	for (int k = 0; k < 2; k++)
		if (zone[k])
			get_all(zone[k], map[k]), grow_newest(zone[k]);
	if (zone[0]) {
		pthread_create(&t, NULL, second, NULL);
		pthread_join(t, NULL);
	}
	for (int k = 0; k < 2 && zone[k]; k++) {
		for (int i = 0; i < SLOTS; i++)
			change(zone[k], &map[k][i],
			       i % 3 == 0   ? map[k][i].usable * 2
			       : i % 3 == 1 ? map[k][i].usable / 2 + 1
					    : map[k][i].usable + 5000);
		for (int i = 0; i < SLOTS; i += 3)
			give(zone[k], &map[k][i]);
		zm_szone_pressure_relief(zone[k], 0);
		get_all(zone[k], map[k]);
	}
}

static void
compare_all(void)
{
	static struct shadow both[2 * SLOTS];
	memcpy(both, map[0], sizeof(map[0]));
	memcpy(both + SLOTS, theirs, sizeof(theirs));
	same_as_shadow(zone[0], both, 2 * SLOTS);
	same_as_shadow(zone[1], map[1], SLOTS);
	sound(zone[0]);
	sound(zone[1]);
}

static void
give_all(void)
{
	for (int i = 0; i < SLOTS; i++) {
		give(zone[0], &theirs[i]);
		give(zone[0], &map[0][i]);
		give(zone[1], &map[1][i]);
	}
}

static long
life(void)
{
	with_faults();
	fault_end();
	long seen = nulls;
	for (int k = 0; k < 2; k++)
		if (!zone[k])
			zone[k] = zm_szone_create((uint16_t)(1 + 2 * k), 0);
	if (!zone[0] || !zone[1])
		return -1;
	compare_all();
	give_all();
	compare_all();
	nulls = 0;
	for (int round = 0; round < 2; round++) {
		get_all(zone[0], map[0]);
		get_all(zone[0], theirs);
		get_all(zone[1], map[1]);
		compare_all();
		give_all();
		zm_szone_pressure_relief(zone[round], 0);
	}
	if (nulls)
		fail("%ld requests refused though memory is there", nulls);
	compare_all();
	zm_szone_destroy(zone[1]);
	sound(zone[0]);
	zm_szone_destroy(zone[0]);
	if (test_why)
		fprintf(stderr, "%s\n", test_why);
	return test_why ? -1 : seen;
}

static void
each(long length, const char *name)
{
	long total, refused, at = fault_each(length, life, &total, &refused);
	if (at)
		fail("call %ld (and %ld more) failed: not survived", at,
		     length - 1);
	else if (total < 60 || !refused)
		fail("%ld calls, %ld NULLs: the test did not bite", total,
		     refused);
	result(name);
}

int
main(int argc, char **argv)
{
	if (argc > 1) { /* call, length: one of them, to look into */
		alarm(0);
		fault_from = strtol(argv[1], NULL, 0);
		fault_to = fault_from + (argc > 2 ? atoi(argv[2]) : 1) - 1;
		zm_os_override = fault_inject;
		long seen = life();
		printf("%ld calls, %ld NULLs\n", fault_calls, seen);
		return seen < 0;
	}
	each(1, "zone_fault_each one call");
	each(7, "zone_fault_each seven calls");
	return test_failures != 0;
}
