/*
 * areas.c - opens the segment as far as it is used.
 *
 * The segment is mapped without access and made accessible area by area (each
 * table, and the pool) as it fills.  Otherwise mlockall() of the program would
 * populate all of the sparse mapping, and a wild write into what is unused
 * would go unnoticed.  No lock: opening twice does no harm, and a signal
 * handler may come in between.  Called by whoever appends to an area.
 */
#include <sys/mman.h>

#include "logger/logger.h"
#include "os/os.h"

enum { SCANS = 8, GRAPH, POOL, AREAS, CHUNK = 64 << 10 };

static struct {
	uint64_t begin, end;
	uint64_t open; /* offset of the first byte without access; atomic */
} area[AREAS];

static bool
open_to(unsigned a, uint64_t end)
{
	uint64_t open = __atomic_load_n(&area[a].open, __ATOMIC_ACQUIRE);

	if (end <= open)
		return true;
	if (end > area[a].end)
		return false;
	uint64_t to = (end + CHUNK - 1) & ~(uint64_t)(CHUNK - 1);
	uint64_t twice = open + (open - area[a].begin);
	to = to > twice ? to : twice;
	to = to < area[a].end ? to : area[a].end;
	if (zm_os_protect(zm_session.base + open, to - open,
			  PROT_READ | PROT_WRITE) < 0)
		return false;
	while (open < to &&
	       !__atomic_compare_exchange_n(&area[a].open, &open, to, true,
					    __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
		;
	return true;
}

/* The tables lie in the segment as they do in the header. */
static struct zs_table *
table(unsigned a)
{
	struct zs_header *h = zm_session.h;

	return a < SCANS ? &h->regions + a : &h->scans + (a - SCANS);
}

static unsigned
area_of(const struct zs_table *t)
{
	const struct zs_header *h = zm_session.h;

	return t >= &h->scans ? SCANS + (unsigned)(t - &h->scans)
			      : (unsigned)(t - &h->regions);
}

bool
zm_graph_open(uint64_t words)
{
	return open_to(GRAPH, zm_session.h->graph.offset + 8 * words);
}

bool
zm_table_open(const struct zs_table *t, uint32_t index)
{
	return open_to(area_of(t),
		       t->offset + (uint64_t)t->stride * (index + 1ull)) ||
	       (zm_trouble(ZS_TROUBLE_NO_MEMORY), false);
}

bool
zm_pool_open(uint64_t end)
{
	return open_to(POOL, end) || (zm_trouble(ZS_TROUBLE_NO_MEMORY), false);
}

static void
replace(uint64_t from, uint64_t to, int prot)
{
	if (from < to)
		zm_os_mmap(zm_session.base + from, to - from, prot,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			       MAP_FIXED,
			   -1, 0);
}

/* What was open stays so: a thread that came too late may still write. */
void
zm_areas_drop(void)
{
	replace(0, area[0].begin, PROT_READ | PROT_WRITE);
	for (unsigned a = 0; a < AREAS; a++) {
		uint64_t open =
		    __atomic_load_n(&area[a].open, __ATOMIC_ACQUIRE);
		replace(area[a].begin, open, PROT_READ | PROT_WRITE);
		replace(open, area[a].end, PROT_NONE);
	}
}

bool
zm_areas_start(uint64_t pool, uint64_t pool_used)
{
	for (unsigned a = 0; a < POOL; a++) {
		area[a].begin = area[a].open = table(a)->offset;
		area[a].end = a + 1 < POOL ? table(a + 1)->offset : pool;
	}
	area[POOL].begin = area[POOL].open = pool;
	area[POOL].end = zm_session.bytes;
	for (unsigned a = 0; a < POOL; a++) {
		if (!open_to(a, area[a].begin + 1))
			return false;
	}
	return open_to(POOL, pool_used + 1);
}
