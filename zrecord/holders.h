/*
 * holders.h - who holds a block, which root retains how much, who held a lost
 * block last, and what C++ type it has: from the graphs of the leak scans.
 *
 * A scan is read when the sampler comes by, so that the target may write the
 * next one in its place; the last one is kept, since what it held and the next
 * one finds lost was lost between the two.  Called by sampler, finish and
 * blocks.
 */
#ifndef ZRECORD_HOLDERS_H
#define ZRECORD_HOLDERS_H

#include "catalog.h"
#include "process.h"

/* Reads the scans that have finished since the last call. */
void holders_take(struct process *, struct writer *, struct catalog *);

/* What is known of a block that the last scan judged. */
struct holder {
	int64_t by;	 /* address of the block that holds it; negative: a
			    root's root_id; 0: not known */
	uint64_t offset; /* in it, bytes; UINT64_MAX: blocks lie between that
			    are not recorded */
	int64_t type;	 /* type_id; 0: not known */
};
void holders_of(const struct process *, uint64_t address, unsigned verdict,
		struct holder *);

/* When blocks that holders_of was asked for since the last call were lost, and
 * who held them; in the place of what was written then. */
void holders_losses(const struct process *, struct writer *);

void holders_free(struct process *);

#endif
