/*
 * malloc_remote.h - the process that malloc_remote.c looks into.
 *
 * It fills two zones over all tiers, frees a part from several threads, so
 * that their caches hold blocks, tells through its standard output what it
 * has, by its own book-keeping, and stops.
 */
#ifndef TESTS_UNIT_MALLOC_REMOTE_H
#define TESTS_UNIT_MALLOC_REMOTE_H

#include <pthread.h>
#include <sys/resource.h>
#include <zmalloc/malloc.h>

#include "malloc_child.h"

/* What it tells: an announcement, then the items. */
enum item_kind { KNOWN, EXTRA, FREED, REGION, ADMIN };
struct item {
	uintptr_t start;
	size_t bytes;
	unsigned kind, zone; /* zone: 0 or 1 */
};
struct announcement {
	vm_address_t zone[2], foreign, virtual;
	malloc_statistics_t statistics[2];
	unsigned items;
};

enum { THREADS = 4, BLOCKS = 1600, ITEMS = 20000 };

/* What a thread allocated, which another one frees in part. */
static struct item blocks[THREADS][BLOCKS];
static struct item told[ITEMS];
static struct announcement say;
static pthread_barrier_t barrier;

static uint32_t
chance(uint32_t *seed, uint32_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return (uint32_t)((uint64_t)*seed * below >> 32);
}

static size_t
some_size(uint32_t *seed)
{
	uint32_t which = chance(seed, 1000);
	if (which < 500)
		return chance(seed, 257);
	if (which < 800)
		return 257 + chance(seed, 1008 - 256);
	if (which < 960)
		return 1009 + chance(seed, (32 << 10) - 1008);
	if (which < 995)
		return (32 << 10) + 1 + chance(seed, (8 << 20) - (32 << 10));
	return (8 << 20) + 1 + chance(seed, 8 << 20);
}

static void *
target_thread(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg, other = (me + 1) % THREADS;
	uint32_t seed = 12345 + me;
	malloc_zone_t *b = (malloc_zone_t *)say.zone[1];
	for (unsigned i = 0; i < BLOCKS; i++) {
		size_t n = some_size(&seed);
		unsigned zone = chance(&seed, 3) == 0;
		void *p = zone ? malloc_zone_malloc(b, n) : malloc(n);
		if (!p)
			_exit(3);
		blocks[me][i] = (struct item){ (uintptr_t)p, n, KNOWN, zone };
	}
	pthread_barrier_wait(&barrier);
	for (unsigned i = 0; i < BLOCKS; i++) {
		struct item *it = &blocks[i % 2 ? me : other][i];
		if (chance(&seed, 5) < 2) {
			free((void *)it->start);
			it->kind = FREED;
		}
	}
	pthread_barrier_wait(&barrier);
	for (;;)
		pause();
	return NULL;
}

static void
tell(const struct item *it)
{
	if (say.items == ITEMS)
		_exit(4);
	told[say.items++] = *it;
}

static bool
is_known(uintptr_t p, unsigned known)
{
	for (unsigned i = 0; i < known; i++)
		if (told[i].start == p && told[i].kind == KNOWN)
			return true;
	return false;
}

/* From inside, for what the program does not keep books of: libc's blocks,
 * and the zone's regions. */
struct inside {
	unsigned zone, known;
};

static void
from_inside(task_t task, void *ctx, unsigned type, vm_range_t *r, unsigned n)
{
	const struct inside *in = ctx;
	(void)task;
	for (unsigned i = 0; i < n; i++) {
		struct item it = { r[i].address, r[i].size, EXTRA, in->zone };
		if (type == MALLOC_PTR_IN_USE_RANGE_TYPE &&
		    is_known(it.start, in->known))
			continue;
		if (type != MALLOC_PTR_IN_USE_RANGE_TYPE)
			it.kind = type == MALLOC_PTR_REGION_RANGE_TYPE ? REGION
								       : ADMIN;
		tell(&it);
	}
}

static void
target_tell(void)
{
	for (unsigned t = 0; t < THREADS; t++)
		for (unsigned i = 0; i < BLOCKS; i++)
			tell(&blocks[t][i]);
	unsigned known = say.items;
	for (unsigned zone = 0; zone < 2; zone++) {
		malloc_zone_t *z = (malloc_zone_t *)say.zone[zone];
		struct inside in = { zone, known };
		z->introspect->enumerator(0, &in, 7, say.zone[zone], NULL,
					  from_inside);
		z->introspect->statistics(z, &say.statistics[zone]);
	}
}

static void
put(const void *p, size_t bytes)
{
	for (const char *at = p; bytes;) {
		ssize_t n = write(1, at, bytes);
		if (n <= 0)
			_exit(5);
		at += n;
		bytes -= (size_t)n;
	}
}

static malloc_zone_t foreign_zone;

static int
target(void)
{
	pthread_t t;
	say.zone[0] = (vm_address_t)malloc_zones[0];
	malloc_zone_t *b = malloc_create_zone(0, 0);
	malloc_set_zone_name(b, "garden");
	say.zone[1] = (vm_address_t)b;
	say.virtual = (vm_address_t)malloc_default_zone();
	foreign_zone = *b;
	static malloc_introspection_t nothing;
	foreign_zone.introspect = &nothing;
	malloc_zone_register(&foreign_zone);
	say.foreign = (vm_address_t)&foreign_zone;
	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&t, NULL, target_thread, (void *)i))
			return 2;
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	target_tell();
	put(&say, sizeof(say));
	put(told, say.items * sizeof(*told));
	raise(SIGSTOP);
	return 0;
}

/* The same where address space is scarce. */
__attribute__((unused)) static int
limited(void)
{
	struct rlimit most = { UINT64_C(6) << 30, UINT64_C(6) << 30 };
	setrlimit(RLIMIT_AS, &most);
	execl("/proc/self/exe", "child", "target", (char *)NULL);
	return 127;
}

/* Never stands still. */
__attribute__((unused)) static int
busy(void)
{
	static void *slot[512];
	uint32_t seed = 99;
	say.zone[0] = (vm_address_t)malloc_zones[0];
	put(&say, sizeof(say));
	for (;;) {
		void **p = &slot[chance(&seed, 512)];
		free(*p);
		*p = malloc(some_size(&seed) % (64 << 10));
	}
	return 0;
}

#endif
