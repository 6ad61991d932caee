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

/* Writes the chains of last holders; before the blocks are written. */
void holders_finish(struct process *, struct writer *);

/* What is known of a block that the last scan judged.  0 and NaN: nothing. */
struct holder {
	int64_t root;	 /* root_id, when a root holds it */
	uint64_t block;	 /* else the address of the block that does */
	uint64_t offset; /* in either, bytes; UINT64_MAX: blocks lie between
			    that are not recorded */
	int64_t type;	 /* type_id */
	double held_at, lost_at; /* the scans between which it was lost */
	int64_t last_holder;	 /* holder_path.path_id */
};
void holders_of(const struct process *, uint64_t address, unsigned verdict,
		struct holder *);

void holders_free(struct process *);

#endif
