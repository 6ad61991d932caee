/*
 * populate.h - making fresh memory present before it is written to.
 *
 * A page fault costs hundreds of malloc+free pairs, and under a hypervisor
 * several times that; asking for a run of pages in one system call costs a
 * fraction of it.  So the front of a slab or region, where blocks are handed
 * out in the order of their addresses, is made present in steps, small ones in
 * a small heap: what is made present and never used is memory wasted.
 *
 * Relies on os/.  Called by nano.c, rack.c and malloc/.
 */
#ifndef ZMALLOC_ZONE_POPULATE_H
#define ZMALLOC_ZONE_POPULATE_H

#include "zone/types.h"

/*
 * [base, base + *touched) is present; makes it so that [base, base + need) is,
 * and some more, but nothing from base + end on.  Never fails: what could not
 * be made present is faulted in when it is used.
 */
void zm_touch_ahead(struct zm_szone *, uintptr_t base, size_t *touched,
		    size_t need, size_t end);

/* Makes the pages that lie in [p, p + bytes) present, all of them. */
void zm_touch(uintptr_t p, size_t bytes);

#endif
