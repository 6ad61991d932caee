/*
 * zone_model.c - random operations on zones, each checked against a shadow
 * map: alignment, usable size, contents, zeroes of calloc, neighbours,
 * enumeration and statistics equal to the map, all invariants.
 *
 * Single-threaded with every combination of nano and caches, then threads
 * that free each other's blocks while zones come and go.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "os/os.h"
#include "zone_util.h"

enum { SLOTS = 4000, THREADS = 4, SHARED = 512 };

#ifdef __SANITIZE_THREAD__
static unsigned long steps = 20000;
#else
static unsigned long steps = 300000;
#endif

static size_t
random_align(uint64_t *r)
{
	return (size_t)1 << (rnd(r) % 64 ? 5 + rnd(r) % 8 : rnd(r) % 22);
}

static void
new_block(struct zm_szone *z, struct shadow *s, uint64_t *r)
{
	size_t size = random_size(r), align = 16;
	unsigned how = rnd(r) % 16;
	if (how < 3) {
		s->p = zm_szone_calloc(z, size);
		for (size_t i = 0; s->p && i<size; i += size> 65536 ? 509 : 1)
			if (s->p[i]) {
				fail("calloc(%zu): byte %zu is %d", size, i,
				     s->p[i]);
				break;
			}
	} else if (how == 3) {
		align = random_align(r);
		size = size > 1 << 20 ? size / 16 : size;
		s->p = zm_szone_memalign(z, align, size);
	} else {
		s->p = zm_szone_malloc(z, size);
	}
	if (!s->p) {
		fail("no memory for %zu bytes", size);
		return;
	}
	s->size = size;
	s->usable = zm_block_size(s->p);
	s->seed = (unsigned char)rnd(r);
	if (((uintptr_t)s->p & (align - 1)) || ((uintptr_t)s->p & 15))
		fail("%p is not aligned to %zu", (void *)s->p, align);
	if (s->usable < size || (how != 3 && s->usable > 2 * size + 65536))
		fail("usable %zu for %zu", s->usable, size);
	pattern(s, true);
}

static void
end_block(struct zm_szone *z, struct shadow *s)
{
	if (!pattern(s, false))
		fail("contents of %p (%zu) changed", (void *)s->p, s->size);
	zfree(z, s->p);
	s->p = NULL;
}

static void
change_block(struct zm_szone *z, struct shadow *s, uint64_t *r)
{
	size_t size = s->size / 2 + rnd(r) % (s->size + 64);
	if (!pattern(s, false))
		fail("contents of %p (%zu) changed", (void *)s->p, s->size);
	if (!zm_szone_resize(z, s->p, size)) {
		if (zm_block_size(s->p) != s->usable)
			fail("a failed resize changed the block");
		return;
	}
	size_t kept = size < s->size ? size : s->size;
	struct shadow front = *s;
	front.size = kept <= 2048 ? kept : 64;
	if (!pattern(&front, false) && s->size <= 2048)
		fail("resize lost contents");
	s->usable = zm_block_size(s->p);
	s->size = size;
	if (s->usable < size)
		fail("usable %zu after resize to %zu", s->usable, size);
	pattern(s, true);
}

static void
look_inside(const struct shadow *s, uint64_t *r)
{
	struct zm_block b;
	const unsigned char *q = s->p + rnd(r) % s->usable;
	if (!zm_block_at(q, &b) || b.start != (uintptr_t)s->p ||
	    b.usable != s->usable || !b.live)
		fail("block_at(%p) does not find %p", (const void *)q,
		     (const void *)s->p);
	else if (zm_tag_index(b.region, b.start) != b.index ||
		 b.index >= b.region->tag_count)
		fail("tag index of %p", (const void *)s->p);
	if (q != s->p && zm_block_size(q))
		fail("an interior address has a size");
}

static void
random_walk(struct zm_szone *z, uint64_t seed, unsigned long n)
{
	struct shadow *map = test_map(SLOTS * sizeof(*map));
	unsigned slots = SLOTS;
	for (unsigned long i = 0; i < n && !test_why; i++) {
		if (!(rnd(&seed) % 4096)) /* grow and shrink in waves */
			slots = 1 + rnd(&seed) % SLOTS;
		unsigned k = (unsigned)(rnd(&seed) % SLOTS);
		struct shadow *s = &map[k];
		if (!s->p && k < slots)
			new_block(z, s, &seed);
		else if (s->p && rnd(&seed) % 4 == 0 && k < slots)
			change_block(z, s, &seed);
		else if (s->p)
			end_block(z, s);
		if (s->p)
			look_inside(s, &seed);
		if (!(rnd(&seed) % (n / 60 + 1))) {
			same_as_shadow(z, map, SLOTS);
			sound(z);
		}
		if (!(rnd(&seed) % (n / 10 + 1)))
			zm_szone_pressure_relief(z, 0);
	}
	for (unsigned k = 0; k < SLOTS; k++)
		if (map[k].p)
			end_block(z, &map[k]);
	same_as_shadow(z, map, SLOTS);
	sound(z);
	munmap(map, SLOTS * sizeof(*map));
}

/* ---- threads ------------------------------------------------------------ */

static struct shadow shared[SHARED];
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static struct zm_szone *shared_zone;

/* Exchanges a block of ours with one of somebody else's. */
static void
swap_shared(struct shadow *s, uint64_t *r)
{
	struct shadow *other = &shared[rnd(r) % SHARED], t;
	pthread_mutex_lock(&shared_lock);
	t = *other;
	*other = *s;
	*s = t;
	pthread_mutex_unlock(&shared_lock);
}

static void *
worker(void *arg)
{
	uint64_t r = (uintptr_t)arg * 77;
	struct zm_szone *own =
	    zm_szone_create((uint16_t)(10 + (uintptr_t)arg), 0);
	struct shadow *map = test_map(SLOTS * sizeof(*map));
	zm_cache_use(zm_cache_create());
	for (unsigned long i = 0; i < steps / 4 && !test_why; i++) {
		struct shadow *s = &map[rnd(&r) % (SLOTS / 4)];
		if (!s->p)
			new_block(shared_zone, s, &r);
		else if (rnd(&r) % 2)
			swap_shared(s, &r);
		else
			end_block(shared_zone, s);
		if (!(i % 20000)) { /* a zone dies with blocks in it */
			for (int k = 0; k < 200; k++)
				memset(zm_szone_malloc(own, 100 * k), 1,
				       100 * k);
			zm_szone_destroy(own);
			own =
			    zm_szone_create((uint16_t)(10 + (uintptr_t)arg), 0);
		}
	}
	for (unsigned k = 0; k < SLOTS; k++)
		if (map[k].p)
			end_block(shared_zone, &map[k]);
	munmap(map, SLOTS * sizeof(*map));
	zm_szone_destroy(own);
	zm_cache_destroy(zm_cache_current);
	zm_cache_use(NULL);
	return NULL;
}

static void
threads(struct zm_szone *z)
{
	pthread_t id[THREADS];
	shared_zone = z;
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&id[i], NULL, worker, (void *)(i + 1));
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(id[i], NULL);
	same_as_shadow(z, shared, SHARED);
	sound(z);
	for (unsigned i = 0; i < SHARED; i++)
		if (shared[i].p)
			end_block(z, &shared[i]);
	same_as_shadow(z, shared, SHARED);
	sound(z);
}

/* A machine of 64 CPUs, as far as the library can see. */
static bool
many_cpus(long nr, const long arg[6], long *result)
{
	if (nr != SYS_sched_getaffinity || (size_t)arg[1] < 8)
		return false;
	memset((void *)arg[2], 0xff, 8);
	*result = 8;
	return true;
}

/* Each thread has magazines of its own then. */
static void
with_64_cpus(uint64_t seed)
{
	zm_os_override = many_cpus;
	struct zm_szone *z = zm_szone_create(1, 0);
	CHECK(zm_os_ncpu() == 64);
	zm_os_override = NULL;
	random_walk(z, seed, steps / 4);
	threads(z);
	zm_szone_destroy(z);
	result("zone_model 64 CPUs");
}

int
main(int argc, char **argv)
{
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	if (argc > 1)
		steps = strtoul(argv[1], NULL, 0);

	struct zm_szone *z = zm_szone_create(1, 0);
	zm_cache_use(zm_cache_create());
	CHECK(zm_szone_cached() == z);
	random_walk(z, seed, steps);
	result("zone_model cached");
	threads(z);
	result("zone_model threads, cached");
	zm_szone_destroy(z);

	z = zm_szone_create(3, ZM_SZONE_NO_CACHE);
	random_walk(z, seed + 1, steps / 2);
	result("zone_model uncached");
	threads(z);
	result("zone_model threads, uncached");
	zm_szone_destroy(z);

	z = zm_szone_create(4, ZM_SZONE_NO_CACHE | ZM_SZONE_NO_NANO);
	random_walk(z, seed + 2, steps / 2);
	result("zone_model without nano");
	zm_szone_destroy(z);

	z = zm_szone_create(1, ZM_SZONE_NO_NANO);
	CHECK(zm_szone_cached() == z);
	random_walk(z, seed + 3, steps / 2);
	result("zone_model cached without nano");
	zm_szone_destroy(z);
	with_64_cpus(seed + 4);
	return test_failures != 0;
}
