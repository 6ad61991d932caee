/*
 * zone_api.c - malloc_zone_* and the other functions of <zmalloc/malloc.h>
 * and <zmalloc/introspect.h>.
 *
 * A zone argument may be ours, the virtual default or the program's own; for
 * the latter only members that its version has are used.  Blocks are made by
 * block.c.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "malloc/block.h"
#include "malloc/message.h"
#include "malloc/registry.h"
#include "malloc/remote.h"
#include "malloc/state.h"
#include "os/os.h"

/* Holds for a foreign zone only what its version promises. */
#define HAS(zone, since, member) ((zone)->version >= (since) && (zone)->member)

/* name: the trace point that the call counts for. */
#define ASK(name, ...)                                                 \
	&(struct zm_ask)                                               \
	{                                                              \
		__VA_ARGS__, .fn = ZM_FN_ZONE, .call = ZT_CALL_##name, \
			     .ra = ZM_CALLER                           \
	}

/* A zone whose functions are known: ours, or the virtual one. */
static bool
knows(malloc_zone_t *zone)
{
	return zm_zone_ours(zone) || zone == ZM_VIRTUAL;
}

/* ---- blocks ------------------------------------------------------------- */

ZM_EXPORT void *
malloc_zone_malloc(malloc_zone_t *zone, size_t size)
{
	zm_boot_once();
	ZM_TRACE_START(malloc, size);
	void *p = zm_block_new_zone(zone, ASK(malloc, .size = size));
	ZM_TRACE_END(malloc, size, p);
	return p;
}

ZM_EXPORT void *
malloc_zone_calloc(malloc_zone_t *zone, size_t count, size_t size)
{
	size_t bytes;
	zm_boot_once();
	if (__builtin_mul_overflow(count, size, &bytes))
		return zm_no_memory();
	ZM_TRACE_START(calloc, count, size);
	void *p =
	    zm_block_new_zone(zone, ASK(calloc, .size = bytes, .zero = true));
	ZM_TRACE_END(calloc, bytes, p);
	return p;
}

ZM_EXPORT void *
malloc_zone_valloc(malloc_zone_t *zone, size_t size)
{
	zm_boot_once();
	void *p;
	ZM_TRACE_START(valloc, size);
	if (knows(zone))
		p = zm_block_new_zone(zone, ASK(valloc, .size = size,
						.align = zm_os_page_size()));
	else if (!(p = zone->valloc(zone, size)))
		zm_no_memory();
	ZM_TRACE_END(valloc, size, p);
	return p;
}

ZM_EXPORT void *
malloc_zone_memalign(malloc_zone_t *zone, size_t align, size_t size)
{
	zm_boot_once();
	if (align < sizeof(void *) || (align & (align - 1))) {
		errno = EINVAL;
		return NULL;
	}
	ZM_TRACE_START(memalign, align, size);
	void *p = zm_block_new_zone(
	    zone, ASK(memalign, .size = size, .align = align));
	ZM_TRACE_END(memalign, size, p);
	return p;
}

ZM_EXPORT void *
malloc_zone_malloc_with_options(malloc_zone_t *zone, size_t align, size_t size,
				malloc_options_t options)
{
	zm_boot_once();
	if (align & (align - 1) || (align && size % align)) {
		errno = EINVAL;
		return NULL;
	}
	void *p;
	if (!zone)
		zone = ZM_VIRTUAL;
	ZM_TRACE_START(malloc_options, align, size, options);
	if (knows(zone) || !HAS(zone, 15, malloc_with_options))
		p = zm_block_new_zone(
		    zone, ASK(malloc_options, .size = size, .align = align,
			      .zero = options & MALLOC_OPTION_CLEAR));
	else if (!(p = zone->malloc_with_options(zone, align, size, options)))
		zm_no_memory();
	ZM_TRACE_END(malloc_options, size, p);
	return p;
}

static void *
zone_resize(malloc_zone_t *zone, void *p, size_t size, const void *ra)
{
	struct zm_zone *ours = zm_zone_ours(zone);
	if (!ours && zone != ZM_VIRTUAL)
		return zone->realloc(zone, p, size);
	const struct zm_ask *ask = &(struct zm_ask){ .size = size,
						     .fn = ZM_FN_ZONE,
						     .call = ZT_CALL_realloc,
						     .ra = ra };
	if (p && size)
		return zm_block_resize(ours, p, ask);
	if (p)
		malloc_zone_free(zone, p);
	return zm_block_new_zone(zone, ask);
}

ZM_EXPORT void *
malloc_zone_realloc(malloc_zone_t *zone, void *p, size_t size)
{
	zm_boot_once();
	ZM_TRACE_START(realloc, p, size);
	void *q = zone_resize(zone, p, size, ZM_CALLER);
	ZM_TRACE_END(realloc, p, size, q);
	return q;
}

ZM_EXPORT void
malloc_zone_free(malloc_zone_t *zone, void *p)
{
	ZM_TRACE_FREE(p);
	struct zm_zone *ours = zm_zone_ours(zone);
	if (!p)
		return;
	if (ours)
		zm_block_free_in(ours, p, ZM_CALLER);
	else
		zone->free(zone, p);
}

ZM_EXPORT unsigned
malloc_zone_batch_malloc(malloc_zone_t *zone, size_t size, void **out,
			 unsigned n)
{
	zm_boot_once();
	if (zm_zone_ours(zone))
		return zm_batch_new(zone, ASK(malloc, .size = size), out, n);
	return zone->batch_malloc ? zone->batch_malloc(zone, size, out, n) : 0;
}

ZM_EXPORT void
malloc_zone_batch_free(malloc_zone_t *zone, void **blocks, unsigned n)
{
	if (zone->batch_free) {
		zone->batch_free(zone, blocks, n);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		malloc_zone_free(zone, blocks[i]);
}

ZM_EXPORT size_t
malloc_size(const void *p)
{
	size_t bytes = zm_block_size_live(p);
	return bytes || zm_region_of(p) ? bytes : zm_block_usable(p);
}

ZM_EXPORT size_t
malloc_good_size(size_t size)
{
	zm_boot_once();
	malloc_zone_t *z = zm_registry_default();
	if (!z->introspect || !z->introspect->good_size)
		return size;
	return z->introspect->good_size(z, size);
}

/* ---- making, finding, naming -------------------------------------------- */

ZM_EXPORT malloc_zone_t *
malloc_default_zone(void)
{
	zm_boot_once();
	return ZM_VIRTUAL;
}

ZM_EXPORT malloc_zone_t *
malloc_create_zone(vm_size_t start_size, unsigned flags)
{
	(void)start_size;
	(void)flags;
	zm_boot_once();
	struct zm_zone *z = zm_zone_new(0, 0, NULL);
	if (z && !zm_registry_add(&z->pub)) {
		zm_zone_delete(z);
		z = NULL;
	}
	if (z)
		return &z->pub;
	if (zm_registry_count() >= ZM_ZONES - ZM_ZONE_ID_FIRST)
		zm_warn("malloc_create_zone: too many zones");
	return zm_no_memory();
}

ZM_EXPORT void
malloc_destroy_zone(malloc_zone_t *zone)
{
	struct zm_zone *ours = zm_zone_ours(zone);
	if (zone == ZM_VIRTUAL || zm_zone_is_purgeable(zone) ||
	    (ours && ours->id < ZM_ZONE_ID_FIRST)) {
		zm_error("this zone cannot be destroyed", zone);
		return;
	}
	malloc_zone_unregister(zone);
	zone->destroy(zone);
}

ZM_EXPORT malloc_zone_t *
malloc_zone_from_ptr(const void *p)
{
	size_t size;
	struct zm_region *r = p ? zm_region_of(p) : NULL;
	if (r) {
		struct zm_zone *z = zm_zone_by_id(r->zone);
		return z && zm_block_size_live(p) ? &z->pub : NULL;
	}
	unsigned reader = zm_registry_enter();
	malloc_zone_t *z = p ? zm_registry_foreign(p, &size) : NULL;
	zm_registry_leave(reader);
	return z;
}

/* The program's own zone keeps its name in a block of its own. */
static void
name_foreign(malloc_zone_t *zone, const char *name)
{
	char *copy = NULL;
	if (name) {
		size_t n = strlen(name) + 1;
		copy = zone->malloc(zone, n);
		if (copy)
			memcpy(copy, name, n);
	}
	void *old = (void *)(uintptr_t)zone->zone_name;
	zone->zone_name = copy;
	if (old && zone->size(zone, old))
		zone->free(zone, old);
}

ZM_EXPORT void
malloc_set_zone_name(malloc_zone_t *zone, const char *name)
{
	zm_boot_once();
	if (zone == ZM_VIRTUAL)
		zone = zm_registry_default();
	struct zm_zone *ours = zm_zone_ours(zone);
	if (ours)
		zm_zone_rename(ours, name);
	else
		name_foreign(zone, name);
}

ZM_EXPORT const char *
malloc_get_zone_name(malloc_zone_t *zone)
{
	zm_boot_once();
	if (zone == ZM_VIRTUAL)
		zone = zm_registry_default();
	return zone->zone_name;
}

ZM_EXPORT void
malloc_zone_register(malloc_zone_t *zone)
{
	zm_boot_once();
	if (!zm_registry_add(zone))
		zm_error("malloc_zone_register: zone is registered already, "
			 "or too many zones",
			 zone);
}

ZM_EXPORT void
malloc_zone_unregister(malloc_zone_t *zone)
{
	zm_boot_once();
	if (zone == ZM_VIRTUAL)
		zone = zm_registry_default();
	if (!zm_registry_remove(zone))
		zm_error("malloc_zone_unregister: zone is not registered",
			 zone);
}

ZM_EXPORT kern_return_t
malloc_get_all_zones(task_t task, memory_reader_t *reader, vm_address_t **out,
		     unsigned *count)
{
	zm_boot_once();
	*out = NULL;
	*count = 0;
	if (task && task != zm_os_getpid())
		return zm_task_zones(task, reader, out, count);
	*out = (vm_address_t *)malloc_zones;
	*count = zm_registry_count();
	return KERN_SUCCESS;
}

ZM_EXPORT boolean_t
malloc_zone_claimed_address(malloc_zone_t *zone, void *p)
{
	if (!p)
		return 0;
	/* who cannot tell has to say yes */
	return !HAS(zone, 10, claimed_address) ||
	       zone->claimed_address(zone, p);
}

/* ---- all zones ---------------------------------------------------------- */

/* Calls fn for the zone, or for each registered one when zone is NULL. */
static void
each(malloc_zone_t *zone, void (*fn)(malloc_zone_t *, void *), void *ctx)
{
	malloc_zone_t *z;
	zm_boot_once();
	if (zone) {
		fn(zone, ctx);
		return;
	}
	unsigned reader = zm_registry_enter();
	for (unsigned i = 0; (z = zm_registry_get(i)); i++)
		fn(z, ctx);
	zm_registry_leave(reader);
}

static void
claimed(malloc_zone_t *zone, void *ctx)
{
	void **p = ctx;
	if (*p && malloc_zone_claimed_address(zone, *p))
		*p = NULL;
}

ZM_EXPORT boolean_t
malloc_claimed_address(void *p)
{
	void *left = p;
	each(NULL, claimed, &left);
	return p && !left;
}

static void
add_statistics(malloc_zone_t *zone, void *ctx)
{
	malloc_statistics_t s, *sum = ctx;
	if (!zone->introspect || !zone->introspect->statistics)
		return;
	memset(&s, 0, sizeof(s));
	zone->introspect->statistics(zone, &s);
	sum->blocks_in_use += s.blocks_in_use;
	sum->size_in_use += s.size_in_use;
	sum->max_size_in_use += s.max_size_in_use;
	sum->size_allocated += s.size_allocated;
}

ZM_EXPORT void
malloc_zone_statistics(malloc_zone_t *zone, malloc_statistics_t *out)
{
	memset(out, 0, sizeof(*out));
	each(zone, add_statistics, out);
}

ZM_EXPORT struct mstats
mstats(void)
{
	malloc_statistics_t s;
	malloc_zone_statistics(NULL, &s);
	return (struct mstats){ .bytes_total = s.size_allocated,
				.chunks_used = s.blocks_in_use,
				.bytes_used = s.size_in_use,
				.bytes_free =
				    s.size_allocated - s.size_in_use };
}

static void
check_zone(malloc_zone_t *zone, void *ctx)
{
	boolean_t *good = ctx;
	if (zone->introspect && zone->introspect->check &&
	    !zone->introspect->check(zone))
		*good = 0;
}

ZM_EXPORT boolean_t
malloc_zone_check(malloc_zone_t *zone)
{
	boolean_t good = 1;
	each(zone, check_zone, &good);
	return good;
}

static void
print_zone(malloc_zone_t *zone, void *ctx)
{
	if (zone->introspect && zone->introspect->print)
		zone->introspect->print(zone, *(boolean_t *)ctx);
}

ZM_EXPORT void
malloc_zone_print(malloc_zone_t *zone, boolean_t verbose)
{
	each(zone, print_zone, &verbose);
}

static void
log_zone(malloc_zone_t *zone, void *address)
{
	if (zone->introspect && zone->introspect->log)
		zone->introspect->log(zone, address);
}

ZM_EXPORT void
malloc_zone_log(malloc_zone_t *zone, void *address)
{
	each(zone, log_zone, address);
}

struct relief {
	size_t goal, done;
};

static void
relieve(malloc_zone_t *zone, void *ctx)
{
	struct relief *r = ctx;
	if (!HAS(zone, 8, pressure_relief) || (r->goal && r->done >= r->goal))
		return;
	size_t left = r->goal ? r->goal - r->done : 0;
	r->done += zone->pressure_relief(zone, left);
}

ZM_EXPORT size_t
malloc_zone_pressure_relief(malloc_zone_t *zone, size_t goal)
{
	struct relief r = { goal, 0 };
	each(zone, relieve, &r);
	return r.done;
}

/* ---- discharging -------------------------------------------------------- */

static malloc_introspection_t *
discharging(malloc_zone_t *zone)
{
	return zone->version >= 7 ? zone->introspect : NULL;
}

ZM_EXPORT boolean_t
malloc_zone_enable_discharge_checking(malloc_zone_t *zone)
{
	malloc_introspection_t *i = discharging(zone);
	return i && i->enable_discharge_checking &&
	       i->enable_discharge_checking(zone);
}

ZM_EXPORT void
malloc_zone_disable_discharge_checking(malloc_zone_t *zone)
{
	malloc_introspection_t *i = discharging(zone);
	if (i && i->disable_discharge_checking)
		i->disable_discharge_checking(zone);
}

ZM_EXPORT void
malloc_zone_discharge(malloc_zone_t *zone, void *memory)
{
	if (!zone)
		zone = malloc_zone_from_ptr(memory);
	malloc_introspection_t *i = zone ? discharging(zone) : NULL;
	if (i && i->discharge)
		i->discharge(zone, memory);
}

struct report {
	void (*fn)(void *memory, void *info, void *context);
	void *context;
};

static void
enumerate_discharged(malloc_zone_t *zone, void *ctx)
{
	struct report *r = ctx;
	malloc_introspection_t *i = discharging(zone);
	if (i && i->enumerate_discharged_pointers)
		i->enumerate_discharged_pointers(zone, r->fn, r->context);
}

ZM_EXPORT void
malloc_zone_enumerate_discharged_pointers(malloc_zone_t *zone,
					  void (*fn)(void *memory, void *info,
						     void *context),
					  void *context)
{
	struct report r = { fn, context };
	each(zone, enumerate_discharged, &r);
}
