/*
 * runs.h - free runs of a rack's regions: lists by length, joining, cutting.
 *
 * All under the lock of the magazine that owns the region.  Called by rack.c
 * and depot.c only.
 */
#ifndef ZMALLOC_ZONE_RUNS_H
#define ZMALLOC_ZONE_RUNS_H

#include "zone/types.h"

enum {
	ZM_MARK_SET = 16,   /* in a mark */
	ZM_RUN_CLEAN = 16,  /* in a run's word */
	ZM_LENGTH_SHIFT = 5 /* in both */
};

struct zm_piece {
	struct zm_rregion *region;
	uint32_t start, length; /* quanta */
	bool clean;
};

static inline uint32_t
zm_granule(const struct zm_rregion *r, uint32_t quantum)
{
	return quantum >> r->gshift;
}

static inline uint32_t
zm_sub(const struct zm_rregion *r, uint32_t quantum)
{
	return quantum & ((1u << r->gshift) - 1);
}

static inline void
zm_mark_set(struct zm_rregion *r, uint32_t start, uint32_t length)
{
	uint32_t mark =
	    length ? zm_sub(r, start) | ZM_MARK_SET | length << ZM_LENGTH_SHIFT
		   : 0;
	ZM_STORE(&r->marks[zm_granule(r, start)], (zm_mark)mark);
}

/* Length of the block that starts at that quantum, or 0. */
static inline uint32_t
zm_mark_length(const struct zm_rregion *r, uint32_t start)
{
	uint32_t mark = ZM_LOAD(&r->marks[zm_granule(r, start)]);
	return (mark & 31) == (zm_sub(r, start) | ZM_MARK_SET)
		   ? mark >> ZM_LENGTH_SHIFT
		   : 0;
}

/* Length of the run that starts at that quantum, or 0. */
static inline uint32_t
zm_run_length(const struct zm_rregion *r, uint32_t start)
{
	uint32_t word = r->runs[zm_granule(r, start)].word;
	return word && (word & 15) == zm_sub(r, start) ? word >> ZM_LENGTH_SHIFT
						       : 0;
}

/*
 * A reference names a run: its region's slot in the rack's table and its
 * granule, plus one, so that zeroed memory is full of nils.
 */
static inline uint32_t
zm_ref(const struct zm_rregion *r, uint32_t granule)
{
	return (r->slot << r->rack->gbits | granule) + 1;
}

struct zm_rregion *zm_ref_region(const struct zm_rack *, uint32_t ref);

static inline uint32_t
zm_ref_granule(const struct zm_rack *k, uint32_t ref)
{
	return (ref - 1) & ((1u << k->gbits) - 1);
}

struct zm_rregion *zm_slot_region(const struct zm_rack *, uint32_t slot);

void zm_run_insert(struct zm_magazine *, const struct zm_piece *);
/* Takes the run that starts there out of its list. */
struct zm_piece zm_run_remove(struct zm_magazine *, struct zm_rregion *,
			      uint32_t start);
/* Joins a piece with the runs beside it and inserts the result. */
struct zm_piece zm_run_free(struct zm_magazine *, struct zm_piece);
/* What was a block of n quanta at start becomes free; its pages go if the rule
 * of the tier wants it. */
void zm_quanta_free(struct zm_rack *, struct zm_magazine *, struct zm_rregion *,
		    uint32_t start, uint32_t n);
/* Removes the shortest run of at least n quanta; false when there is none.
 * k is the rack. */
bool zm_run_best(struct zm_magazine *, const struct zm_rack *k, uint32_t n,
		 struct zm_piece *);
/* Gives the whole pages of a piece that lie in [from, from + length) back;
 * true when all of the piece is whole pages and gone. */
bool zm_piece_purge(const struct zm_piece *, uint32_t from, uint32_t length);

#endif
