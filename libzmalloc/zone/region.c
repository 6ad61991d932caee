/*
 * region.c - the directory of regions, and look-ups by address.
 *
 * Contract in region.h.  Relies on the arena's table; the tiers answer for
 * what is inside their regions.
 */
#include "zone/region.h"

#include "zone/arena.h"
#include "zone/directory.h"
#include "zone/meta.h"
#include "zone/remote.h"

enum { CHUNK_LOG = 12, CHUNK = 1 << CHUNK_LOG, CHUNKS = 4096 };

/* id -> region; an unused entry holds (next unused id << 1 | 1). */
static uintptr_t *directory[CHUNKS] ZM_TABLE;
static uint32_t id_end;		      /* ids ever given */
static uint32_t id_free = UINT32_MAX; /* first unused id below id_end */
static struct zm_lock lock = ZM_LOCK_INIT(ZM_RANK_REGIONS);
static const struct zm_region_observer *observer;

const struct zm_region_image zm_region_image = { directory, &id_end, CHUNK,
						 CHUNKS };

static uintptr_t *
entry(uint32_t id)
{
	return &directory[id >> CHUNK_LOG][id & (CHUNK - 1)];
}

static bool
id_take(struct zm_region *r)
{
	uint32_t id = id_free;
	if (id != UINT32_MAX) {
		id_free = (uint32_t)(*entry(id) >> 1);
	} else {
		id = id_end;
		if (id >= CHUNK * CHUNKS)
			return false;
		uintptr_t **chunk = &directory[id >> CHUNK_LOG];
		if (!*chunk &&
		    !(*chunk = zm_meta_alloc(CHUNK * sizeof(**chunk))))
			return false;
		id_end++;
	}
	r->id = id;
	*entry(id) = (uintptr_t)r;
	return true;
}

static void
id_give(uint32_t id)
{
	*entry(id) = (uintptr_t)id_free << 1 | 1;
	id_free = id;
}

bool
zm_region_add(struct zm_region *r, size_t span, uint64_t fast0,
	      uint64_t fast_step)
{
	zm_lock(&lock);
	bool done = id_take(r);
	if (done) {
		r->tags = NULL;
		r->tagged = 0;
		if (observer)
			observer->added(r);
		done = zm_slices_set(r->base, span, r, fast0, fast_step);
		if (!done) {
			if (observer)
				observer->removed(r);
			id_give(r->id);
		}
	}
	zm_unlock(&lock);
	return done;
}

void
zm_region_remove(struct zm_region *r, size_t span)
{
	zm_lock(&lock);
	zm_slices_set(r->base, span, NULL, 0, 0);
	if (observer)
		observer->removed(r);
	r->tags = NULL;
	id_give(r->id);
	ZM_STORE(&r->bytes, 0);
	ZM_STORE(&r->base, 0);
	zm_unlock(&lock);
}

bool
zm_region_resized(struct zm_region *r, size_t old_span, size_t span)
{
	bool done = true;
	zm_lock(&lock);
	if (span > old_span)
		done =
		    zm_slices_set(r->base + old_span, span - old_span, r, 0, 0);
	else if (span < old_span)
		zm_slices_set(r->base + span, old_span - span, NULL, 0, 0);
	zm_unlock(&lock);
	return done;
}

struct zm_region *
zm_region_of(const void *p)
{
	struct zm_slice *s = zm_slice_of((uintptr_t)p);
	return s ? __atomic_load_n(&s->region, __ATOMIC_ACQUIRE) : NULL;
}

bool
zm_block_at(const void *p, struct zm_block *out)
{
	struct zm_region *r = zm_region_of(p);
	if (!r)
		return false;
	switch (r->tier) {
	case ZM_TIER_NANO:
		return zm_nano_block_at(r, (uintptr_t)p, out);
	case ZM_TIER_TINY:
	case ZM_TIER_SMALL:
	case ZM_TIER_MEDIUM:
		return zm_rack_block_at(r, (uintptr_t)p, out);
	case ZM_TIER_LARGE:
		return zm_large_block_at(r, (uintptr_t)p, out);
	}
	return false;
}

size_t
zm_block_size(const void *p)
{
	struct zm_block b;
	if (!zm_block_at(p, &b) || b.start != (uintptr_t)p || !b.live)
		return 0;
	return b.usable;
}

void
zm_region_each(void (*fn)(struct zm_region *, void *), void *ctx)
{
	zm_region_each_of(NULL, fn, ctx);
}

void
zm_region_each_of(const struct zm_szone *zone,
		  void (*fn)(struct zm_region *, void *), void *ctx)
{
	zm_lock(&lock);
	for (uint32_t id = 0; id < id_end; id++) {
		struct zm_region *r = (struct zm_region *)*entry(id);
		if (!((uintptr_t)r & 1) && (!zone || r->owner == zone))
			fn(r, ctx);
	}
	zm_unlock(&lock);
}

void
zm_region_observe(const struct zm_region_observer *o)
{
	zm_lock(&lock);
	observer = o;
	for (uint32_t id = 0; o && id < id_end; id++) {
		struct zm_region *r = (struct zm_region *)*entry(id);
		if (!((uintptr_t)r & 1) && !r->tags)
			o->added(r);
	}
	zm_unlock(&lock);
}

void
zm_directory_lock(void)
{
	zm_lock(&lock);
}

void
zm_directory_unlock(void)
{
	zm_unlock(&lock);
}

void
zm_directory_reinit(void)
{
	zm_lock_init(&lock, ZM_RANK_REGIONS);
}
