/*
 * events.h - from the rings of a process to chunks of its history.
 *
 * All rings are emptied every few milliseconds, what they held is put in the
 * order of its time stamps and encoded (common/history.h).  An event is passed
 * on only when no thread can still come up with an earlier one.
 *
 * Called by the recorder's loop, and by finish.c for the rest.
 */
#ifndef ZRECORD_EVENTS_H
#define ZRECORD_EVENTS_H

#include "process.h"

struct history;

/* NULL when the process keeps no history, or out of memory. */
struct history *events_open(struct process *);

/* Empties the rings.  Returns seconds until the next call is due. */
double events_take(struct process *, struct writer *);

/* The rest: the process writes no more.  Frees the history. */
void events_close(struct process *, struct writer *);

#endif
