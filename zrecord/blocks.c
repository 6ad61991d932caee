/*
 * blocks.c - see blocks.h.
 *
 * The region directory says where blocks can be, the tag of each place whether
 * one is there.  All of it is checked: a damaged directory may lose blocks,
 * but what is written is in the segment.
 *
 * Blocks are rows of a virtual table (of this connection, not of the report)
 * from which one statement copies them: a statement for each row would take
 * twice as long.
 */
#include "blocks.h"
#include "holders.h"

#include "regions.h"

#include <stdlib.h>
#include <string.h>

enum {
	KINDS = ZS_DEFINITE + 1,
	TAG_CHUNK = 4096,
	LOST_MAX = 100000 /* rows of blocks of a process that runs */
};

struct sum {
	uint64_t blocks, bytes, indirect_blocks, indirect_bytes;
};

/* One live block, decoded. */
struct block {
	uint64_t address, size, usable;
	uint64_t weight; /* blocks that it stands for */
	uint32_t stack, thread;
	unsigned kind, fn, zone;
	int64_t stack_id; /* 0: none */
	double t;	  /* NaN: not known */
	struct holder holder;
};

struct walk {
	struct process *p;
	int failed;		 /* the report is not being written any more */
	int running;		 /* the program changes what we read */
	struct zs_group *groups; /* sorted by leader */
	uint32_t group_count;
	struct sum *sums; /* [KINDS][p->stack_count] */
	struct zs_region *regions;
	struct regions sums_of_regions;
	uint32_t region_count, region; /* the next one */
	uint32_t tag, tag_count;       /* the next of this region; all of it */
	uint32_t chunk_at, chunk_used; /* the tags that have been read */
	struct zs_tag tags[TAG_CHUNK];
	struct block block; /* where the walk stands */
};

static int
by_leader(const void *a, const void *b)
{
	const struct zs_group *x = a, *y = b;
	return (x->leader > y->leader) - (x->leader < y->leader);
}

static void
decode(const struct zs_region *r, uint32_t i, const struct zs_tag *tag,
       struct block *b)
{
	uint64_t ms = zs_tag_ms(tag->w1);
	b->stack = zs_tag_stack(tag->w0);
	b->size = zs_tag_size(tag->w0);
	b->kind = zs_tag_verdict(tag->w0);
	b->fn = zs_tag_fn(tag->w0);
	b->thread = zs_tag_thread(tag->w1);
	b->zone = r->zone;
	b->t = ms == ZS_TAG_MS_MAX ? __builtin_nan("") : (double)ms * 1e-3;
	switch (r->tier) {
	case ZS_TIER_NANO:
		b->address = r->base + (uint64_t)i * r->quantum;
		b->usable = r->quantum;
		break;
	case ZS_TIER_LARGE:
		b->address = r->base;
		b->usable = r->bytes;
		b->size = r->large_size;
		break;
	default:
		b->address = r->base + ((uint64_t)i << (r->tag_shift & 63)) +
			     (uint64_t)zs_tag_sub(tag->w1) * r->quantum;
		b->usable = (uint64_t)zs_tag_quanta(tag->w1) * r->quantum;
		break;
	}
}

/* What was lost together with this definite block. */
static void
add_group(const struct walk *k, uint64_t address, struct sum *sum)
{
	struct zs_group key = { .leader = address };
	const struct zs_group *g = NULL;
	if (k->group_count)
		g = bsearch(&key, k->groups, k->group_count, sizeof key,
			    by_leader);
	if (!g)
		return;
	sum->indirect_blocks += g->indirect_blocks;
	sum->indirect_bytes += g->indirect_bytes;
}

static void
note_type(struct stack_state *s, int64_t type)
{
	if (s->type == 0)
		s->type = type ? type : -1;
	else if (s->type != type)
		s->type = -1;
}

/* Did a thread that ran on allocate it after the scan?  The scan moves the
 * clock on before it lets threads go. */
static int
is_late(const struct process *p, const struct block *b)
{
	const struct zs_header *h = &p->seg.h;

	return b->kind == ZS_UNSCANNED && h->state == ZS_SCANNED &&
	       b->t * 1e9 > (double)h->scan_end_ns;
}

/* Adds the block of a tag up; 0 when it cannot be one. */
static int
take(struct walk *k, const struct zs_region *r, uint32_t i,
     const struct zs_tag *tag)
{
	struct block *b = &k->block;
	struct process *p = k->p;
	decode(r, i, tag, b);
	if (b->kind >= KINDS || b->usable == 0) {
		p->damaged |= !k->running;
		return 0;
	}
	if (!k->running)
		regions_block(&k->sums_of_regions, p->memory,
			      (uint32_t)(r - k->regions), r, b->address,
			      b->size, b->usable);
	b->weight =
	    zs_weight(p->seg.h.sample_bytes, b->size, b->address, tag->w1);
	p->live_blocks += b->weight;
	p->live_bytes += b->weight * b->size;
	int late = is_late(p, b);
	*(late ? &p->late_blocks : &p->kind_blocks[b->kind]) += b->weight;
	*(late ? &p->late_bytes : &p->kind_bytes[b->kind]) +=
	    b->weight * b->size;
	holders_of(p, b->address, b->kind, &b->holder);
	b->stack_id = b->stack < p->stack_count ? p->stacks[b->stack].id : 0;
	if (b->stack_id)
		note_type(&p->stacks[b->stack], b->holder.type);
	if (b->stack_id && k->sums) {
		struct sum *sum =
		    &k->sums[(size_t)b->kind * p->stack_count + b->stack];
		sum->blocks += b->weight;
		sum->bytes += b->weight * b->size;
		if (b->kind == ZS_DEFINITE)
			add_group(k, b->address, sum);
	}
	/* on a full disk no stack has a row any more */
	if (!b->stack_id && !k->failed && !k->running)
		p->damaged = 1;
	return 1;
}

/* Goes to the next region that can have blocks. */
static int
next_region(struct walk *k)
{
	while (k->region < k->region_count) {
		const struct zs_region *r = &k->regions[k->region++];
		if (r->tier == ZS_TIER_NONE || r->tier > ZS_TIER_LARGE ||
		    !r->tags || r->zone == ZS_ZONE_LOGGER)
			continue;
		k->tag_count = r->tier == ZS_TIER_LARGE ? 1 : r->tag_count;
		k->tag = k->chunk_at = k->chunk_used = 0;
		return 1;
	}
	return 0;
}

/* Reads the tags that come next in this region. */
static int
next_chunk(struct walk *k)
{
	const struct zs_region *r = &k->regions[k->region - 1];
	uint32_t left = k->tag_count - k->tag;
	uint32_t part = left < TAG_CHUNK ? left : TAG_CHUNK;
	uint64_t off = r->tags + (uint64_t)k->tag * sizeof *k->tags;
	if (part == 0)
		return 0;
	if (segment_read(&k->p->seg, off, k->tags, part * sizeof *k->tags)) {
		k->p->damaged |= !k->running;
		return 0;
	}
	k->chunk_at = k->tag;
	k->chunk_used = part;
	return 1;
}

/* The next live block into k->block; 0 after the last. */
static int
next_block(struct walk *k)
{
	for (;;) {
		while (k->tag < k->chunk_at + k->chunk_used) {
			uint32_t i = k->tag++;
			const struct zs_tag *tag = &k->tags[i - k->chunk_at];
			if (tag->w0 &&
			    take(k, &k->regions[k->region - 1], i, tag))
				return 1;
		}
		if ((k->region == 0 || !next_chunk(k)) && !next_region(k))
			return 0;
	}
}

/* ---- the virtual table ------------------------------------------------ */

struct cursor {
	sqlite3_vtab_cursor base;
	struct walk *walk;
	int64_t row;
	int more;
};

struct table {
	sqlite3_vtab base;
	struct walk **walk;
};

static int
table_connect(sqlite3 *db, void *walk, int argc, const char *const *argv,
	      sqlite3_vtab **out, char **error)
{
	struct table *t = sqlite3_malloc(sizeof *t);
	(void)argc, (void)argv, (void)error;
	if (!t)
		return SQLITE_NOMEM;
	*t = (struct table){ .walk = walk };
	*out = &t->base;
	return sqlite3_declare_vtab(db, "CREATE TABLE x (address, size, usable,"
					"zone, class, stack, thread, t, kind,"
					"fn, weight, type, holder,"
					"holder_offset)");
}

static int
table_disconnect(sqlite3_vtab *t)
{
	sqlite3_free(t);
	return SQLITE_OK;
}

static int
table_plan(sqlite3_vtab *t, sqlite3_index_info *info)
{
	(void)t, (void)info;
	return SQLITE_OK;
}

static int
cursor_open(sqlite3_vtab *t, sqlite3_vtab_cursor **out)
{
	struct cursor *c = sqlite3_malloc(sizeof *c);
	if (!c)
		return SQLITE_NOMEM;
	*c = (struct cursor){ .walk = *((struct table *)t)->walk };
	*out = &c->base;
	return SQLITE_OK;
}

static int
cursor_close(sqlite3_vtab_cursor *c)
{
	sqlite3_free(c);
	return SQLITE_OK;
}

static int
cursor_next(sqlite3_vtab_cursor *base)
{
	struct cursor *c = (struct cursor *)base;
	c->row++;
	c->more = c->walk && next_block(c->walk);
	return SQLITE_OK;
}

static int
cursor_begin(sqlite3_vtab_cursor *c, int plan, const char *name, int argc,
	     sqlite3_value **argv)
{
	(void)plan, (void)name, (void)argc, (void)argv;
	return cursor_next(c);
}

static int
cursor_at_end(sqlite3_vtab_cursor *c)
{
	return !((struct cursor *)c)->more;
}

static int
cursor_row(sqlite3_vtab_cursor *c, sqlite3_int64 *row)
{
	*row = ((struct cursor *)c)->row;
	return SQLITE_OK;
}

/* What of a holder is known; 0 is not. */
static void
holder_column(const struct holder *h, sqlite3_context *out, int column)
{
	if (column == 0 && h->type)
		sqlite3_result_int64(out, h->type);
	else if (column == 1 && h->by)
		sqlite3_result_int64(out, h->by);
	else if (column == 2 && h->by && h->offset != UINT64_MAX)
		sqlite3_result_int64(out, (int64_t)h->offset);
}

static int
cursor_column(sqlite3_vtab_cursor *c, sqlite3_context *out, int column)
{
	const struct block *b = &((struct cursor *)c)->walk->block;
	const int64_t values[] = { (int64_t)b->address,
				   (int64_t)b->size,
				   (int64_t)b->usable,
				   b->zone,
				   0 /* class */,
				   b->stack_id,
				   b->thread,
				   0 /* t */,
				   b->kind,
				   b->fn,
				   (int64_t)b->weight };
	/* stack, thread and function have no 0: not known */
	const unsigned nullable = 1u << 5 | 1u << 6 | 1u << 9;
	const int plain = sizeof values / sizeof *values;
	if (column >= plain)
		holder_column(&b->holder, out, column - plain);
	else if (column == 4)
		sqlite3_result_int64(
		    out, (int64_t)zs_class_bytes(zs_class_index(b->usable)));
	else if (column == 7)
		sqlite3_result_double(out, b->t); /* NaN becomes NULL */
	else if (values[column] || !(nullable >> column & 1))
		sqlite3_result_int64(out, values[column]);
	return SQLITE_OK;
}

static sqlite3_module blocks_module = {
	.xConnect = table_connect,
	.xBestIndex = table_plan,
	.xDisconnect = table_disconnect,
	.xOpen = cursor_open,
	.xClose = cursor_close,
	.xFilter = cursor_begin,
	.xNext = cursor_next,
	.xEof = cursor_at_end,
	.xColumn = cursor_column,
	.xRowid = cursor_row,
};

int
blocks_table(struct writer *w)
{
	return sqlite3_create_module(w->db, "zrecord_blocks", &blocks_module,
				     &w->walk);
}

static void
write_sums(const struct walk *k, struct writer *w)
{
	const struct process *p = k->p;
	/* while it runs, unscanned ones are younger than the scan */
	unsigned first = k->running ? ZS_REACHABLE : ZS_UNSCANNED;
	for (unsigned kind = first; k->sums && kind < KINDS; kind++)
		for (uint32_t i = 1; i < p->stack_count; i++) {
			const struct sum *s =
			    &k->sums[(size_t)kind * p->stack_count + i];
			if (s->blocks == 0)
				continue;
			writer_row(w, ROW_LEAK, "iiiiiii", p->id, (int64_t)kind,
				   p->stacks[i].id, (int64_t)s->blocks,
				   (int64_t)s->bytes,
				   (int64_t)s->indirect_blocks,
				   (int64_t)s->indirect_bytes);
		}
}

static struct walk *
walk_new(struct process *p, const struct writer *w)
{
	struct walk *k = calloc(1, sizeof *k);
	if (!k)
		return NULL;
	k->p = p;
	for (uint32_t i = 0; i < p->stack_count; i++)
		p->stacks[i].type = 0;
	k->failed = w->failed;
	if (p->stack_count)
		k->sums =
		    calloc((size_t)KINDS * p->stack_count, sizeof *k->sums);
	k->groups = segment_table(&p->seg, &p->seg.h.groups, &k->group_count);
	if (k->groups)
		qsort(k->groups, k->group_count, sizeof *k->groups, by_leader);
	k->regions =
	    segment_table(&p->seg, &p->seg.h.regions, &k->region_count);
	return k;
}

static void
walk_end(struct walk *k, struct writer *w)
{
	/* what the report did not take counts all the same */
	w->walk = NULL;
	k->failed = 1;
	while (next_block(k))
		;
	write_sums(k, w);
	if (!k->running)
		regions_end(&k->sums_of_regions, k->p, k->regions, w);
	free(k->regions);
	free(k->groups);
	free(k->sums);
	free(k);
}

/* Of an earlier scan, while it ran. */
static void
forget(struct process *p, struct writer *w)
{
	memset(p->kind_blocks, 0, sizeof p->kind_blocks);
	memset(p->kind_bytes, 0, sizeof p->kind_bytes);
	p->live_blocks = p->live_bytes = 0;
	p->late_blocks = p->late_bytes = 0;
	if (!p->kinds_written)
		return;
	writer_row(w, ROW_FORGET_LEAKS, "i", p->id);
	writer_row(w, ROW_FORGET_BLOCKS, "i", p->id);
	p->kinds_written = 0;
}

void
blocks_write(struct process *p, struct writer *w)
{
	struct walk *k = walk_new(p, w);
	if (!k) {
		p->damaged = 1;
		return;
	}
	forget(p, w);
	regions_begin(&k->sums_of_regions, k->region_count);
	w->walk = k;
	writer_row(w, ROW_BLOCKS, "i", p->id);
	walk_end(k, w);
}

void
blocks_scanned(struct process *p, struct writer *w)
{
	struct walk *k = walk_new(p, w);
	if (!k)
		return;
	forget(p, w);
	k->running = 1;
	w->walk = k;
	writer_row(w, ROW_BLOCKS_LOST, "ii", p->id, (int64_t)LOST_MAX);
	walk_end(k, w);
	p->kinds_written = 1;
}
