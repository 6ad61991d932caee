/*
 * calltree.c - see calltree.h.
 */
#include "calltree.h"

#include "live_at.h"
#include "moment.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

const char *const cost_names[COSTS + 1] = { "live",  "peak",	  "total",
					    "count", "temporary", "leaked",
					    NULL };
const char *const cost_titles[COSTS + 1] = {
	"live bytes",  "bytes at peak",		"bytes in all",
	"allocations", "temporary allocations", "leaked bytes",
	NULL
};

int
cost_is_bytes(enum cost c)
{
	return c != COST_COUNT && c != COST_TEMPORARY;
}

char *
call_name(const struct frame *f)
{
	char *name;

	if (f->function)
		return text_printable(f->function);
	if (!f->module)
		return text_copy("?");
	if (f->offset == UNKNOWN)
		return text_printable(text_basename(f->module));
	char *raw = text_format("%s+0x%llx", text_basename(f->module),
				(unsigned long long)f->offset);
	name = text_printable(raw);
	free(raw);
	return name;
}

const char *
frame_name(struct frame *f)
{
	if (!f->name)
		f->name = call_name(f);
	return f->name;
}

/* ---- the stacks ------------------------------------------------------- */

static uint64_t
positive(sqlite3_stmt *st, int column)
{
	int64_t n = column_int(st, column);
	return n > 0 ? (uint64_t)n : 0;
}

void
calltree_each_stack(const struct recording *r, struct stacks *s,
		    const struct settings *settings,
		    void (*fn)(void *, const struct process *, int64_t,
			       const struct stack *, const uint64_t[COSTS]),
		    void *ctx)
{
	sqlite3_stmt *st = recording_sql(
	    r, "SELECT i.process_id, i.stack_id, i.live_bytes, i.peak_bytes,"
	       " i.bytes, i.allocations, i.temporary,"
	       " (SELECT sum(bytes) FROM leak_stack l"
	       "  WHERE l.process_id = i.process_id AND kind IN (3, 4)"
	       "  AND l.stack_id = i.stack_id)"
	       " FROM stack_info i ORDER BY i.stack_id");
	struct live_at *at =
	    moment_given(settings) ? live_at_new(r, settings) : NULL;

	while (recording_step(r, st)) {
		const struct process *p =
		    recording_process(r, column_int(st, 0));
		uint64_t cost[COSTS];
		if (!p)
			continue;
		int64_t id = column_int(st, 1);
		const struct stack *stack = stacks_get(s, id);
		if (!stack_passes(stack, &settings->filter))
			continue;
		for (int i = 0; i < COSTS; i++)
			cost[i] = positive(st, 2 + i);
		if (at)
			cost[COST_LIVE] = live_at_gain(at, p, id);
		fn(ctx, p, id, stack, cost);
	}
	live_at_free(at);
	sqlite3_finalize(st);
}

/* ---- the tree --------------------------------------------------------- */

struct name { /* one text for all places in one function */
	char *text;
	UT_hash_handle hh;
};

struct named { /* the name of a place that was met */
	const struct frame *frame;
	const char *name;
};

enum { FEW = 8 }; /* children that are found by going through the list */

/* Both tables are looked into very often: open addressing, powers of two, at
 * most half full. */
struct builder {
	struct calltree tree; /* first: what callers see */
	size_t room;
	int bottom_up;
	struct name *names;
	struct named *places;
	size_t place_count, place_slots;
	/* children of nodes that have more than FEW, found by parent and
	 * name; 0: none */
	uint32_t *edges;
	size_t edge_count, edge_slots;
};

static size_t
mix(uint64_t key)
{
	key *= UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(key ^ key >> 32);
}

static struct named *
place_slot(struct builder *b, const struct frame *f)
{
	size_t i = mix((uintptr_t)f) & (b->place_slots - 1);

	while (b->places[i].frame && b->places[i].frame != f)
		i = (i + 1) & (b->place_slots - 1);
	return &b->places[i];
}

static void
more_places(struct builder *b)
{
	struct named *old = b->places;
	size_t slots = b->place_slots;

	b->place_slots = slots ? 2 * slots : 1024;
	b->places = text_alloc(b->place_slots * sizeof *b->places);
	for (size_t i = 0; i < slots; i++)
		if (old[i].frame)
			*place_slot(b, old[i].frame) = old[i];
	free(old);
}

static const char *
name_of(struct builder *b, const struct frame *f)
{
	struct name *name;

	if (2 * b->place_count >= b->place_slots)
		more_places(b);
	struct named *known = place_slot(b, f);
	if (known->frame)
		return known->name;
	char *text = call_name(f);
	HASH_FIND_STR(b->names, text, name);
	if (name) {
		free(text);
	} else {
		name = text_alloc(sizeof *name);
		name->text = text;
		HASH_ADD_KEYPTR(hh, b->names, text, strlen(text), name);
	}
	b->place_count++;
	*known = (struct named){ f, name->text };
	return name->text;
}

static const uint64_t no_cost[COSTS];

static uint32_t
node_new(struct builder *b, uint32_t parent, const struct frame *f,
	 const char *name)
{
	struct calltree *t = &b->tree;

	if (t->count == b->room) {
		b->room = b->room ? 2 * b->room : 1024;
		t->node = text_grow(t->node, b->room, sizeof *t->node);
	}
	t->node[t->count] = (struct call_node){
		.frame = f, .name = name, .self = no_cost, .parent = parent
	};
	return t->count++;
}

static uint32_t *
edge_slot(struct builder *b, uint32_t parent, const char *name)
{
	const struct call_node *node = b->tree.node;
	size_t i = mix((uintptr_t)name + mix(parent)) & (b->edge_slots - 1);

	while (b->edges[i] && (node[b->edges[i]].parent != parent ||
			       node[b->edges[i]].name != name))
		i = (i + 1) & (b->edge_slots - 1);
	return &b->edges[i];
}

static void
more_edges(struct builder *b)
{
	const struct call_node *node = b->tree.node;

	free(b->edges);
	b->edge_slots = b->edge_slots ? 2 * b->edge_slots : 2048;
	b->edges = text_alloc(b->edge_slots * sizeof *b->edges);
	for (uint32_t i = 1; i < b->tree.count; i++)
		if (node[node[i].parent].children > FEW)
			*edge_slot(b, node[i].parent, node[i].name) = i;
}

/* Enters the children of a node that has become too large for a list. */
static void
enter_children(struct builder *b, uint32_t parent)
{
	const struct call_node *node = b->tree.node;

	for (uint32_t c = node[parent].child; c; c = node[c].next)
		*edge_slot(b, parent, node[c].name) = c;
}

static uint32_t
find_child(struct builder *b, uint32_t parent, const char *name)
{
	const struct call_node *node = b->tree.node;
	uint32_t c = node[parent].child;

	if (node[parent].children > FEW)
		return *edge_slot(b, parent, name);
	while (c && node[c].name != name)
		c = node[c].next;
	return c;
}

static uint32_t
child_of(struct builder *b, uint32_t parent, const struct frame *f)
{
	const char *name = name_of(b, f);
	uint32_t c = find_child(b, parent, name);

	if (c)
		return c;
	c = node_new(b, parent, f, name);
	struct call_node *p = &b->tree.node[parent];
	b->tree.node[c].next = p->child;
	p->child = c;
	if (++p->children <= FEW)
		return c;
	b->edge_count += p->children == FEW + 1 ? p->children : 1;
	if (2 * b->edge_count >= b->edge_slots)
		more_edges(b);
	else if (p->children == FEW + 1)
		enter_children(b, parent);
	else
		*edge_slot(b, parent, name) = c;
	return c;
}

static void
add(uint64_t *to, const uint64_t *cost)
{
	for (int i = 0; i < COSTS; i++)
		if (__builtin_add_overflow(to[i], cost[i], &to[i]))
			to[i] = UINT64_MAX;
}

struct calltree *
calltree_new(int bottom_up)
{
	struct builder *b = text_alloc(sizeof *b);

	b->bottom_up = bottom_up;
	node_new(b, 0, NULL, "all");
	return &b->tree;
}

void
calltree_add(struct calltree *t, const struct stack *stack,
	     const uint64_t cost[COSTS])
{
	struct builder *b = (struct builder *)t;
	size_t n = stack_frames_worth_showing(stack);
	uint32_t at = 0;

	t->stacks++;
	add(t->node[0].all, cost);
	for (size_t i = 0; i < n; i++) {
		at = child_of(b, at,
			      stack->frames[b->bottom_up ? i : n - 1 - i]);
		add(t->node[at].all, cost);
	}
	struct call_node *end = &t->node[at];
	uint64_t *self = end->self == no_cost ? text_alloc(sizeof no_cost)
					      : (uint64_t *)end->self;
	add(self, cost);
	end->self = self;
}

static void
add_stack(void *ctx, const struct process *p, int64_t id,
	  const struct stack *stack, const uint64_t cost[COSTS])
{
	(void)p, (void)id;
	calltree_add(ctx, stack, cost);
}

struct calltree *
calltree_read(const struct recording *r, struct stacks *s,
	      const struct settings *settings, int bottom_up)
{
	struct calltree *t = calltree_new(bottom_up);

	calltree_each_stack(r, s, settings, add_stack, t);
	return t;
}

void
calltree_free(struct calltree *t)
{
	struct builder *b = (struct builder *)t;
	struct name *name, *next_name;

	HASH_ITER(hh, b->names, name, next_name)
	{
		HASH_DEL(b->names, name);
		free(name->text);
		free(name);
	}
	for (uint32_t n = 0; n < t->count; n++)
		if (t->node[n].self != no_cost)
			free((uint64_t *)t->node[n].self);
	free(b->edges);
	free(b->places);
	free(b->tree.node);
	free(b);
}

/* ---- reading it ------------------------------------------------------- */

static const struct calltree *sorted; /* one tree and one thread */
static enum cost sorted_by;

static int
by_cost(const void *a, const void *b)
{
	const struct call_node *x = &sorted->node[*(const uint32_t *)a];
	const struct call_node *y = &sorted->node[*(const uint32_t *)b];

	if (x->all[sorted_by] != y->all[sorted_by])
		return x->all[sorted_by] < y->all[sorted_by] ? 1 : -1;
	return strcmp(x->name, y->name);
}

size_t
calltree_children(const struct calltree *t, uint32_t node, enum cost cost,
		  uint32_t **children)
{
	size_t n = 0;

	for (uint32_t c = t->node[node].child; c; c = t->node[c].next)
		n += t->node[c].all[cost] != 0;
	*children = text_alloc((n ? n : 1) * sizeof **children);
	n = 0;
	for (uint32_t c = t->node[node].child; c; c = t->node[c].next)
		if (t->node[c].all[cost])
			(*children)[n++] = c;
	sorted = t;
	sorted_by = cost;
	qsort(*children, n, sizeof **children, by_cost);
	return n;
}
