/* regions.c - see regions.h. */
#include "regions.h"

#include <stdlib.h>
#include <unistd.h>

struct region_sum {
	uint64_t blocks, bytes, usable, pages;
	uint64_t behind; /* the first page that is not yet counted */
};

void
regions_begin(struct regions *g, uint32_t count)
{
	*g = (struct regions){ .count = count,
			       .page = (uint64_t)sysconf(_SC_PAGESIZE) };
	if (count)
		g->sum = calloc(count, sizeof *g->sum);
}

void
regions_block(struct regions *g, const struct memory *m, uint32_t i,
	      const struct zs_region *r, uint64_t address, uint64_t size,
	      uint64_t usable)
{
	uint64_t middle = address + size, end = address + usable;
	if (!g->sum || i >= g->count || size > usable || end < address)
		return;
	struct region_sum *s = &g->sum[i];
	s->blocks++;
	s->bytes += size;
	s->usable += usable;
	uint64_t first = address / g->page, behind = (end - 1) / g->page + 1;
	if (first < s->behind)
		first = s->behind;
	if (behind > first) {
		s->pages += behind - first;
		s->behind = behind;
	}
	g->live_resident += memory_resident(m, i, r, address, middle);
	g->slack_resident += memory_resident(m, i, r, middle, end);
}

static void
write_region(const struct regions *g, const struct process *p, uint32_t i,
	     const struct zs_region *r, struct writer *w)
{
	const struct region_sum *s = g->sum ? &g->sum[i] : NULL;
	uint64_t resident = memory_region(p->memory, i, r);
	/* what the logger allocates has no tags */
	int known = s && r->zone != ZS_ZONE_LOGGER;
	writer_row(w, ROW_REGION, "iiiiiiiiiiii", p->id, (int64_t)i,
		   (int64_t)r->zone, (int64_t)r->tier, (int64_t)r->base,
		   (int64_t)r->bytes, (int64_t)r->quantum,
		   known ? (int64_t)s->blocks : NO_INTEGER,
		   known ? (int64_t)s->bytes : NO_INTEGER,
		   known ? (int64_t)s->usable : NO_INTEGER,
		   known ? (int64_t)s->pages : NO_INTEGER,
		   resident != UINT64_MAX ? (int64_t)resident : NO_INTEGER);
}

void
regions_end(struct regions *g, const struct process *p,
	    const struct zs_region *r, struct writer *w)
{
	for (uint32_t i = 0; i < g->count; i++)
		if (r[i].tier != ZS_TIER_NONE && r[i].tier <= ZS_TIER_LARGE)
			write_region(g, p, i, &r[i], w);
	memory_write(p, w, g->live_resident, g->slack_resident);
	free(g->sum);
}
