/*
 * lazy.h - large blocks that the kernel may empty: see lazy.c.
 */
#ifndef ZMALLOC_ZONE_LAZY_H
#define ZMALLOC_ZONE_LAZY_H

#include "zone/types.h"

/* From now on the kernel may drop contents of the large block at p.  0, or
 * -EINVAL: no large block. */
int zm_lazy_free(void *p);
/* No longer.  -EFAULT: some of it was dropped. */
int zm_lazy_keep(void *p);
/* The block is freed, or was; its zone's large blocks are locked. */
void zm_lazy_forget(struct zm_large *);

#endif
