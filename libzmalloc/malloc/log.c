/*
 * log.c - malloc_zone_log: each operation on one address, as messages.
 *
 * An address per zone; ZM_SLOW_LOG is set while there is any, so that nobody
 * else pays for it.  Called by block.c after an allocation and before a block
 * is freed, and by the zones' tables.
 */
#include "malloc/log.h"

#include "malloc/message.h"
#include "malloc/registry.h"
#include "malloc/state.h"
#include "zone/region.h"

#define EVERYTHING ((void *)UINTPTR_MAX)

static void *logged[ZM_ZONES]; /* by zone id; atomic */
static unsigned count;	       /* of addresses; atomic */

void
zm_log_address(struct zm_zone *z, void *address)
{
	void *old =
	    __atomic_exchange_n(&logged[z->id], address, __ATOMIC_SEQ_CST);
	if (!old == !address)
		return;
	unsigned left =
	    __atomic_add_fetch(&count, address ? 1u : -1u, __ATOMIC_SEQ_CST);
	zm_slow_set(ZM_SLOW_LOG, left != 0);
}

void
zm_log(const void *p, const char *what, size_t size)
{
	const struct zm_region *r = zm_region_of(p);
	if (!r)
		return;
	void *address = __atomic_load_n(&logged[r->zone], __ATOMIC_RELAXED);
	if (!address || (address != p && address != EVERYTHING))
		return;
	const struct zm_zone *z = zm_zone_by_id(r->zone);
	const char *name = z ? z->pub.zone_name : NULL;
	zm_warn("zone %s: %p %s, %zu bytes", name ? name : "(no name)", p, what,
		size ? size : zm_block_size(p));
}
