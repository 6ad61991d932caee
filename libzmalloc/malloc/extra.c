/*
 * extra.c - what else of Apple's malloc headers has a meaning on Linux:
 * functions for tools and for tests of allocators.
 *
 * Declared in <zmalloc/malloc.h>.  Relies on block.c and the zone layer.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "malloc/block.h"
#include "malloc/message.h"
#include "malloc/options.h"
#include "malloc/registry.h"
#include "malloc/state.h"

ZM_EXPORT void *
reallocarrayf(void *p, size_t count, size_t size)
{
	size_t bytes;
	void *q = NULL;
	if (__builtin_mul_overflow(count, size, &bytes))
		bytes = SIZE_MAX; /* cannot be had, and not 0 */
	const struct zm_ask ask = { .size = bytes,
				    .fn = ZM_FN_REALLOC,
				    .ra = ZM_CALLER };
	if (!p)
		return zm_block_new(&ask);
	if (bytes)
		q = zm_block_resize(NULL, p, &ask);
	if (!q)
		zm_block_free(p, ZM_CALLER);
	return q;
}

ZM_EXPORT boolean_t
scalable_zone_statistics(malloc_zone_t *zone, malloc_statistics_t *out,
			 unsigned subzone)
{
	struct zm_statistics s = { 0 };
	zm_boot_once();
	if (zone == ZM_VIRTUAL)
		zone = zm_registry_default();
	struct zm_zone *z = zm_zone_ours(zone);
	if (!z || subzone >= ZM_SUB_ALL)
		return 0;
	zm_szone_statistics(z->szone, (int)subzone, &s);
	*out = (malloc_statistics_t){
		.blocks_in_use = (unsigned)s.blocks_in_use,
		.size_in_use = s.size_in_use,
		.max_size_in_use = s.max_size_in_use,
		.size_allocated = s.size_allocated,
	};
	return 1;
}

static void
print_foreign(void *p)
{
	size_t size = 0;
	unsigned reader = zm_registry_enter();
	malloc_zone_t *z = p ? zm_registry_foreign(p, &size) : NULL;
	if (z)
		zm_print("%p: block of %zu bytes in zone %s (%p), which is the "
			 "program's own\n",
			 p, size, z->zone_name ? z->zone_name : "(no name)", z);
	else
		zm_print("%p: not in memory of any zone\n", p);
	zm_registry_leave(reader);
}

ZM_EXPORT void
malloc_zone_print_ptr_info(void *p)
{
	static const char *const tier[] = { "?",     "nano",   "tiny",
					    "small", "medium", "large" };
	struct zm_block b;
	const struct zm_region *r = p ? zm_region_of(p) : NULL;
	if (!r) {
		print_foreign(p);
		return;
	}
	struct zm_zone *z = zm_zone_by_id(r->zone);
	const char *name = z ? z->pub.zone_name : NULL;
	if (zm_block_at(p, &b))
		zm_print("%p: %s block %p of %zu bytes, offset %zu", p,
			 b.live ? "live" : "free", (void *)b.start, b.usable,
			 (size_t)((uintptr_t)p - b.start));
	else
		zm_print("%p: free", p);
	zm_print(", in the %s region [%p, %p) of zone %s (%p)\n", tier[r->tier],
		 (void *)r->base, (void *)(r->base + r->bytes),
		 name ? name : "(no name)", z);
}

ZM_EXPORT void
mag_set_thread_index(unsigned index)
{
	zm_boot_once();
	zm_thread(); /* makes the cache */
	zm_szone_pin(zm_main_szone, index);
}

ZM_EXPORT int
malloc_engaged_nano(void)
{
	zm_boot_once();
	return zm_zone_config.nano ? 2 : 0;
}

ZM_EXPORT void
malloc_memory_event_handler(unsigned long event)
{
	if (event & (MALLOC_MEMORY_EVENT_WARN | MALLOC_MEMORY_EVENT_CRITICAL))
		malloc_zone_pressure_relief(NULL, 0);
}

/* Freed blocks are not cleared here, so there is nothing to disable. */
ZM_EXPORT void
malloc_zero_on_free_disable(void)
{
}

/* No zone of ours wraps another one. */
ZM_EXPORT kern_return_t
malloc_get_wrapped_zone(task_t task, memory_reader_t *reader, vm_address_t zone,
			vm_address_t *wrapped)
{
	(void)task;
	(void)reader;
	(void)zone;
	*wrapped = 0;
	return KERN_SUCCESS;
}
