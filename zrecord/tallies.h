/*
 * tallies.h - the part of the stacks' counters that threads other than the
 * first keep for themselves (struct zs_tally).
 *
 * Called by the sampler and by stacks.c.
 */
#ifndef ZRECORD_TALLIES_H
#define ZRECORD_TALLIES_H

#include "process.h"

struct tallies {
	struct zs_chunk *chunk; /* by their first stack */
	uint32_t count;
};

/* Reads all of them; sets p->damaged where the list is. */
void tallies_read(struct process *p, struct tallies *t);
/* Adds them to the counters of the stacks first to first + n - 1. */
void tallies_add(const struct tallies *t, struct zs_stack *s, uint32_t first,
		 uint32_t n);
void tallies_free(struct tallies *t);

#endif
