/*
 * rack.c - see rack.h; data structures in types.h, runs in runs.c, regions in
 * depot.c.
 *
 * Order of search for a block: the magazine's last-free block if it has the
 * very length, the shortest run that fits, the tail of the newest region, the
 * depot, a new region.
 */
#include "zone/rack.h"

#include "zone/arena.h"
#include "zone/depot.h"
#include "zone/directory.h"
#include "zone/dirty.h"
#include "zone/populate.h"
#include "zone/runs.h"
#include "zone/trace.h"

enum { BATCH = 64 };

static void *
address(const struct zm_rregion *r, uint32_t start)
{
	return (void *)(r->r.base + ((uintptr_t)start << r->rack->qshift));
}

/* ---- taking ------------------------------------------------------------- */

/* Marks `count` blocks of n quanta from start on.  False: they may have pages
 * that were in use before. */
static bool
cut(struct zm_magazine *m, struct zm_rregion *r, uint32_t start, uint32_t n,
    unsigned count, void **out)
{
	uint32_t dirty =
	    r->dirty_count ? zm_dirty_take(m, r, start, n * count) : 0;
	for (unsigned i = 0; i < count; i++, start += n) {
		zm_mark_set(r, start, n);
		out[i] = address(r, start);
	}
	r->used += n * count;
	r->blocks += count;
	ZM_STORE(&m->used, m->used + (size_t)n * count);
	m->blocks += count;
	if (m->used > m->peak)
		m->peak = m->used;
	return !dirty;
}

static unsigned
least(size_t a, unsigned b)
{
	return a < b ? (unsigned)a : b;
}

static unsigned
from_runs(struct zm_rack *k, struct zm_magazine *m, uint32_t n, unsigned count,
	  void **out, bool *clean)
{
	struct zm_piece p;
	if (!zm_run_best(m, k, n, &p))
		return 0;
	unsigned blocks = least(p.length / n, count);
	bool fresh = cut(m, p.region, p.start, n, blocks, out);
	*clean = k->counts_dirty ? fresh : p.clean;
	p.start += n * blocks;
	p.length -= n * blocks;
	if (p.length)
		zm_run_insert(m, &p);
	size_t bytes = (size_t)(n * blocks) << k->qshift;
	if (p.clean && !k->counts_dirty && bytes >= 2 * zm_os_page_size())
		zm_touch((uintptr_t)out[0], bytes);
	if (k->counts_dirty)
		zm_dirty_bound(k, m, NULL);
	return blocks;
}

static unsigned
from_tail(struct zm_magazine *m, uint32_t n, unsigned count, void **out,
	  bool *clean)
{
	struct zm_rregion *r = m->bump;
	if (!r)
		return 0;
	unsigned blocks = least((r->quanta - r->tail) / n, count);
	if (!blocks || !zm_rregion_commit(r, r->tail + n * blocks))
		return 0;
	uint32_t start = r->tail;
	r->tail += n * blocks;
	*clean = start >= r->high;
	if (r->tail > r->high)
		r->high = r->tail;
	cut(m, r, start, n, blocks, out);
	if (!r->dirty)
		zm_touch_ahead(r->r.owner, r->r.base, &r->touched,
			       (size_t)r->tail << r->qshift, r->committed);
	else
		zm_dirty_bound(r->rack, m, NULL);
	return blocks;
}

static unsigned
take_some(struct zm_rack *k, unsigned mag, uint32_t n, unsigned count,
	  void **out, bool *clean)
{
	struct zm_magazine *m = &k->mags[mag];
	unsigned got = from_runs(k, m, n, count, out, clean);
	return got ? got : from_tail(m, n, count, out, clean);
}

unsigned
zm_rack_take(struct zm_rack *k, unsigned mag, unsigned n, unsigned count,
	     void **out)
{
	mag %= k->nmag;
	struct zm_magazine *m = &k->mags[mag];
	unsigned got = 0;
	bool clean;
	zm_lock(&m->lock);
	while (got < count) {
		unsigned more =
		    take_some(k, mag, n, count - got, out + got, &clean);
		if (!more && (got || !zm_region_get(k, mag, n)))
			break;
		got += more;
	}
	zm_unlock(&m->lock);
	zm_trace_taken(k, n, got, got ? out[0] : NULL);
	return got;
}

static void *
take_last(struct zm_magazine *m, uint32_t n)
{
	void *p = m->last;
	struct zm_rregion *r = m->last_region;
	if (!p || m->last_quanta != n)
		return NULL;
	m->last = NULL;
	zm_mark_set(r, (uint32_t)(((uintptr_t)p - r->r.base) >> r->qshift), n);
	return p;
}

void *
zm_rack_alloc(struct zm_rack *k, unsigned mag, unsigned n, bool *zero)
{
	mag %= k->nmag;
	struct zm_magazine *m = &k->mags[mag];
	bool clean = false;
	zm_lock(&m->lock);
	void *p = take_last(m, n);
	if (!p)
		while (!take_some(k, mag, n, 1, &p, &clean))
			if (!zm_region_get(k, mag, n)) {
				p = NULL;
				break;
			}
	zm_unlock(&m->lock);
	zm_trace_taken(k, n, p != NULL, p);
	if (zero)
		*zero = clean;
	return p;
}

/* ---- giving ------------------------------------------------------------- */

/* True when a block was freed. */
static bool
give_one(struct zm_rack *k, struct zm_magazine *m, struct zm_rregion *r,
	 void *p)
{
	unsigned n = zm_rack_length(r, (uintptr_t)p);
	if (!n) {
		zm_zone_fatal("Double free of object", p);
		return false;
	}
	uint32_t start = (uint32_t)(((uintptr_t)p - r->r.base) >> k->qshift);
	zm_mark_set(r, start, 0);
	r->blocks--;
	m->blocks--;
	zm_quanta_free(k, m, r, start, n);
	return true;
}

static struct zm_rregion *
region_of(const struct zm_rack *k, const void *p)
{
	struct zm_region *r = zm_region_of(p);
	if (!r || r->tier != k->tier || r->owner != k->zone)
		return NULL;
	return (struct zm_rregion *)r;
}

/* Locks the magazine that owns r and returns its index. */
static unsigned
lock_owner(struct zm_rack *k, const struct zm_rregion *r)
{
	for (;;) {
		unsigned mag = ZM_LOAD(&r->mag);
		zm_lock(&k->mags[mag].lock);
		if (ZM_LOAD(&r->mag) == mag)
			return mag;
		zm_unlock(&k->mags[mag].lock);
	}
}

/* What follows frees in magazine `mag`; unlocks it.  r: last region freed
 * into, NULL when it may be gone. */
static void
settle(struct zm_rack *k, unsigned mag, struct zm_rregion *r)
{
	struct zm_rregion *drop = NULL;
	if (mag != k->nmag)
		drop = zm_recirculate(k, mag, r);
	else if (r && !r->used)
		drop = zm_depot_emptied(k, r);
	zm_unlock(&k->mags[mag].lock);
	if (ZM_UNLIKELY(drop != NULL))
		zm_regions_drop(k, drop);
}

/*
 * Blocks of several regions and magazines: each pass frees those of the
 * magazine that owns the first one.  In the depot a pass ends with the region
 * that it empties.
 */
void
zm_rack_give(struct zm_rack *k, void **blocks, unsigned count)
{
	zm_trace_given(k, count, blocks[0]);
	while (count) {
		struct zm_rregion *r = region_of(k, blocks[0]), *in = NULL;
		if (!r) {
			zm_zone_fatal("Double free of object", blocks[0]);
			blocks++;
			count--;
			continue;
		}
		unsigned mag = lock_owner(k, r), left = 0;
		bool depot = mag == k->nmag, stop = false;
		for (unsigned i = 0; i < count; i++) {
			r = stop ? NULL : region_of(k, blocks[i]);
			if (!r || ZM_LOAD(&r->mag) != mag) {
				blocks[left++] = blocks[i];
				continue;
			}
			give_one(k, &k->mags[mag], r, blocks[i]);
			in = r;
			stop = depot && !r->used;
		}
		settle(k, mag, in);
		count = left;
	}
}

void
zm_rack_free(struct zm_rack *k, struct zm_rregion *r, void *p)
{
	zm_trace_given(k, 1, p);
	unsigned mag = lock_owner(k, r);
	struct zm_magazine *m = &k->mags[mag];
	unsigned n = zm_rack_length(r, (uintptr_t)p);
	if (!n) {
		zm_unlock(&m->lock);
		zm_zone_fatal("Double free of object", p);
		return;
	}
	if (mag == k->nmag) {
		give_one(k, m, r, p);
		settle(k, mag, r);
		return;
	}
	/* it waits; the one before it is really freed */
	struct zm_rregion *in = m->last_region;
	bool freed = zm_last_flush(k, m);
	zm_mark_set(r, (uint32_t)(((uintptr_t)p - r->r.base) >> k->qshift), 0);
	m->last = p;
	m->last_region = r;
	m->last_quanta = n;
	if (freed)
		settle(k, mag, in);
	else
		zm_unlock(&m->lock);
}

/* ---- changing ----------------------------------------------------------- */

static bool
grow(struct zm_magazine *m, struct zm_rregion *r, uint32_t start, uint32_t n,
     uint32_t want)
{
	uint32_t end = start + n, more = want - n;
	if (end == r->tail) {
		if (m->bump != r || r->quanta - r->tail < more ||
		    !zm_rregion_commit(r, r->tail + more))
			return false;
		r->tail += more;
		if (r->tail > r->high)
			r->high = r->tail;
	} else {
		if (end > r->tail || zm_run_length(r, end) < more)
			return false;
		struct zm_piece p = zm_run_remove(m, r, end);
		if (r->dirty_count)
			zm_dirty_take(m, r, p.start, more);
		p.start += more;
		p.length -= more;
		if (p.length)
			zm_run_insert(m, &p);
	}
	r->used += more;
	ZM_STORE(&m->used, m->used + more);
	return true;
}

bool
zm_rack_resize(struct zm_rack *k, struct zm_rregion *r, void *p, size_t bytes)
{
	uint32_t want = zm_rack_quanta(k, bytes);
	uint32_t start = (uint32_t)(((uintptr_t)p - r->r.base) >> k->qshift);
	if (!want)
		return false;
	unsigned mag = lock_owner(k, r);
	struct zm_magazine *m = &k->mags[mag];
	uint32_t n = zm_rack_length(r, (uintptr_t)p);
	bool done = n != 0 && want <= n;
	if (n && want < n) {
		zm_mark_set(r, start, want);
		zm_quanta_free(k, m, r, start + want, n - want);
	} else if (n && want > n && mag != k->nmag) {
		done = grow(m, r, start, n, want);
		if (done)
			zm_mark_set(r, start, want);
	}
	zm_unlock(&m->lock);
	return done;
}

void *
zm_rack_memalign(struct zm_rack *k, unsigned mag, unsigned n, size_t align)
{
	size_t slack = (align >> k->qshift) ? (align >> k->qshift) - 1 : 0;
	if (n + slack > k->max_quanta)
		return NULL;
	void *p;
	uint32_t length = n + (uint32_t)slack;
	if (!zm_rack_take(k, mag, length, 1, &p))
		return NULL;
	struct zm_rregion *r = region_of(k, p);
	uint32_t start = (uint32_t)(((uintptr_t)p - r->r.base) >> k->qshift);
	uintptr_t to = zm_round_up((uintptr_t)p, align);
	uint32_t head = (uint32_t)((to - (uintptr_t)p) >> k->qshift);
	uint32_t rest = length - head - n;
	if (!head && !rest)
		return p;
	unsigned owner = lock_owner(k, r);
	struct zm_magazine *m = &k->mags[owner];
	zm_mark_set(r, start, 0);
	zm_mark_set(r, start + head, n);
	if (head)
		zm_quanta_free(k, m, r, start, head);
	if (rest)
		zm_quanta_free(k, m, r, start + head + n, rest);
	zm_unlock(&m->lock);
	return (void *)to;
}

/* ---- looking ------------------------------------------------------------ */

unsigned
zm_rack_length(const struct zm_rregion *r, uintptr_t p)
{
	uintptr_t off = p - ZM_LOAD(&r->r.base);
	unsigned shift = r->qshift;
	if (off >= ZM_LOAD(&r->r.bytes) || off & (((uintptr_t)1 << shift) - 1))
		return 0;
	return zm_mark_length(r, (uint32_t)(off >> shift));
}

/*
 * The nearest mark at or before the address tells: a longest block spans only
 * so many granules.  Reads nothing but the region's own struct, which outlives
 * its zone.
 */
bool
zm_rack_block_at(struct zm_region *region, uintptr_t p, struct zm_block *out)
{
	struct zm_rregion *r = (struct zm_rregion *)region;
	uintptr_t base = ZM_LOAD(&region->base), off = p - base;
	if (off >= ZM_LOAD(&region->bytes))
		return false;
	uint32_t quantum = (uint32_t)(off >> r->qshift);
	uint32_t g = zm_granule(r, quantum);
	uint32_t looks = (r->max_quanta >> r->gshift) + 2u;
	for (; looks; looks--, g--) {
		uint32_t mark = ZM_LOAD(&r->marks[g]);
		uint32_t start = (g << r->gshift) + (mark & 15);
		if ((mark & ZM_MARK_SET) && start <= quantum) {
			uint32_t n = mark >> ZM_LENGTH_SHIFT;
			if (quantum - start >= n)
				return false;
			out->region = region;
			out->start = base + ((uintptr_t)start << r->qshift);
			out->usable = (size_t)n << r->qshift;
			out->index = g;
			out->live = true;
			return true;
		}
		if (!g)
			return false;
	}
	return false;
}

/* ---- the rack as a whole ------------------------------------------------ */

void
zm_rack_init(struct zm_rack *k, struct zm_szone *z, enum zm_tier tier,
	     struct zm_magazine *mags)
{
	static const struct {
		uint8_t qshift, gshift, region, limited_region;
		uint16_t max;
		uint32_t step;
	} set[ZM_RACKS] = {
		{ 4, 4, 20, 18, ZM_TINY_MAX >> 4, 1 << 18 },
		{ 9, 1, 23, 20, ZM_SMALL_MAX >> 9, 1 << 18 },
		{ 15, 1, 27, 24, ZM_MEDIUM_MAX >> 15, 1 << 20 },
	};
	unsigned i = tier - ZM_TIER_TINY;
	unsigned region = zm_os_address_space() == SIZE_MAX
			      ? set[i].region
			      : set[i].limited_region;
	k->tier = (uint8_t)tier;
	k->qshift = set[i].qshift;
	k->gshift = tier == ZM_TIER_TINY && !z->nano ? 0 : set[i].gshift;
	k->gbits = (uint8_t)(region - k->qshift - k->gshift);
	k->max_quanta = set[i].max;
	unsigned most = zm_zone_config.max_medium_magazines;
	k->nmag = z->nmag;
	if (tier == ZM_TIER_MEDIUM && most && most < k->nmag)
		k->nmag = (uint16_t)most;
	k->region_bytes = (size_t)1 << region;
	k->commit_step = set[i].step;
	k->zone = z;
	k->counts_dirty = tier == ZM_TIER_MEDIUM;
	k->mags = mags;
	zm_lock_init(&k->table_lock, ZM_RANK_DEPOT + 1);
	for (unsigned mag = 0; mag <= k->nmag; mag++) {
		struct zm_magazine *m = &k->mags[mag];
		zm_lock_init_zeroed(&m->lock, mag < k->nmag ? ZM_RANK_TINY + i
							    : ZM_RANK_DEPOT);
	}
}

static void
drop_list(struct zm_rack *k, struct zm_magazine *m)
{
	while (m->regions) {
		struct zm_rregion *r = m->regions;
		m->regions = r->next;
		r->next = NULL;
		size_t bytes = (size_t)1 << k->gbits;
		__builtin_memset(r->marks, 0, bytes * sizeof(*r->marks));
		__builtin_memset(r->runs, 0, bytes * sizeof(*r->runs));
		if (r->dirty)
			__builtin_memset(r->dirty, 0, r->quanta / 8);
		zm_regions_drop(k, r);
	}
}

void
zm_rack_destroy(struct zm_rack *k)
{
	for (unsigned mag = 0; mag <= k->nmag; mag++)
		drop_list(k, &k->mags[mag]);
	for (unsigned i = 0; i < ZM_TABLE_CHUNKS && k->table[i]; i++)
		zm_meta_free(k->table[i], 1024 * sizeof(*k->table[i]));
}

void
zm_rack_relief(struct zm_rack *k)
{
	for (unsigned mag = 0; mag < k->nmag; mag++) {
		struct zm_magazine *m = &k->mags[mag];
		zm_lock(&m->lock);
		zm_last_flush(k, m);
		struct zm_rregion *drop = zm_depot_all(k, mag);
		zm_unlock(&m->lock);
		zm_regions_drop(k, drop);
	}
}

void
zm_rack_statistics(struct zm_rack *k, struct zm_statistics *s)
{
	for (unsigned mag = 0; mag <= k->nmag; mag++) {
		struct zm_magazine *m = &k->mags[mag];
		zm_lock(&m->lock);
		size_t waits = m->last ? m->last_quanta : 0;
		s->blocks_in_use += m->blocks - (m->last ? 1 : 0);
		s->size_in_use += (m->used - waits) << k->qshift;
		s->size_allocated += m->count * k->region_bytes;
		for (struct zm_rregion *r = m->regions; r; r = r->next)
			s->max_size_in_use += (size_t)r->tail << k->qshift;
		zm_unlock(&m->lock);
	}
}
