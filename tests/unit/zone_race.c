/*
 * zone_race.c - everything that may happen at once does: threads allocate,
 * free each other's blocks, look at blocks without locks, come and go, while
 * others check, enumerate, count and relieve the zone.  Made for
 * ThreadSanitizer and the check of lock ranks (make SAN=thread check); what it
 * verifies by itself is contents and soundness.
 */
#include <pthread.h>
#include <stdlib.h>

#include "zone_util.h"

enum { WORKERS = 3, PASSED = 64, SLOTS = 200, GENERATIONS = 4 };

/* These read what threads write into their caches at the same time, without
 * locks and knowing that the answer is of some moment: a race by design. */
#ifdef __SANITIZE_THREAD__
enum { LOOK_INTO_CACHES = false };
#else
enum { LOOK_INTO_CACHES = true };
#endif

static struct zm_szone *zone;
static struct shadow *passed[PASSED];
static bool stop;
static unsigned long steps = 12000;

/* Exchanges a block with whoever was here before; its record goes with it. */
static struct shadow *
pass(struct shadow *s, uint64_t *r)
{
	return __atomic_exchange_n(&passed[rnd(r) % PASSED], s,
				   __ATOMIC_ACQ_REL);
}

static void
end(struct shadow *s)
{
	if (!pattern(s, false))
		fail("contents of %p (%zu) changed", (void *)s->p, s->size);
	zfree(zone, s->p);
	s->p = NULL;
}

/* Records that are passed on come from the heap under test as well. */
static struct shadow *
begin(uint64_t *r)
{
	struct shadow *s = zm_szone_malloc(zone, sizeof(*s));
	s->size = random_size(r) % (1 << 20);
	s->seed = (unsigned char)rnd(r);
	s->p = rnd(r) % 8 ? zm_szone_malloc(zone, s->size)
			  : zm_szone_memalign(zone, 256, s->size);
	s->usable = zm_block_size(s->p);
	pattern(s, true);
	return s;
}

static void *
worker(void *arg)
{
	uint64_t r = (uintptr_t)arg;
	struct shadow *mine[SLOTS] = { NULL };
	zm_cache_use(zm_cache_create());
	for (unsigned long i = 0; i < steps / GENERATIONS; i++) {
		struct shadow **s = &mine[rnd(&r) % SLOTS];
		struct zm_block b;
		if (!*s) {
			*s = begin(&r);
		} else if (rnd(&r) % 2) {
			*s = pass(*s, &r);
		} else if (rnd(&r) % 8 == 0) {
			if (!zm_block_at((*s)->p, &b) || !b.live)
				fail("%p is not found", (void *)(*s)->p);
		} else {
			end(*s);
			zfree(zone, *s);
			*s = NULL;
		}
		if (rnd(&r) % 512 == 0)
			zm_szone_pressure_relief(zone, 0);
	}
	for (int i = 0; i < SLOTS; i++)
		if (mine[i]) {
			end(mine[i]);
			zfree(zone, mine[i]);
		}
	zm_cache_destroy(zm_cache_current);
	zm_cache_use(NULL);
	return NULL;
}

static void
count_block(uintptr_t start, size_t usable, void *ctx)
{
	(void)start;
	*(size_t *)ctx += usable;
}

static void
count_region(uintptr_t start, size_t bytes, bool metadata, void *ctx)
{
	(void)metadata;
	count_block(start, bytes, ctx);
}

/* Looks at a zone in motion; any answer will do that is not a crash.  Counts
 * of blocks are exact only at rest. */
static void *
observer(void *arg)
{
	uint64_t r = 77;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		struct zm_statistics st;
		size_t bytes = 0;
		struct zm_szone *other = zm_szone_create(9, 0);
		if (LOOK_INTO_CACHES) {
			sound(zone);
			zm_szone_enumerate(zone, count_block, &bytes);
			zm_szone_statistics(
			    zone, (int)(rnd(&r) % (ZM_SUB_ALL + 1)), &st);
		}
		zm_szone_regions(zone, count_region, &bytes);
		zm_szone_lock(zone);
		if (!zm_szone_locked(zone))
			fail("a locked zone says it is not");
		zm_szone_unlock(zone);
		if (other) {
			zm_szone_malloc(other, 100000);
			zm_szone_destroy(other);
		}
		usleep(2000);
	}
	return arg;
}

int
main(int argc, char **argv)
{
	pthread_t id[WORKERS], watch;
	if (argc > 1)
		steps = strtoul(argv[1], NULL, 0);
	zone = zm_szone_create(1, 0);
	pthread_create(&watch, NULL, observer, NULL);
	for (uintptr_t g = 0; g < GENERATIONS; g++) {
		for (uintptr_t i = 0; i < WORKERS; i++)
			pthread_create(&id[i], NULL, worker,
				       (void *)(1 + g * WORKERS + i));
		for (int i = 0; i < WORKERS; i++)
			pthread_join(id[i], NULL);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(watch, NULL);
	for (int i = 0; i < PASSED; i++)
		if (passed[i]) {
			end(passed[i]);
			zfree(zone, passed[i]);
		}
	same_as_shadow(zone, NULL, 0);
	sound(zone);
	result("zone_race");
	zm_szone_destroy(zone);
	return test_failures != 0;
}
