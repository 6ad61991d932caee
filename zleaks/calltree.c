/*
 * calltree.c - see calltree.h.
 */
#include "calltree.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

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
		fn(ctx, p, id, stack, cost);
	}
	sqlite3_finalize(st);
}

/* ---- the tree --------------------------------------------------------- */

struct builder {
	struct calltree tree; /* first: what callers see */
	size_t room;
	int bottom_up;
	struct stacks *stacks;
	uint32_t *edge; /* by parent and name: the node; 0: none */
	size_t edges;	/* a power of two, more than twice the nodes */
};

static uint32_t
node_new(struct builder *b, uint32_t parent, const struct frame *f,
	 const char *name)
{
	struct calltree *t = &b->tree;

	if (t->count == b->room) {
		b->room = b->room ? 2 * b->room : 1024;
		t->node = text_grow(t->node, b->room, sizeof *t->node);
	}
	t->node[t->count] =
	    (struct call_node){ .frame = f, .name = name, .parent = parent };
	return t->count++;
}

/* Where the edge from parent to a node of that name stands, or would. */
static uint32_t *
edge_place(const struct builder *b, uint32_t parent, const char *name)
{
	const struct call_node *node = b->tree.node;
	uint64_t h = ((uintptr_t)name >> 4 ^ (uint64_t)parent << 32) *
		     UINT64_C(0x9e3779b97f4a7c15);
	size_t at = (size_t)(h >> 24) & (b->edges - 1);
	uint32_t n;

	while ((n = b->edge[at]) != 0 &&
	       (node[n].parent != parent || node[n].name != name))
		at = (at + 1) & (b->edges - 1);
	return &b->edge[at];
}

static void
edges_grow(struct builder *b)
{
	free(b->edge);
	b->edges = b->edges ? 2 * b->edges : 4096;
	b->edge = text_alloc(b->edges * sizeof *b->edge);
	for (uint32_t i = 1; i < b->tree.count; i++)
		*edge_place(b, b->tree.node[i].parent, b->tree.node[i].name) =
		    i;
}

static uint32_t
child_of(struct builder *b, uint32_t parent, struct frame *f)
{
	const char *name = frame_name(b->stacks, f);

	if (2 * (size_t)b->tree.count >= b->edges)
		edges_grow(b);
	uint32_t *place = edge_place(b, parent, name);
	if (*place)
		return *place;
	uint32_t n = *place = node_new(b, parent, f, name);
	b->tree.node[n].next = b->tree.node[parent].child;
	b->tree.node[parent].child = n;
	return n;
}

static void
add(uint64_t *to, const uint64_t *cost)
{
	for (int i = 0; i < COSTS; i++)
		if (__builtin_add_overflow(to[i], cost[i], &to[i]))
			to[i] = UINT64_MAX;
}

static void
add_stack(void *ctx, const struct process *p, int64_t id,
	  const struct stack *stack, const uint64_t cost[COSTS])
{
	struct builder *b = ctx;
	size_t n = stack_frames_worth_showing(stack);
	uint32_t at = 0;

	(void)p, (void)id;
	b->tree.stacks++;
	add(b->tree.node[0].all, cost);
	for (size_t i = 0; i < n; i++) {
		at = child_of(b, at,
			      stack->frames[b->bottom_up ? i : n - 1 - i]);
		add(b->tree.node[at].all, cost);
	}
	add(b->tree.node[at].self, cost);
}

struct calltree *
calltree_read(const struct recording *r, struct stacks *s,
	      const struct settings *settings, int bottom_up)
{
	struct builder *b = text_alloc(sizeof *b);

	b->stacks = s;
	b->bottom_up = bottom_up;
	node_new(b, 0, NULL, "all");
	calltree_each_stack(r, s, settings, add_stack, b);
	return &b->tree;
}

void
calltree_free(struct calltree *t)
{
	struct builder *b = (struct builder *)t;

	free(b->edge);
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
