/*
 * trace.c - see trace.h.
 */
#include "zone/trace.h"

void
zm_trace_taken(const struct zm_rack *k, unsigned n, unsigned blocks,
	       const void *p)
{
	unsigned zone = k->zone->id;
	size_t bytes = (size_t)n << k->qshift;
	if (!blocks)
		return;
	switch (k->tier) {
	case ZM_TIER_TINY:
		ZM_TRACE(tiny_malloc, zone, bytes, p, blocks);
		break;
	case ZM_TIER_SMALL:
		ZM_TRACE(small_malloc, zone, bytes, p, blocks);
		break;
	default:
		ZM_TRACE(medium_malloc, zone, bytes, p, blocks);
		break;
	}
}

void
zm_trace_given(const struct zm_rack *k, unsigned blocks, const void *p)
{
	unsigned zone = k->zone->id;
	switch (k->tier) {
	case ZM_TIER_TINY:
		ZM_TRACE(tiny_free, zone, p, blocks);
		break;
	case ZM_TIER_SMALL:
		ZM_TRACE(small_free, zone, p, blocks);
		break;
	default:
		ZM_TRACE(medium_free, zone, p, blocks);
		break;
	}
}
