/*
 * batch.c - malloc_zone_batch_malloc and _free for zones of ours: many blocks
 * under one lock, one event of the recorder for each.
 *
 * Where something has to be done for single operations (heap checks, the log,
 * an atfork handler, the recorder's own code) it goes block by block, through
 * block.c.  Called by zone_api.c and zone_object.c.
 */
#include <errno.h>
#include <stdint.h>

#include "malloc/block.h"
#include "malloc/registry.h"
#include "malloc/state.h"

enum { SINGLY = ZM_SLOW_CHECK | ZM_SLOW_FORK | ZM_SLOW_LOG, CHUNK = 64 };

static bool
singly(void)
{
	unsigned slow = zm_is_slow();
	if (slow & SINGLY)
		return true;
	if (!(slow & ZM_SLOW_HOOK))
		return false;
	struct zm_thread *t = zm_thread();
	return t && t->in_logger;
}

static bool
recorded(const struct zm_zone *z)
{
	return zm_is_slow() & ZM_SLOW_HOOK && z->id != ZM_ZONE_ID_LOGGER;
}

unsigned
zm_batch_new(malloc_zone_t *zone, const struct zm_ask *ask, void **out,
	     unsigned n)
{
	struct zm_zone *z = zm_zone_ours(zone);
	unsigned got = 0;
	if (!z || singly()) {
		while (got < n && (out[got] = zm_block_new_zone(zone, ask)))
			got++;
		return got;
	}
	got = zm_szone_batch_malloc(z->szone, ask->size, out, n);
	for (unsigned i = 0; recorded(z) && i < got; i++)
		if (!(zm_is_slow() & ZM_SLOW_SAMPLE) ||
		    zm_sample_next(ask->size))
			zm_hook->alloc(out[i], ask->size, ask->fn, ask->ra,
				       ask->call, &ask->at);
	if (!got && n)
		zm_no_memory();
	return got;
}

/* Blocks that surely lie in regions of z. */
static void
give(struct zm_zone *z, void **blocks, unsigned n, const void *ra)
{
	for (unsigned i = 0; recorded(z) && i < n; i++)
		zm_hook->free(zm_region_of(blocks[i]), blocks[i], true, ra,
			      NULL);
	zm_szone_batch_free(z->szone, blocks, n);
}

static void
free_one(struct zm_zone *only, void *p, const void *ra)
{
	if (only)
		zm_block_free_in(only, p, ra);
	else
		zm_block_free(p, ra);
}

void
zm_batch_free(struct zm_zone *z, bool others, void **blocks, unsigned n,
	      const void *ra)
{
	struct zm_zone *only = others ? NULL : z;
	void *chunk[CHUNK];
	unsigned count = 0;
	bool one = singly();
	for (unsigned i = 0; i < n; i++) {
		void *p = blocks[i];
		struct zm_region *r = p ? zm_region_of(p) : NULL;
		if (!p)
			continue;
		if (one || !r || zm_szone_of(r) != z->szone) {
			free_one(only, p, ra);
			continue;
		}
		chunk[count++] = p;
		if (count == CHUNK) {
			give(z, chunk, count, ra);
			count = 0;
		}
	}
	give(z, chunk, count, ra);
}
