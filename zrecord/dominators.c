/*
 * dominators.c - who holds a block first, and which root alone holds what.
 *
 * Vertices are one above all roots (0), the roots, then the nodes.  Holders are
 * parents in a search in breadth from the roots.  Dominators are those of
 * Georgiadis's semi-NCA method: a search in depth, semidominators with path
 * compression, then each vertex's dominator is the nearest common ancestor of
 * its parent and its semidominator.  Nothing recurses: a list may be as long as
 * the heap.  Called by holders.c through graph.h.
 */
#include "graph.h"

#include <stdlib.h>

/* Outgoing or incoming edges of all vertices: those of v are
 * to[first[v]] .. to[first[v + 1] - 1]. */
struct lists {
	uint64_t *first;
	uint32_t *to;
};

struct solver {
	struct graph *g;
	uint32_t vertices, above; /* above: vertices before the first node */
	struct lists out, in;
	uint32_t *offset; /* parallel to out.to: edge or start */
	uint32_t *order;  /* vertices in the order of the search in depth */
	uint32_t *number; /* of a vertex in it; GRAPH_NONE: not reached */
	uint32_t *parent, *semi, *label, *ancestor, *dominator; /* by number */
	uint32_t reached;
};

/* Whether a pointer counts: one to a possible block always does, and what is
 * lost holds nothing that is not. */
static int
counts(const struct graph *g, uint32_t from_kind, uint32_t to, int holds)
{
	uint8_t kind = g->node[to].kind;
	if (from_kind == ZS_DEFINITE || from_kind == ZS_INDIRECT)
		return kind == ZS_INDIRECT;
	if (from_kind != ZS_REACHABLE && from_kind != ZS_POSSIBLE)
		return 0;
	return kind == ZS_POSSIBLE || (kind == ZS_REACHABLE && holds);
}

static int
start_counts(const struct graph *g, const struct graph_start *s)
{
	return s->root < g->roots && counts(g, ZS_REACHABLE, s->to, s->holds);
}

static int
edge_counts(const struct graph *g, const struct graph_edge *e)
{
	return counts(g, g->node[e->from].kind, e->to, e->holds);
}

/* ---- edges by vertex -------------------------------------------------- */

static void
sum_up(uint64_t *first, uint32_t vertices)
{
	uint64_t sum = 0;
	for (uint32_t v = 0; v <= vertices; v++) {
		uint64_t n = first[v];
		first[v] = sum;
		sum += n;
	}
}

/* Visits each edge that counts: from, to, and what it is. */
static void
each(struct solver *s,
     void (*fn)(struct solver *, uint32_t, uint32_t, uint32_t))
{
	const struct graph *g = s->g;
	for (uint32_t r = 0; r < g->roots; r++)
		fn(s, 0, 1 + r, GRAPH_NONE);
	for (uint32_t i = 0; i < g->starts; i++)
		if (start_counts(g, &g->start[i]))
			fn(s, 1 + g->start[i].root, s->above + g->start[i].to,
			   i);
	for (uint64_t i = 0; i < g->edges; i++)
		if (edge_counts(g, &g->edge[i]))
			fn(s, s->above + g->edge[i].from,
			   s->above + g->edge[i].to, (uint32_t)i);
}

static void
count_edge(struct solver *s, uint32_t from, uint32_t to, uint32_t what)
{
	(void)what;
	s->out.first[from]++;
	s->in.first[to]++;
}

/* first[v] moves to the end of v's list, and is put back by put_back. */
static void
enter_edge(struct solver *s, uint32_t from, uint32_t to, uint32_t what)
{
	s->offset[s->out.first[from]] = what;
	s->out.to[s->out.first[from]++] = to;
	s->in.to[s->in.first[to]++] = from;
}

static void
put_back(uint64_t *first, uint32_t vertices)
{
	for (uint32_t v = vertices; v > 0; v--)
		first[v] = first[v - 1];
	first[0] = 0;
}

static int
make_lists(struct solver *s)
{
	uint32_t n = s->vertices;
	s->out.first = calloc(n + 1ul, sizeof *s->out.first);
	s->in.first = calloc(n + 1ul, sizeof *s->in.first);
	if (!s->out.first || !s->in.first)
		return -1;
	each(s, count_edge);
	sum_up(s->out.first, n);
	sum_up(s->in.first, n);
	uint64_t edges = s->out.first[n];
	s->out.to = malloc((edges + 1) * sizeof *s->out.to);
	s->in.to = malloc((edges + 1) * sizeof *s->in.to);
	s->offset = malloc((edges + 1) * sizeof *s->offset);
	if (!s->out.to || !s->in.to || !s->offset)
		return -1;
	each(s, enter_edge);
	put_back(s->out.first, n);
	put_back(s->in.first, n);
	return 0;
}

/* ---- holders ---------------------------------------------------------- */

static void
hold(struct solver *s, uint32_t v, uint64_t e, uint32_t *queue, uint32_t *tail)
{
	struct graph *g = s->g;
	uint32_t to = s->out.to[e] - s->above;
	if (g->holder[to] != GRAPH_NONE)
		return;
	if (v < s->above) {
		g->holder[to] = GRAPH_ROOT | (v - 1);
		g->holder_offset[to] = g->start[s->offset[e]].root_offset;
	} else {
		g->holder[to] = v - s->above;
		g->holder_offset[to] = g->edge[s->offset[e]].offset;
	}
	queue[(*tail)++] = to + s->above;
}

static void
hold_all(struct solver *s, uint32_t v, uint32_t *queue, uint32_t *tail)
{
	for (uint64_t e = s->out.first[v]; e < s->out.first[v + 1]; e++)
		hold(s, v, e, queue, tail);
}

static int
find_holders(struct solver *s, const uint8_t *rank)
{
	struct graph *g = s->g;
	uint32_t *queue = malloc((s->vertices + 1ul) * sizeof *queue);
	uint32_t head = 0, tail = 0;
	g->holder = malloc((g->nodes + 1ul) * sizeof *g->holder);
	g->holder_offset = calloc(g->nodes + 1ul, sizeof *g->holder_offset);
	if (!queue || !g->holder || !g->holder_offset) {
		free(queue);
		return -1;
	}
	for (uint32_t i = 0; i < g->nodes; i++)
		g->holder[i] = GRAPH_NONE;
	for (unsigned k = 0; k < GRAPH_RANKS; k++)
		for (uint32_t r = 0; r < g->roots; r++)
			if (rank[r] == k)
				hold_all(s, 1 + r, queue, &tail);
	while (head < tail)
		hold_all(s, queue[head++], queue, &tail);
	/* what is lost is held by what is lost with certainty */
	for (uint32_t i = 0; i < g->nodes; i++)
		if (g->node[i].kind == ZS_DEFINITE)
			hold_all(s, s->above + i, queue, &tail);
	while (head < tail)
		hold_all(s, queue[head++], queue, &tail);
	free(queue);
	return 0;
}

/* ---- dominators ------------------------------------------------------- */

static int
take_arrays(struct solver *s)
{
	uint32_t **arrays[] = { &s->order, &s->number,	 &s->parent,   &s->semi,
				&s->label, &s->ancestor, &s->dominator };
	for (unsigned i = 0; i < sizeof arrays / sizeof *arrays; i++)
		if (!(*arrays[i] =
			  malloc((s->vertices + 1ul) * sizeof **arrays[i])))
			return -1;
	return 0;
}

/* Numbers vertices in the order in which a search in depth meets them. */
static int
search(struct solver *s)
{
	uint64_t *at = malloc((s->vertices + 1ul) * sizeof *at);
	uint32_t v = 0;
	if (!at)
		return -1;
	for (uint32_t i = 0; i < s->vertices; i++) {
		s->number[i] = GRAPH_NONE;
		at[i] = s->out.first[i];
	}
	s->order[0] = 0;
	s->number[0] = 0;
	s->parent[0] = 0;
	s->reached = 1;
	for (;;) {
		if (at[v] == s->out.first[v + 1]) {
			if (v == 0)
				break;
			v = s->order[s->parent[s->number[v]]];
			continue;
		}
		uint32_t to = s->out.to[at[v]++];
		if (s->number[to] != GRAPH_NONE)
			continue;
		s->parent[s->reached] = s->number[v];
		s->number[to] = s->reached;
		s->order[s->reached++] = to;
		v = to;
	}
	free(at);
	return 0;
}

/* The vertex with the least semidominator on the way up from v, among those
 * that have been dealt with (numbers above `last`). */
static uint32_t
eval(struct solver *s, uint32_t v, uint32_t last, uint32_t *stack)
{
	uint32_t n = 0, u = v;
	if (v <= last)
		return v;
	while (s->ancestor[u] > last) {
		stack[n++] = u;
		u = s->ancestor[u];
	}
	while (n) {
		uint32_t w = stack[--n], a = s->ancestor[w];
		if (s->semi[s->label[a]] < s->semi[s->label[w]])
			s->label[w] = s->label[a];
		s->ancestor[w] = s->ancestor[a];
	}
	return s->label[v];
}

static int
find_dominators(struct solver *s)
{
	uint32_t n = s->reached;
	uint32_t *stack = malloc((n + 1ul) * sizeof *stack);
	if (!stack)
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		s->semi[i] = s->label[i] = i;
		s->ancestor[i] = s->dominator[i] = s->parent[i];
	}
	for (uint32_t i = n; i-- > 1;) {
		uint32_t v = s->order[i];
		s->semi[i] = s->parent[i];
		for (uint64_t e = s->in.first[v]; e < s->in.first[v + 1]; e++) {
			uint32_t from = s->number[s->in.to[e]];
			if (from == GRAPH_NONE)
				continue;
			uint32_t u = s->semi[eval(s, from, i, stack)];
			if (u < s->semi[i])
				s->semi[i] = u;
		}
	}
	for (uint32_t i = 1; i < n; i++)
		while (s->dominator[i] > s->semi[i])
			s->dominator[i] = s->dominator[s->dominator[i]];
	free(stack);
	return 0;
}

/* ---- sums ------------------------------------------------------------- */

static void
add(struct graph_share *to, uint64_t blocks, uint64_t bytes)
{
	to->blocks += blocks;
	to->bytes += bytes;
}

/* Blocks that the node stands for. */
static uint64_t
weight(const struct graph_node *n, uint64_t sample)
{
	if (!n->recorded)
		return 0;
	if (!sample || sample >> (ZS_SAMPLE_LOG_MAX + 1))
		return 1;
	return (uint64_t)(zs_weight_mean(sample, n->size) + 0.5);
}

static int
add_up(struct solver *s, uint64_t sample)
{
	struct graph *g = s->g;
	struct graph_share *sum = calloc(s->reached + 1ul, sizeof *sum);
	if (!sum)
		return -1;
	for (uint32_t i = s->reached; i-- > 1;) {
		uint32_t v = s->order[i];
		if (v >= s->above) {
			const struct graph_node *n = &g->node[v - s->above];
			uint64_t w = weight(n, sample);
			add(&sum[i], w, w * n->size);
			add(&g->held, w, w * n->size);
		} else {
			g->share[v - 1].blocks = sum[i].blocks;
			g->share[v - 1].bytes = sum[i].bytes;
			continue;
		}
		if (s->dominator[i] == 0)
			add(&g->shared, sum[i].blocks, sum[i].bytes);
		else
			add(&sum[s->dominator[i]], sum[i].blocks, sum[i].bytes);
	}
	for (uint32_t i = 0; i < g->starts; i++)
		if (start_counts(g, &g->start[i]) &&
		    g->node[g->start[i].to].recorded)
			g->share[g->start[i].root].direct++;
	free(sum);
	return 0;
}

int
graph_solve(struct graph *g, uint32_t roots, const uint8_t *rank,
	    uint64_t sample)
{
	struct solver s = { .g = g,
			    .vertices = 1 + roots + g->nodes,
			    .above = 1 + roots };
	int ok = -1;
	g->roots = roots;
	g->share = calloc(roots + 1ul, sizeof *g->share);
	if (g->share && g->edges < GRAPH_NONE &&
	    (uint64_t)roots + g->nodes < GRAPH_ROOT && make_lists(&s) == 0 &&
	    find_holders(&s, rank) == 0 && take_arrays(&s) == 0 &&
	    search(&s) == 0 && find_dominators(&s) == 0)
		ok = add_up(&s, sample);
	free(s.out.first);
	free(s.out.to);
	free(s.in.first);
	free(s.in.to);
	free(s.offset);
	free(s.order);
	free(s.number);
	free(s.parent);
	free(s.semi);
	free(s.label);
	free(s.ancestor);
	free(s.dominator);
	free(g->edge);
	g->edge = NULL;
	g->edges = 0;
	return ok;
}
