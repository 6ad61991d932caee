/*
 * log.h - operations on an address that somebody asked about: log.c.
 */
#ifndef ZMALLOC_MALLOC_LOG_H
#define ZMALLOC_MALLOC_LOG_H

#include <stddef.h>

struct zm_zone;

/* From now on the zone's operations on this address are printed; NULL: none;
 * all ones: on every address. */
void zm_log_address(struct zm_zone *, void *address);

/* While ZM_SLOW_LOG is set: what happened to the block at p.  size 0: what it
 * can hold. */
void zm_log(const void *p, const char *what, size_t size);

#endif
