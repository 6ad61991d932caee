/*
 * zone_object.c - an szone behind Apple's table of functions, and the virtual
 * default zone.
 *
 * Relies on block.c for the work and on registry.h for the types.  Made by
 * boot.c and zone_api.c; the functions are called through the tables.
 */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "malloc/block.h"
#include "malloc/message.h"
#include "malloc/registry.h"
#include "malloc/state.h"
#include "os/os.h"

static struct zm_zone *by_id[ZM_ZONES] ZM_TABLE;
static unsigned next_id = ZM_ZONE_ID_FIRST;
unsigned zm_zone_id_end = ZM_ZONE_ID_FIRST;

/* name: the trace point that the call counts for. */
#define ASK(name, ...)                                                 \
	&(struct zm_ask)                                               \
	{                                                              \
		__VA_ARGS__, .fn = ZM_FN_ZONE, .call = ZT_CALL_##name, \
			     .ra = ZM_CALLER                           \
	}

/* ---- functions of our zones, also of the virtual one -------------------- */

static size_t
object_size(malloc_zone_t *zone, const void *p)
{
	struct zm_zone *z = (struct zm_zone *)zone;
	struct zm_region *r = zm_region_of(p);
	return r && zm_szone_of(r) == z->szone ? zm_block_size(p) : 0;
}

static void *
object_malloc(malloc_zone_t *zone, size_t size)
{
	return zm_block_new_zone(zone, ASK(malloc, .size = size));
}

static void *
object_calloc(malloc_zone_t *zone, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes))
		return zm_no_memory();
	return zm_block_new_zone(zone,
				 ASK(calloc, .size = bytes, .zero = true));
}

static void *
object_valloc(malloc_zone_t *zone, size_t size)
{
	return zm_block_new_zone(
	    zone, ASK(valloc, .size = size, .align = zm_os_page_size()));
}

static void *
object_memalign(malloc_zone_t *zone, size_t align, size_t size)
{
	if (align < sizeof(void *) || (align & (align - 1)))
		return NULL;
	return zm_block_new_zone(zone,
				 ASK(memalign, .size = size, .align = align));
}

static void *
object_options(malloc_zone_t *zone, size_t align, size_t size,
	       malloc_options_t options)
{
	if (align & (align - 1) || (align && size % align))
		return NULL;
	return zm_block_new_zone(
	    zone, ASK(malloc_options, .size = size, .align = align,
		      .zero = options & MALLOC_OPTION_CLEAR));
}

static void
object_free(malloc_zone_t *zone, void *p)
{
	if (p)
		zm_block_free_in((struct zm_zone *)zone, p, ZM_CALLER);
}

static void
object_free_sized(malloc_zone_t *zone, void *p, size_t size)
{
	(void)size;
	object_free(zone, p);
}

static void
object_try_free(malloc_zone_t *zone, void *p)
{
	(void)zone;
	if (p)
		zm_block_free(p, ZM_CALLER);
}

static void *
object_realloc(malloc_zone_t *zone, void *p, size_t size)
{
	struct zm_zone *z = (struct zm_zone *)zone;
	const struct zm_ask *ask = ASK(realloc, .size = size);
	if (!p)
		return zm_block_new_zone(zone, ask);
	if (size)
		return zm_block_resize(z, p, ask);
	zm_block_free_in(z, p, ZM_CALLER);
	return zm_block_new_zone(zone, ask);
}

static unsigned
object_batch_malloc(malloc_zone_t *zone, size_t size, void **out, unsigned n)
{
	return zm_batch_new(zone, ASK(malloc, .size = size), out, n);
}

static void
object_batch_free(malloc_zone_t *zone, void **blocks, unsigned n)
{
	zm_batch_free((struct zm_zone *)zone, false, blocks, n, ZM_CALLER);
}

static size_t
object_relief(malloc_zone_t *zone, size_t goal)
{
	return zm_szone_pressure_relief(((struct zm_zone *)zone)->szone, goal);
}

static boolean_t
object_claimed(malloc_zone_t *zone, void *p)
{
	struct zm_region *r = zm_region_of(p);
	return r && zm_szone_of(r) == ((struct zm_zone *)zone)->szone;
}

static void
object_destroy(malloc_zone_t *zone)
{
	zm_zone_delete((struct zm_zone *)zone);
}

static const malloc_zone_t object_table = {
	.size = object_size,
	.malloc = object_malloc,
	.calloc = object_calloc,
	.valloc = object_valloc,
	.free = object_free,
	.realloc = object_realloc,
	.destroy = object_destroy,
	.batch_malloc = object_batch_malloc,
	.batch_free = object_batch_free,
	.introspect = (malloc_introspection_t *)&zm_zone_introspection,
	.version = MALLOC_ZONE_VERSION,
	.memalign = object_memalign,
	.free_definite_size = object_free_sized,
	.pressure_relief = object_relief,
	.claimed_address = object_claimed,
	.try_free_default = object_try_free,
	.malloc_with_options = object_options,
};

/* ---- making, naming, unmaking ------------------------------------------- */

static size_t
object_bytes(void)
{
	size_t page = zm_os_page_size();
	return (sizeof(struct zm_zone) + page - 1) & -page;
}

static uint16_t
id_claim(uint16_t id, struct zm_zone *z)
{
	zm_registry_lock();
	for (unsigned i = 0; !id && i < ZM_ZONES; i++) {
		unsigned try = next_id++;
		if (next_id == ZM_ZONES)
			next_id = ZM_ZONE_ID_FIRST;
		if (!by_id[try])
			id = (uint16_t)try;
	}
	if (id)
		__atomic_store_n(&by_id[id], z, __ATOMIC_RELEASE);
	if (id >= zm_zone_id_end)
		zm_zone_id_end = id + 1u;
	zm_registry_unlock();
	return id;
}

static void
id_release(uint16_t id)
{
	zm_registry_lock();
	by_id[id] = NULL;
	zm_registry_unlock();
}

static void
tell_name(uint16_t id, const char *name)
{
	if (zm_is_slow() & ZM_SLOW_HOOK && zm_hook->zone)
		zm_hook->zone(id, name);
}

static void
set_name(struct zm_zone *z, const char *name)
{
	z->pub.zone_name = NULL;
	if (!name)
		return;
	size_t n = strnlen(name, sizeof(z->name) - 1);
	memmove(z->name, name, n);
	z->name[n] = '\0';
	z->pub.zone_name = z->name;
}

struct zm_zone *
zm_zone_new(uint16_t id, unsigned flags, const char *name)
{
	size_t bytes = object_bytes();
	struct zm_zone *z = zm_os_map(bytes, "zmalloc zone");
	if (!z)
		return NULL;
	z->pub = object_table;
	z->id = id_claim(id, z);
	z->szone = z->id ? zm_szone_create(z->id, flags) : NULL;
	if (!z->szone) {
		if (z->id)
			id_release(z->id);
		zm_os_unmap(z, bytes);
		return NULL;
	}
	set_name(z, name);
	zm_os_protect(z, bytes, PROT_READ);
	tell_name(z->id, name);
	return z;
}

void
zm_zone_rename(struct zm_zone *z, const char *name)
{
	if (zm_os_protect(z, object_bytes(), PROT_READ | PROT_WRITE) < 0)
		return;
	set_name(z, name);
	zm_os_protect(z, object_bytes(), PROT_READ);
	tell_name(z->id, name);
}

/* The recorder has to learn that the blocks are gone. */
static void
forget_block(uintptr_t start, size_t usable, void *ctx)
{
	(void)usable;
	(void)ctx;
	zm_hook->free(zm_region_of((void *)start), (void *)start, false, NULL,
		      NULL);
}

void
zm_zone_delete(struct zm_zone *z)
{
	if (zm_is_slow() & ZM_SLOW_HOOK)
		zm_szone_enumerate(z->szone, forget_block, NULL);
	tell_name(z->id, NULL);
	id_release(z->id);
	zm_szone_destroy(z->szone);
	zm_os_unmap(z, object_bytes());
}

struct zm_zone *
zm_zone_by_id(unsigned id)
{
	return id < ZM_ZONES ? __atomic_load_n(&by_id[id], __ATOMIC_ACQUIRE)
			     : NULL;
}

struct zm_zone *
zm_zone_of_szone(const struct zm_szone *s)
{
	return zm_zone_by_id(zm_szone_id(s));
}

/* ---- the virtual default zone -------------------------------------------
 * Its malloc and relatives are those of our zones (zm_block_new_zone knows
 * this object) and use the first zone of the table.  It frees and measures
 * blocks of any zone: they may be older than the present default. */

static size_t
virtual_size(malloc_zone_t *zone, const void *p)
{
	(void)zone;
	return zm_block_usable(p);
}

static void
virtual_free(malloc_zone_t *zone, void *p)
{
	object_try_free(zone, p);
}

static void *
virtual_realloc(malloc_zone_t *zone, void *p, size_t size)
{
	const struct zm_ask *ask = ASK(realloc, .size = size);
	(void)zone;
	if (p && size)
		return zm_block_resize(NULL, p, ask);
	if (p)
		zm_block_free(p, ZM_CALLER);
	return zm_block_new(ask);
}

static void
virtual_destroy(malloc_zone_t *zone)
{
	zm_error("the default zone cannot be destroyed", zone);
}

static unsigned
virtual_batch_malloc(malloc_zone_t *zone, size_t size, void **out, unsigned n)
{
	const struct zm_ask *ask = ASK(malloc, .size = size);
	(void)zone;
	unsigned reader = zm_registry_enter();
	unsigned got = zm_batch_new(zm_registry_default(), ask, out, n);
	zm_registry_leave(reader);
	return got;
}

static void
virtual_batch_free(malloc_zone_t *zone, void **blocks, unsigned n)
{
	(void)zone;
	zm_batch_free(zm_zone_by_id(ZM_ZONE_ID_MAIN), true, blocks, n,
		      ZM_CALLER);
}

static size_t
virtual_relief(malloc_zone_t *zone, size_t goal)
{
	(void)zone;
	return malloc_zone_pressure_relief(zm_registry_default(), goal);
}

static boolean_t
virtual_claimed(malloc_zone_t *zone, void *p)
{
	(void)zone;
	return malloc_zone_claimed_address(zm_registry_default(), p);
}

const malloc_zone_t zm_virtual_zone = {
	.size = virtual_size,
	.malloc = object_malloc,
	.calloc = object_calloc,
	.valloc = object_valloc,
	.free = virtual_free,
	.realloc = virtual_realloc,
	.destroy = virtual_destroy,
	.zone_name = "DefaultMallocZone",
	.batch_malloc = virtual_batch_malloc,
	.batch_free = virtual_batch_free,
	.introspect = (malloc_introspection_t *)&zm_virtual_introspection,
	.version = MALLOC_ZONE_VERSION,
	.memalign = object_memalign,
	.pressure_relief = virtual_relief,
	.claimed_address = virtual_claimed,
	.try_free_default = object_try_free,
	.malloc_with_options = object_options,
};
