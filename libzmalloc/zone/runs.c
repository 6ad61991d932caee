/*
 * runs.c - see runs.h; struct zm_run and zm_mark in types.h.
 *
 * Links lie beside the region, not in free memory: freeing does not touch a
 * page again, and a program that writes behind its blocks cannot bend them.
 */
#include "zone/runs.h"

#include "zone/dirty.h"
#include "zone/trace.h"

struct zm_rregion *
zm_slot_region(const struct zm_rack *k, uint32_t slot)
{
	return k->table[slot >> 10][slot & 1023];
}

struct zm_rregion *
zm_ref_region(const struct zm_rack *k, uint32_t ref)
{
	return zm_slot_region(k, (ref - 1) >> k->gbits);
}

static struct zm_run *
run_of(const struct zm_rack *k, uint32_t ref)
{
	return &zm_ref_region(k, ref)->runs[zm_ref_granule(k, ref)];
}

static unsigned
slot_for(const struct zm_rack *k, uint32_t length)
{
	return length <= k->max_quanta ? length - 1 : k->max_quanta;
}

void
zm_run_insert(struct zm_magazine *m, const struct zm_piece *p)
{
	struct zm_rregion *r = p->region;
	const struct zm_rack *k = r->rack;
	uint32_t g = zm_granule(r, p->start);
	uint32_t ref = zm_ref(r, g);
	unsigned slot = slot_for(k, p->length);
	struct zm_run *run = &r->runs[g];
	run->word = zm_sub(r, p->start) | (p->clean ? ZM_RUN_CLEAN : 0) |
		    p->length << ZM_LENGTH_SHIFT;
	r->run_end[zm_granule(r, p->start + p->length - 1)] = (uint16_t)g;
	run->prev = ZM_NIL;
	run->next = m->head[slot];
	if (run->next != ZM_NIL)
		run_of(k, run->next)->prev = ref;
	m->head[slot] = ref;
	m->map[slot / 64] |= UINT64_C(1) << slot % 64;
}

static void
broken(const struct zm_piece *p)
{
	const struct zm_rack *k = p->region->rack;
	zm_zone_fatal(
	    "Internal invariant broken (next ptr of prev)",
	    (void *)(p->region->r.base + ((uintptr_t)p->start << k->qshift)));
}

struct zm_piece
zm_run_remove(struct zm_magazine *m, struct zm_rregion *r, uint32_t start)
{
	const struct zm_rack *k = r->rack;
	uint32_t g = zm_granule(r, start), ref = zm_ref(r, g);
	struct zm_run *run = &r->runs[g];
	struct zm_piece p = { r, start, run->word >> ZM_LENGTH_SHIFT,
			      run->word & ZM_RUN_CLEAN };
	unsigned slot = slot_for(k, p.length);
	if (run->prev != ZM_NIL) {
		if (run_of(k, run->prev)->next != ref)
			broken(&p);
		run_of(k, run->prev)->next = run->next;
	} else {
		if (m->head[slot] != ref)
			broken(&p);
		m->head[slot] = run->next;
		if (run->next == ZM_NIL)
			m->map[slot / 64] &= ~(UINT64_C(1) << slot % 64);
	}
	if (run->next != ZM_NIL) {
		if (run_of(k, run->next)->prev != ref)
			broken(&p);
		run_of(k, run->next)->prev = run->prev;
	}
	run->word = 0;
	return p;
}

/* The start of the run that ends before that quantum, or the quantum. */
static uint32_t
run_before(const struct zm_rregion *r, uint32_t start)
{
	if (!start)
		return start;
	uint32_t g = r->run_end[zm_granule(r, start - 1)];
	uint32_t word = r->runs[g].word;
	uint32_t at = (g << r->gshift) + (word & 15);
	if (word && at + (word >> ZM_LENGTH_SHIFT) == start)
		return at;
	return start;
}

struct zm_piece
zm_run_free(struct zm_magazine *m, struct zm_piece p)
{
	struct zm_rregion *r = p.region;
	uint32_t before = run_before(r, p.start), end = p.start + p.length;
	if (before != p.start) {
		struct zm_piece left = zm_run_remove(m, r, before);
		p.start = before;
		p.length += left.length;
		p.clean = p.clean && left.clean;
	}
	if (end < r->tail && zm_run_length(r, end)) {
		struct zm_piece right = zm_run_remove(m, r, end);
		p.length += right.length;
		p.clean = p.clean && right.clean;
	}
	zm_run_insert(m, &p);
	return p;
}

bool
zm_run_best(struct zm_magazine *m, const struct zm_rack *k, uint32_t n,
	    struct zm_piece *out)
{
	unsigned slot = slot_for(k, n), word = slot / 64;
	uint64_t map = m->map[word] & ~UINT64_C(0) << slot % 64;
	while (!map) {
		if (++word == ZM_SLOT_WORDS)
			return false;
		map = m->map[word];
	}
	slot = word * 64 + (unsigned)__builtin_ctzll(map);
	uint32_t ref = m->head[slot];
	struct zm_rregion *r = zm_ref_region(k, ref);
	uint32_t g = zm_ref_granule(k, ref);
	uint32_t start = (g << k->gshift) + (r->runs[g].word & 15);
	*out = zm_run_remove(m, r, start);
	return true;
}

bool
zm_piece_purge(const struct zm_piece *p, uint32_t from, uint32_t length)
{
	const struct zm_rregion *r = p->region;
	unsigned shift = r->rack->qshift;
	size_t page = zm_os_page_size();
	uintptr_t start = r->r.base + ((uintptr_t)p->start << shift);
	uintptr_t end = start + ((uintptr_t)p->length << shift);
	uintptr_t low = r->r.base + ((uintptr_t)from << shift);
	uintptr_t high = low + ((uintptr_t)length << shift);
	uintptr_t first = zm_round_up(start, page), last = end & ~(page - 1);
	low &= ~(page - 1);
	high = zm_round_up(high, page);
	bool whole = first == start && last == end;
	if (low < first)
		low = first;
	if (high > last)
		high = last;
	if (low >= high)
		return false;
	ZM_TRACE_MAG(madvfreeRegion, r->r.zone, r->r.tier, low, high - low);
	bool gone = zm_os_purge((void *)low, high - low) == 0;
	return gone && whole && low == start && high == end;
}

static void
purge_by_rule(const struct zm_piece *joined, uint32_t start, uint32_t n)
{
	struct zm_piece p = *joined;
	if (p.clean || !zm_zone_config.aggressive_madvise)
		return;
	if (zm_piece_purge(&p, start, n))
		p.region->runs[zm_granule(p.region, p.start)].word |=
		    ZM_RUN_CLEAN;
}

void
zm_quanta_free(struct zm_rack *k, struct zm_magazine *m, struct zm_rregion *r,
	       uint32_t start, uint32_t n)
{
	r->used -= n;
	ZM_STORE(&m->used, m->used - n);
	struct zm_piece p =
	    zm_run_free(m, (struct zm_piece){ r, start, n, false });
	if (!r->dirty) {
		purge_by_rule(&p, start, n);
		return;
	}
	zm_dirty_add(m, r, start, n);
	if (zm_zone_config.aggressive_madvise)
		zm_dirty_purge(m, &(struct zm_piece){ r, start, n, false }, n);
	else
		zm_dirty_bound(k, m, &p);
}
