/*
 * thin.h - keeps growth samples few: older ones are merged as if they had been
 * taken at a greater distance.
 *
 * A sample number counts steps of the shortest distance.  Thinning to distance
 * D keeps of each curve the last row of each D steps and moves it to the end of
 * them, so that at the samples that stay every value is what it was then.  The
 * first and the last sample of a process always stay, live blocks and totals
 * are not touched.
 */
#ifndef ZRECORD_THIN_H
#define ZRECORD_THIN_H

#include "process.h"

/* After a sample: a process has at most SAMPLES_MAX of them. */
void thin_process(struct process *, struct writer *);

/* With --max-size: thins all processes of the list while what is written, and
 * what their live blocks and stacks will take, is more than `limit` bytes.
 * Called while they run, and with last set when all else is written. */
void thin_to(struct process *first, struct writer *, uint64_t limit, int last);

#endif
