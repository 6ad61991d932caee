/*
 * remote.c - the regions and blocks of a zone of another process; see
 * remote.h.
 *
 * The directory of regions leads to everything.  Each struct is copied and
 * compared with what it must be: its own place in the directory, its zone, the
 * parameters of its rack.  Counts and lengths are bounded before they are
 * used, so the walk ends, and reads no more than a process can really have.
 */
#include "zone/remote.h"

#include <string.h>

#include "zone/arena.h"
#include "zone/runs.h"

enum {
	PIECE = 512,	     /* entries of the directory read at once */
	MARKS = 4096,	     /* marks read at once */
	GRANULES_LOG = 16,   /* most granules of a region */
	META_MAX = 64 << 20, /* more than any struct of a zone is long */
};

/* What there is to know of a region besides its blocks. */
struct area {
	uintptr_t start, meta;
	size_t bytes, meta_bytes;
	size_t allocated, touched; /* for the statistics */
};

struct walk {
	struct zm_remote *m;
	struct zm_addresses waiting; /* sorted */
	void (*area)(const struct area *, void *ctx);
	void (*block)(uintptr_t start, size_t usable, void *ctx);
	void *ctx;
};

bool
zm_remote_fail(struct zm_remote *m, enum zm_remote_error error)
{
	if (!m->error)
		m->error = error;
	return false;
}

bool
zm_remote_get(struct zm_remote *m, uintptr_t from, void *to, size_t bytes)
{
	if (from > UINTPTR_MAX - bytes || !m->read(m->ctx, from, to, bytes))
		return zm_remote_fail(m, ZM_REMOTE_UNREADABLE);
	return true;
}

static bool
contradictory(struct zm_remote *m)
{
	return zm_remote_fail(m, ZM_REMOTE_CONTRADICTORY);
}

/* ---- one region --------------------------------------------------------- */

static bool
range_good(uintptr_t start, size_t bytes)
{
	return start && bytes && bytes <= PTRDIFF_MAX &&
	       start <= UINTPTR_MAX - bytes;
}

static void
report(struct walk *w, uintptr_t p, size_t bytes)
{
	if (!zm_addresses_have(&w->waiting, p))
		w->block(p, bytes, w->ctx);
}

static bool
walk_slab(struct walk *w, uintptr_t at)
{
	struct zm_slab s;
	if (!zm_remote_get(w->m, at, &s, sizeof(s)))
		return false;
	uint32_t q = s.r.quantum;
	if (!q || q % 16 || q > ZM_NANO_MAX || s.slots != ZM_SLICE / q ||
	    s.r.bytes != (size_t)s.slots * q || s.r.base % ZM_SLICE ||
	    !range_good(s.r.base, ZM_SLICE))
		return contradictory(w->m);
	if (w->area)
		w->area(&(struct area){ .start = s.r.base,
					.bytes = s.r.bytes,
					.meta = at,
					.meta_bytes = sizeof(s),
					.allocated = ZM_SLICE,
					.touched = ZM_SLICE },
			w->ctx);
	for (unsigned i = 0; w->block && i < ZM_SLAB_WORDS; i++)
		for (uint64_t bits = s.bits[i]; bits; bits &= bits - 1) {
			uint32_t unit =
			    i * 64 + (uint32_t)__builtin_ctzll(bits);
			uint32_t off = unit * 16;
			if (off % q || off / q >= s.slots)
				return contradictory(w->m);
			report(w, s.r.base + off, q);
		}
	return true;
}

static bool
walk_large(struct walk *w, uintptr_t at)
{
	struct zm_large l;
	if (!zm_remote_get(w->m, at, &l, sizeof(l)))
		return false;
	unsigned char dying;
	memcpy(&dying, &l.dying, 1);
	if (!range_good(l.r.base, l.r.bytes) || dying > 1)
		return contradictory(w->m);
	if (w->area)
		w->area(&(struct area){ .start = l.r.base,
					.bytes = l.r.bytes,
					.meta = at,
					.meta_bytes = sizeof(l),
					.allocated = l.r.bytes,
					.touched = l.r.bytes },
			w->ctx);
	if (w->block && !dying)
		report(w, l.r.base, l.r.bytes);
	return true;
}

static uintptr_t
runs_end(const struct zm_rack *k, const struct zm_rregion *r)
{
	return (uintptr_t)r->runs + (sizeof(struct zm_run) << k->gbits);
}

/* The rack of the zone that the region says it is of; NULL: not so. */
static const struct zm_rack *
rack_of(const struct zm_remote *m, const struct zm_rregion *r, uintptr_t at)
{
	unsigned i = r->r.tier - (unsigned)ZM_TIER_TINY;
	if (i >= ZM_RACKS) /* it has changed since */
		return NULL;
	const struct zm_rack *k = &m->zone.rack[i];
	uintptr_t rack =
	    m->at + offsetof(struct zm_szone, rack) + i * sizeof(*k);
	uintptr_t end = runs_end(k, r);
	bool good = (uintptr_t)r->rack == rack && r->qshift == k->qshift &&
		    r->gshift == k->gshift &&
		    r->quanta == k->region_bytes >> k->qshift &&
		    r->tail <= r->quanta && r->r.bytes == k->region_bytes &&
		    range_good(r->r.base, r->r.bytes) && end > at &&
		    end - at <= META_MAX;
	return good ? k : NULL;
}

/* Blocks whose marks are of granules [g, g + n); *end: quantum at which the
 * one before them ends. */
static bool
walk_marks(struct walk *w, const struct zm_rregion *r, const zm_mark *marks,
	   uint32_t g, uint32_t n, uint32_t *end)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t mark = marks[i];
		if (!mark)
			continue;
		uint32_t sub = mark & 15, length = mark >> ZM_LENGTH_SHIFT;
		uint32_t start = ((g + i) << r->gshift) + sub;
		if (!(mark & ZM_MARK_SET) || sub >> r->gshift || !length ||
		    start < *end || start >= r->quanta ||
		    length > r->quanta - start)
			return contradictory(w->m);
		*end = start + length;
		report(w, r->r.base + ((uintptr_t)start << r->qshift),
		       (size_t)length << r->qshift);
	}
	return true;
}

static bool
walk_rregion(struct walk *w, uintptr_t at)
{
	struct zm_rregion r;
	if (!zm_remote_get(w->m, at, &r, sizeof(r)))
		return false;
	const struct zm_rack *k = rack_of(w->m, &r, at);
	if (!k)
		return contradictory(w->m);
	if (w->area)
		w->area(&(struct area){ .start = r.r.base,
					.bytes = r.r.bytes,
					.meta = at,
					.meta_bytes = runs_end(k, &r) - at,
					.allocated = k->region_bytes,
					.touched = (size_t)r.tail << r.qshift },
			w->ctx);
	uint32_t granules = r.tail ? zm_granule(&r, r.tail - 1) + 1 : 0;
	uint32_t end = 0, n;
	for (uint32_t g = 0; w->block && g < granules; g += n) {
		zm_mark marks[MARKS];
		n = granules - g < MARKS ? granules - g : MARKS;
		if (!zm_remote_get(w->m,
				   (uintptr_t)r.marks + g * sizeof(*marks),
				   marks, n * sizeof(*marks)) ||
		    !walk_marks(w, &r, marks, g, n, &end))
			return false;
	}
	return true;
}

/* Reads what all regions begin with, and says whether it is one of the zone's.
 * Regions of other zones may be whatever they like but misplaced. */
static bool
is_mine(struct zm_remote *m, const struct zm_region *r)
{
	return (uintptr_t)r->owner == m->at;
}

static bool
walk_region(struct walk *w, uintptr_t at)
{
	struct zm_region r;
	if (!zm_remote_get(w->m, at, &r, sizeof(r)))
		return false;
	if (!is_mine(w->m, &r))
		return contradictory(w->m);
	switch (r.tier) {
	case ZM_TIER_NANO:
		return walk_slab(w, at);
	case ZM_TIER_TINY:
	case ZM_TIER_SMALL:
	case ZM_TIER_MEDIUM:
		return walk_rregion(w, at);
	case ZM_TIER_LARGE:
		return walk_large(w, at);
	}
	return contradictory(w->m);
}

/* ---- all regions -------------------------------------------------------- */

static bool
note_region(struct zm_remote *m, uint32_t id, uintptr_t at)
{
	struct zm_region r;
	if (!zm_remote_get(m, at, &r, sizeof(r)))
		return false;
	if (r.id != id)
		return contradictory(m);
	if (!is_mine(m, &r))
		return true;
	if (!range_good(r.base, r.bytes))
		return contradictory(m);
	m->blocks_max += r.bytes / 16;
	return zm_addresses_add(&m->regions, at) ||
	       zm_remote_fail(m, ZM_REMOTE_NO_MEMORY);
}

/* Entries [id, end) of the directory, all in one chunk, which starts there. */
static bool
find_in_chunk(struct zm_remote *m, uintptr_t chunk, uint32_t id, uint32_t end)
{
	uint32_t first = id, n;
	for (; id < end; id += n) {
		uintptr_t entry[PIECE];
		n = end - id < PIECE ? end - id : PIECE;
		if (!zm_remote_get(m, chunk + (id - first) * sizeof(*entry),
				   entry, n * sizeof(*entry)))
			return false;
		for (uint32_t i = 0; i < n; i++)
			if (!(entry[i] & 1) &&
			    !note_region(m, id + i, entry[i]))
				return false;
	}
	return true;
}

static bool
find_regions(struct zm_remote *m)
{
	struct zm_region_image image;
	const uint32_t each = zm_region_image.chunk;
	uint32_t end, left;
	if (!zm_remote_get(m, (uintptr_t)&zm_region_image + m->shift, &image,
			   sizeof(image)) ||
	    !zm_remote_get(m, (uintptr_t)image.id_end, &end, sizeof(end)))
		return false;
	if (end > each * zm_region_image.chunks)
		return contradictory(m);
	uintptr_t at = (uintptr_t)image.directory, chunk;
	for (uint32_t id = 0; id < end; id += each, at += sizeof(chunk)) {
		left = end - id < each ? end - id : each;
		if (!zm_remote_get(m, at, &chunk, sizeof(chunk)) ||
		    !find_in_chunk(m, chunk, id, id + left))
			return false;
	}
	return true;
}

/* ---- the zone ----------------------------------------------------------- */

static bool
zone_good(const struct zm_remote *m, uint16_t id)
{
	const struct zm_szone *z = &m->zone;
	if (z->id != id || z->meta_bytes > META_MAX ||
	    !range_good(m->at, z->meta_bytes))
		return false;
	for (unsigned i = 0; i < ZM_RACKS; i++) {
		const struct zm_rack *k = &z->rack[i];
		if (k->tier != ZM_TIER_TINY + i ||
		    (uintptr_t)k->zone != m->at || k->qshift > 20 ||
		    k->gshift > 4 || k->gbits > GRANULES_LOG ||
		    k->region_bytes !=
			(size_t)1 << (k->gbits + k->gshift + k->qshift))
			return false;
	}
	return true;
}

bool
zm_remote_open(struct zm_remote *m, uintptr_t zone, uint16_t id)
{
	m->at = zone;
	m->error = ZM_REMOTE_FINE;
	m->regions = (struct zm_addresses){ 0 };
	m->blocks_max = 0;
	if (!zm_remote_get(m, zone, &m->zone, sizeof(m->zone)))
		return false;
	return zone_good(m, id) ? find_regions(m) : contradictory(m);
}

void
zm_remote_close(struct zm_remote *m)
{
	zm_addresses_free(&m->regions);
}

static bool
walk_all(struct walk *w)
{
	bool done = true;
	if (w->block)
		done = zm_remote_waiting(w->m, &w->waiting);
	zm_addresses_sort(&w->waiting);
	for (size_t i = 0; done && i < w->m->regions.count; i++)
		done = walk_region(w, w->m->regions.at[i]);
	zm_addresses_free(&w->waiting);
	return done;
}

bool
zm_remote_blocks(struct zm_remote *m, void (*fn)(uintptr_t, size_t, void *),
		 void *ctx)
{
	return walk_all(&(struct walk){ .m = m, .block = fn, .ctx = ctx });
}

struct regions {
	void (*fn)(uintptr_t, size_t, bool, void *);
	void *ctx;
};

static void
both_parts(const struct area *a, void *ctx)
{
	struct regions *r = ctx;
	r->fn(a->start, a->bytes, false, r->ctx);
	r->fn(a->meta, a->meta_bytes, true, r->ctx);
}

bool
zm_remote_regions(struct zm_remote *m,
		  void (*fn)(uintptr_t, size_t, bool, void *), void *ctx)
{
	struct regions r = { fn, ctx };
	fn(m->at, m->zone.meta_bytes, true, ctx);
	return walk_all(
	    &(struct walk){ .m = m, .area = both_parts, .ctx = &r });
}

static void
count_area(const struct area *a, void *ctx)
{
	struct zm_statistics *s = ctx;
	s->size_allocated += a->allocated;
	s->max_size_in_use += a->touched;
}

static void
count_block(uintptr_t start, size_t usable, void *ctx)
{
	struct zm_statistics *s = ctx;
	(void)start;
	s->blocks_in_use++;
	s->size_in_use += usable;
}

bool
zm_remote_statistics(struct zm_remote *m, struct zm_statistics *s)
{
	*s = (struct zm_statistics){ 0 };
	return walk_all(&(struct walk){
	    .m = m, .area = count_area, .block = count_block, .ctx = s });
}
