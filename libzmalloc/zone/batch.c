/*
 * batch.c - many blocks at once: see szone.h.
 *
 * Blocks go between the caller and the magazines directly, under one lock for
 * all that one magazine has; the threads' caches are left alone.  Whatever is
 * not a plain case (large blocks, pointers that are no block) takes the way of
 * single blocks.
 *
 * Relies on nano and rack.  Called by malloc/batch.c.
 */
#include <string.h>

#include "zone/cache.h"
#include "zone/fast.h"
#include "zone/nano.h"
#include "zone/rack.h"

/* ---- taking ------------------------------------------------------------- */

static unsigned
magazine(const struct zm_szone *z)
{
	const struct zm_cache *c = zm_cache_current;
	return c && c->zone == z ? c->mag : zm_os_cpu() % z->nmag;
}

static unsigned
take_large(struct zm_szone *z, size_t size, void **out, unsigned count)
{
	unsigned got = 0;
	while (got < count && (out[got] = zm_szone_malloc(z, size)))
		got++;
	return got;
}

/* As many as one visit to a magazine gives; 0: there are none. */
static unsigned
take(struct zm_szone *z, size_t size, void **out, unsigned count)
{
	if (size <= ZM_NANO_MAX && z->nano) {
		unsigned class = size ? (unsigned)((size + 15) >> 4) : 1;
		return zm_nano_take(z, magazine(z), class, count, out);
	}
	for (unsigned i = 0; i < (z->medium ? 3u : 2u); i++) {
		struct zm_rack *k = &z->rack[i];
		unsigned n = zm_rack_quanta(k, size);
		if (n)
			return zm_rack_take(k, magazine(z), n, count, out);
	}
	return 0;
}

unsigned
zm_szone_batch_malloc(struct zm_szone *z, size_t size, void **out,
		      unsigned count)
{
	unsigned got = 0, more;
	if (size > (z->medium ? ZM_MEDIUM_MAX : ZM_SMALL_MAX))
		return take_large(z, size, out, count);
	while (got < count && (more = take(z, size, out + got, count - got)))
		got += more;
	for (unsigned i = 0; i < got; i++) {
		if (z->cached) /* they may have been in a bin once */
			memset(out[i], 0, 2 * sizeof(uintptr_t));
		if (zm_zone_config.scribble)
			memset(out[i], 0xaa, size);
	}
	return got;
}

/* ---- giving ------------------------------------------------------------- */

enum { CHUNK = 64, NANO = ZM_RACKS, KINDS };

struct heap_of {
	void *block[CHUNK];
	unsigned count;
};

static void
flush(struct zm_szone *z, struct heap_of *h, unsigned kind)
{
	if (h->count && kind == NANO)
		zm_nano_give(z, h->block, h->count);
	else if (h->count)
		zm_rack_give(&z->rack[kind], h->block, h->count);
	h->count = 0;
}

/* Usable bytes of the plain case: a block of nano or a rack that is not in a
 * cache; 0: something else. */
static size_t
plain_length(const struct zm_szone *z, const struct zm_region *r, void *p)
{
	size_t bytes = 0;
	if (r->tier == ZM_TIER_NANO)
		bytes = zm_nano_is_start(r, (uintptr_t)p) ? r->quantum : 0;
	else if (r->tier != ZM_TIER_LARGE)
		bytes =
		    (size_t)r->quantum *
		    zm_rack_length((const struct zm_rregion *)r, (uintptr_t)p);
	return bytes && z->cached && zm_looks_cached(p) ? 0 : bytes;
}

void
zm_szone_batch_free(struct zm_szone *z, void *const *blocks, unsigned count)
{
	struct heap_of heap[KINDS];
	for (unsigned k = 0; k < KINDS; k++)
		heap[k].count = 0;
	for (unsigned i = 0; i < count; i++) {
		void *p = blocks[i];
		struct zm_region *r = zm_region_of(p);
		size_t bytes = r ? plain_length(z, r, p) : 0;
		if (!bytes) {
			if (r)
				zm_szone_free(z, r, p);
			else
				zm_zone_fatal("pointer being freed was not "
					      "allocated",
					      p);
			continue;
		}
		if (zm_zone_config.scribble)
			memset(p, 0x55, bytes);
		unsigned kind = r->tier == ZM_TIER_NANO
				    ? (unsigned)NANO
				    : r->tier - (unsigned)ZM_TIER_TINY;
		struct heap_of *h = &heap[kind];
		h->block[h->count++] = p;
		if (h->count == CHUNK)
			flush(z, h, kind);
	}
	for (unsigned k = 0; k < KINDS; k++)
		flush(z, &heap[k], k);
}

/* ---- the choice of a magazine ------------------------------------------- */

void
zm_szone_pin(struct zm_szone *z, unsigned index)
{
	struct zm_cache *c = zm_cache_of(z);
	if (c)
		c->mag = index % z->nmag;
}
