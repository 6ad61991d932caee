/*
 * classes_regions.c - what a report says of regions (region_info, occupancy at
 * the end) and of the resident memory (memory_info, the last look at it).
 * Older reports have neither table.
 */
#include "classes.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

const char *const tier_names[TIERS] = { "?",	 "nano",   "tiny",
					"small", "medium", "large" };

/* ---- memory ----------------------------------------------------------- */

static int
table_exists(const struct recording *r, const char *name)
{
	sqlite3_stmt *st = recording_sql(
	    r, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?");

	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	int found = recording_step(r, st);
	sqlite3_finalize(st);
	return found;
}

/* In the order of the page. */
static const struct {
	const char *name, *what;
} known_parts[] = {
	{ "live", "what the program asked for" },
	{ "slack", "what its blocks hold beyond that" },
	{ "free", "in regions, ready for use, and in caches of threads" },
	{ "unrecorded", "in regions: free, or from before the recording" },
	{ "heap", "in regions: recorded blocks, others, slack and free" },
	{ "metadata", "of the allocator" },
	{ "logger", "the recorder's zone in the program" },
	{ "session", "the recorder's record of it" },
	{ "files", "code and data of program and libraries, mapped files" },
	{ "stack", "of the main thread" },
	{ "anonymous", "stacks of threads, what the program mapped itself" },
	{ "shared", "other shared memory" },
	{ "rss", "all resident memory" }
};
enum { KNOWN_PARTS = sizeof known_parts / sizeof *known_parts };

static void
load_memory(struct classes *c, struct part *part)
{
	const struct recording *r = c->recording;
	sqlite3_stmt *st =
	    recording_sql(r, "SELECT t, bytes FROM memory_info"
			     " WHERE process_id = ? AND part = ?");

	part->memory = text_alloc(KNOWN_PARTS * sizeof *part->memory);
	for (size_t i = 0; i < KNOWN_PARTS; i++) {
		sqlite3_bind_int64(st, 1, part->process->process_id);
		sqlite3_bind_text(st, 2, known_parts[i].name, -1,
				  SQLITE_STATIC);
		if (recording_step(r, st)) {
			part->memory_t = column_real(st, 0);
			part->memory[part->memory_count++] =
			    (struct memory_part){ known_parts[i].name,
						  known_parts[i].what,
						  column_int(st, 1) };
		}
		sqlite3_reset(st);
	}
	sqlite3_finalize(st);
}

/* ---- regions ---------------------------------------------------------- */

static struct tier_row *
tier_row(struct classes *c, struct part *part, sqlite3_stmt *st, int64_t tier)
{
	const char *zone = (const char *)sqlite3_column_text(st, 8);
	struct tier_row *last =
	    part->tier_count ? &part->tier[part->tier_count - 1] : NULL;

	(void)c;
	/* the rows come sorted */
	if (last && last->tier == tier &&
	    !strcmp(last->zone ? last->zone : "", zone ? zone : ""))
		return last;
	if (part->tier_count == part->tier_room) {
		part->tier_room = part->tier_room ? 2 * part->tier_room : 8;
		part->tier =
		    text_grow(part->tier, part->tier_room, sizeof *part->tier);
	}
	last = &part->tier[part->tier_count++];
	*last = (struct tier_row){ .zone = zone ? text_copy(zone) : NULL,
				   .tier = tier,
				   .live_blocks = UNKNOWN,
				   .usable = UNKNOWN,
				   .resident = UNKNOWN };
	return last;
}

static void
add_region(struct classes *c, const struct region *r)
{
	if (c->region_count == c->region_room) {
		c->region_room = c->region_room ? 2 * c->region_room : 256;
		c->region =
		    text_grow(c->region, c->region_room, sizeof *c->region);
	}
	c->region[c->region_count++] = *r;
}

static int
by_address(const void *pa, const void *pb)
{
	const struct region *a = pa, *b = pb;

	if (a->process != b->process)
		return a->process < b->process ? -1 : 1;
	return (a->address > b->address) - (a->address < b->address);
}

static void
read_regions(struct classes *c)
{
	const struct recording *r = c->recording;
	sqlite3_stmt *st = recording_sql(
	    r, "SELECT i.process_id, i.zone_id, tier, address, bytes,"
	       " live_blocks, usable_bytes, resident_bytes, z.name, pages"
	       " FROM region_info i LEFT JOIN zone_info z"
	       " ON z.process_id = i.process_id AND z.zone_id = i.zone_id"
	       " ORDER BY i.process_id, i.zone_id, tier");

	while (recording_step(r, st)) {
		const struct process *p =
		    recording_process(r, column_int(st, 0));
		int64_t tier = column_int(st, 2), end;
		if (!p || tier < 1 || tier >= TIERS)
			continue;
		struct region g = { .process = (size_t)(p - r->processes),
				    .zone_id = column_int(st, 1),
				    .tier = tier,
				    .address = column_int(st, 3),
				    .bytes = column_int(st, 4),
				    .live_blocks = column_int(st, 5),
				    .usable = column_int(st, 6),
				    .resident = column_int(st, 7),
				    .pages = column_int(st, 9),
				    .first_page = SIZE_MAX };
		if (g.bytes <= 0 || g.address < 0 ||
		    __builtin_add_overflow(g.address, g.bytes, &end))
			continue; /* not as zrecord writes it */
		struct tier_row *t = tier_row(c, &c->part[g.process], st, tier);
		t->regions++;
		t->bytes = count_add(t->bytes, g.bytes);
		t->live_blocks = count_add(t->live_blocks, g.live_blocks);
		t->usable = count_add(t->usable, g.usable);
		t->resident = count_add(t->resident, g.resident);
		t->resident_regions += g.resident != UNKNOWN;
		add_region(c, &g);
	}
	sqlite3_finalize(st);
	if (c->region_count)
		qsort(c->region, c->region_count, sizeof *c->region,
		      by_address);
}

size_t
classes_region_at(const struct classes *c, size_t process, int64_t address)
{
	struct region key = { .process = process, .address = address };
	size_t low = 0, high = c->region_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (by_address(&c->region[middle], &key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || c->region[low - 1].process != process ||
	    address - c->region[low - 1].address >= c->region[low - 1].bytes)
		return SIZE_MAX;
	return low - 1;
}

void
classes_load_regions(struct classes *c)
{
	const struct recording *r = c->recording;

	c->has_regions =
	    table_exists(r, "region_info") && table_exists(r, "memory_info");
	if (!c->has_regions)
		return;
	for (size_t i = 0; i < r->process_count; i++)
		load_memory(c, &c->part[i]);
	read_regions(c);
}
