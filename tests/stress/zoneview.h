/*
 * zoneview.h - what the zones say of themselves, beside what a test knows:
 * the enumerators of all zones against a set of records of shadow.h.
 *
 * Programs include this and run with the library preloaded; without it the
 * weak functions are missing.  Everything here is for moments when no other
 * thread is inside the zones that are compared.
 */
#ifndef TESTS_STRESS_ZONEVIEW_H
#define TESTS_STRESS_ZONEVIEW_H

#include <malloc.h>
#include <zmalloc/malloc.h>

#include "shadow.h"

#pragma weak malloc_create_zone
#pragma weak malloc_default_zone
#pragma weak malloc_destroy_zone
#pragma weak malloc_get_all_zones
#pragma weak malloc_get_zone_name
#pragma weak malloc_set_zone_name
#pragma weak malloc_good_size
#pragma weak malloc_claimed_address
#pragma weak malloc_size
#pragma weak malloc_zone_batch_free
#pragma weak malloc_zone_batch_malloc
#pragma weak malloc_zone_calloc
#pragma weak malloc_zone_check
#pragma weak malloc_zone_claimed_address
#pragma weak malloc_zone_free
#pragma weak malloc_zone_from_ptr
#pragma weak malloc_zone_malloc
#pragma weak malloc_zone_malloc_with_options
#pragma weak malloc_zone_memalign
#pragma weak malloc_zone_pressure_relief
#pragma weak malloc_zone_realloc
#pragma weak malloc_zone_statistics
#pragma weak malloc_zone_valloc

/* Records of one set; the room is fixed. */
struct set {
	struct block *at;
	size_t count, room;
	void *zone; /* being enumerated */
};

static inline struct set
new_set(size_t room)
{
	return (struct set){ map(room * sizeof(struct block)), 0, room, NULL };
}

static inline void
set_add(struct set *s, const struct block *b)
{
	if (s->count == s->room)
		fail("more than %zu blocks", s->room);
	s->at[s->count++] = *b;
}

static void
note_ranges(task_t task, void *context, unsigned type, vm_range_t *range,
	    unsigned count)
{
	struct set *s = context;
	(void)task;
	if (type != MALLOC_PTR_IN_USE_RANGE_TYPE)
		fail("enumerator reports type %u unasked", type);
	for (unsigned i = 0; i < count; i++) {
		struct block b = { .p = (void *)range[i].address,
				   .usable = range[i].size,
				   .zone = s->zone };
		set_add(s, &b);
	}
}

/* Adds the blocks of a zone to s; its statistics must tell the same. */
static inline void
enumerate(malloc_zone_t *z, struct set *s)
{
	malloc_statistics_t stats;
	size_t bytes = 0, before = s->count;
	s->zone = z;
	if (z->introspect->enumerator(0, s, MALLOC_PTR_IN_USE_RANGE_TYPE,
				      (vm_address_t)z, NULL, note_ranges))
		fail("enumerator of zone %p failed", (void *)z);
	for (size_t i = before; i < s->count; i++)
		bytes += s->at[i].usable;
	malloc_zone_statistics(z, &stats);
	if (stats.blocks_in_use != s->count - before ||
	    stats.size_in_use != bytes)
		fail("zone %p: statistics %u blocks, %zu bytes; enumerated "
		     "%zu, %zu",
		     (void *)z, stats.blocks_in_use, stats.size_in_use,
		     s->count - before, bytes);
	if (stats.size_allocated < stats.size_in_use ||
	    stats.max_size_in_use < stats.size_in_use)
		fail("zone %p: statistics contradict themselves", (void *)z);
}

/* got must be want and nothing else but blocks of `others` (libc's own). */
static inline void
same_set(struct set *want, struct set *got, const struct set *others)
{
	sort_blocks(want->at, want->count);
	sort_blocks(got->at, got->count);
	no_overlap(got->at, got->count);
	size_t w = 0;
	for (size_t g = 0; g < got->count; g++) {
		const struct block *b = &got->at[g], *a = &want->at[w];
		if (malloc_size(b->p) != b->usable)
			fail("%p enumerated with %zu, malloc_size %zu",
			     (void *)b->p, b->usable, malloc_size(b->p));
		if (w < want->count && a->p == b->p) {
			if (a->usable != b->usable || a->zone != b->zone)
				fail("%p of %zu in %p enumerated as %zu in %p",
				     (void *)a->p, a->usable, a->zone,
				     b->usable, b->zone);
			w++;
		} else if (!others ||
			   !find_block(others->at, others->count, b->p)) {
			fail("%p (%zu) enumerated, but not alive", (void *)b->p,
			     b->usable);
		}
	}
	if (w < want->count)
		fail("%p (%zu) is alive, not enumerated", (void *)want->at[w].p,
		     want->at[w].usable);
}

/* Whatever of got is not in want: blocks of libc's, and few. */
static inline void
take_others(struct set *want, struct set *got, struct set *others)
{
	others->count = 0;
	sort_blocks(want->at, want->count);
	for (size_t i = 0; i < got->count; i++)
		if (!find_block(want->at, want->count, got->at[i].p))
			set_add(others, &got->at[i]);
	sort_blocks(others->at, others->count);
}

#endif
