/*
 * classes.c - the command `classes`: what of the memory is what was asked for,
 * and what is slack, free, or somebody else's.  classes_pins.c finds who keeps
 * pages that are nearly empty, classes_regions.c reads what the report says of
 * regions and resident memory; classes_text.c and classes_json.c print.
 *
 * Rests on one pass over block_info.
 */
#include "classes.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOP_DEFAULT = 20, ZONE_BITS = 16, PAGE_DEFAULT = 4096 };

/* ---- blocks ----------------------------------------------------------- */

static void
keep_block(struct classes *c, size_t region, int64_t address, int64_t usable,
	   int64_t stack_id)
{
	const struct region *r = &c->region[region];
	int64_t room = r->address + r->bytes - address;

	if (c->block_count == c->block_room) {
		c->block_room = c->block_room ? 2 * c->block_room : 4096;
		c->block = text_grow(c->block, c->block_room, sizeof *c->block);
	}
	usable = usable < room ? usable : room;
	c->block[c->block_count++] =
	    (struct block){ address, (uint32_t)usable, (uint32_t)region,
			    stack_id };
}

static void
load_blocks(struct classes *c)
{
	const struct recording *r = c->recording;
	sqlite3_stmt *st = recording_sql(
	    r, "SELECT process_id, address, size, usable_size, zone_id,"
	       " size_class, stack_id, stands_for FROM block_info"
	       " WHERE freed_at IS NULL");
	size_t last = SIZE_MAX;

	while (recording_step(r, st)) {
		const struct process *p =
		    recording_process(r, column_int(st, 0));
		int64_t address = column_int(st, 1), size = column_int(st, 2);
		int64_t usable = column_int(st, 3), zone = column_int(st, 4);
		int64_t weight = column_int(st, 7), asked, held;
		if (!p || size < 0 || usable < size || weight < 1 ||
		    __builtin_mul_overflow(weight, size, &asked) ||
		    __builtin_mul_overflow(weight, usable, &held))
			continue;
		size_t process = (size_t)(p - r->processes);
		if (c->part[process].unfinished)
			continue;
		int64_t stack_id = column_int(st, 6);
		struct sum *s = sums_get(&c->classes,
					 (int64_t)process << ZONE_BITS |
					     (zone & ((1 << ZONE_BITS) - 1)),
					 column_int(st, 5));
		s->blocks = count_add(s->blocks, weight);
		s->bytes = count_add(s->bytes, asked);
		s->more = count_add(s->more, held);
		s = sums_get(&c->slack, (int64_t)process, stack_id);
		s->blocks = count_add(s->blocks, weight);
		s->bytes = count_add(s->bytes, held - asked);
		s->more = count_add(s->more, asked);
		if (!c->region_count)
			continue;
		/* neighbours are in one region */
		if (last == SIZE_MAX || c->region[last].process != process ||
		    address < c->region[last].address ||
		    address - c->region[last].address >= c->region[last].bytes)
			last = classes_region_at(c, process, address);
		if (last != SIZE_MAX && c->region[last].tier < 5)
			keep_block(c, last, address, usable, stack_id);
	}
	sqlite3_finalize(st);
}

/* A process that runs has no blocks in the report (but lost ones): its size
 * classes are those of the last sample.  Usable bytes follow from the class,
 * but for large blocks. */
static void
load_samples(struct classes *c, size_t process)
{
	enum { LARGEST_EXACT = 8 << 20 };
	sqlite3_stmt *st = recording_sql(
	    c->recording, "SELECT zone_id, size_class, max(sample),"
			  " live_blocks, live_bytes FROM class_sample"
			  " WHERE process_id = ? GROUP BY zone_id, size_class");

	sqlite3_bind_int64(st, 1, c->part[process].process->process_id);
	while (recording_step(c->recording, st)) {
		int64_t class = column_int(st, 1), held;
		int64_t blocks = column_int(st, 3), asked = column_int(st, 4);
		if (blocks <= 0 || asked < 0)
			continue;
		if (class > LARGEST_EXACT ||
		    __builtin_mul_overflow(blocks, class, &held) ||
		    held < asked)
			held = asked;
		struct sum *s =
		    sums_get(&c->classes,
			     (int64_t)process << ZONE_BITS |
				 (column_int(st, 0) & ((1 << ZONE_BITS) - 1)),
			     class);
		s->blocks = blocks;
		s->bytes = asked;
		s->more = held;
	}
	sqlite3_finalize(st);
}

/* ---- rows and order --------------------------------------------------- */

static char *
zone_name(const struct classes *c, int64_t process_id, int64_t zone)
{
	sqlite3_stmt *st = recording_sql(
	    c->recording, "SELECT name FROM zone_info"
			  " WHERE process_id = ? AND zone_id = ?");
	char *name = NULL;

	sqlite3_bind_int64(st, 1, process_id);
	sqlite3_bind_int64(st, 2, zone);
	if (recording_step(c->recording, st))
		name = column_text(st, 0);
	sqlite3_finalize(st);
	return name;
}

static enum sort sort_key; /* qsort has no argument for it */

static int
by_slack(const void *pa, const void *pb)
{
	const struct class_row *a = pa, *b = pb;
	int64_t x = a->usable - a->asked, y = b->usable - b->asked;

	if (sort_key == SORT_BLOCKS)
		x = a->blocks, y = b->blocks;
	else if (sort_key == SORT_BYTES)
		x = a->asked, y = b->asked;
	if (x != y)
		return x < y ? 1 : -1;
	return (a->size_class > b->size_class) -
	       (a->size_class < b->size_class);
}

static void
make_rows(struct classes *c)
{
	for (size_t i = 0; i < c->classes.count; i++) {
		const struct sum *s = &c->classes.entry[i];
		struct part *part = &c->part[s->a >> ZONE_BITS];
		if (part->row_count == part->row_room) {
			part->row_room =
			    part->row_room ? 2 * part->row_room : 64;
			part->row = text_grow(part->row, part->row_room,
					      sizeof *part->row);
		}
		part->row[part->row_count++] = (struct class_row){
			zone_name(c, part->process->process_id,
				  s->a & ((1 << ZONE_BITS) - 1)),
			s->b, s->blocks, s->bytes, s->more
		};
		part->blocks = count_add(part->blocks, s->blocks);
		part->asked = count_add(part->asked, s->bytes);
		part->usable = count_add(part->usable, s->more);
	}
}

static void
cut_rows(const struct classes *c, struct part *part)
{
	const struct settings *s = c->settings;
	long top = s->top;
	size_t kept = 0;

	if (top < 0)
		top = s->json || s->csv ? 0 : TOP_DEFAULT;
	sort_key = s->sort;
	if (part->row_count)
		qsort(part->row, part->row_count, sizeof *part->row, by_slack);
	for (size_t i = 0; i < part->row_count; i++) {
		if (count_shown(part->row[i].asked) < s->min_bytes ||
		    (top && kept >= (size_t)top)) {
			free(part->row[i].zone);
			part->left_out++;
		} else {
			part->row[kept++] = part->row[i];
		}
	}
	part->row_count = kept;
}

static int
by_process_and_bytes(const void *pa, const void *pb)
{
	const struct sum *a = pa, *b = pb;

	if (a->a != b->a)
		return a->a < b->a ? -1 : 1;
	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? 1 : -1;
	return (a->b > b->b) - (a->b < b->b);
}

/* Sorts, and drops what is 0 or what the filters take; then the entries of
 * process i begin at begin[i] and end at begin[i + 1]. */
static void
split_by_process(const struct classes *c, struct sums *sums, size_t *begin)
{
	const struct regexfilter *f = &c->settings->filter;
	size_t n = c->recording->process_count, kept = 0, process = 0;

	for (size_t i = 0; i < sums->count; i++)
		if (sums->entry[i].bytes > 0 &&
		    (!regexfilter_active(f) ||
		     stack_passes(stacks_get(c->stacks, sums->entry[i].b), f)))
			sums->entry[kept++] = sums->entry[i];
	sums->count = kept;
	sums_sort(sums, by_process_and_bytes);
	for (size_t i = 0; i <= kept; i++)
		while (process <= n &&
		       (i == kept || sums->entry[i].a >= (int64_t)process))
			begin[process++] = i;
}

static void
share_stacks(struct classes *c)
{
	size_t n = c->recording->process_count;
	size_t *begin = text_alloc((n + 1) * sizeof *begin);

	split_by_process(c, &c->slack, begin);
	for (size_t i = 0; i < n; i++) {
		c->part[i].slack = c->slack.entry + begin[i];
		c->part[i].slack_count = begin[i + 1] - begin[i];
	}
	split_by_process(c, &c->page_pins, begin);
	for (size_t i = 0; i < n; i++) {
		c->part[i].pages.stack = c->page_pins.entry + begin[i];
		c->part[i].pages.stack_count = begin[i + 1] - begin[i];
	}
	split_by_process(c, &c->region_pins, begin);
	for (size_t i = 0; i < n; i++) {
		c->part[i].regions.stack = c->region_pins.entry + begin[i];
		c->part[i].regions.stack_count = begin[i + 1] - begin[i];
	}
	free(begin);
}

/* ---- the command ------------------------------------------------------ */

static void
read_page_size(struct classes *c)
{
	sqlite3_stmt *st = recording_sql(
	    c->recording, "SELECT value FROM meta WHERE key = 'page_bytes'");
	int64_t n = recording_step(c->recording, st) ? column_int(st, 0) : 0;

	sqlite3_finalize(st);
	c->page = n >= 1024 && n <= 1 << 24 ? n : PAGE_DEFAULT;
}

static void
load(struct classes *c)
{
	const struct recording *r = c->recording;

	c->part = text_alloc(r->process_count * sizeof *c->part);
	read_page_size(c);
	for (size_t i = 0; i < r->process_count; i++) {
		c->part[i].process = &r->processes[i];
		c->part[i].memory_t = NAN;
		c->part[i].unfinished = process_unfinished(&r->processes[i]);
		if (c->part[i].unfinished)
			load_samples(c, i);
	}
	classes_load_regions(c);
	load_blocks(c);
	classes_find_pins(c);
	make_rows(c);
	for (size_t i = 0; i < r->process_count; i++)
		cut_rows(c, &c->part[i]);
	share_stacks(c);
}

static void
classes_free(struct classes *c)
{
	for (size_t i = 0; i < c->recording->process_count; i++) {
		struct part *part = &c->part[i];
		for (size_t j = 0; j < part->row_count; j++)
			free(part->row[j].zone);
		for (size_t j = 0; j < part->tier_count; j++)
			free(part->tier[j].zone);
		free(part->row);
		free(part->tier);
		free(part->memory);
	}
	free(c->part);
	free(c->region);
	free(c->block);
	sums_free(&c->classes);
	sums_free(&c->slack);
	sums_free(&c->page_pins);
	sums_free(&c->region_pins);
	stacks_free(c->stacks);
	recording_close(c->recording);
}

static int
print(const struct classes *c)
{
	struct output out;

	if (output_open(&out, c->settings->output) != 0)
		return EXIT_USAGE;
	if (c->settings->json)
		classes_json(c, out.file);
	else if (c->settings->csv)
		classes_csv(c, out.file);
	else
		classes_text(c, out.file);
	return page_close(&out, c->recording);
}

int
classes_main(const struct settings *settings, int argc, char **argv)
{
	struct classes c = { .settings = settings };
	const char *path = settings_report("classes", argc, argv);

	if (!path || settings_one_format("classes", settings) != 0)
		return EXIT_USAGE;
	if (settings->sort == SORT_RATE || settings->sort == SORT_AGE) {
		message("--sort: classes knows bytes and blocks; by slack "
			"without it");
		return EXIT_USAGE;
	}
	c.recording = recording_open(path, settings);
	c.stacks = stacks_new(c.recording);
	load(&c);
	int status = print(&c);
	classes_free(&c);
	return status;
}
