/*
 * classes.h - what the command `classes` found, for its renderings.
 *
 * Glossary
 *   slack   bytes that a block holds beyond what was asked for
 *   kept    bytes of a page (or region) without live blocks on them, while
 *           the page cannot go back because of the few that are there
 *   thin    a page or region of which live blocks fill less than THIN_SHARE
 *   pin     a stack's part in that: the kept bytes of each thin page are
 *           shared out among the blocks on it
 */
#ifndef ZLEAKS_CLASSES_H
#define ZLEAKS_CLASSES_H

#include "stack.h"
#include "sums.h"

#define THIN_SHARE 0.25

enum { TIERS = 6 };
extern const char *const tier_names[TIERS]; /* by the report's tier */

struct memory_part {
	const char *name, *what; /* what: for people */
	int64_t bytes;		 /* UNKNOWN */
};

struct class_row {
	char *zone;
	int64_t size_class, blocks, asked, usable;
};

struct region {
	size_t process; /* index in recording->processes */
	int64_t zone_id, tier, address, bytes;
	int64_t live_blocks, usable, resident; /* UNKNOWN */
	int64_t pages;			       /* with live blocks; UNKNOWN */
	size_t first_page; /* in the arrays of pins; SIZE_MAX: no pages */
	int thin;
};

/* Regions of one zone and tier. */
struct tier_row {
	char *zone;
	int64_t tier, regions, bytes;
	int64_t live_blocks, usable, resident; /* UNKNOWN */
	int64_t resident_regions; /* of how many `resident` is known */
};

/* Thin pages or regions of a process. */
struct pins {
	uint64_t all, thin, blocks; /* blocks: on the thin ones */
	uint64_t kept, bytes;	    /* in the thin ones; of all */
	/* by stack (b): blocks, bytes (kept), more (pages or regions) */
	const struct sum *stack;
	size_t stack_count;
};

struct part { /* what a process has */
	const struct process *process;
	int unfinished;	 /* no blocks in the report yet, only samples */
	double memory_t; /* NAN: not looked at */
	struct memory_part *memory;
	size_t memory_count;
	struct class_row *row;
	size_t row_count, row_room, left_out;
	int64_t blocks, asked, usable; /* of all classes */
	const struct sum *slack;       /* by stack (b): blocks, bytes (slack) */
	size_t slack_count;
	struct tier_row *tier;
	size_t tier_count, tier_room;
	struct pins pages, regions;
};

struct block { /* of a region with pages */
	int64_t address;
	uint32_t usable, region;
	int64_t stack_id;
};

struct classes {
	struct recording *recording;
	const struct settings *settings;
	struct stacks *stacks;
	struct part *part;   /* one per process */
	struct sums classes; /* (process << 16 | zone, class): more: usable */
	struct sums slack;   /* (process, stack) */
	struct sums page_pins, region_pins;
	struct region *region; /* by process and address */
	size_t region_count, region_room;
	struct block *block;
	size_t block_count, block_room;
	int64_t page;	 /* bytes */
	int has_regions; /* the report has the tables of regions and memory */
};

/* classes_regions.c: what the report says of regions and memory; and the
 * region that an address of a process lies in, SIZE_MAX: none. */
void classes_load_regions(struct classes *);
size_t classes_region_at(const struct classes *, size_t process,
			 int64_t address);

/* classes_pins.c: fills pages and regions of each part. */
void classes_find_pins(struct classes *);

void classes_text(const struct classes *, FILE *);
void classes_json(const struct classes *, FILE *);
void classes_csv(const struct classes *, FILE *);

#endif
