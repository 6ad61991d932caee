/*
 * dirty.h - which free quanta of a rack still have pages, and how many may.
 *
 * Medium blocks are long, so giving their pages back at each free and faulting
 * them in again would cost far more than all else.  The rack counts its dirty
 * quanta (struct zm_rregion, struct zm_magazine) and lets
 *	used + dirty <= peak + peak / 2
 * where peak follows the bytes in use up at once and down slowly: memory that
 * was in use a moment ago may stay, so that a program which frees and
 * allocates the like goes round in warm pages.  The half above the peak is
 * what long blocks of random lengths leave between them.
 *
 * All under the lock of the magazine that owns the region, r->dirty not NULL.
 * Called by runs.c, rack.c and depot.c.
 */
#ifndef ZMALLOC_ZONE_DIRTY_H
#define ZMALLOC_ZONE_DIRTY_H

#include "zone/runs.h"

/*
 * What a change takes off a peak.  A heap that goes up and down by a fourth
 * keeps its peak for hundreds of changes; one that lost half of it is not
 * expected to come back soon.
 */
static inline size_t
zm_peak_sink(size_t peak, size_t used)
{
	if (peak <= used)
		return 0;
	size_t less = peak - used;
	if (less > peak / 2)
		return less / 16;
	return less * less / peak * less / peak / 64;
}

/* Quanta [start, start + n) leave a run: they count no more.  Returns how many
 * were dirty. */
uint32_t zm_dirty_take(struct zm_magazine *, struct zm_rregion *,
		       uint32_t start, uint32_t n);
/* They join a run with their pages. */
void zm_dirty_add(struct zm_magazine *, struct zm_rregion *, uint32_t start,
		  uint32_t n);
/* Gives the pages of at most `most` dirty quanta of a piece back, from its end
 * on; returns how many. */
uint32_t zm_dirty_purge(struct zm_magazine *, const struct zm_piece *,
			uint32_t most);
/* After a change: purges what is above the bound; last, if not NULL, the piece
 * that was just freed. */
void zm_dirty_bound(struct zm_rack *, struct zm_magazine *,
		    const struct zm_piece *last);

#endif
