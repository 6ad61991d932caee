/*
 * remote.c - the table of zones and the zones of another process.
 *
 * Relies on remote_build.c to know that it is our library there, and where,
 * and on zone/remote.c for the insides of a zone.  Called by zone_api.c and
 * zone_introspect.c.
 */
#include "malloc/remote.h"

#include <string.h>

#include "malloc/state.h"
#include "os/os.h"

bool
zm_task_read(const struct zm_task *t, uintptr_t from, void *to, size_t bytes)
{
	if (!t->reader)
		return zm_os_process_vm_read(t->task, to, (void *)from,
					     bytes) == (ssize_t)bytes;
	void *local = NULL;
	if (t->reader(t->task, from, bytes, &local) || !local)
		return false;
	memcpy(to, local, bytes);
	return true;
}

/* ---- the table of zones ------------------------------------------------- */

/* At most ZM_ZONES addresses; t->shift is known. */
static kern_return_t
read_table(const struct zm_task *t, vm_address_t *zones, unsigned *count)
{
	struct zm_registry_image image;
	uintptr_t table;
	unsigned n;
	if (!zm_task_read(t, (uintptr_t)&zm_registry_image + t->shift, &image,
			  sizeof(image)))
		return KERN_INVALID_ADDRESS;
	if (!image.count) { /* it is being loaded */
		*count = 0;
		return KERN_SUCCESS;
	}
	if (!zm_task_read(t, (uintptr_t)image.count, &n, sizeof(n)) ||
	    !zm_task_read(t, (uintptr_t)image.zones, &table, sizeof(table)))
		return KERN_INVALID_ADDRESS;
	if (n > ZM_ZONES)
		return KERN_FAILURE;
	if (n > *count)
		n = *count;
	if (n && !zm_task_read(t, table, zones, n * sizeof(*zones)))
		return KERN_INVALID_ADDRESS;
	*count = n;
	return KERN_SUCCESS;
}

kern_return_t
zm_task_zones(task_t task, memory_reader_t *reader, vm_address_t **out,
	      unsigned *count)
{
	struct zm_task t = { task, reader, 0 };
	kern_return_t result = zm_task_find_build(&t);
	if (result)
		return result;
	vm_address_t *zones = zm_thread_keep(ZM_ZONES * sizeof(*zones));
	unsigned n = ZM_ZONES;
	if (!zones)
		return KERN_NO_SPACE;
	result = read_table(&t, zones, &n);
	if (!result) {
		*out = zones;
		*count = n;
	}
	return result;
}

/* ---- a zone ------------------------------------------------------------- */

static bool
walk_read(void *ctx, uintptr_t from, void *to, size_t bytes)
{
	return zm_task_read(ctx, from, to, bytes);
}

/*
 * A zone's table of introspection tells where the library is: no look at the
 * process itself is needed, memory will do.  *zone may be the virtual one.
 */
static kern_return_t
locate(struct zm_task *t, vm_address_t *zone)
{
	uintptr_t table;
	if (!zm_task_read(t, *zone + offsetof(malloc_zone_t, introspect),
			  &table, sizeof(table)))
		return KERN_INVALID_ADDRESS;
	t->shift = table - (uintptr_t)&zm_zone_introspection;
	if (zm_task_same_build(t))
		return KERN_SUCCESS;
	t->shift = table - (uintptr_t)&zm_virtual_introspection;
	if (!zm_task_same_build(t))
		return KERN_NOT_SUPPORTED;
	unsigned count = 1;
	kern_return_t result = read_table(t, zone, &count);
	return result || count ? result : KERN_FAILURE;
}

kern_return_t
zm_task_zone_open(struct zm_task_zone *z, task_t task, memory_reader_t *reader,
		  vm_address_t zone)
{
	z->task = (struct zm_task){ task, reader, 0 };
	kern_return_t result = locate(&z->task, &zone);
	if (result)
		return result;
	if (!zm_task_read(&z->task, zone, &z->zone, sizeof(z->zone)))
		return KERN_INVALID_ADDRESS;
	if ((uintptr_t)z->zone.pub.introspect !=
	    (uintptr_t)&zm_zone_introspection + z->task.shift)
		return KERN_NOT_SUPPORTED; /* the default is a foreign zone */
	z->zone.name[ZM_ZONE_NAME - 1] = '\0';
	if (!z->zone.pub.zone_name)
		z->zone.name[0] = '\0';
	z->walk.read = walk_read;
	z->walk.ctx = &z->task;
	z->walk.shift = z->task.shift;
	bool done =
	    zm_remote_open(&z->walk, (uintptr_t)z->zone.szone, z->zone.id);
	if (!done)
		zm_remote_close(&z->walk);
	return zm_task_zone_result(z, done);
}

kern_return_t
zm_task_zone_result(const struct zm_task_zone *z, bool done)
{
	if (done)
		return KERN_SUCCESS;
	switch (z->walk.error) {
	case ZM_REMOTE_UNREADABLE:
		return KERN_INVALID_ADDRESS;
	case ZM_REMOTE_NO_MEMORY:
		return KERN_NO_SPACE;
	default:
		return KERN_FAILURE;
	}
}

void
zm_task_zone_close(struct zm_task_zone *z)
{
	zm_remote_close(&z->walk);
}
