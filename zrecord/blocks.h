/*
 * blocks.h - from the tags of a segment to rows of live blocks and leaks.
 */
#ifndef ZRECORD_BLOCKS_H
#define ZRECORD_BLOCKS_H

#include "process.h"

/* Makes the table of live blocks known to the writer's connection; an SQLite
 * result code. */
int blocks_table(struct writer *w);

/*
 * Writes a row for each live block and the sums by kind and stack, and fills
 * p->kind_*, p->live_*.  p->stacks must hold the ids of all stacks.
 */
void blocks_write(struct process *p, struct writer *w);

/*
 * The same for a process that runs, after a scan in it: sums by kind and stack
 * of the blocks that the scan saw, and a row for each of those that are lost,
 * up to a bound.  Takes the place of what an earlier scan left.
 */
void blocks_scanned(struct process *p, struct writer *w);

#endif
