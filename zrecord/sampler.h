/*
 * sampler.h - the growth curves: at each interval the counters of a process,
 * rows only for what changed.
 *
 * So that a day takes no more room than a quarter of an hour:
 * - samples are merged as they grow old (thin.h);
 * - while the report has more than STACK_ROWS_PER_STEP rows of stacks of a
 *   process, a stack gets at most one every other sample; with every further
 *   STACK_ROWS_PER_STEP at half that rate.
 * The last sample of a process writes every difference in any case.
 */
#ifndef ZRECORD_SAMPLER_H
#define ZRECORD_SAMPLER_H

#include "process.h"

enum { SAMPLES_LEAST = 32, STACK_ROWS_PER_STEP = 250000 };

/* Takes a sample now. */
void sample_take(struct process *, struct writer *, int last);

/* Gives each stack there is a row. */
void sample_stack_rows(struct process *, struct writer *);

/* Makes p->stacks long enough for that stack.  0, or -1 out of memory or when
 * there can be no such stack. */
int sample_stack_state(struct process *, uint32_t stack);

/* Writes the totals of the process row as of the last sample. */
void sample_totals(const struct process *, struct writer *);

#endif
