/*
 * flame.h - which nodes of a call tree a flame graph draws.  A large report
 * has hundreds of thousands of them, most narrower than a pixel; what is left
 * out is counted.  Used by `html` and `flamegraph`.
 */
#ifndef ZLEAKS_FLAME_H
#define ZLEAKS_FLAME_H

#include "calltree.h"

/*
 * Chooses at most `most` nodes: those with the largest share in any of the
 * costs (bits 1 << cost), each with all of its callers.  Nodes without any of
 * these costs are never chosen, the root always is.  Returns an array with a 1
 * for each chosen node, the caller's to free.
 */
unsigned char *flame_choose(const struct calltree *, unsigned costs,
			    uint32_t most);

/* Largest share that a value list has in the totals, of those costs. */
double flame_share(const uint64_t value[COSTS], const uint64_t total[COSTS],
		   unsigned costs);

/*
 * Smallest share that may stay so that no more than `most` of n shares do: for
 * choosing rows of a table.  0 when all may.
 */
double flame_least_share(const double *shares, size_t n, size_t most);

#endif
