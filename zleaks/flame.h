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
 * Marks the `most` largest of n shares, of equal ones the first; never those
 * that are 0.  For choosing rows of a table.
 */
void flame_mark(const double *shares, size_t n, size_t most,
		unsigned char *marks);

#endif
