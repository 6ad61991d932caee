/*
 * depot.c - see depot.h.
 *
 * The rule: a magazine gives up a region when more than one and a half
 * regions' worth of its memory is free and less than 75 % is in use.  On its
 * way to the depot a region gives the pages of long runs back to the kernel,
 * and all of them once it is empty; a magazine that needs room looks there
 * before it maps a new region.  Of the empty regions the depot keeps a few
 * (zm_zone_config.retained_regions), the others are unmapped.
 */
#include "zone/depot.h"

#include "zone/arena.h"
#include "zone/directory.h"
#include "zone/dirty.h"
#include "zone/fast.h"
#include "zone/meta.h"
#include "zone/runs.h"
#include "zone/trace.h"

/* One pool for each tier, one for tiny regions of zones without nano. */
enum { POOLS = 4 };
#define POOL(n)                                                  \
	{                                                        \
		.lock = ZM_LOCK_INIT(ZM_RANK_DEPOT + 2),         \
		.link_offset = offsetof(struct zm_rregion, next) \
	}
static struct zm_pool pools[POOLS] = { POOL(0), POOL(1), POOL(2), POOL(3) };

static const char *const names[ZM_RACKS] = { "zmalloc tiny", "zmalloc small",
					     "zmalloc medium" };

static unsigned
rack_index(const struct zm_rack *k)
{
	return k->tier - ZM_TIER_TINY;
}

static struct zm_pool *
pool_of(const struct zm_rack *k)
{
	return &pools[k->tier == ZM_TIER_TINY && !k->gshift ? 3
							    : rack_index(k)];
}

/* ---- making and unmaking ------------------------------------------------ */

static size_t
guard_bytes(void)
{
	return zm_zone_config.guard_all ? ZM_SLICE : 0;
}

bool
zm_rregion_commit(struct zm_rregion *r, uint32_t quanta)
{
	size_t need = (size_t)quanta << r->rack->qshift;
	if (need <= r->committed)
		return true;
	size_t to = r->committed * 2;
	if (to < r->rack->commit_step)
		to = r->rack->commit_step;
	if (to < need)
		to = zm_round_up(need, ZM_SLICE);
	if (to > r->r.bytes)
		to = r->r.bytes;
	if (zm_os_commit((void *)(r->r.base + r->committed), to - r->committed))
		return false;
	r->committed = to;
	return true;
}

/* Enters r in the rack's table, which references go through. */
static bool
table_add(struct zm_rack *k, struct zm_rregion *r)
{
	bool done = false;
	zm_lock(&k->table_lock);
	uint32_t slot = 0, end = k->table_used;
	while (slot < end && zm_slot_region(k, slot))
		slot++;
	uint32_t limit = (uint64_t)1024 * 1024 < UINT64_C(1) << (32 - k->gbits)
			     ? 1024 * 1024
			     : (1u << (32 - k->gbits)) - 1;
	if (slot < limit) {
		struct zm_rregion ***chunk = &k->table[slot >> 10];
		if (!*chunk)
			*chunk = zm_meta_alloc(1024 * sizeof(**chunk));
		if (*chunk) {
			(*chunk)[slot & 1023] = r;
			r->slot = slot;
			if (slot == end)
				k->table_used++;
			done = true;
		}
	}
	zm_unlock(&k->table_lock);
	return done;
}

static void
table_drop(struct zm_rack *k, struct zm_rregion *r)
{
	zm_lock(&k->table_lock);
	k->table[r->slot >> 10][r->slot & 1023] = NULL;
	zm_unlock(&k->table_lock);
}

static struct zm_rregion *
struct_get(struct zm_rack *k)
{
	uint32_t granules = 1u << k->gbits;
	struct zm_pool *pool = pool_of(k);
	size_t head = zm_round_up(sizeof(struct zm_rregion), 64);
	uint32_t quanta = (uint32_t)(k->region_bytes >> k->qshift);
	size_t bytes =
	    head + granules * (2 * sizeof(zm_mark) + sizeof(struct zm_run)) +
	    (k->counts_dirty ? quanta / 8 : 0);
	zm_lock(&pool->lock);
	pool->bytes = bytes;
	zm_unlock(&pool->lock);
	struct zm_rregion *r = zm_pool_get(pool);
	if (!r)
		return NULL;
	r->rack = k;
	r->marks = (zm_mark *)((char *)r + head);
	r->run_end = r->marks + granules;
	r->runs = (struct zm_run *)(r->run_end + granules);
	r->dirty = k->counts_dirty ? (uint64_t *)(r->runs + granules) : NULL;
	r->dirty_count = 0;
	r->qshift = k->qshift;
	r->gshift = k->gshift;
	r->max_quanta = k->max_quanta;
	r->next = r->prev = NULL;
	r->quanta = quanta;
	r->tail = r->high = r->used = r->blocks = 0;
	r->warm = r->cooled = false;
	r->committed = r->touched = 0;
	return r;
}

/* Its marks and runs are all zero by now: their pages can go. */
static void
struct_put(struct zm_rack *k, struct zm_rregion *r)
{
	size_t page = zm_os_page_size();
	uintptr_t low = zm_round_up((uintptr_t)(r + 1), page);
	uintptr_t high =
	    (uintptr_t)(r->runs + ((size_t)1 << k->gbits)) & ~(page - 1);
	if (low < high)
		zm_os_purge((void *)low, high - low);
	zm_pool_put(pool_of(k), r);
}

static uint64_t
fast_word(const struct zm_rack *k, const struct zm_rregion *r)
{
	uint64_t kind = ZM_KIND_NONE;
	if (k->zone->cached && k->tier == ZM_TIER_MEDIUM)
		kind = ZM_KIND_MEDIUM;
	if (k->zone->cached && k->tier == ZM_TIER_TINY && k->gshift == 4)
		kind = ZM_KIND_TINY;
	if (k->zone->cached && k->tier == ZM_TIER_SMALL)
		kind = ZM_KIND_SMALL;
	return (uintptr_t)r->marks | kind << ZM_KIND_SHIFT;
}

static struct zm_rregion *
region_new(struct zm_rack *k)
{
	size_t guard = guard_bytes(), bytes = k->region_bytes;
	struct zm_rregion *r = struct_get(k);
	if (!r)
		return NULL;
	uintptr_t span =
	    zm_span_alloc(bytes + 2 * guard, ZM_SLICE, names[rack_index(k)]);
	if (!span)
		goto no_span;
	unsigned shift = (unsigned)k->qshift + k->gshift;
	r->r = (struct zm_region){
		.base = span + guard,
		.bytes = bytes,
		.tag_count = (uint32_t)(bytes >> shift),
		.quantum = 1u << k->qshift,
		.zone = k->zone->id,
		.tag_shift = (uint8_t)shift,
		.tier = k->tier,
		.owner = k->zone,
	};
	if (!zm_rregion_commit(r, 1) || !table_add(k, r))
		goto no_table;
	if (!zm_region_add(&r->r, bytes, fast_word(k, r),
			   (ZM_SLICE >> shift) * sizeof(zm_mark)))
		goto no_entry;
	ZM_TRACE_MAG(allocRegion, k->zone->id, k->tier, r->r.base, bytes);
	return r;
no_entry:
	table_drop(k, r);
no_table:
	zm_span_free(span, bytes + 2 * guard);
	r->r.base = r->r.bytes = 0;
no_span:
	struct_put(k, r);
	return NULL;
}

void
zm_regions_drop(struct zm_rack *k, struct zm_rregion *list)
{
	size_t guard = guard_bytes();
	while (list) {
		struct zm_rregion *r = list;
		uintptr_t base = r->r.base;
		list = r->next;
		ZM_TRACE_MAG(deallocRegion, k->zone->id, k->tier, base,
			     k->region_bytes);
		zm_region_remove(&r->r, k->region_bytes);
		zm_span_free(base - guard, k->region_bytes + 2 * guard);
		table_drop(k, r);
		struct_put(k, r);
	}
}

void
zm_rregion_pool_lock(void)
{
	for (unsigned i = 0; i < POOLS; i++)
		zm_lock(&pools[i].lock);
}

void
zm_rregion_pool_unlock(void)
{
	for (unsigned i = POOLS; i-- > 0;)
		zm_unlock(&pools[i].lock);
}

void
zm_rregion_pool_reinit(void)
{
	for (unsigned i = 0; i < POOLS; i++)
		zm_lock_init(&pools[i].lock, ZM_RANK_DEPOT + 2);
}

/* ---- moving ------------------------------------------------------------- */

static void
attach(struct zm_rack *k, unsigned mag, struct zm_rregion *r)
{
	struct zm_magazine *m = &k->mags[mag];
	r->prev = NULL;
	r->next = m->regions;
	if (r->next)
		r->next->prev = r;
	m->regions = r;
	m->count++;
	ZM_STORE(&m->used, m->used + r->used);
	m->blocks += r->blocks;
	m->quanta += r->quanta;
	m->dirty += r->dirty_count;
	ZM_STORE(&r->mag, mag);
}

static void
detach(struct zm_magazine *m, struct zm_rregion *r)
{
	if (r->prev)
		r->prev->next = r->next;
	else
		m->regions = r->next;
	if (r->next)
		r->next->prev = r->prev;
	m->count--;
	ZM_STORE(&m->used, m->used - r->used);
	m->blocks -= r->blocks;
	m->quanta -= r->quanta;
	m->dirty -= r->dirty_count;
	if (m->bump == r)
		m->bump = NULL;
}

/* Sets r as m's region with a tail; an old one's tail becomes a run. */
static void
set_bump(struct zm_magazine *m, struct zm_rregion *r)
{
	struct zm_rregion *old = m->bump;
	if (old && old != r && old->tail < old->quanta &&
	    zm_rregion_commit(old, old->quanta)) {
		struct zm_piece rest = { old, old->tail,
					 old->quanta - old->tail,
					 old->tail >= old->high };
		old->tail = old->high = old->quanta;
		zm_run_free(m, rest);
	}
	m->bump = r;
}

/* The run that starts at `at`; its length is 0 when there is none. */
static struct zm_piece
run_at(struct zm_rregion *r, uint32_t at)
{
	uint32_t n = zm_run_length(r, at);
	if (!n)
		zm_zone_fatal("Region metadata corrupted", (void *)r->r.base);
	return (struct zm_piece){
		r, at, n, r->runs[zm_granule(r, at)].word & ZM_RUN_CLEAN
	};
}

enum { WORTH = 256 << 10 }; /* a call to the kernel */

/*
 * Gives back the pages of a region's runs.  Short ones keep theirs, unless all
 * is asked for: giving them back one by one costs more than the blocks around
 * them are worth.  The runs stay in their lists: a fork that interrupts us here
 * finds everything in order.  True when there was anything to give.
 */
static bool
purge_runs(struct zm_magazine *m, struct zm_rregion *r, bool all)
{
	bool some = false;
	for (uint32_t at = 0, n; at < r->tail; at += n) {
		n = zm_mark_length(r, at);
		if (n)
			continue;
		struct zm_piece p = run_at(r, at);
		n = p.length;
		if (!n)
			break;
		if (!all && (size_t)n << r->qshift < WORTH)
			continue;
		some |= !p.clean;
		if (r->dirty)
			zm_dirty_purge(m, &p, n);
		else if (!p.clean && zm_piece_purge(&p, at, n))
			r->runs[zm_granule(r, at)].word |= ZM_RUN_CLEAN;
	}
	return some;
}

/* Moves r's runs from one magazine's lists to the other's; `to` NULL: they
 * vanish, for an empty region. */
static void
move_runs(struct zm_magazine *from, struct zm_magazine *to,
	  struct zm_rregion *r)
{
	for (uint32_t at = 0, n; at < r->tail; at += n) {
		n = zm_mark_length(r, at);
		if (n)
			continue;
		n = run_at(r, at).length;
		if (!n)
			return;
		struct zm_piece p = zm_run_remove(from, r, at);
		if (to)
			zm_run_insert(to, &p);
	}
}

/*
 * Whether an empty region may keep its pages.  At first none may; each time
 * that a region is missed which had to give up its pages a moment ago, one
 * more.
 */
enum { WARM_BYTES = 32 << 20, LATELY = 1000000000 /* ns */ };

static void
gave_up(struct zm_rack *k)
{
	uint64_t now = zm_os_now();
	if (now - k->gave_up_at > LATELY) {
		k->cold = 0;
		k->warm_max /= 2;
	}
	k->gave_up_at = now;
	k->cold++;
}

static bool
may_stay_warm(struct zm_rack *k)
{
	if (k->counts_dirty)
		return false;
	if (k->warm_now < k->warm_max)
		return true;
	gave_up(k);
	return false;
}

/* A region without pages is put to use.  The depot is locked. */
static void
missed(struct zm_rack *k)
{
	if (!k->cold || zm_os_now() - k->gave_up_at > LATELY)
		return;
	k->cold--;
	if (k->warm_max < WARM_BYTES / k->region_bytes)
		k->warm_max++;
}

/*
 * An empty region of m, in no list of runs any more, becomes all tail.  Its
 * pages go, unless it may stay warm; those that cannot go (locked ones) lie
 * below `high`, where nobody takes them for zero.
 */
static void
make_fresh(struct zm_magazine *m, struct zm_rregion *r, bool all)
{
	struct zm_rack *k = r->rack;
	if (r->dirty_count)
		zm_dirty_take(m, r, 0, r->tail);
	r->tail = 0;
	if (!all && may_stay_warm(k)) {
		k->warm_now++;
		r->warm = true;
		return;
	}
	size_t bytes = (size_t)r->high << k->qshift;
	bytes = zm_round_up(bytes, zm_os_page_size());
	if (bytes < r->touched)
		bytes = r->touched;
	if (!bytes || zm_os_purge((void *)r->r.base, bytes))
		return;
	ZM_TRACE_MAG(madvfreeRegion, r->r.zone, r->r.tier, r->r.base, bytes);
	r->high = 0;
	r->touched = 0;
}

bool
zm_last_flush(struct zm_rack *k, struct zm_magazine *m)
{
	struct zm_rregion *r = m->last_region;
	if (!m->last)
		return false;
	uintptr_t off = (uintptr_t)m->last - r->r.base;
	m->last = NULL;
	r->blocks--;
	m->blocks--;
	zm_quanta_free(k, m, r, (uint32_t)(off >> k->qshift), m->last_quanta);
	return true;
}

/* m and the depot are locked.  A last-free block is looked for in its own
 * magazine, so it cannot move. */
static void
to_depot(struct zm_rack *k, unsigned mag, struct zm_rregion *r, bool all)
{
	struct zm_magazine *m = &k->mags[mag], *depot = &k->mags[k->nmag];
	if (m->last_region == r)
		zm_last_flush(k, m);
	ZM_TRACE_MAG(recircRegion, k->zone->id, mag, r->r.base, r->used);
	if (r->used) {
		bool purge = all || k->counts_dirty || !k->warm_max;
		if (purge)
			purge = purge_runs(m, r, all);
		move_runs(m, depot, r);
		if (purge && !k->counts_dirty && !r->cooled) {
			r->cooled = true;
			gave_up(k);
		}
	} else {
		move_runs(m, NULL, r);
		make_fresh(m, r, all);
	}
	detach(m, r);
	attach(k, k->nmag, r);
}

/* The region leaves the depot. */
static void
cool(struct zm_rack *k, struct zm_rregion *r)
{
	k->warm_now -= r->warm;
	r->warm = r->cooled = false;
}

/* The depot is locked.  Empty regions beyond `keep` leave it. */
static struct zm_rregion *
surplus(struct zm_rack *k, unsigned keep)
{
	struct zm_magazine *depot = &k->mags[k->nmag];
	struct zm_rregion *out = NULL;
	bool all = !keep;
	keep -= keep < k->warm_now ? keep : k->warm_now;
	for (struct zm_rregion *r = depot->regions, *next; r; r = next) {
		next = r->next;
		if (r->used || (r->warm && !all))
			continue;
		if (keep) {
			keep--;
			continue;
		}
		move_runs(depot, NULL, r);
		detach(depot, r);
		cool(k, r);
		r->next = out;
		out = r;
	}
	return out;
}

static bool
sparse(const struct zm_rregion *r)
{
	return r->used < r->quanta - r->quanta / 4;
}

struct zm_rregion *
zm_recirculate(struct zm_rack *k, unsigned mag, struct zm_rregion *freed)
{
	struct zm_magazine *m = &k->mags[mag], *depot = &k->mags[k->nmag];
	size_t region = k->region_bytes >> k->qshift;
	if (m->quanta - m->used <= region + region / 2 ||
	    m->used >= m->quanta - m->quanta / 4)
		return NULL;
	struct zm_rregion *r = freed;
	if (!r || r->mag != mag || r->used)
		for (r = m->regions; r && (!sparse(r) || r == m->bump);)
			r = r->next;
	if (!r)
		return NULL;
	zm_lock(&depot->lock);
	to_depot(k, mag, r, false);
	struct zm_rregion *drop =
	    r->used ? NULL : surplus(k, zm_zone_config.retained_regions);
	zm_unlock(&depot->lock);
	return drop;
}

struct zm_rregion *
zm_depot_emptied(struct zm_rack *k, struct zm_rregion *r)
{
	struct zm_magazine *depot = &k->mags[k->nmag];
	move_runs(depot, NULL, r);
	make_fresh(depot, r, false);
	return surplus(k, zm_zone_config.retained_regions);
}

struct zm_rregion *
zm_depot_all(struct zm_rack *k, unsigned mag)
{
	struct zm_magazine *m = &k->mags[mag], *depot = &k->mags[k->nmag];
	zm_lock(&depot->lock);
	while (m->regions)
		to_depot(k, mag, m->regions, true);
	for (struct zm_rregion *r = depot->regions; r; r = r->next)
		if (r->used) /* it was here before, with its short runs */
			purge_runs(depot, r, true);
	struct zm_rregion *drop = surplus(k, 0);
	k->warm_max = k->cold = 0;
	zm_unlock(&depot->lock);
	return drop;
}

/* A region of the depot with a run or a tail of n quanta. */
static struct zm_rregion *
depot_find(struct zm_rack *k, uint32_t n)
{
	struct zm_magazine *depot = &k->mags[k->nmag];
	struct zm_piece p;
	if (zm_run_best(depot, k, n, &p)) {
		zm_run_insert(depot, &p);
		return p.region;
	}
	struct zm_rregion *r = depot->regions;
	while (r && r->quanta - r->tail < n)
		r = r->next;
	return r;
}

bool
zm_region_get(struct zm_rack *k, unsigned mag, uint32_t n)
{
	struct zm_magazine *m = &k->mags[mag], *depot = &k->mags[k->nmag];
	struct zm_rregion *r = NULL;
	zm_lock(&depot->lock);
	if (depot->count && (r = depot_find(k, n))) {
		ZM_TRACE_MAG(depotRegion, k->zone->id, mag, r->r.base, r->used);
		detach(depot, r);
		move_runs(depot, m, r);
		attach(k, mag, r);
	}
	bool cold = !r || r->cooled || (!r->used && !r->warm);
	if (r)
		cool(k, r);
	if (cold)
		missed(k);
	zm_unlock(&depot->lock);
	if (!r) {
		r = region_new(k);
		if (!r)
			return false;
		attach(k, mag, r);
	}
	if (r->tail < r->quanta)
		set_bump(m, r);
	return true;
}
