/*
 * thin.h - keeps growth samples few: older ones are merged as if they had been
 * taken at a greater distance.
 *
 * Samples are taken, and numbered, at the distance of --interval all the time.
 * The first ones and the latest stay as they are, for a minute or FINE_MAX of
 * them; what lies between is merged to a distance that doubles when there are
 * more than MIDDLE_MAX.  So a day has as many rows as a quarter of an hour.
 *
 * Merging to distance D keeps of each curve the last row of each D steps and
 * moves it to the end of them, so that at the samples that stay every value is
 * what it was then.  The first and the last sample of a process always stay,
 * live blocks and totals are not touched.
 */
#ifndef ZRECORD_THIN_H
#define ZRECORD_THIN_H

#include "process.h"

enum {
	FINE_MAX = 400,
	FINE_SECONDS = 60,
	MIDDLE_MAX = 200,
	/* so many become old before they are merged, for that takes a while */
	THIN_BATCH = 100
};

/* For a process that has no sample yet: p->interval is known. */
void thin_begin(struct process *);

/* After a sample. */
void thin_process(struct process *, struct writer *);

/* With --max-size: thins all processes of the list while what is written, and
 * what their live blocks and stacks will take, is more than `limit` bytes.
 * Called while they run, and with last set when all else is written. */
void thin_to(struct process *first, struct writer *, uint64_t limit, int last);

#endif
