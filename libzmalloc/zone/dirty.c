/*
 * dirty.c - see dirty.h.
 */
#include "zone/dirty.h"

#include "zone/trace.h"

enum {
	SPARE = 3 << 19, /* bytes that may always be dirty */
	PEAK_SHARE = 2,	 /* of the peak, above it */
	LOOKS = 64,	 /* runs looked at in one go */
};

static bool
bit(const struct zm_rregion *r, uint32_t i)
{
	return r->dirty[i / 64] >> i % 64 & 1;
}

/* Mask of the bits of word i / 64 that belong to [i, end); *next: where the
 * following word begins. */
static uint64_t
word_mask(uint32_t i, uint32_t end, uint32_t *next)
{
	uint64_t mask = ~UINT64_C(0) << i % 64;
	*next = (i | 63) + 1;
	if (*next > end) {
		mask &= ~UINT64_C(0) >> (*next - end);
		*next = end;
	}
	return mask;
}

static void
count(struct zm_magazine *m, struct zm_rregion *r, uint32_t quanta, bool more)
{
	if (more) {
		m->dirty += quanta;
		r->dirty_count += quanta;
	} else {
		m->dirty -= quanta;
		r->dirty_count -= quanta;
	}
}

uint32_t
zm_dirty_take(struct zm_magazine *m, struct zm_rregion *r, uint32_t start,
	      uint32_t n)
{
	uint32_t found = 0, end = start + n, next;
	for (uint32_t i = start; i < end; i = next) {
		uint64_t mask = word_mask(i, end, &next);
		uint64_t *word = &r->dirty[i / 64];
		found += (uint32_t)__builtin_popcountll(*word & mask);
		*word &= ~mask;
	}
	count(m, r, found, false);
	return found;
}

void
zm_dirty_add(struct zm_magazine *m, struct zm_rregion *r, uint32_t start,
	     uint32_t n)
{
	uint32_t end = start + n, next;
	for (uint32_t i = start; i < end; i = next)
		r->dirty[i / 64] |= word_mask(i, end, &next);
	count(m, r, n, true);
}

uint32_t
zm_dirty_purge(struct zm_magazine *m, const struct zm_piece *p, uint32_t most)
{
	struct zm_rregion *r = p->region;
	uint32_t done = 0, end = p->start + p->length;
	while (done < most) {
		while (end > p->start && !bit(r, end - 1))
			end--;
		uint32_t at = end;
		while (at > p->start && bit(r, at - 1) &&
		       done + end - at < most)
			at--;
		if (at == end)
			break;
		void *start =
		    (void *)(r->r.base + ((uintptr_t)at << r->qshift));
		size_t bytes = (size_t)(end - at) << r->qshift;
		if (zm_os_purge(start, bytes))
			break; /* locked pages */
		ZM_TRACE_MAG(madvfreeRegion, r->r.zone, r->r.tier, start,
			     bytes);
		done += zm_dirty_take(m, r, at, end - at);
		end = at;
	}
	return done;
}

/* Quanta above the bound. */
static uint32_t
excess(const struct zm_rack *k, struct zm_magazine *m)
{
	size_t spare = SPARE >> k->qshift;
	if (m->peak < m->used) /* the depot's */
		m->peak = m->used;
	m->peak -= zm_peak_sink(m->peak, m->used);
	size_t bound = m->peak + m->peak / PEAK_SHARE;
	if (bound < m->used + spare)
		bound = m->used + spare;
	size_t have = m->used + m->dirty;
	if (have <= bound)
		return 0;
	/* a little more, so that the next free does not come here again */
	return (uint32_t)(have - bound + (bound - m->used) / 8);
}

static struct zm_piece
piece_at(const struct zm_rack *k, uint32_t ref)
{
	struct zm_rregion *r = zm_ref_region(k, ref);
	uint32_t g = zm_ref_granule(k, ref), word = r->runs[g].word;
	return (struct zm_piece){ r, (g << k->gshift) + (word & 15),
				  word >> ZM_LENGTH_SHIFT, false };
}

/*
 * Long runs first: they are the last that an allocation would take, and it
 * takes their beginnings.
 */
void
zm_dirty_bound(struct zm_rack *k, struct zm_magazine *m,
	       const struct zm_piece *last)
{
	uint32_t much = excess(k, m), looks = LOOKS;
	for (unsigned slot = k->max_quanta + 1u; much && slot-- > 0;) {
		uint32_t ref = m->head[slot];
		for (; ref != ZM_NIL && much && looks; looks--) {
			struct zm_piece p = piece_at(k, ref);
			ref = p.region->runs[zm_ref_granule(k, ref)].next;
			if (last && p.region == last->region &&
			    p.start == last->start)
				continue;
			much -= zm_dirty_purge(m, &p, much);
		}
	}
	if (much && last)
		zm_dirty_purge(m, last, much);
}
