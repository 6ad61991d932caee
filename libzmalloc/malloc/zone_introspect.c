/*
 * zone_introspect.c - Apple's introspection table for zones of ours.
 *
 * Relies on the zone layer's enumeration, statistics and checks.  Called
 * through the table, by zone_api.c and by programs that look into zones.
 */
#include <string.h>

#include "malloc/log.h"
#include "malloc/message.h"
#include "malloc/registry.h"
#include "malloc/remote.h"
#include "malloc/state.h"
#include "os/os.h"

static struct zm_zone *
ours(malloc_zone_t *zone)
{
	return (struct zm_zone *)zone;
}

static bool
is_self(task_t task)
{
	return task == 0 || task == zm_os_getpid();
}

/* ---- enumeration -------------------------------------------------------- */

enum { BATCH = 256 };

struct batch {
	vm_range_recorder_t *recorder;
	task_t task;
	void *context;
	unsigned mask, n;
	vm_range_t range[BATCH];
};

static void
batch_flush(struct batch *b, unsigned type)
{
	if (b->n)
		b->recorder(b->task, b->context, type, b->range, b->n);
	b->n = 0;
}

static void
batch_add(struct batch *b, unsigned type, uintptr_t start, size_t bytes)
{
	b->range[b->n].address = start;
	b->range[b->n].size = bytes;
	if (++b->n == BATCH)
		batch_flush(b, type);
}

static void
each_block(uintptr_t start, size_t usable, void *ctx)
{
	batch_add(ctx, MALLOC_PTR_IN_USE_RANGE_TYPE, start, usable);
}

/* Regions and book-keeping alternate, so these go one by one. */
static void
each_region(uintptr_t start, size_t bytes, bool metadata, void *ctx)
{
	struct batch *b = ctx;
	unsigned type = metadata ? MALLOC_ADMIN_REGION_RANGE_TYPE
				 : MALLOC_PTR_REGION_RANGE_TYPE;
	if (!(b->mask & type))
		return;
	batch_add(b, type, start, bytes);
	batch_flush(b, type);
}

static kern_return_t
enumerate_task(struct batch *b, vm_address_t zone, memory_reader_t *reader)
{
	struct zm_task_zone z;
	kern_return_t result = zm_task_zone_open(&z, b->task, reader, zone);
	if (result)
		return result;
	bool done = true;
	if (b->mask & MALLOC_PTR_AND_ADMIN_RANGE_TYPES)
		done = zm_remote_regions(&z.walk, each_region, b);
	if (done && b->mask & MALLOC_PTR_IN_USE_RANGE_TYPE) {
		done = zm_remote_blocks(&z.walk, each_block, b);
		batch_flush(b, MALLOC_PTR_IN_USE_RANGE_TYPE);
	}
	zm_task_zone_close(&z);
	return zm_task_zone_result(&z, done);
}

static kern_return_t
enumerate(task_t task, void *context, unsigned mask, vm_address_t zone,
	  memory_reader_t *reader, vm_range_recorder_t *recorder)
{
	struct zm_zone *z = (struct zm_zone *)zone;
	struct batch b = { recorder, task, context, mask, 0, { { 0, 0 } } };
	if (!recorder)
		return KERN_SUCCESS;
	if (!is_self(task))
		return enumerate_task(&b, zone, reader);
	if (mask & MALLOC_PTR_AND_ADMIN_RANGE_TYPES)
		zm_szone_regions(z->szone, each_region, &b);
	if (mask & MALLOC_PTR_IN_USE_RANGE_TYPE) {
		zm_szone_enumerate(z->szone, each_block, &b);
		batch_flush(&b, MALLOC_PTR_IN_USE_RANGE_TYPE);
	}
	return KERN_SUCCESS;
}

/* ---- the rest ----------------------------------------------------------- */

static size_t
good_size(malloc_zone_t *zone, size_t size)
{
	return zm_szone_good_size(ours(zone)->szone, size);
}

static boolean_t
check(malloc_zone_t *zone)
{
	const char *why = NULL;
	if (zm_szone_check(ours(zone)->szone, &why))
		return 1;
	zm_error(why, zone);
	return 0;
}

static void
convert(const struct zm_statistics *in, malloc_statistics_t *out)
{
	out->blocks_in_use = (unsigned)in->blocks_in_use;
	out->size_in_use = in->size_in_use;
	out->max_size_in_use = in->max_size_in_use;
	out->size_allocated = in->size_allocated;
}

static void
statistics(malloc_zone_t *zone, malloc_statistics_t *out)
{
	struct zm_statistics s = { 0 };
	zm_szone_statistics(ours(zone)->szone, ZM_SUB_ALL, &s);
	convert(&s, out);
}

struct tiers {
	unsigned regions[ZM_TIER_LARGE + 1];
	size_t metadata;
};

static void
count_region(uintptr_t start, size_t bytes, bool metadata, void *ctx)
{
	struct tiers *t = ctx;
	const struct zm_region *r =
	    metadata ? NULL : zm_region_of((void *)start);
	if (metadata)
		t->metadata += bytes;
	else if (r)
		t->regions[r->tier]++;
}

/* Freed large blocks are among "free" as long as they are kept. */
static void
print_tiers(struct zm_zone *z)
{
	static const struct {
		const char *name;
		int sub;
		enum zm_tier tier;
	} row[] = { { "nano", ZM_SUB_NANO, ZM_TIER_NANO },
		    { "tiny", ZM_SUB_TINY, ZM_TIER_TINY },
		    { "small", ZM_SUB_SMALL, ZM_TIER_SMALL },
		    { "medium", ZM_SUB_MEDIUM, ZM_TIER_MEDIUM },
		    { "large", ZM_SUB_LARGE, ZM_TIER_LARGE } };
	struct tiers t = { { 0 }, 0 };
	zm_szone_regions(z->szone, count_region, &t);
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct zm_statistics s = { 0 };
		zm_szone_statistics(z->szone, row[i].sub, &s);
		size_t unused = s.size_allocated > s.size_in_use
				    ? s.size_allocated - s.size_in_use
				    : 0;
		zm_print("  %-6s %8zu blocks %6y in use %6y free %5u regions\n",
			 row[i].name, s.blocks_in_use, s.size_in_use, unused,
			 t.regions[row[i].tier]);
	}
	zm_print("  %y of metadata\n", t.metadata);
}

static void
print(malloc_zone_t *zone, boolean_t verbose)
{
	struct zm_zone *z = ours(zone);
	struct zm_statistics s = { 0 };
	zm_szone_statistics(z->szone, ZM_SUB_ALL, &s);
	zm_print("Zone %p %s: %zu blocks, %y in use, %y allocated, at most %y "
		 "touched\n",
		 zone, zone->zone_name ? zone->zone_name : "(no name)",
		 s.blocks_in_use, s.size_in_use, s.size_allocated,
		 s.max_size_in_use);
	if (verbose)
		print_tiers(z);
}

static void
log_address(malloc_zone_t *zone, void *address)
{
	zm_log_address(ours(zone), address);
}

static void
force_lock(malloc_zone_t *zone)
{
	zm_szone_lock(ours(zone)->szone);
}

static void
force_unlock(malloc_zone_t *zone)
{
	zm_szone_unlock(ours(zone)->szone);
}

static boolean_t
zone_locked(malloc_zone_t *zone)
{
	return zm_szone_locked(ours(zone)->szone);
}

static void
reinit_lock(malloc_zone_t *zone)
{
	zm_szone_reinit_locks(ours(zone)->szone);
}

/* False: cannot be read.  name: ZM_ZONE_NAME bytes, NULL: not wanted. */
static bool
measure_task(task_t task, vm_address_t zone, memory_reader_t *reader,
	     struct zm_statistics *s, char *name)
{
	struct zm_task_zone z;
	if (zm_task_zone_open(&z, task, reader, zone))
		return false;
	bool done = zm_remote_statistics(&z.walk, s);
	if (name)
		memcpy(name, z.zone.name, ZM_ZONE_NAME);
	zm_task_zone_close(&z);
	return done;
}

static void
print_task(task_t task, unsigned level, vm_address_t zone,
	   memory_reader_t *reader, print_task_printer_t *printer)
{
	struct zm_statistics s = { 0 };
	char copy[ZM_ZONE_NAME] = "";
	const char *name = copy;
	(void)level;
	if (is_self(task)) {
		struct zm_zone *z = (struct zm_zone *)zone;
		zm_szone_statistics(z->szone, ZM_SUB_ALL, &s);
		name = z->pub.zone_name ? z->pub.zone_name : "";
	} else if (!measure_task(task, zone, reader, &s, copy)) {
		printer("Zone %p cannot be read\n", (void *)zone);
		return;
	}
	printer("Zone %p %s: %zu blocks, %zu bytes in use, %zu allocated\n",
		(void *)zone, *name ? name : "(no name)", s.blocks_in_use,
		s.size_in_use, s.size_allocated);
}

/* All zero for a zone of another process that cannot be read. */
static void
task_statistics(task_t task, vm_address_t zone, memory_reader_t *reader,
		malloc_statistics_t *out)
{
	struct zm_statistics s = { 0 };
	memset(out, 0, sizeof(*out));
	if (is_self(task))
		statistics((malloc_zone_t *)zone, out);
	else if (measure_task(task, zone, reader, &s, NULL))
		convert(&s, out);
}

const malloc_introspection_t zm_zone_introspection = {
	.enumerator = enumerate,
	.good_size = good_size,
	.check = check,
	.print = print,
	.log = log_address,
	.force_lock = force_lock,
	.force_unlock = force_unlock,
	.statistics = statistics,
	.zone_locked = zone_locked,
	.reinit_lock = reinit_lock,
	.print_task = print_task,
	.task_statistics = task_statistics,
	.zone_type = MALLOC_ZONE_TYPE_SCALABLE,
};

/* ---- of the virtual default zone ---------------------------------------- */

static kern_return_t
virtual_enumerate(task_t task, void *context, unsigned mask, vm_address_t zone,
		  memory_reader_t *reader, vm_range_recorder_t *recorder)
{
	if (!is_self(task)) /* its default zone, not ours */
		return enumerate(task, context, mask, zone, reader, recorder);
	malloc_zone_t *z = zm_registry_default();
	if (!z->introspect || !z->introspect->enumerator)
		return KERN_NOT_SUPPORTED;
	return z->introspect->enumerator(task, context, mask, (vm_address_t)z,
					 reader, recorder);
}

static size_t
virtual_good_size(malloc_zone_t *zone, size_t size)
{
	(void)zone;
	return malloc_good_size(size);
}

static boolean_t
virtual_check(malloc_zone_t *zone)
{
	(void)zone;
	return malloc_zone_check(zm_registry_default());
}

static void
virtual_print(malloc_zone_t *zone, boolean_t verbose)
{
	(void)zone;
	malloc_zone_print(zm_registry_default(), verbose);
}

static void
virtual_log(malloc_zone_t *zone, void *address)
{
	(void)zone;
	malloc_zone_log(zm_registry_default(), address);
}

/* Calls one member of the present default's table, where it has one. */
#define PASS_ON(member, zone)                                 \
	do {                                                  \
		malloc_zone_t *z_ = zm_registry_default();    \
		(void)(zone);                                 \
		if (z_->introspect && z_->introspect->member) \
			z_->introspect->member(z_);           \
	} while (0)

static void
virtual_force_lock(malloc_zone_t *zone)
{
	PASS_ON(force_lock, zone);
}

static void
virtual_force_unlock(malloc_zone_t *zone)
{
	PASS_ON(force_unlock, zone);
}

static void
virtual_reinit_lock(malloc_zone_t *zone)
{
	PASS_ON(reinit_lock, zone);
}

static boolean_t
virtual_zone_locked(malloc_zone_t *zone)
{
	(void)zone;
	malloc_zone_t *z = zm_registry_default();
	return z->introspect && z->introspect->zone_locked &&
	       z->introspect->zone_locked(z);
}

static void
virtual_statistics(malloc_zone_t *zone, malloc_statistics_t *out)
{
	(void)zone;
	malloc_zone_statistics(zm_registry_default(), out);
}

static void
virtual_print_task(task_t task, unsigned level, vm_address_t zone,
		   memory_reader_t *reader, print_task_printer_t *printer)
{
	malloc_zone_t *z = zm_registry_default();
	if (!is_self(task))
		print_task(task, level, zone, reader, printer);
	else if (zm_zone_ours(z))
		print_task(task, level, (vm_address_t)z, reader, printer);
}

static void
virtual_task_statistics(task_t task, vm_address_t zone, memory_reader_t *reader,
			malloc_statistics_t *out)
{
	if (is_self(task))
		malloc_zone_statistics(zm_registry_default(), out);
	else
		task_statistics(task, zone, reader, out);
}

const malloc_introspection_t zm_virtual_introspection = {
	.enumerator = virtual_enumerate,
	.good_size = virtual_good_size,
	.check = virtual_check,
	.print = virtual_print,
	.log = virtual_log,
	.force_lock = virtual_force_lock,
	.force_unlock = virtual_force_unlock,
	.statistics = virtual_statistics,
	.zone_locked = virtual_zone_locked,
	.reinit_lock = virtual_reinit_lock,
	.print_task = virtual_print_task,
	.task_statistics = virtual_task_statistics,
	.zone_type = MALLOC_ZONE_TYPE_UNKNOWN,
};
