/*
 * transfer.h - chains of free blocks on their way from one visit of a cache to
 * the next.
 *
 * Between the threads' caches and the magazines.  A cache that is full gives a
 * chain away as it is, one that is empty takes it over: no block is split or
 * joined with its neighbours in between, and the lock is held for a few
 * instructions.  Each magazine has room for two chains of each length, within
 * a bound of bytes; the older gives way to the newer.
 *
 * A chain is a bin's list (fast.h): linked through its blocks, sealed, and
 * marked in the metadata as if live.
 *
 * Relies on fast.h.  Called by cache.c; locked around fork and enumeration by
 * szone.c.
 */
#ifndef ZMALLOC_ZONE_TRANSFER_H
#define ZMALLOC_ZONE_TRANSFER_H

#include "zone/fast.h"

enum { ZM_TRANSFER_BINS = ZM_BIN_MEDIUM };

struct zm_chain {
	uintptr_t *head;
	uint32_t count; /* 0: none */
};

/* Of one magazine's threads. */
struct zm_transfer {
	struct zm_lock lock;
	size_t bytes;				    /* in all chains */
	struct zm_chain chain[ZM_TRANSFER_BINS][2]; /* the newer, the older */
};

/* Leaves a chain of blocks of that bin; what had to give way for it, perhaps
 * the chain itself, is returned and must be freed by the caller. */
struct zm_chain zm_transfer_put(struct zm_szone *, unsigned mag, unsigned bin,
				struct zm_chain);
/* The latest chain of that bin, if there is one. */
struct zm_chain zm_transfer_get(struct zm_szone *, unsigned mag, unsigned bin);

/* Takes any chain out, for relief; count 0: there are no more. */
struct zm_chain zm_transfer_any(struct zm_szone *, unsigned *bin);

/* Calls fn for each block; the zone's locks are held. */
void zm_transfer_each(const struct zm_szone *,
		      void (*fn)(uintptr_t p, size_t bytes, void *ctx),
		      void *ctx);
const char *zm_transfer_check(const struct zm_szone *);
/* Drops all chains of a zone that is about to vanish. */
void zm_transfer_forget(struct zm_szone *);

#endif
