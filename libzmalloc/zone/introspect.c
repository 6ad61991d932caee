/*
 * introspect.c - walking a zone: statistics, live blocks, regions, check.
 *
 * Relies on the tiers' metadata alone, never on the contents of blocks.
 * Called by malloc/ and scan/.
 */
#include "zone/addresses.h"
#include "zone/arena.h"
#include "zone/cache.h"
#include "zone/directory.h"
#include "zone/large.h"
#include "zone/nano.h"
#include "zone/rack.h"
#include "zone/runs.h"
#include "zone/transfer.h"

/* ---- enumeration -------------------------------------------------------- */

struct walk {
	const struct zm_szone *zone;
	struct zm_addresses waiting; /* in caches */
	void (*fn)(uintptr_t, size_t, void *);
	void *ctx;
};

static void
note_waiting(uintptr_t p, size_t bytes, void *ctx)
{
	(void)bytes;
	zm_addresses_add(ctx, p);
}

struct search {
	uintptr_t p;
	bool found;
};

static void
compare(uintptr_t p, size_t bytes, void *ctx)
{
	struct search *s = ctx;
	(void)bytes;
	s->found |= p == s->p;
}

/* Without memory for the addresses every list is looked through. */
static bool
waits_somewhere(const struct zm_szone *z, uintptr_t p)
{
	struct search s = { p, false };
	zm_cache_each(z, compare, &s);
	zm_transfer_each(z, compare, &s);
	return s.found;
}

static bool
waits(const struct walk *w, uintptr_t p)
{
	return w->waiting.failed ? waits_somewhere(w->zone, p)
				 : zm_addresses_have(&w->waiting, p);
}

static void
walk_slab(struct walk *w, const struct zm_slab *s)
{
	for (unsigned i = 0; i < ZM_SLAB_WORDS; i++)
		for (uint64_t bits = s->bits[i]; bits; bits &= bits - 1) {
			unsigned at = i * 64 + (unsigned)__builtin_ctzll(bits);
			uintptr_t p = s->r.base + (uintptr_t)at * 16;
			if (!waits(w, p))
				w->fn(p, s->r.quantum, w->ctx);
		}
}

static void
walk_rregion(struct walk *w, const struct zm_rregion *r)
{
	const struct zm_rack *k = r->rack;
	uint32_t end = r->tail ? zm_granule(r, r->tail - 1) + 1 : 0;
	for (uint32_t g = 0; g < end; g++) {
		uint32_t mark = ZM_LOAD(&r->marks[g]);
		if (!mark)
			continue;
		uint32_t start = (g << k->gshift) + (mark & 15);
		uintptr_t p = r->r.base + ((uintptr_t)start << k->qshift);
		if (!waits(w, p))
			w->fn(p, (size_t)(mark >> ZM_LENGTH_SHIFT) << k->qshift,
			      w->ctx);
	}
}

static void
walk_region(struct zm_region *r, void *ctx)
{
	struct walk *w = ctx;
	if (r->tier == ZM_TIER_NANO)
		walk_slab(w, (struct zm_slab *)r);
	else if (r->tier != ZM_TIER_LARGE)
		walk_rregion(w, (struct zm_rregion *)r);
	else if (!((struct zm_large *)r)->dying)
		w->fn(r->base, r->bytes, w->ctx);
}

void
zm_szone_enumerate(struct zm_szone *z, void (*fn)(uintptr_t, size_t, void *),
		   void *ctx)
{
	struct walk w = { .zone = z, .fn = fn, .ctx = ctx };
	zm_szone_lock(z);
	zm_cache_lock();
	zm_cache_each(z, note_waiting, &w.waiting);
	zm_transfer_each(z, note_waiting, &w.waiting);
	zm_addresses_sort(&w.waiting);
	zm_region_each_of(z, walk_region, &w);
	zm_addresses_free(&w.waiting);
	zm_cache_unlock();
	zm_szone_unlock(z);
}

void
zm_szone_waiting(const struct zm_szone *z,
		 void (*fn)(uintptr_t, size_t, void *), void *ctx)
{
	zm_cache_each(z, fn, ctx);
	zm_transfer_each(z, fn, ctx);
}

struct regions {
	void (*fn)(uintptr_t, size_t, bool, void *);
	void *ctx;
};

static void
one_region(struct zm_region *r, void *ctx)
{
	struct regions *w = ctx;
	w->fn(r->base, r->bytes, false, w->ctx);
	if (r->tier == ZM_TIER_NANO) {
		w->fn((uintptr_t)r, sizeof(struct zm_slab), true, w->ctx);
	} else if (r->tier == ZM_TIER_LARGE) {
		w->fn((uintptr_t)r, sizeof(struct zm_large), true, w->ctx);
	} else {
		struct zm_rregion *in = (struct zm_rregion *)r;
		uintptr_t end =
		    (uintptr_t)(in->runs + ((size_t)1 << in->rack->gbits));
		w->fn((uintptr_t)r, end - (uintptr_t)r, true, w->ctx);
	}
}

void
zm_szone_regions(struct zm_szone *z,
		 void (*fn)(uintptr_t, size_t, bool, void *), void *ctx)
{
	struct regions w = { fn, ctx };
	fn((uintptr_t)z, z->meta_bytes, true, ctx);
	zm_szone_lock(z);
	zm_region_each_of(z, one_region, &w);
	zm_szone_unlock(z);
}

/* ---- statistics --------------------------------------------------------- */

static void
nano_statistics(struct zm_szone *z, struct zm_statistics *s)
{
	for (unsigned i = 0; i < z->nmag; i++) {
		struct zm_nano_mag *m = &z->nano_mags[i];
		zm_lock(&m->lock);
		s->blocks_in_use += m->blocks;
		s->size_in_use += m->bytes;
		s->size_allocated += (size_t)m->slabs * ZM_SLICE;
		s->max_size_in_use += (size_t)m->slabs * ZM_SLICE;
		zm_unlock(&m->lock);
	}
}

static void
large_statistics(struct zm_szone *z, struct zm_statistics *s)
{
	zm_lock(&z->large.lock);
	s->blocks_in_use += z->large.blocks;
	s->size_in_use += z->large.bytes;
	s->size_allocated += z->large.bytes + z->large.row_bytes;
	s->max_size_in_use += z->large.bytes + z->large.row_bytes;
	zm_unlock(&z->large.lock);
}

struct deduct {
	struct zm_statistics *s;
	int sub;
};

static void
deduct(uintptr_t p, size_t bytes, void *ctx)
{
	static const int8_t subs[] = {
		-1,	      ZM_SUB_NANO,   ZM_SUB_TINY,
		ZM_SUB_SMALL, ZM_SUB_MEDIUM, ZM_SUB_LARGE
	};
	struct deduct *d = ctx;
	struct zm_region *r = zm_region_of((void *)p);
	if (!r || (d->sub != ZM_SUB_ALL && d->sub != subs[r->tier]))
		return;
	/* other threads may free meanwhile */
	if (!d->s->blocks_in_use || d->s->size_in_use < bytes)
		return;
	d->s->blocks_in_use--;
	d->s->size_in_use -= bytes;
}

void
zm_szone_statistics(struct zm_szone *z, int sub, struct zm_statistics *s)
{
	static const int racks[ZM_RACKS] = { ZM_SUB_TINY, ZM_SUB_SMALL,
					     ZM_SUB_MEDIUM };
	*s = (struct zm_statistics){ 0 };
	if (sub == ZM_SUB_NANO || sub == ZM_SUB_ALL)
		nano_statistics(z, s);
	for (unsigned i = 0; i < ZM_RACKS; i++)
		if (sub == racks[i] || sub == ZM_SUB_ALL)
			zm_rack_statistics(&z->rack[i], s);
	if (sub == ZM_SUB_LARGE || sub == ZM_SUB_ALL)
		large_statistics(z, s);
	struct deduct d = { s, sub };
	for (unsigned i = 0; z->cached && i < z->nmag; i++)
		zm_lock(&z->transfer[i].lock);
	zm_cache_lock();
	zm_cache_each(z, deduct, &d);
	zm_transfer_each(z, deduct, &d);
	zm_cache_unlock();
	for (unsigned i = 0; z->cached && i < z->nmag; i++)
		zm_unlock(&z->transfer[i].lock);
}

/* ---- check -------------------------------------------------------------- */

struct totals {
	size_t used, blocks, quanta, runs;
};

/* Blocks and runs must cover [0, tail) without a gap. */
static const char *
check_region(struct zm_rregion *r, unsigned mag, struct totals *t)
{
	const struct zm_rack *k = r->rack;
	const struct zm_magazine *m = &k->mags[mag];
	uint32_t used = 0, blocks = 0;
	bool run_before = false;
	for (uint32_t at = 0, n; at < r->tail; at += n) {
		n = zm_mark_length(r, at);
		if (!n && r == m->last_region &&
		    (uintptr_t)m->last ==
			r->r.base + ((uintptr_t)at << k->qshift))
			n = m->last_quanta;
		if (n) {
			used += n;
			blocks++;
			run_before = false;
			if (n < 1u << k->gshift || n > k->max_quanta)
				return "rack: length of a block is impossible";
		} else {
			n = zm_run_length(r, at);
			if (!n)
				return "rack: neither block nor run";
			if (run_before)
				return "rack: two runs touch";
			run_before = true;
			t->runs++;
		}
		if (n > r->tail - at)
			return "rack: block or run passes the tail";
	}
	if (used != r->used || blocks != r->blocks)
		return "rack: counts of a region are wrong";
	if (r->tail > r->high)
		return "rack: pages in use count as fresh";
	if (r->mag != mag)
		return "rack: region in the wrong magazine";
	if (((size_t)r->tail << k->qshift) > r->committed)
		return "rack: tail is not accessible";
	if (zm_region_of((void *)(r->r.base + r->r.bytes - 1)) != &r->r)
		return "rack: region not in the slice table";
	t->used += used;
	t->blocks += blocks;
	t->quanta += r->quanta;
	return NULL;
}

static const char *
check_lists(const struct zm_rack *k, const struct zm_magazine *m, size_t runs)
{
	for (unsigned slot = 0; slot < ZM_SLOTS; slot++) {
		uint32_t ref = m->head[slot], before = ZM_NIL;
		bool bit = m->map[slot / 64] >> slot % 64 & 1;
		if (bit != (ref != ZM_NIL))
			return "rack: bitmap of the lists is wrong";
		while (ref != ZM_NIL) {
			struct zm_rregion *r = zm_ref_region(k, ref);
			struct zm_run *run = &r->runs[zm_ref_granule(k, ref)];
			uint32_t n = run->word >> ZM_LENGTH_SHIFT;
			if (!n || run->prev != before || !runs--)
				return "rack: a list of runs is broken";
			if (slot < k->max_quanta ? n != slot + 1
						 : n <= k->max_quanta)
				return "rack: run in the wrong list";
			before = ref;
			ref = run->next;
		}
	}
	return runs ? "rack: a run is in no list" : NULL;
}

const char *
zm_rack_check(struct zm_rack *k)
{
	for (unsigned mag = 0; mag <= k->nmag; mag++) {
		struct zm_magazine *m = &k->mags[mag];
		struct totals t = { 0, 0, 0, 0 };
		const char *why = NULL;
		for (struct zm_rregion *r = m->regions; r; r = r->next)
			if ((why = check_region(r, mag, &t)))
				return why;
		if ((why = check_lists(k, m, t.runs)))
			return why;
		if (t.used != m->used || t.blocks != m->blocks ||
		    t.quanta != m->quanta)
			return "rack: totals do not match the regions";
	}
	return NULL;
}

bool
zm_szone_check(struct zm_szone *z, const char **why)
{
	const char *found;
	zm_szone_lock(z);
	zm_cache_lock();
	found = zm_nano_check(z);
	for (unsigned i = 0; i < ZM_RACKS && !found; i++)
		found = zm_rack_check(&z->rack[i]);
	if (!found)
		found = zm_large_check(z);
	if (!found)
		found = zm_cache_check(z);
	if (!found)
		found = zm_transfer_check(z);
	zm_cache_unlock();
	zm_szone_unlock(z);
	if (why)
		*why = found;
	return !found;
}
