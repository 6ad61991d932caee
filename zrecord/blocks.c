/*
 * blocks.c - see blocks.h.
 *
 * The region directory says where blocks can be, the tag of each place whether
 * one is there.  All of it is checked: a damaged directory may lose blocks,
 * but what is written is in the segment.
 */
#include "blocks.h"

#include <stdlib.h>

enum { KINDS = ZS_DEFINITE + 1, TAG_CHUNK = 4096 };

struct sum {
	uint64_t blocks, bytes, indirect_blocks, indirect_bytes;
};

struct walk {
	struct process *p;
	struct writer *w;
	struct zs_group *groups; /* sorted by leader */
	uint32_t group_count;
	struct sum *sums; /* [KINDS][p->stack_count] */
	struct zs_tag tags[TAG_CHUNK];
};

/* One live block, decoded. */
struct block {
	uint64_t address, size, usable;
	uint64_t weight; /* blocks that it stands for */
	uint32_t stack, thread;
	unsigned kind, fn;
	double t; /* NaN: not known */
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

static void
write_block(struct walk *k, const struct zs_region *r, const struct block *b,
	    int64_t stack_id)
{
	sqlite3_stmt *s = writer_begin_row(k->w, ROW_BLOCK);
	if (!s)
		return;
	sqlite3_bind_int64(s, 1, k->p->id);
	sqlite3_bind_int64(s, 2, (int64_t)b->address);
	sqlite3_bind_int64(s, 3, (int64_t)b->size);
	sqlite3_bind_int64(s, 4, (int64_t)b->usable);
	sqlite3_bind_int64(s, 5, r->zone);
	sqlite3_bind_int64(s, 6,
			   (int64_t)zs_class_bytes(zs_class_index(b->usable)));
	if (stack_id)
		sqlite3_bind_int64(s, 7, stack_id);
	else
		sqlite3_bind_null(s, 7);
	if (b->thread)
		sqlite3_bind_int64(s, 8, b->thread);
	else
		sqlite3_bind_null(s, 8);
	sqlite3_bind_double(s, 9, b->t);
	sqlite3_bind_int64(s, 10, b->kind);
	if (b->fn)
		sqlite3_bind_int64(s, 11, b->fn);
	else
		sqlite3_bind_null(s, 11);
	sqlite3_bind_int64(s, 12, (int64_t)b->weight);
	writer_end_row(k->w, s);
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
take(struct walk *k, const struct zs_region *r, uint32_t i,
     const struct zs_tag *tag)
{
	struct block b;
	struct process *p = k->p;
	int64_t stack_id = 0;
	decode(r, i, tag, &b);
	if (b.kind >= KINDS || b.usable == 0) {
		p->damaged = 1;
		return;
	}
	b.weight = zs_weight(p->seg.h.sample_bytes, b.size, b.address, tag->w1);
	p->live_blocks += b.weight;
	p->live_bytes += b.weight * b.size;
	p->kind_blocks[b.kind] += b.weight;
	p->kind_bytes[b.kind] += b.weight * b.size;
	if (b.stack < p->stack_count)
		stack_id = p->stacks[b.stack].id;
	if (stack_id && k->sums) {
		struct sum *sum =
		    &k->sums[(size_t)b.kind * p->stack_count + b.stack];
		sum->blocks += b.weight;
		sum->bytes += b.weight * b.size;
		if (b.kind == ZS_DEFINITE)
			add_group(k, b.address, sum);
	}
	/* on a full disk no stack has a row any more */
	if (!stack_id && !k->w->failed)
		p->damaged = 1;
	write_block(k, r, &b, stack_id);
}

static void
walk_region(struct walk *k, const struct zs_region *r)
{
	uint32_t n = r->tag_count;
	if (r->tier == ZS_TIER_NONE || r->tier > ZS_TIER_LARGE || !r->tags ||
	    r->zone == ZS_ZONE_LOGGER)
		return;
	if (r->tier == ZS_TIER_LARGE)
		n = 1;
	for (uint32_t i = 0; i < n; i += TAG_CHUNK) {
		uint32_t part = n - i < TAG_CHUNK ? n - i : TAG_CHUNK;
		uint64_t off = r->tags + (uint64_t)i * sizeof *k->tags;
		if (segment_read(&k->p->seg, off, k->tags,
				 part * sizeof *k->tags) != 0) {
			k->p->damaged = 1;
			return;
		}
		for (uint32_t j = 0; j < part; j++)
			if (k->tags[j].w0)
				take(k, r, i + j, &k->tags[j]);
	}
}

static void
write_sums(const struct walk *k)
{
	const struct process *p = k->p;
	for (unsigned kind = 0; k->sums && kind < KINDS; kind++)
		for (uint32_t i = 1; i < p->stack_count; i++) {
			const struct sum *s =
			    &k->sums[(size_t)kind * p->stack_count + i];
			if (s->blocks == 0)
				continue;
			writer_row(k->w, ROW_LEAK, "iiiiiii", p->id,
				   (int64_t)kind, p->stacks[i].id,
				   (int64_t)s->blocks, (int64_t)s->bytes,
				   (int64_t)s->indirect_blocks,
				   (int64_t)s->indirect_bytes);
		}
}

void
blocks_write(struct process *p, struct writer *w)
{
	uint32_t regions;
	struct walk *k = calloc(1, sizeof *k);
	if (!k) {
		p->damaged = 1;
		return;
	}
	k->p = p;
	k->w = w;
	if (p->stack_count)
		k->sums =
		    calloc((size_t)KINDS * p->stack_count, sizeof *k->sums);
	k->groups = segment_table(&p->seg, &p->seg.h.groups, &k->group_count);
	if (k->groups)
		qsort(k->groups, k->group_count, sizeof *k->groups, by_leader);
	struct zs_region *r =
	    segment_table(&p->seg, &p->seg.h.regions, &regions);
	for (uint32_t i = 0; i < regions; i++)
		walk_region(k, &r[i]);
	write_sums(k);
	free(r);
	free(k->groups);
	free(k->sums);
	free(k);
}
