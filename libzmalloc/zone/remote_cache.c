/*
 * remote_cache.c - the blocks that wait in the caches of another process.
 *
 * The lists of fast.h, followed through the other process's memory as cache.c
 * follows them in its own: as far as their blocks are sound.  Every list ends
 * by a bound, whatever it holds.
 */
#include <string.h>

#include "zone/fast.h"
#include "zone/remote.h"
#include "zone/transfer.h"

enum { CACHES_MAX = 1 << 20 };

struct lists {
	struct zm_remote *m;
	struct zm_addresses *waiting;
	uintptr_t key;
};

static bool
follow(struct lists *l, const void *head)
{
	uintptr_t p = (uintptr_t)head, word[2];
	for (uint32_t n = ZM_BIN_MOST; p && n; n--, p = word[0]) {
		if (p & 15)
			break;
		if (!zm_remote_get(l->m, p, word, sizeof(word)))
			return false;
		if ((word[0] ^ word[1] ^ p) != l->key) /* zm_looks_cached */
			break;
		if (l->waiting->count == l->m->blocks_max)
			return zm_remote_fail(l->m, ZM_REMOTE_CONTRADICTORY);
		if (!zm_addresses_add(l->waiting, p))
			return zm_remote_fail(l->m, ZM_REMOTE_NO_MEMORY);
	}
	return true;
}

/* mark: a cache that was met before, each time farther down the list, so that
 * a list that bites its tail comes to it. */
static bool
each_cache(struct lists *l, uintptr_t at)
{
	uintptr_t mark = 0;
	for (uint32_t n = 1; at; n++) {
		struct zm_cache c;
		if (at == mark || n > CACHES_MAX)
			return zm_remote_fail(l->m, ZM_REMOTE_CONTRADICTORY);
		if (!zm_remote_get(l->m, at, &c, sizeof(c)))
			return false;
		bool ours = (uintptr_t)c.zone == l->m->at;
		for (unsigned i = 0; ours && i < ZM_BINS; i++)
			if (c.bin[i].head && !follow(l, c.bin[i].head))
				return false;
		if (!(n & (n - 1)))
			mark = at;
		at = (uintptr_t)c.next;
	}
	return true;
}

/* The chains between caches and magazines, of a zone that has any. */
static bool
each_chain(struct lists *l)
{
	uintptr_t at = (uintptr_t)l->m->zone.transfer;
	unsigned char cached;
	memcpy(&cached, &l->m->zone.cached, 1);
	unsigned mags = cached ? l->m->zone.nmag : 0;
	if (mags > ZM_MAGAZINES_MAX)
		return zm_remote_fail(l->m, ZM_REMOTE_CONTRADICTORY);
	for (; mags; mags--, at += sizeof(struct zm_transfer)) {
		struct zm_transfer t;
		if (!zm_remote_get(l->m, at, &t, sizeof(t)))
			return false;
		for (unsigned bin = 0; bin < ZM_TRANSFER_BINS; bin++)
			for (unsigned i = 0; i < 2; i++)
				if (!follow(l, t.chain[bin][i].head))
					return false;
	}
	return true;
}

bool
zm_remote_waiting(struct zm_remote *m, struct zm_addresses *waiting)
{
	struct zm_cache_image image;
	struct lists l = { m, waiting, 0 };
	uintptr_t first;
	return zm_remote_get(m, (uintptr_t)&zm_cache_image + m->shift, &image,
			     sizeof(image)) &&
	       zm_remote_get(m, (uintptr_t)image.key, &l.key, sizeof(l.key)) &&
	       zm_remote_get(m, (uintptr_t)image.caches, &first,
			     sizeof(first)) &&
	       each_cache(&l, first) && each_chain(&l);
}
