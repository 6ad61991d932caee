/*
 * graph_solve.c - who holds a block first, and which root alone keeps what.
 *
 * One search in breadth from the roots gives holders.  It also carries the
 * root that it came from: a node that is met again from another root belongs
 * to several, and so does all that it leads to.  That is exact: a root alone
 * keeps a node if no other root reaches it, whatever the chains look like.
 * Each node is visited twice at most.
 *
 * What variables hold is settled before stacks and registers are looked at: a
 * function that works on a list points into it, and the list is the variable's
 * all the same.  Called by holders.c through graph.h.
 */
#include "graph.h"

#include <stdlib.h>

#define SEVERAL (GRAPH_NONE - 1)

enum { UNIT = 256 }; /* of sums: a block of a sample may stand for 32.5 */

struct mark {
	uint32_t holder; /* GRAPH_NONE: not met */
	uint32_t root;	 /* that it was met from, or SEVERAL */
	uint32_t round;	 /* in which it was met */
};

struct solver {
	struct graph *g;
	struct mark *mark; /* [nodes] */
	uint64_t *edge;	   /* [nodes + 1] the first edge of each */
	uint32_t *start;   /* starts by root; those of root r are from .. */
	uint32_t *first;   /* .. first[r] to first[r + 1] - 1 */
	uint32_t *queue;
	uint32_t head, tail;
	uint32_t round;
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

/* ---- edges by node, starts by root ------------------------------------ */

/* Edges are in the order of the nodes that they come from. */
static void
index_edges(struct solver *s)
{
	const struct graph *g = s->g;
	uint64_t e = 0;
	for (uint32_t i = 0; i < g->nodes; i++) {
		s->edge[i] = e;
		while (e < g->edges && g->edge[e].from == i)
			e++;
	}
	s->edge[g->nodes] = e;
}

static void
index_starts(struct solver *s)
{
	const struct graph *g = s->g;
	uint32_t sum = 0;
	for (uint32_t i = 0; i < g->starts; i++)
		if (g->start[i].root < g->roots)
			s->first[g->start[i].root]++;
	for (uint32_t r = 0; r <= g->roots; r++) {
		uint32_t n = s->first[r];
		s->first[r] = sum;
		sum += n;
	}
	for (uint32_t i = 0; i < g->starts; i++)
		if (g->start[i].root < g->roots)
			s->start[s->first[g->start[i].root]++] = i;
	for (uint32_t r = g->roots; r > 0; r--)
		s->first[r] = s->first[r - 1];
	s->first[0] = 0;
}

static int
prepare(struct solver *s)
{
	struct graph *g = s->g;
	s->mark = malloc((g->nodes + 1ul) * sizeof *s->mark);
	s->edge = malloc((g->nodes + 1ul) * sizeof *s->edge);
	s->queue = malloc((g->nodes + 1ul) * sizeof *s->queue);
	s->start = malloc((g->starts + 1ul) * sizeof *s->start);
	s->first = calloc(g->roots + 2ul, sizeof *s->first);
	g->holder = malloc((g->nodes + 1ul) * sizeof *g->holder);
	g->holder_offset = calloc(g->nodes + 1ul, sizeof *g->holder_offset);
	g->share = calloc(g->roots + 1ul, sizeof *g->share);
	if (!s->mark || !s->edge || !s->queue || !s->start || !s->first ||
	    !g->holder || !g->holder_offset || !g->share)
		return -1;
	for (uint32_t i = 0; i < g->nodes; i++)
		s->mark[i] = (struct mark){ GRAPH_NONE, GRAPH_NONE, 0 };
	index_edges(s);
	index_starts(s);
	return 0;
}

/* ---- the search ------------------------------------------------------- */

/* A node is met from a holder; nodes that now belong to several roots are
 * visited later. */
static void
meet(struct solver *s, uint32_t to, uint32_t holder, uint64_t offset,
     uint32_t root)
{
	struct mark *m = &s->mark[to];
	if (m->holder == GRAPH_NONE) {
		*m = (struct mark){ holder, root, s->round };
		s->g->holder_offset[to] = offset;
		s->queue[s->tail++] = to;
	} else if (m->root != root && m->round == s->round) {
		m->root = SEVERAL;
	}
}

static void
visit(struct solver *s, uint32_t from)
{
	const struct graph *g = s->g;
	uint32_t root = s->mark[from].root;
	for (uint64_t e = s->edge[from]; e < s->edge[from + 1]; e++)
		if (counts(g, g->node[from].kind, g->edge[e].to,
			   g->edge[e].holds))
			meet(s, g->edge[e].to, from, g->edge[e].offset, root);
}

static void
begin_at_root(struct solver *s, uint32_t root)
{
	const struct graph *g = s->g;
	for (uint32_t i = s->first[root]; i < s->first[root + 1]; i++) {
		const struct graph_start *t = &g->start[s->start[i]];
		if (!counts(g, ZS_REACHABLE, t->to, t->holds))
			continue;
		meet(s, t->to, GRAPH_ROOT | root, t->root_offset, root);
		g->share[root].direct += g->node[t->to].recorded;
	}
}

/* What several roots reach leads to nothing that one has for itself. */
static void
spread(struct solver *s)
{
	const struct graph *g = s->g;
	s->tail = 0;
	for (uint32_t i = 0; i < g->nodes; i++)
		if (s->mark[i].root == SEVERAL && s->mark[i].round == s->round)
			s->queue[s->tail++] = i;
	while (s->tail) {
		uint32_t from = s->queue[--s->tail];
		for (uint64_t e = s->edge[from]; e < s->edge[from + 1]; e++) {
			uint32_t to = g->edge[e].to;
			if (s->mark[to].root == SEVERAL ||
			    s->mark[to].round != s->round ||
			    !counts(g, g->node[from].kind, to,
				    g->edge[e].holds))
				continue;
			s->mark[to].root = SEVERAL;
			s->queue[s->tail++] = to;
		}
	}
}

/* From the roots of ranks [from, to). */
static void
search(struct solver *s, const uint8_t *rank, unsigned from, unsigned to)
{
	s->round++;
	s->head = s->tail = 0;
	for (unsigned k = from; k < to; k++)
		for (uint32_t r = 0; r < s->g->roots; r++)
			if (rank[r] == k)
				begin_at_root(s, r);
	while (s->head < s->tail)
		visit(s, s->queue[s->head++]);
	spread(s);
}

/* What is lost is held by what is lost with certainty; those are no root's. */
static void
search_lost(struct solver *s)
{
	s->round++;
	s->head = s->tail = 0;
	for (uint32_t i = 0; i < s->g->nodes; i++)
		if (s->g->node[i].kind == ZS_DEFINITE)
			visit(s, i);
	while (s->head < s->tail)
		visit(s, s->queue[s->head++]);
}

/* ---- sums ------------------------------------------------------------- */

static void
add(struct graph_share *to, uint64_t blocks, uint64_t bytes)
{
	to->blocks += blocks;
	to->bytes += bytes;
}

/* Blocks that the node stands for on average, in UNITs. */
static uint64_t
weight(const struct graph_node *n, uint64_t sample)
{
	if (!sample || sample >> (ZS_SAMPLE_LOG_MAX + 1))
		return UNIT;
	return (uint64_t)(zs_weight_mean(sample, n->size) * UNIT + 0.5);
}

static void
to_blocks(struct graph_share *s)
{
	s->blocks = (s->blocks + UNIT / 2) / UNIT;
	s->bytes = (s->bytes + UNIT / 2) / UNIT;
}

static void
add_up(struct solver *s, uint64_t sample)
{
	struct graph *g = s->g;
	for (uint32_t i = 0; i < g->nodes; i++) {
		const struct graph_node *n = &g->node[i];
		const struct mark *m = &s->mark[i];
		g->holder[i] = m->holder;
		if (!n->recorded || m->root == GRAPH_NONE)
			continue;
		uint64_t blocks = weight(n, sample), bytes = blocks * n->size;
		add(&g->held, blocks, bytes);
		if (m->root == SEVERAL)
			add(&g->shared, blocks, bytes);
		else
			add(&g->share[m->root], blocks, bytes);
	}
	to_blocks(&g->held);
	to_blocks(&g->shared);
	for (uint32_t r = 0; r < g->roots; r++)
		to_blocks(&g->share[r]);
}

int
graph_solve(struct graph *g, uint32_t roots, const uint8_t *rank,
	    uint64_t sample)
{
	struct solver s = { .g = g };
	g->roots = roots;
	int err = roots < GRAPH_ROOT ? prepare(&s) : -1;
	if (err == 0) {
		search(&s, rank, 0, GRAPH_PASSING);
		search(&s, rank, GRAPH_PASSING, GRAPH_RANKS);
		search_lost(&s);
		add_up(&s, sample);
	}
	free(s.mark);
	free(s.edge);
	free(s.queue);
	free(s.start);
	free(s.first);
	free(g->edge);
	g->edge = NULL;
	g->edges = 0;
	return err;
}
