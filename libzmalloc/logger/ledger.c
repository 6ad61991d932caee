/*
 * ledger.c - a tag for each block: the region directory and its tag arrays.
 *
 * The zones announce each region (zone/region.h); the ledger gives it an entry
 * in the segment's directory and an array of tags from the pool.  Arrays come
 * back when a region goes and are reused by power-of-two size.  Regions are
 * also kept by id in private memory, so that a new session and the scan can
 * visit them without taking a lock of the zones.
 *
 * The observer runs with locks of the zones held; it takes ledger_lock alone,
 * which fork children reset.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "logger/logger.h"
#include "os/os.h"

#ifndef MADV_REMOVE
#define MADV_REMOVE 9
#endif

enum {
	PAGE = 4096,
	PUNCH_MIN = 64 << 10, /* larger arrays give their pages back */
	ORDER_MIN = 6	      /* arrays of 64 bytes and up */
};

static struct zm_lock ledger_lock = ZM_LOCK_INIT(ZM_RANK_LEDGER);
static struct zm_region **by_id; /* [capacity], sparse */
static uint32_t capacity;
uint32_t zm_ledger_end;

/* Offsets of unused arrays, by order; linked through their second word: the
 * first, of a tag, says that there is no block. */
static uint64_t unused[64];

/* ---- tag arrays ------------------------------------------------------- */

static unsigned
order_of(size_t bytes)
{
	unsigned order =
	    bytes <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(bytes - 1);

	return order < ORDER_MIN ? ORDER_MIN : order;
}

static uint64_t
array_take(size_t bytes)
{
	unsigned order = order_of(bytes);
	uint64_t off = unused[order];

	if (!off)
		return zm_pool_alloc(order < 21 ? (size_t)1 << order : bytes);
	uint64_t *link = (uint64_t *)(zm_session.base + off) + 1;
	unused[order] = *link;
	*link = 0;
	return off;
}

/* Clears the array and keeps it for later. */
static void
array_give(uint64_t off, size_t bytes)
{
	unsigned order = order_of(bytes);
	char *p = zm_session.base + off;

	if (order >= 21) /* not a power of two: not reusable; seldom */
		order = 0;
	uintptr_t a = ((uintptr_t)p + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
	uintptr_t b = ((uintptr_t)p + bytes) & ~(uintptr_t)(PAGE - 1);
	if (bytes >= PUNCH_MIN &&
	    zm_os_madvise((void *)a, b - a, MADV_REMOVE) == 0) {
		memset(p, 0, a - (uintptr_t)p);
		memset((void *)b, 0, (uintptr_t)p + bytes - b);
	} else {
		memset(p, 0, bytes);
	}
	if (!order)
		return;
	((uint64_t *)p)[1] = unused[order];
	unused[order] = off;
}

/* ---- directory -------------------------------------------------------- */

static void
entry_fill(struct zs_region *e, const struct zm_region *r, uint64_t tags)
{
	e->base = r->base;
	e->bytes = r->bytes;
	e->tags = tags;
	e->large_size = 0;
	e->tag_count = r->tag_count;
	e->quantum = r->quantum;
	e->zone = zm_zone_recorded(r->zone);
	e->tag_shift = r->tag_shift;
	e->generation++;
	__atomic_store_n(&e->tier, r->tier, __ATOMIC_RELEASE);
}

static void
count_cover(struct zs_table *t, uint32_t id)
{
	if (t->count <= id)
		__atomic_store_n(&t->count, id + 1, __ATOMIC_RELEASE);
}

/* ledger_lock held. */
static void
region_open(struct zm_region *r)
{
	uint64_t off;

	if (r->zone == ZS_ZONE_LOGGER)
		return;
	if (!zm_table_open(&zm_session.h->regions, r->id))
		return;
	off = array_take(sizeof(struct zs_tag) * r->tag_count);
	if (!off)
		return;
	entry_fill(&zm_session.regions[r->id], r, off);
	count_cover(&zm_session.h->regions, r->id);
	__atomic_store_n(&r->tags, (uint64_t *)(zm_session.base + off),
			 __ATOMIC_RELEASE);
}

static void
added(struct zm_region *r)
{
	if (r->id >= capacity) {
		zm_trouble(ZS_TROUBLE_NO_MEMORY);
		return;
	}
	zm_lock(&ledger_lock);
	__atomic_store_n(&by_id[r->id], r, __ATOMIC_RELEASE);
	if (zm_ledger_end <= r->id)
		__atomic_store_n(&zm_ledger_end, r->id + 1, __ATOMIC_RELEASE);
	if (zm_session_active())
		region_open(r);
	zm_unlock(&ledger_lock);
}

static void
removed(struct zm_region *r)
{
	if (r->id >= capacity)
		return;
	zm_lock(&ledger_lock);
	__atomic_store_n(&by_id[r->id], NULL, __ATOMIC_RELEASE);
	if (r->tags && zm_session_active()) {
		struct zs_region *e = &zm_session.regions[r->id];
		uint64_t off = (uint64_t)((char *)r->tags - zm_session.base);
		__atomic_store_n(&e->tier, ZS_TIER_NONE, __ATOMIC_RELEASE);
		array_give(off, sizeof(struct zs_tag) * r->tag_count);
	}
	r->tags = NULL;
	zm_unlock(&ledger_lock);
}

static const struct zm_region_observer observer = { added, removed };

int
zm_ledger_boot(uint32_t regions)
{
	if (by_id) /* of a session before */
		return 0;
	by_id = zm_os_map(sizeof *by_id * regions, "zmalloc regions");
	if (!by_id)
		return -ENOMEM;
	capacity = regions;
	return 0;
}

void
zm_ledger_observe(void)
{
	zm_region_observe(&observer);
}

/* Arrays of before keep their place; what the free lists held is lost to this
 * session, which is sparse. */
static void
rebuild(void)
{
	memset(unused, 0, sizeof unused);
	for (uint32_t id = 0; id < zm_ledger_end; id++) {
		struct zm_region *r = by_id[id];
		if (!r || r->zone == ZS_ZONE_LOGGER)
			continue;
		r->tagged = 0;
		if (!r->tags) {
			region_open(r);
			continue;
		}
		if (!zm_table_open(&zm_session.h->regions, id)) {
			r->tags = NULL;
			continue;
		}
		entry_fill(&zm_session.regions[id], r,
			   (uint64_t)((char *)r->tags - zm_session.base));
		count_cover(&zm_session.h->regions, id);
	}
}

/* In a fork child: no other thread writes. */
void
zm_ledger_rebuild(void)
{
	zm_lock_init(&ledger_lock, ZM_RANK_LEDGER);
	rebuild();
}

void
zm_ledger_resume(void)
{
	zm_lock(&ledger_lock);
	rebuild();
	*zm_session_flag = 1; /* regions that come now find it */
	zm_unlock(&ledger_lock);
}

struct zm_region *
zm_ledger_region(uint32_t id)
{
	return __atomic_load_n(&by_id[id], __ATOMIC_ACQUIRE);
}
