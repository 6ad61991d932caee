/*
 * csv.h - comma-separated values as RFC 4180 has them.  Used by zleaks.
 */
#ifndef COMMON_CSV_H
#define COMMON_CSV_H

#include <stdint.h>
#include <stdio.h>

/* One field, with a comma in front unless it is the first of its line.  NULL
 * is empty, an empty text is "". */
void csv_field(FILE *, const char *text, int first);

/* A number; nothing for INT64_MIN (unknown). */
void csv_int(FILE *, int64_t, int first);
/* Seconds to the microsecond; nothing for NAN. */
void csv_real(FILE *, double, int first);

void csv_end_line(FILE *);

#endif
