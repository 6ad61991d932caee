/*
 * units.h - quantities as people read them: times, rates, shares.  Whole
 * numbers and sizes are message_number() and message_bytes() of message.h.
 * Each function writes into buf (UNITS_BYTES always suffice) and returns it;
 * unknown values (NAN) read "?".
 */
#ifndef COMMON_UNITS_H
#define COMMON_UNITS_H

#include <stdint.h>

enum { UNITS_BYTES = 48 };

/* "0.231 s", "12.4 s", "3 min 05 s", "2 h 07 min" */
char *units_time(char buf[UNITS_BYTES], double seconds);

/* "+1,234", "-7", "0" */
char *units_change(char buf[UNITS_BYTES], int64_t n);

/* "+512 B/s", "+19.4 KiB/s", "0" below half a byte per second */
char *units_rate(char buf[UNITS_BYTES], double bytes_per_second);

/* "99.1 %"; only what is whole is "100 %", only what is nothing "0 %". */
char *units_share(char buf[UNITS_BYTES], uint64_t part, uint64_t whole);

#endif
