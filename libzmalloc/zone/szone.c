/*
 * szone.c - see szone.h: a zone of all tiers, and the choice between them.
 *
 * Relies on the tiers and the threads' caches.  Called by malloc/.
 *
 * One zone at a time, the first that allows it, is served by the threads'
 * caches: that is the default zone.  All other zones work under the locks of
 * their magazines.
 */
#include "zone/szone.h"

#include <stdlib.h>
#include <string.h>

#include "zone/cache.h"
#include "zone/depot.h"
#include "zone/directory.h"
#include "zone/fast.h"
#include "zone/large.h"
#include "zone/nano.h"
#include "zone/rack.h"
#include "zone/slabs.h"
#include "zone/trace.h"
#include "zone/transfer.h"

struct zm_zone_config zm_zone_config = {
	.medium = true,
	.large_cache = true,
	.nano = true,
	.retained_regions = 2,
	.nano_keep = 16,
	.large_expanded_ram = UINT64_C(32) << 30,
};

static void
fatal_default(const char *why, const void *p)
{
	(void)why;
	(void)p;
	abort();
}
void (*zm_zone_fatal)(const char *why, const void *p) = fatal_default;

static struct zm_szone *cached_zone; /* served by the threads' caches */

/* ---- life of a zone ----------------------------------------------------- */

static unsigned
magazine_count(void)
{
	unsigned n = zm_os_ncpu(), most = zm_zone_config.max_magazines;
	if (most && n > most)
		n = most;
	return n > ZM_MAGAZINES_MAX ? ZM_MAGAZINES_MAX : n;
}

static void
make_key(void)
{
	uintptr_t key;
	if (zm_cache_key)
		return;
	zm_os_random(&key, sizeof(key));
	/* no address has the top bit: words that are zero never look cached */
	zm_cache_key = key | (uintptr_t)1 << 63;
}

struct zm_szone *
zm_szone_create(uint16_t id, unsigned flags)
{
	unsigned nmag = magazine_count();
	size_t head = zm_round_up(sizeof(struct zm_szone), 64);
	size_t nano = nmag * sizeof(struct zm_nano_mag);
	size_t each = (nmag + 1) * sizeof(struct zm_magazine);
	size_t table = ZM_TABLE_CHUNKS * sizeof(struct zm_rregion **);
	size_t chains = nmag * sizeof(struct zm_transfer);
	size_t bytes = head + nano + ZM_RACKS * (each + table) + chains;
	if (!zm_arena_start())
		return NULL;
	make_key();
	struct zm_szone *z = zm_meta_alloc(bytes);
	if (!z)
		return NULL;
	z->id = id;
	z->nmag = (uint16_t)nmag;
	z->meta_bytes = bytes;
	z->nano = zm_zone_config.nano && !(flags & ZM_SZONE_NO_NANO);
	z->medium = zm_zone_config.medium && !zm_arena_limited;
	z->nano_mags = (struct zm_nano_mag *)((char *)z + head);
	struct zm_szone *none = NULL;
	z->cached =
	    !(flags & ZM_SZONE_NO_CACHE) && !zm_zone_config.scribble &&
	    __atomic_compare_exchange_n(&cached_zone, &none, z, false,
					__ATOMIC_RELAXED, __ATOMIC_RELAXED);
	zm_nano_init(z);
	char *at = (char *)z->nano_mags + nano;
	for (unsigned i = 0; i < ZM_RACKS; i++, at += each)
		zm_rack_init(&z->rack[i], z, ZM_TIER_TINY + i,
			     (struct zm_magazine *)at);
	for (unsigned i = 0; i < ZM_RACKS; i++, at += table)
		z->rack[i].table = (struct zm_rregion ***)at;
	z->transfer = (struct zm_transfer *)at;
	for (unsigned i = 0; i < nmag; i++)
		zm_lock_init_zeroed(&z->transfer[i].lock, ZM_RANK_TRANSFER);
	zm_large_init(z);
	return z;
}

void
zm_szone_destroy(struct zm_szone *z)
{
	zm_cache_forget(z);
	zm_transfer_forget(z);
	if (z->cached)
		__atomic_store_n(&cached_zone, NULL, __ATOMIC_RELAXED);
	zm_nano_destroy(z);
	for (unsigned i = 0; i < ZM_RACKS; i++)
		zm_rack_destroy(&z->rack[i]);
	zm_large_destroy(z);
	zm_meta_free(z, z->meta_bytes);
}

struct zm_szone *
zm_szone_of(const struct zm_region *r)
{
	return r->owner;
}

struct zm_szone *
zm_szone_cached(void)
{
	return __atomic_load_n(&cached_zone, __ATOMIC_RELAXED);
}

uint16_t
zm_szone_id(const struct zm_szone *z)
{
	return z->id;
}

/* ---- allocating --------------------------------------------------------- */

static unsigned
any_mag(const struct zm_szone *z)
{
	const struct zm_cache *c = zm_cache_current;
	return c && c->zone == z ? c->mag : zm_os_cpu() % z->nmag;
}

/* The rack for a size that is not nano's, NULL when it is large. */
static struct zm_rack *
rack_for(struct zm_szone *z, size_t size)
{
	if (size <= ZM_TINY_MAX)
		return &z->rack[0];
	if (size <= ZM_SMALL_MAX)
		return &z->rack[1];
	if (size <= ZM_MEDIUM_MAX && z->medium)
		return &z->rack[2];
	return NULL;
}

/* A block that no cache holds. */
static void *
alloc_direct(struct zm_szone *z, size_t size, bool *zero)
{
	void *p = NULL;
	*zero = false;
	if (size <= ZM_NANO_MAX && z->nano) {
		unsigned class = size ? (unsigned)((size + 15) >> 4) : 1;
		zm_nano_take(z, any_mag(z), class, 1, &p);
		return p;
	}
	struct zm_rack *k = rack_for(z, size);
	if (!k)
		return zm_large_alloc(z, size, 1, zero);
	return zm_rack_alloc(k, any_mag(z), zm_rack_quanta(k, size), zero);
}

static void *
alloc(struct zm_szone *z, size_t size, bool *zero)
{
	struct zm_cache *c = zm_cache_of(z);
	unsigned bin = c ? zm_bin_for(size) : 0;
	void *p = NULL;
	if (bin && (bin < ZM_BIN_MEDIUM || c->bin[bin].head)) {
		*zero = false;
		return zm_cache_alloc(c, bin);
	}
	if (c && bin) {
		zm_cache_asked(c, bin);
	} else if (c && size <= ZM_MEDIUM_MAX) {
		*zero = false;
		p = zm_cache_take_big(c, zm_medium_bytes(size));
	}
	return p ? p : alloc_direct(z, size, zero);
}

static void *
malloc_slow(struct zm_szone *z, size_t size)
{
	bool zero;
	if (size > PTRDIFF_MAX)
		return NULL;
	void *p = alloc(z, size, &zero);
	if (p && ZM_UNLIKELY(zm_zone_config.scribble))
		memset(p, 0xaa, size);
	return p;
}

void *
zm_szone_malloc(struct zm_szone *z, size_t size)
{
	void *p = z->cached ? zm_fast_malloc(size) : NULL;
	return ZM_LIKELY(p != NULL) ? p : malloc_slow(z, size);
}

void *
zm_szone_calloc(struct zm_szone *z, size_t size)
{
	bool zero = false;
	if (size > PTRDIFF_MAX)
		return NULL;
	void *p = z->cached ? zm_fast_malloc(size) : NULL;
	if (!p)
		p = alloc(z, size, &zero);
	if (p && !zero)
		memset(p, 0, size);
	return p;
}

/* Every slot and quantum is a multiple of 16; more is found in this order: a
 * nano slot whose size is a multiple of the alignment, a rack's block cut out
 * of a longer one, a mapping. */
static void *
memalign_direct(struct zm_szone *z, size_t align, size_t size, bool *zero)
{
	size_t slot = zm_round_up(size, align), sum;
	if (__builtin_add_overflow(size, align, &sum))
		return NULL;
	if (z->nano && slot <= ZM_NANO_MAX)
		return alloc(z, slot, zero);
	for (unsigned i = 0; i < ZM_RACKS; i++) {
		struct zm_rack *k = &z->rack[i];
		if (i == 2 && !z->medium)
			break;
		size_t quantum = (size_t)1 << k->qshift;
		size_t most = (size_t)k->max_quanta << k->qshift;
		size_t slack = align > quantum ? align - quantum : 0;
		if (size > most || slack > most || size + slack > most)
			continue;
		unsigned n = zm_rack_quanta(k, size);
		void *p = zm_rack_memalign(k, any_mag(z), n, align);
		if (p)
			return p;
	}
	return zm_large_alloc(z, size, align, zero);
}

void *
zm_szone_memalign(struct zm_szone *z, size_t align, size_t size)
{
	bool zero;
	if (align <= 16)
		return zm_szone_malloc(z, size);
	if (size > PTRDIFF_MAX || align > PTRDIFF_MAX)
		return NULL;
	if (!size)
		size = 1;
	void *p = memalign_direct(z, align, size, &zero);
	if (p && zm_zone_config.scribble)
		memset(p, 0xaa, size);
	return p;
}

/* ---- freeing ------------------------------------------------------------ */

/* Usable bytes of the live or cached block that starts at p, or 0. */
static size_t
length_at(const struct zm_region *r, const void *p)
{
	switch (r->tier) {
	case ZM_TIER_NANO:
		return zm_nano_is_start(r, (uintptr_t)p) ? r->quantum : 0;
	case ZM_TIER_LARGE:
		return (uintptr_t)p == r->base ? r->bytes : 0;
	default:
		return (size_t)zm_rack_length((const struct zm_rregion *)r,
					      (uintptr_t)p) *
		       r->quantum;
	}
}

/* Nothing live starts at p: free space was a block once, most likely. */
static const char *
complaint(const struct zm_region *r, const void *p)
{
	struct zm_block b;
	if ((uintptr_t)p & 15)
		return "Non-aligned pointer being freed";
	bool block = zm_block_at(p, &b);
	if (r->tier == ZM_TIER_NANO ? block && b.start == (uintptr_t)p : !block)
		return "Double free of object";
	return "pointer being freed was not allocated";
}

static void
free_uncached(struct zm_szone *z, struct zm_region *r, void *p)
{
	if (r->tier == ZM_TIER_NANO)
		zm_nano_give(z, &p, 1);
	else
		zm_rack_free(((struct zm_rregion *)r)->rack,
			     (struct zm_rregion *)r, p);
}

static void
free_slow(struct zm_szone *z, struct zm_region *r, void *p)
{
	if (r->tier == ZM_TIER_LARGE) {
		zm_large_free(z, (struct zm_large *)r, p);
		return;
	}
	size_t bytes = length_at(r, p);
	if (!bytes) {
		zm_zone_fatal(complaint(r, p), p);
		return;
	}
	if (zm_zone_config.scribble)
		memset(p, 0x55, bytes);
	if (z->cached) {
		if (zm_looks_cached(p)) {
			zm_zone_fatal("Double free of object", p);
			return;
		}
		struct zm_cache *c = zm_cache_of(z);
		unsigned bin = c ? zm_bin_for(bytes) : 0;
		if (bin ? zm_cache_put(c, bin, p)
			: c && zm_cache_put_big(c, p, bytes))
			return;
	}
	free_uncached(z, r, p);
}

void
zm_szone_free(struct zm_szone *z, struct zm_region *r, void *p)
{
	if (!z->cached || !zm_fast_free(p))
		free_slow(z, r, p);
}

/* ---- sizes -------------------------------------------------------------- */

/*
 * A block stays where it is unless it would waste more than half and a lower
 * tier has a better place for it.
 */
bool
zm_szone_resize(struct zm_szone *z, void *p, size_t size)
{
	struct zm_region *r = zm_region_of(p);
	if (!r || r->owner != z || size > PTRDIFF_MAX)
		return false;
	size_t now = length_at(r, p);
	if (!now)
		return false;
	if (r->tier == ZM_TIER_NANO)
		return size <= now && size > now / 2;
	if (size > now / 2 && size <= now && r->tier != ZM_TIER_LARGE)
		return true;
	struct zm_rack *k = rack_for(z, size);
	unsigned tier = z->nano && size <= ZM_NANO_MAX ? ZM_TIER_NANO
			: k			       ? k->tier
						       : ZM_TIER_LARGE;
	if (tier != r->tier)
		return size > now / 2 && size <= now;
	if (tier == ZM_TIER_LARGE)
		return zm_large_resize(z, (struct zm_large *)r, size);
	return zm_rack_resize(k, (struct zm_rregion *)r, p, size);
}

size_t
zm_block_size_live(const void *p)
{
	size_t bytes = zm_fast_size(p);
	if (!bytes)
		bytes = zm_block_size(p);
	if (!bytes)
		return 0;
	const struct zm_region *r = zm_region_of(p);
	bool rests = r && r->owner->cached && zm_looks_cached(p);
	return rests ? 0 : bytes;
}

size_t
zm_szone_good_size(struct zm_szone *z, size_t size)
{
	if (size <= ZM_NANO_MAX && z->nano)
		return size ? zm_round_up(size, 16) : 16;
	struct zm_rack *k = rack_for(z, size);
	if (k)
		return (size_t)zm_rack_quanta(k, size) << k->qshift;
	if (size > PTRDIFF_MAX)
		return size;
	return zm_round_up(size, zm_os_page_size());
}

size_t
zm_szone_pressure_relief(struct zm_szone *z, size_t goal)
{
	struct zm_cache *c = zm_cache_current;
	ZM_TRACE(malloc_memory_pressure, z->id, goal);
	ZM_TRACE_MAG(pressureReliefBegin, z->id, goal);
	size_t begin = zm_os_release_begin(), total = 0;
	if (c && c->zone == z)
		zm_cache_flush(c);
	if (z->cached)
		zm_cache_flush_chains(z);
	zm_large_relief(z);
	for (unsigned i = ZM_RACKS; i-- > 0 && (!goal || total < goal);) {
		zm_rack_relief(&z->rack[i]);
		total = zm_os_released(begin);
	}
	if (!goal || total < goal)
		zm_nano_relief(z);
	total = zm_os_released(begin);
	zm_os_release_end();
	ZM_TRACE_MAG(pressureReliefEnd, z->id, goal, total);
	return total;
}

/* ---- locks -------------------------------------------------------------- */

static void
each_lock(struct zm_szone *z, void (*fn)(struct zm_lock *))
{
	for (unsigned i = 0; i < z->nmag; i++)
		fn(&z->nano_mags[i].lock);
	for (unsigned k = 0; k < ZM_RACKS; k++)
		for (unsigned i = 0; i < z->rack[k].nmag; i++)
			fn(&z->rack[k].mags[i].lock);
	fn(&z->large.lock);
	for (unsigned k = 0; k < ZM_RACKS; k++)
		fn(&z->rack[k].mags[z->rack[k].nmag].lock);
	for (unsigned k = 0; k < ZM_RACKS; k++)
		fn(&z->rack[k].table_lock);
	for (unsigned i = 0; z->cached && i < z->nmag; i++)
		fn(&z->transfer[i].lock);
}

static void
reset_lock(struct zm_lock *l)
{
	zm_lock_init(l, l->rank);
}

void
zm_szone_lock(struct zm_szone *z)
{
	each_lock(z, zm_lock);
}

void
zm_szone_unlock(struct zm_szone *z)
{
	each_lock(z, zm_unlock);
}

void
zm_szone_reinit_locks(struct zm_szone *z)
{
	each_lock(z, reset_lock);
}

bool
zm_szone_locked(struct zm_szone *z)
{
	bool locked = zm_locked(&z->large.lock);
	for (unsigned i = 0; i < z->nmag; i++)
		locked |= zm_locked(&z->nano_mags[i].lock);
	for (unsigned k = 0; k < ZM_RACKS; k++)
		for (unsigned i = 0; i <= z->rack[k].nmag; i++)
			locked |= zm_locked(&z->rack[k].mags[i].lock);
	return locked;
}

void
zm_zone_globals_lock(void)
{
	zm_slabs_lock();
	zm_large_pool_lock();
	zm_rregion_pool_lock();
	zm_cache_lock();
	zm_directory_lock();
	zm_arena_lock();
}

void
zm_zone_globals_unlock(void)
{
	zm_arena_unlock();
	zm_directory_unlock();
	zm_cache_unlock();
	zm_rregion_pool_unlock();
	zm_large_pool_unlock();
	zm_slabs_unlock();
}

void
zm_zone_globals_reinit(void)
{
	zm_arena_reinit();
	zm_directory_reinit();
	zm_rregion_pool_reinit();
	zm_large_pool_reinit();
	zm_slabs_reinit();
	zm_cache_reinit();
}

void
zm_zone_after_fork(struct zm_szone *z)
{
	zm_cache_reap(z);
}
