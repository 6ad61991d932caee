/*
 * meta.h - pools of type-stable metadata.
 *
 * zm_meta_alloc and zm_meta_free are in szone.h.  What zm_pool hands out is
 * never unmapped and only used again by the same pool, so that readers
 * without locks may follow stale pointers.
 */
#ifndef ZMALLOC_ZONE_META_H
#define ZMALLOC_ZONE_META_H

#include "zone/types.h"

struct zm_pool {
	struct zm_lock lock;
	void *free;   /* linked through the word at link_offset */
	size_t bytes; /* of one object */
	size_t link_offset;
};

/* An object with the contents of its last use; zeroed the first time. */
void *zm_pool_get(struct zm_pool *);
void zm_pool_put(struct zm_pool *, void *);

void zm_meta_lock(void);
void zm_meta_unlock(void);
void zm_meta_reinit(void);

#endif
