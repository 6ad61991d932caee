/*
 * points.h - how often each trace point of a process was passed.
 *
 * Names and codes come from libzmalloc/os/trace_codes.h, the counts from the
 * session segment.  Called by recorder.c and finish.c.
 */
#ifndef ZRECORD_POINTS_H
#define ZRECORD_POINTS_H

#include "process.h"

/* Writes the names of all points; once for each report. */
void points_names(struct writer *);

/* Writes the counts of a process, as of its last sample. */
void points_write(const struct process *, struct writer *);

#endif
