/*
 * glibc.c - the functions of glibc's <malloc.h> that look at the heap.
 *
 * Figures come from the zones' statistics; the recorder's zone is left out,
 * since it is not the program's.  mallopt accepts everything that glibc does
 * and changes nothing: what could be tuned there does not exist here.
 *
 * malloc_info prints through the caller's stream, as its interface demands;
 * malloc_stats writes to standard error without one.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>

#include "malloc/message.h"
#include "malloc/registry.h"
#include "malloc/state.h"

/* glibc refuses fast bins above this many bytes. */
#define MXFAST_MAX (80 * sizeof(size_t) / 4)

struct figures {
	struct zm_statistics heap, large;
};

static void
add(struct zm_statistics *sum, struct zm_zone *z, int sub)
{
	struct zm_statistics s = { 0 };
	zm_szone_statistics(z->szone, sub, &s);
	sum->blocks_in_use += s.blocks_in_use;
	sum->size_in_use += s.size_in_use;
	sum->max_size_in_use += s.max_size_in_use;
	sum->size_allocated += s.size_allocated;
}

static void
add_zone(struct figures *f, struct zm_zone *z)
{
	static const int tier[] = { ZM_SUB_NANO, ZM_SUB_TINY, ZM_SUB_SMALL,
				    ZM_SUB_MEDIUM };
	for (size_t i = 0; i < sizeof(tier) / sizeof(tier[0]); i++)
		add(&f->heap, z, tier[i]);
	add(&f->large, z, ZM_SUB_LARGE);
}

static struct figures
all_figures(void)
{
	struct figures f = { { 0 }, { 0 } };
	malloc_zone_t *zone;
	zm_boot_once();
	unsigned reader = zm_registry_enter();
	for (unsigned i = 0; (zone = zm_registry_get(i)); i++) {
		struct zm_zone *z = zm_zone_ours(zone);
		if (z && z->id != ZM_ZONE_ID_LOGGER)
			add_zone(&f, z);
	}
	zm_registry_leave(reader);
	return f;
}

static size_t
unused(const struct zm_statistics *s)
{
	return s->size_allocated > s->size_in_use
		   ? s->size_allocated - s->size_in_use
		   : 0;
}

ZM_EXPORT struct mallinfo2
mallinfo2(void)
{
	struct figures f = all_figures();
	return (struct mallinfo2){
		.arena = f.heap.size_allocated,
		.hblks = f.large.blocks_in_use,
		.hblkhd = f.large.size_allocated,
		.uordblks = f.heap.size_in_use,
		.fordblks = unused(&f.heap),
	};
}

ZM_EXPORT struct mallinfo
mallinfo(void)
{
	struct mallinfo2 m = mallinfo2();
	return (struct mallinfo){
		.arena = (int)m.arena,
		.hblks = (int)m.hblks,
		.hblkhd = (int)m.hblkhd,
		.uordblks = (int)m.uordblks,
		.fordblks = (int)m.fordblks,
	};
}

ZM_EXPORT void
malloc_stats(void)
{
	struct figures f = all_figures();
	zm_print("Arena 0:\n"
		 "system bytes     = %10zu\n"
		 "in use bytes     = %10zu\n",
		 f.heap.size_allocated, f.heap.size_in_use);
	zm_print("Total (incl. mmap):\n"
		 "system bytes     = %10zu\n"
		 "in use bytes     = %10zu\n"
		 "max mmap regions = %10zu\n"
		 "max mmap bytes   = %10zu\n",
		 f.heap.size_allocated + f.large.size_allocated,
		 f.heap.size_in_use + f.large.size_in_use,
		 f.large.blocks_in_use, f.large.max_size_in_use);
}

static void
info_totals(FILE *out, const struct figures *f)
{
	fprintf(out,
		"<total type=\"rest\" count=\"0\" size=\"%zu\"/>\n"
		"<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n"
		"<system type=\"current\" size=\"%zu\"/>\n"
		"<system type=\"max\" size=\"%zu\"/>\n",
		unused(&f->heap), f->large.blocks_in_use,
		f->large.size_allocated, f->heap.size_allocated,
		f->heap.max_size_in_use);
}

/* One <heap> per zone, in the form that glibc prints. */
ZM_EXPORT int
malloc_info(int options, FILE *out)
{
	malloc_zone_t *zone;
	if (options)
		return EINVAL;
	struct figures all = all_figures();
	fputs("<malloc version=\"1\">\n", out);
	unsigned reader = zm_registry_enter();
	for (unsigned i = 0; (zone = zm_registry_get(i)); i++) {
		struct zm_zone *z = zm_zone_ours(zone);
		struct figures f = { { 0 }, { 0 } };
		if (!z || z->id == ZM_ZONE_ID_LOGGER)
			continue;
		add_zone(&f, z);
		fprintf(out, "<heap nr=\"%u\">\n<sizes>\n</sizes>\n", i);
		info_totals(out, &f);
		fputs("</heap>\n", out);
	}
	zm_registry_leave(reader);
	info_totals(out, &all);
	fputs("</malloc>\n", out);
	return 0;
}

/* pad: bytes that may stay; zones keep what their hysteresis wants anyway. */
ZM_EXPORT int
malloc_trim(size_t pad)
{
	(void)pad;
	return malloc_zone_pressure_relief(NULL, 0) != 0;
}

ZM_EXPORT int
mallopt(int parameter, int value)
{
	if (parameter == M_MXFAST)
		return value >= 0 && (size_t)value <= MXFAST_MAX;
	return 1;
}
