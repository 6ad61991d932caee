/*
 * registry.c - the table of registered zones; see registry.h.
 *
 * Readers count themselves in one of two counters; who removes a zone turns
 * new readers over to the other counter and waits until the old one is zero.
 *
 * Relies on os.h (protection of pages) and state.h.  Called by the entry
 * points, the zone functions, fork.c and boot.c.
 */
#include "malloc/registry.h"

#include <sys/mman.h>

#include "malloc/message.h"
#include "malloc/state.h"
#include "os/lock.h"
#include "os/os.h"

ZM_EXPORT unsigned malloc_num_zones;
ZM_EXPORT malloc_zone_t **malloc_zones;
const struct zm_registry_image zm_registry_image = {
	&malloc_num_zones, (malloc_zone_t *const *const *)&malloc_zones
};

enum { TABLE_BYTES = ZM_ZONES * sizeof(malloc_zone_t *) };

static struct zm_lock lock = ZM_LOCK_INIT(ZM_RANK_REGISTRY);
static uint32_t readers[2]; /* atomic */
static unsigned turn;	    /* which counter new readers use; atomic */
static unsigned foreign;    /* foreign zones in the table; atomic */

unsigned
zm_registry_enter(void)
{
	for (;;) {
		unsigned t = __atomic_load_n(&turn, __ATOMIC_SEQ_CST);
		__atomic_fetch_add(&readers[t], 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) == t)
			return t;
		__atomic_fetch_sub(&readers[t], 1, __ATOMIC_SEQ_CST);
	}
}

void
zm_registry_leave(unsigned t)
{
	__atomic_fetch_sub(&readers[t], 1, __ATOMIC_SEQ_CST);
}

/* With the lock held: until nobody can still hold a zone that is not in the
 * table any more. */
static void
wait_for_readers(void)
{
	unsigned old = turn;
	__atomic_store_n(&turn, !old, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&readers[old], __ATOMIC_SEQ_CST))
		zm_os_yield();
}

unsigned
zm_registry_count(void)
{
	return __atomic_load_n(&malloc_num_zones, __ATOMIC_ACQUIRE);
}

malloc_zone_t *
zm_registry_get(unsigned i)
{
	if (i >= zm_registry_count())
		return NULL;
	return __atomic_load_n(&malloc_zones[i], __ATOMIC_ACQUIRE);
}

malloc_zone_t *
zm_registry_default(void)
{
	return zm_registry_get(0);
}

static bool
table_open(void)
{
	if (malloc_zones)
		return zm_os_protect(malloc_zones, TABLE_BYTES,
				     PROT_READ | PROT_WRITE) == 0;
	malloc_zones = zm_os_map(TABLE_BYTES, "zmalloc zone table");
	return malloc_zones != NULL;
}

static void
table_close(void)
{
	zm_os_protect(malloc_zones, TABLE_BYTES, PROT_READ);
}

/* After each change of entry 0. */
static void
default_changed(void)
{
	malloc_zone_t *z = malloc_num_zones ? malloc_zones[0] : NULL;
	struct zm_zone *ours = z ? zm_zone_ours(z) : NULL;
	zm_slow_set(ZM_SLOW_DEFAULT, !ours || ours->id != ZM_ZONE_ID_MAIN);
}

static int
find(const malloc_zone_t *zone)
{
	for (unsigned i = 0; i < malloc_num_zones; i++)
		if (malloc_zones[i] == zone)
			return (int)i;
	return -1;
}

bool
zm_registry_add(malloc_zone_t *zone)
{
	bool done = false;
	zm_lock(&lock);
	if (malloc_num_zones < ZM_ZONES && find(zone) < 0 && table_open()) {
		malloc_zones[malloc_num_zones] = zone;
		table_close();
		if (!zm_zone_ours(zone))
			__atomic_fetch_add(&foreign, 1, __ATOMIC_SEQ_CST);
		__atomic_store_n(&malloc_num_zones, malloc_num_zones + 1,
				 __ATOMIC_RELEASE);
		default_changed();
		done = true;
	}
	zm_unlock(&lock);
	return done;
}

bool
zm_registry_remove(malloc_zone_t *zone)
{
	bool done = false;
	zm_lock(&lock);
	int i = find(zone);
	if (i >= 0 && table_open()) {
		unsigned last = malloc_num_zones - 1;
		__atomic_store_n(&malloc_zones[i], malloc_zones[last],
				 __ATOMIC_RELEASE);
		__atomic_store_n(&malloc_num_zones, last, __ATOMIC_RELEASE);
		table_close();
		if (!zm_zone_ours(zone))
			__atomic_fetch_sub(&foreign, 1, __ATOMIC_SEQ_CST);
		default_changed();
		wait_for_readers();
		done = true;
	}
	zm_unlock(&lock);
	return done;
}

malloc_zone_t *
zm_registry_foreign(const void *p, size_t *size)
{
	malloc_zone_t *z;
	if (!__atomic_load_n(&foreign, __ATOMIC_ACQUIRE))
		return NULL;
	for (unsigned i = 0; (z = zm_registry_get(i)); i++) {
		if (zm_zone_ours(z))
			continue;
		*size = z->size(z, p);
		if (*size)
			return z;
	}
	return NULL;
}

void
zm_registry_each_foreign(void (*fn)(malloc_zone_t *))
{
	for (unsigned i = 0; foreign && i < malloc_num_zones; i++)
		if (!zm_zone_ours(malloc_zones[i]))
			fn(malloc_zones[i]);
}

void
zm_registry_lock(void)
{
	zm_lock(&lock);
}

void
zm_registry_unlock(void)
{
	zm_unlock(&lock);
}

void
zm_registry_reinit(void)
{
	/* readers of threads that are not in this process any more */
	readers[0] = readers[1] = 0;
	zm_lock_init(&lock, ZM_RANK_REGISTRY);
}
