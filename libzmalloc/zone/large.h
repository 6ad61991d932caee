/*
 * large.h - blocks with a mapping of their own, and the death row of those
 * that were freed lately.
 *
 * Relies on arena and directory.  Called by szone.c.
 */
#ifndef ZMALLOC_ZONE_LARGE_H
#define ZMALLOC_ZONE_LARGE_H

#include "zone/types.h"

void zm_large_init(struct zm_szone *);
/* At least `bytes`; *zero: it is known to read as zero.  NULL out of memory. */
void *zm_large_alloc(struct zm_szone *, size_t bytes, size_t align, bool *zero);
void zm_large_free(struct zm_szone *, struct zm_large *, void *p);
bool zm_large_resize(struct zm_szone *, struct zm_large *, size_t bytes);
bool zm_large_relief(struct zm_szone *); /* true: it gave something back */
void zm_large_destroy(struct zm_szone *);
const char *zm_large_check(struct zm_szone *);

void zm_large_pool_lock(void);
void zm_large_pool_unlock(void);
void zm_large_pool_reinit(void);

#endif
