/*
 * sampler.h - the growth curves: at each interval the counters of a process,
 * rows only for what changed.
 *
 * Thinning, so that a day takes no more room than a minute:
 * - a process has at most SAMPLES_MAX samples; when there are so many, every
 *   other one goes and the distance doubles (thin.h);
 * - a stack gets at most one row every stack_stride samples; stack_stride
 *   doubles whenever STACK_ROWS_PER_STEP more rows were written.
 * The last sample of a process writes every difference in any case.
 */
#ifndef ZRECORD_SAMPLER_H
#define ZRECORD_SAMPLER_H

#include "process.h"

enum { SAMPLES_MAX = 240, SAMPLES_LEAST = 32, STACK_ROWS_PER_STEP = 250000 };

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
