/*
 * holders.c - see holders.h.
 */
#include "holders.h"
#include "graph.h"
#include "roots.h"
#include "types.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum {
	STEPS_MAX = 40,
	LOSSES_MAX = 20000, /* blocks of which it is kept who held them last */
	LOSSES_OF_STACK = 1000,
	STACK_SLOTS = 1 << 16 /* stacks that share one share the number */
};

/* A run of equal links of a chain, from the root on. */
struct step {
	uint32_t root;	/* GRAPH_NONE: a block */
	uint32_t stack; /* of the block; 0: not recorded */
	uint32_t type;
	uint32_t times;	 /* 0: links were left out */
	uint64_t offset; /* of the pointer to the next link */
};

/* A chain of last holders; equal ones once. */
struct path {
	struct step steps[STEPS_MAX];
	uint32_t count;
	int64_t id; /* of its row */
	UT_hash_handle hh;
};

/* A block that was held when one scan looked and lost at the next. */
struct loss {
	uint64_t address;
	uint32_t scan; /* the last one that saw it lost */
	double held_at, lost_at;
	struct path *path; /* NULL: its holder is not known */
	int still;	   /* it is among the last blocks */
	UT_hash_handle hh;
};

struct holders {
	uint32_t next_node; /* holders_of's guess */
	uint32_t taken; /* entries of the table of scans that were looked at */
	struct graph *last;
	struct roots *roots;
	struct types *types;
	struct path *paths;
	struct loss *losses;
	int written; /* rows of them are there, of an earlier scan */
};

/* ---- chains ----------------------------------------------------------- */

/* Adds a link at the front; equal neighbours become one. */
static void
prepend(struct path *p, struct step s)
{
	struct step *first = &p->steps[STEPS_MAX - p->count];
	if (p->count && first->root == s.root && first->stack == s.stack &&
	    first->type == s.type && first->offset == s.offset &&
	    first->times) {
		first->times += s.times;
		return;
	}
	/* of a long chain the end and the root stay */
	if (p->count == STEPS_MAX - 1 && s.root == GRAPH_NONE) {
		*first = (struct step){ .root = GRAPH_NONE };
		return;
	}
	p->steps[STEPS_MAX - ++p->count] = s;
}

/* The chain of holders of a node as it was at a scan; 0 when it had none. */
static int
chain_of(const struct graph *g, uint32_t node, struct path *p)
{
	memset(p, 0, sizeof *p);
	for (uint32_t i = node; g->holder[i] != GRAPH_NONE;) {
		uint32_t by = g->holder[i];
		struct step s = { .root = GRAPH_NONE,
				  .times = 1,
				  .offset = g->holder_offset[i] };
		if (by & GRAPH_ROOT) {
			s.root = by & ~GRAPH_ROOT;
			prepend(p, s);
			break;
		}
		s.stack = g->node[by].stack;
		s.type = g->node[by].type;
		prepend(p, s);
		i = by;
	}
	memmove(p->steps, p->steps + STEPS_MAX - p->count,
		p->count * sizeof *p->steps);
	memset(p->steps + p->count, 0,
	       (STEPS_MAX - p->count) * sizeof *p->steps);
	return p->count > 0;
}

static struct path *
keep_path(struct holders *h, const struct path *p)
{
	struct path *kept;
	HASH_FIND(hh, h->paths, p->steps, sizeof p->steps, kept);
	if (kept || !(kept = malloc(sizeof *kept)))
		return kept;
	*kept = *p;
	HASH_ADD(hh, h->paths, steps, sizeof kept->steps, kept);
	return kept;
}

/* ---- losses ----------------------------------------------------------- */

static void
forget(struct holders *h, struct loss *l)
{
	HASH_DEL(h->losses, l);
	free(l);
}

/* A lost block that the scan before held. */
static void
note_loss(struct holders *h, const struct graph *now, uint64_t address)
{
	const struct graph *then = h->last;
	uint32_t node = then ? graph_find(then, address) : GRAPH_NONE;
	struct path path;
	if (node == GRAPH_NONE || then->scan + 1 != now->scan)
		return; /* that scan could not be read */
	struct loss *l = calloc(1, sizeof *l);
	if (!l)
		return;
	l->address = address;
	l->scan = now->scan;
	l->held_at = then->begin;
	l->lost_at = now->begin;
	if (then->holder && chain_of(then, node, &path))
		l->path = keep_path(h, &path);
	HASH_ADD(hh, h->losses, address, sizeof l->address, l);
}

static void
note_losses(struct holders *h, struct graph *now)
{
	struct loss *l, *next;
	uint32_t noted = HASH_COUNT(h->losses);
	uint16_t *of_stack = calloc(STACK_SLOTS, sizeof *of_stack);
	if (!of_stack)
		return;
	for (uint32_t i = 0; i < now->nodes; i++) {
		struct graph_node *n = &now->node[i];
		if ((n->kind != ZS_INDIRECT && n->kind != ZS_DEFINITE) ||
		    !n->recorded)
			continue;
		HASH_FIND(hh, h->losses, &n->address, sizeof n->address, l);
		if (l && n->before != ZS_INDIRECT && n->before != ZS_DEFINITE) {
			forget(h, l); /* another block, or found again */
			l = NULL;
		}
		n->noted = 1;
		if (l)
			l->scan = now->scan;
		else if ((n->before == ZS_REACHABLE ||
			  n->before == ZS_POSSIBLE) &&
			 noted < LOSSES_MAX &&
			 of_stack[n->stack % STACK_SLOTS] < LOSSES_OF_STACK) {
			note_loss(h, now, n->address);
			noted++;
			of_stack[n->stack % STACK_SLOTS]++;
		} else {
			n->noted = 0;
		}
	}
	free(of_stack);
	HASH_ITER(hh, h->losses, l, next)
	{
		if (l->scan != now->scan)
			forget(h, l);
	}
}

/* ---- one scan --------------------------------------------------------- */

static int
equal(const struct graph_share *a, const struct graph_share *b)
{
	return a->blocks == b->blocks && a->bytes == b->bytes &&
	       a->direct == b->direct;
}

/* A row for each root that retains something else than at its last row. */
static void
write_shares(const struct process *p, struct writer *w, const struct graph *g)
{
	for (uint32_t i = 0; i < g->roots; i++) {
		struct root *r = roots_get(p->holders->roots, i);
		const struct graph_share *s = &g->share[i];
		if (equal(s, &r->written))
			continue;
		writer_row(w, ROW_ROOT_SCAN, "iiiii", r->id, (int64_t)g->scan,
			   (int64_t)s->blocks, (int64_t)s->bytes,
			   (int64_t)s->direct);
		r->written = *s;
	}
}

static void
write_scan(const struct process *p, struct writer *w, const struct graph *g)
{
	writer_row(w, ROW_SCAN, "iiddiiiii", p->id, (int64_t)g->scan, g->begin,
		   g->end - g->begin, (int64_t)g->exact,
		   (int64_t)g->held.blocks, (int64_t)g->held.bytes,
		   (int64_t)g->shared.blocks, (int64_t)g->shared.bytes);
}

static int
solve(struct process *p, struct writer *w, struct catalog *c, struct graph *g)
{
	struct holders *h = p->holders;
	roots_resolve(h->roots, p, w, c, g);
	types_resolve(h->types, p, w, g);
	uint32_t n = roots_count(h->roots);
	uint8_t *rank = calloc(n + 1ul, 1);
	if (!rank)
		return -1;
	for (uint32_t i = 0; i < n; i++)
		rank[i] = (uint8_t)roots_get(h->roots, i)->kind;
	int err = graph_solve(g, n, rank, p->seg.h.sample_bytes);
	free(rank);
	return err;
}

static void
take_scan(struct process *p, struct writer *w, struct catalog *c, uint32_t i)
{
	struct holders *h = p->holders;
	struct zs_scan scan;
	struct graph *g = NULL;
	if (segment_entries(&p->seg, &p->seg.h.scans, i, 1, &scan) == 0)
		g = graph_read(&p->seg, i, &scan);
	if (!g)
		return;
	if (solve(p, w, c, g) == 0) {
		write_scan(p, w, g);
		write_shares(p, w, g);
	}
	segment_release(&p->seg,
			p->seg.h.graph.offset + scan.first * sizeof(uint64_t),
			scan.words * sizeof(uint64_t));
	note_losses(h, g);
	graph_free(h->last);
	h->last = g;
}

static struct holders *
holders_new(void)
{
	struct holders *h = calloc(1, sizeof *h);
	if (!h)
		return NULL;
	h->taken = 1;
	h->roots = roots_new();
	h->types = types_new();
	return h;
}

void
holders_take(struct process *p, struct writer *w, struct catalog *c)
{
	uint32_t n = segment_count(&p->seg, &p->seg.h.scans);
	if (n <= 1)
		return;
	if (!p->holders && !(p->holders = holders_new()))
		return;
	struct holders *h = p->holders;
	if (!h->roots || !h->types)
		return;
	uint32_t before = h->taken;
	for (; h->taken < n; h->taken++)
		take_scan(p, w, c, h->taken);
	if (before != n)
		segment_scans_read(&p->seg, n);
}

/* ---- the end ---------------------------------------------------------- */

static void
add_member(struct utf8 *json, const char *name, uint64_t value)
{
	utf8_add(json, name, strlen(name));
	utf8_number(json, value);
}

/* [{"root":1,"offset":24},{"stack":7,"type":2,"offset":8,"times":3}, ..] */
static void
path_json(const struct process *p, const struct path *path, struct utf8 *json)
{
	struct holders *h = p->holders;
	json->length = 0;
	utf8_add(json, "[", 1);
	for (uint32_t i = 0; i < path->count; i++) {
		const struct step *s = &path->steps[i];
		if (i)
			utf8_add(json, ",", 1);
		utf8_add(json, "{", 1);
		add_member(json, "\"offset\":", s->offset);
		add_member(json, ",\"times\":", s->times);
		if (s->root != GRAPH_NONE)
			add_member(json, ",\"root\":",
				   (uint64_t)roots_get(h->roots, s->root)->id);
		else if (s->stack < p->stack_count && p->stacks[s->stack].id)
			add_member(json, ",\"stack\":",
				   (uint64_t)p->stacks[s->stack].id);
		if (s->type)
			add_member(json, ",\"type\":",
				   (uint64_t)types_id(h->types, s->type));
		utf8_add(json, "}", 1);
	}
	utf8_add(json, "]", 1);
}

/* The row of a chain, written when it is first needed. */
static int64_t
path_id(const struct process *p, struct writer *w, struct path *path,
	struct utf8 *json)
{
	if (path && !path->id) {
		path_json(p, path, json);
		if (json->text)
			path->id = writer_row(w, ROW_PATH, "t", json->text);
	}
	return path && path->id ? path->id : NO_INTEGER;
}

void
holders_losses(const struct process *p, struct writer *w)
{
	struct utf8 json = { 0 };
	struct loss *l, *next;
	if (!p->holders)
		return;
	if (p->holders->written)
		writer_row(w, ROW_FORGET_LOSSES, "i", p->id);
	p->holders->written = 0;
	HASH_ITER(hh, p->holders->losses, l, next)
	{
		if (!l->still)
			continue;
		writer_row(w, ROW_LOSS, "iiddi", p->id, (int64_t)l->address,
			   l->held_at, l->lost_at,
			   path_id(p, w, l->path, &json));
		l->still = 0;
		p->holders->written = 1;
	}
	free(json.text);
}

/* Blocks that are not recorded have no rows: who holds them stands for them,
 * and no offset. */
static void
holder_of_node(const struct holders *h, uint32_t node, struct holder *to)
{
	const struct graph *g = h->last;
	uint32_t by = g->holder[node];
	to->offset = g->holder_offset[node];
	while (by != GRAPH_NONE && !(by & GRAPH_ROOT) &&
	       !g->node[by].recorded) {
		by = g->holder[by];
		to->offset = UINT64_MAX;
	}
	if (by == GRAPH_NONE)
		return;
	to->by = by & GRAPH_ROOT ? -roots_get(h->roots, by & ~GRAPH_ROOT)->id
				 : (int64_t)g->node[by].address;
}

void
holders_of(const struct process *p, uint64_t address, unsigned verdict,
	   struct holder *to)
{
	struct holders *h = p->holders;
	const struct graph *g = h ? h->last : NULL;
	struct loss *l = NULL;
	*to = (struct holder){ 0 };
	if (!g || verdict == ZS_UNSCANNED)
		return;
	/* blocks mostly come in the order of the nodes */
	uint32_t i = h->next_node;
	if (i >= g->nodes || g->node[i].address != address)
		i = graph_find(g, address);
	if (i == GRAPH_NONE)
		return;
	h->next_node = i + 1;
	if (g->node[i].type)
		to->type = types_id(h->types, g->node[i].type);
	if (g->holder)
		holder_of_node(h, i, to);
	if (g->node[i].noted &&
	    (verdict == ZS_DEFINITE || verdict == ZS_INDIRECT))
		HASH_FIND(hh, h->losses, &address, sizeof address, l);
	if (l)
		l->still = 1;
}

void
holders_free(struct process *p)
{
	struct holders *h = p->holders;
	struct path *path, *next_path;
	struct loss *l, *next;
	if (!h)
		return;
	HASH_ITER(hh, h->losses, l, next)
	{
		forget(h, l);
	}
	HASH_ITER(hh, h->paths, path, next_path)
	{
		HASH_DEL(h->paths, path);
		free(path);
	}
	graph_free(h->last);
	roots_free(h->roots);
	types_free(h->types);
	free(h);
	p->holders = NULL;
}
