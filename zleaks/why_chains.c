/*
 * why_chains.c - see why.h.
 *
 * Each row of block_info names its holder.  A chain is followed up to where
 * its beginning is known already, and kept in a tree of beginnings: the work
 * is that of the blocks, not of the lengths of their chains.
 */
#include "why.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { LINKS_MAX = 100000 };

struct why_chain {
	struct {
		int64_t root_id, stack_id, type_id, offset;
		uint32_t before; /* the chain that this one is longer than */
		uint32_t pad;
	} key;
	uint32_t index;
	UT_hash_handle hh;
};

/* ---- blocks ----------------------------------------------------------- */

static struct why_row
read_row(sqlite3_stmt *st)
{
	int64_t holder = column_int(st, 3);
	int root = holder != UNKNOWN && holder < 0;

	return (struct why_row){ .address = column_int(st, 0),
				 .size = column_int(st, 1),
				 .kind = (int)column_int(st, 2),
				 .holder = root ? UNKNOWN : holder,
				 .root_id = root ? -holder : UNKNOWN,
				 .offset = column_int(st, 4),
				 .stack_id = column_int(st, 5),
				 .type_id = column_int(st, 6),
				 .thread_id = column_int(st, 7),
				 .allocated_at = column_real(st, 8),
				 .held_path = UNKNOWN,
				 .held_at = NAN,
				 .lost_at = NAN };
}

static int
is_asked(const struct why_question *q, const struct why_row *r)
{
	if (!q->address)
		return r->stack_id == q->stack_id;
	uint64_t from = (uint64_t)r->address;
	return q->address == from ||
	       q->address - from < (uint64_t)(r->size > 0 ? r->size : 0);
}

static int
by_address(const void *pa, const void *pb)
{
	const struct why_row *a = pa, *b = pb;

	return (a->address > b->address) - (a->address < b->address);
}

static void
load_rows(struct why_chains *p, const struct recording *recording,
	  int64_t process_id, const struct why_question *q)
{
	sqlite3_stmt *st = recording_sql(
	    recording,
	    "SELECT address, size, kind, holder, holder_offset, stack_id,"
	    " type_id, thread_id, allocated_at FROM block_info"
	    " WHERE process_id = ?1 AND freed_at IS NULL");
	size_t room = 0;

	sqlite3_bind_int64(st, 1, process_id);
	while (recording_step(recording, st)) {
		struct why_row r = read_row(st);
		if (r.kind < 0 || r.kind >= KIND_COUNT)
			continue;
		if (p->count == room) {
			room = room ? room * 2 : 1024;
			p->rows = text_grow(p->rows, room, sizeof *p->rows);
		}
		r.asked = (uint8_t)is_asked(q, &r);
		p->asked += r.asked;
		p->rows[p->count++] = r;
	}
	sqlite3_finalize(st);
	if (p->count)
		qsort(p->rows, p->count, sizeof *p->rows, by_address);
}

static struct why_row *
row_at(const struct why_chains *p, int64_t address)
{
	struct why_row key = { .address = address };

	return p->count
		   ? bsearch(&key, p->rows, p->count, sizeof key, by_address)
		   : NULL;
}

/* Adds when blocks were lost. */
static void
load_losses(const struct why_chains *p, const struct recording *recording,
	    int64_t process_id)
{
	sqlite3_stmt *st =
	    recording_sql(recording, "SELECT address, path_id, held_at, lost_at"
				     " FROM loss_info WHERE process_id = ?1");

	sqlite3_bind_int64(st, 1, process_id);
	while (recording_step(recording, st)) {
		struct why_row *r = row_at(p, column_int(st, 0));
		if (!r)
			continue;
		r->held_path = column_int(st, 1);
		r->held_at = column_real(st, 2);
		r->lost_at = column_real(st, 3);
	}
	sqlite3_finalize(st);
}

/* ---- chains ----------------------------------------------------------- */

static int
same_link(const struct why_chain *a, const struct why_chain *b)
{
	return a->key.root_id == b->key.root_id &&
	       a->key.stack_id == b->key.stack_id &&
	       a->key.type_id == b->key.type_id &&
	       a->key.offset == b->key.offset;
}

static struct why_chain *
chain_new(struct why_chains *p, const struct why_chain *like)
{
	struct why_chain *c = text_alloc(sizeof *c);
	uint32_t n = p->chain_count;

	if ((n & (n - 1)) == 0) /* a power of two: full */
		p->chains =
		    text_grow(p->chains, n ? n * 2ul : 1ul, sizeof(*p->chains));
	*c = *like;
	c->index = p->chain_count++;
	p->chains[c->index] = c;
	return c;
}

/* The chain `before` and one link more: a root, or a block. */
static uint32_t
extend(struct why_chains *p, uint32_t before, const struct why_row *holder,
       const struct why_row *held)
{
	struct why_chain probe, *c;

	memset(&probe, 0, sizeof probe);
	probe.key.root_id = holder ? UNKNOWN : held->root_id;
	probe.key.stack_id = holder ? holder->stack_id : UNKNOWN;
	probe.key.type_id = holder ? holder->type_id : UNKNOWN;
	/* elements of an array hold alike */
	probe.key.offset = holder ? held->offset : 0;
	probe.key.before = before;
	if (before && same_link(p->chains[before], &probe))
		return before;
	HASH_FIND(hh, p->by_key, &probe.key, sizeof probe.key, c);
	if (!c) {
		c = chain_new(p, &probe);
		HASH_ADD(hh, p->by_key, key, sizeof c->key, c);
	}
	return c->index;
}

/* Follows the holders of a row up to one that is known, then down again. */
static void
follow(struct why_chains *p, struct why_row *row, struct why_row **stack)
{
	size_t depth = 0;

	for (struct why_row *r = row; r && !r->known;) {
		r->known = 1; /* a damaged report may have circles */
		stack[depth++] = r;
		r = r->root_id == UNKNOWN && r->holder != UNKNOWN
			? row_at(p, r->holder)
			: NULL;
	}
	while (depth) {
		struct why_row *r = stack[--depth], *holder;
		if (r->root_id != UNKNOWN) {
			r->chain = extend(p, 0, NULL, r);
			continue;
		}
		holder = r->holder != UNKNOWN ? row_at(p, r->holder) : NULL;
		if (holder)
			r->chain = extend(p, holder->chain, holder, r);
	}
}

void
why_load(struct why_chains *p, const struct recording *recording,
	 const struct process *process, const struct why_question *q)
{
	struct why_chain none = { .index = 0 };

	memset(p, 0, sizeof *p);
	chain_new(p, &none);
	load_rows(p, recording, process->process_id, q);
	load_losses(p, recording, process->process_id);
	struct why_row **stack = text_alloc((p->count + 1) * sizeof(*stack));
	for (size_t i = 0; i < p->count; i++)
		if (p->rows[i].asked)
			follow(p, &p->rows[i], stack);
	free(stack);
}

void
why_free(struct why_chains *p)
{
	HASH_CLEAR(hh, p->by_key);
	for (uint32_t i = 0; i < p->chain_count; i++)
		free(p->chains[i]);
	free(p->chains);
	free(p->rows);
}

static void
reverse(struct holder_link *links, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		struct holder_link l = links[i];
		links[i] = links[n - 1 - i];
		links[n - 1 - i] = l;
	}
}

static int
equal(const struct holder_link *a, const struct holder_link *b)
{
	return a->root_id == b->root_id && a->stack_id == b->stack_id &&
	       a->type_id == b->type_id && a->offset == b->offset;
}

struct holder_link *
why_links(const struct why_chains *p, const struct why_row *row, size_t *n)
{
	struct holder_link *links = NULL;
	size_t room = 0, steps = 0;

	*n = 0;
	while (row && steps++ < p->count) {
		const struct why_row *holder =
		    row->root_id == UNKNOWN && row->holder != UNKNOWN
			? row_at(p, row->holder)
			: NULL;
		struct holder_link l = { .root_id = row->root_id,
					 .stack_id = UNKNOWN,
					 .type_id = UNKNOWN,
					 .offset = row->offset,
					 .times = 1 };
		if (holder) {
			l.stack_id = holder->stack_id;
			l.type_id = holder->type_id;
		} else if (row->root_id == UNKNOWN) {
			break;
		}
		row = holder;
		if (*n && equal(&links[*n - 1], &l)) {
			links[*n - 1].times++;
			continue;
		}
		if (*n == LINKS_MAX)
			break;
		if (*n == room) {
			room = room ? room * 2 : 16;
			links = text_grow(links, room, sizeof *links);
		}
		links[(*n)++] = l;
	}
	reverse(links, *n);
	return links;
}
