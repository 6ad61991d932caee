/*
 * slabs.c - see slabs.h.
 *
 * Address space is taken for a group of slabs at once.  A freed slab keeps its
 * pages and is the first to be used again; as with medium blocks (dirty.h) the
 * pool keeps about what was in use a while ago, but no more than half of what
 * is in use, and nano_keep slabs at least (0: none at all).  When there are
 * more, all free slabs of a group go in as few calls as possible: the kernel's
 * flush of the address translations costs more than the pages, and much the
 * same for 2 MiB as for one slab.
 */
#include "zone/slabs.h"

#include "os/trace.h"
#include "zone/arena.h"
#include "zone/dirty.h"
#include "zone/meta.h"

enum {
	GROUP = 32,	   /* slabs */
	GROUP_LIMITED = 4, /* the same where address space is scarce */
	PEAK_SHARE = 8,	   /* of the peak, above it */
	FEW = 64,	   /* slabs, not worth counting */
};

/*
 * bit i of dirty set <=> slab i is free and may have pages, in pool.dirty
 * clean and never used slabs are not marked
 */
struct zm_slab_group {
	uint32_t dirty;
	uint32_t count;
	struct zm_slab slab[];
};

static struct {
	struct zm_lock lock;
	struct zm_slab *dirty, *oldest; /* from the newest to the oldest */
	struct zm_slab *clean;		/* by next */
	size_t dirty_count;
	size_t used, peak; /* slabs handed out */
	struct zm_slab_group *fresh;
	uint32_t fresh_next; /* first slab of fresh that was never used */
} pool = { .lock = ZM_LOCK_INIT(ZM_RANK_DEPOT) };

static uint32_t
index_of(const struct zm_slab *s)
{
	return (uint32_t)(s - s->group->slab);
}

static bool
new_group(void)
{
	uint32_t n = zm_arena_limited ? GROUP_LIMITED : GROUP;
	size_t bytes = (size_t)n * ZM_SLICE;
	size_t meta = sizeof(struct zm_slab_group) + n * sizeof(struct zm_slab);
	struct zm_slab_group *g = zm_meta_alloc(meta);
	if (!g)
		return false;
	uintptr_t base = zm_span_alloc(bytes, ZM_SLICE, "zmalloc nano");
	if (!base) {
		zm_meta_free(g, meta);
		return false;
	}
	g->count = n;
	g->slab[0].slice = base;
	pool.fresh = g;
	pool.fresh_next = 0;
	ZM_TRACE(nanov2_region_allocation, 0, base, bytes);
	return true;
}

static struct zm_slab *
fresh_slab(void)
{
	if ((!pool.fresh || pool.fresh_next == pool.fresh->count) &&
	    !new_group())
		return NULL;
	struct zm_slab_group *g = pool.fresh;
	struct zm_slab *s = &g->slab[pool.fresh_next];
	uintptr_t slice =
	    g->slab[0].slice + (uintptr_t)pool.fresh_next * ZM_SLICE;
	if (zm_os_commit((void *)slice, ZM_SLICE))
		return NULL;
	s->slice = slice;
	s->group = g;
	pool.fresh_next++;
	return s;
}

static void
dirty_remove(struct zm_slab *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		pool.dirty = s->next;
	if (s->next)
		s->next->prev = s->prev;
	else
		pool.oldest = s->prev;
	s->group->dirty &= ~(UINT32_C(1) << index_of(s));
	pool.dirty_count--;
}

struct zm_slab *
zm_slab_get(void)
{
	struct zm_slab *s;
	zm_lock(&pool.lock);
	if ((s = pool.dirty))
		dirty_remove(s);
	else if ((s = pool.clean))
		pool.clean = s->next;
	else
		s = fresh_slab();
	if (s && ++pool.used > pool.peak)
		pool.peak = pool.used;
	zm_unlock(&pool.lock);
	return s;
}

/* Purges `n` neighbours; what cannot be purged stays dirty, in name clean:
 * nobody relies on a slab's being zero. */
static void
purge(struct zm_slab *s, uint32_t n)
{
	void *p = (void *)s->slice;
	size_t bytes = (size_t)n * ZM_SLICE;
	bool gone = zm_os_purge(p, bytes) == 0;
	ZM_TRACE_MAG(madvfreeRegion, 0, ZM_TIER_NANO, p, bytes);
	for (uint32_t i = 0; i < n; i++) {
		dirty_remove(&s[i]);
		if (gone)
			s[i].touched = 0;
		s[i].next = pool.clean;
		pool.clean = &s[i];
	}
}

/* Until at most `keep` free slabs have pages. */
static void
trim(size_t keep)
{
	while (pool.dirty_count > keep) {
		struct zm_slab_group *g = pool.oldest->group;
		while (g->dirty) {
			unsigned at = (unsigned)__builtin_ctz(g->dirty);
			uint32_t rest = ~(g->dirty >> at);
			uint32_t n =
			    rest ? (uint32_t)__builtin_ctz(rest) : GROUP;
			purge(&g->slab[at], n);
		}
	}
}

void
zm_slab_put(struct zm_slab *s)
{
	zm_lock(&pool.lock);
	s->prev = NULL;
	s->next = pool.dirty;
	if (s->next)
		s->next->prev = s;
	else
		pool.oldest = s;
	pool.dirty = s;
	s->group->dirty |= UINT32_C(1) << index_of(s);
	pool.dirty_count++;
	pool.used--;
	pool.peak -= zm_peak_sink(pool.peak, pool.used);
	size_t bound = pool.peak + pool.peak / PEAK_SHARE - pool.used;
	size_t half = pool.used / 2 < FEW ? FEW : pool.used / 2;
	if (bound > half)
		bound = half;
	size_t keep = zm_zone_config.nano_keep;
	if (!keep || bound < keep)
		bound = keep;
	if (pool.dirty_count > bound)
		trim(bound - bound / 4);
	zm_unlock(&pool.lock);
}

void
zm_slabs_relief(void)
{
	zm_lock(&pool.lock);
	trim(0);
	zm_unlock(&pool.lock);
}

void
zm_slabs_lock(void)
{
	zm_lock(&pool.lock);
}

void
zm_slabs_unlock(void)
{
	zm_unlock(&pool.lock);
}

void
zm_slabs_reinit(void)
{
	zm_lock_init(&pool.lock, ZM_RANK_DEPOT);
}
