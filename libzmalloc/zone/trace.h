/*
 * trace.h - the trace points that racks share: their tier decides which.
 *
 * Slow paths only.  Called by rack.c.
 */
#ifndef ZMALLOC_ZONE_TRACE_H
#define ZMALLOC_ZONE_TRACE_H

#include "os/trace.h"
#include "zone/types.h"

/* A rack gave out `blocks` blocks of n quanta, the first at p; none: nothing
 * is traced. */
void zm_trace_taken(const struct zm_rack *, unsigned n, unsigned blocks,
		    const void *p);
/* A rack takes back blocks, the first at p. */
void zm_trace_given(const struct zm_rack *, unsigned blocks, const void *p);

#endif
