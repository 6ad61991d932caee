/*
 * marks.h - the moments that a program named, with what was live then.
 */
#ifndef ZRECORD_MARKS_H
#define ZRECORD_MARKS_H

#include "process.h"

/* Writes those that came since the last call. */
void marks_write(struct process *, struct writer *);

#endif
