/*
 * graph.c - see graph.h: taking the words of a scan apart.
 */
#include "graph.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { WORDS = 8192, NEAR_LOG = 6, NEAR = (1 << NEAR_LOG) - 1 };

struct reader {
	const struct segment *seg;
	uint64_t from, left; /* offset of the next words, and how many */
	uint64_t word[WORDS];
	unsigned at, have; /* of word */
	struct graph *g;
	uint64_t leaders, leader_room;
	uint64_t *leader; /* addresses of definite blocks */
	uint64_t *target; /* [edges] addresses that they lead to */
	uint64_t node_room, edge_room, piece_room, start_room, thread_room,
	    tls_room;
	int in_root;
	uint64_t base; /* of the offsets of the next edges, in bytes */
	int failed;
};

/* Room for one more; array: where its pointer is. */
static int
more(struct reader *r, void *array, uint64_t n, uint64_t *room, size_t bytes)
{
	void **p = array;
	if (n < *room)
		return 1;
	uint64_t want = *room ? *room * 2 : 64;
	void *all = want < GRAPH_ROOT ? reallocarray(*p, want, bytes) : NULL;
	if (!all) {
		r->failed = 1;
		return 0;
	}
	*p = all;
	*room = want;
	return 1;
}

/* Reads the words that come next; 0 after the last. */
static int
refill(struct reader *r)
{
	r->have = r->left < WORDS ? (unsigned)r->left : WORDS;
	r->at = 0;
	if (r->have == 0)
		return 0;
	if (segment_read(r->seg, r->from, r->word, r->have * 8ul) != 0) {
		r->have = 0;
		r->left = 0;
		r->failed = 1;
		return 0;
	}
	r->from += r->have * 8ul;
	r->left -= r->have;
	return 1;
}

static uint64_t
next(struct reader *r)
{
	if (r->at < r->have || refill(r))
		return r->word[r->at++];
	r->failed = 1;
	return 0;
}

static void
read_block(struct reader *r, uint64_t w)
{
	struct graph *g = r->g;
	uint64_t about = next(r);
	struct graph_node n = { .address = zs_graph_block(w),
				.size = about >> 32,
				.stack = (uint32_t)about,
				.kind = w >> 46 & 7,
				.before = w >> 49 & 7,
				.recorded = w >> 52 & 1 };
	if (w >> 53 & 1)
		n.size = next(r);
	if (w >> 54 & 1)
		n.word = next(r);
	r->in_root = 0;
	r->base = 0;
	if (more(r, &g->node, g->nodes, &r->node_room, sizeof n))
		g->node[g->nodes++] = n;
}

static void
read_root(struct reader *r, uint64_t w)
{
	struct graph *g = r->g;
	uint64_t map = next(r);
	struct graph_piece p = { .at = w >> 2 & ((UINT64_C(1) << 48) - 1),
				 .map_start = (map & ((UINT64_C(1) << 36) - 1))
					      << 12,
				 .kind = w >> 50 & 7 };
	if (p.kind != ZS_ROOT_REGISTERS)
		p.at <<= 3;
	p.map_end = p.map_start + (map >> 36 << 12);
	r->in_root = 1;
	r->base = 0;
	if (more(r, &g->piece, g->pieces, &r->piece_room, sizeof p))
		g->piece[g->pieces++] = p;
}

/* The node that an edge leads to may come later: until then its address. */
static void
read_edge(struct reader *r, uint64_t w)
{
	struct graph *g = r->g;
	uint64_t offset = r->base + (w >> 48) * 8;
	uint64_t room = r->edge_room;
	int holds = w >> 46 & 1;
	if (r->in_root) {
		if (!more(r, &g->start, g->starts, &r->start_room,
			  sizeof *g->start))
			return;
		g->start[g->starts++] =
		    (struct graph_start){ .piece = g->pieces - 1,
					  .offset = offset,
					  .holds = (uint8_t)holds,
					  .root_offset = zs_graph_block(w) };
		return;
	}
	if (g->nodes == 0 ||
	    !more(r, &g->edge, g->edges, &r->edge_room, sizeof *g->edge) ||
	    !more(r, &r->target, g->edges, &room, sizeof *r->target))
		return;
	r->target[g->edges] = zs_graph_block(w);
	g->edge[g->edges++] = (struct graph_edge){
		.from = g->nodes - 1,
		.offset = offset > UINT32_MAX ? UINT32_MAX : (uint32_t)offset,
		.holds = (uint8_t)holds
	};
}

static void
read_more(struct reader *r, uint64_t w)
{
	struct graph *g = r->g;
	uint64_t number = w >> 4;
	switch (w >> 2 & 3) {
	case ZS_MORE_BASE:
		r->base = number * 8;
		break;
	case ZS_MORE_LEADER:
		if (more(r, &r->leader, r->leaders, &r->leader_room,
			 sizeof *r->leader))
			r->leader[r->leaders++] = number;
		break;
	case ZS_MORE_THREAD:
		if (more(r, &g->thread, g->threads, &r->thread_room,
			 sizeof *g->thread)) {
			uint64_t sp = next(r), tp = next(r);
			g->thread[g->threads++] =
			    (struct graph_thread){ (int32_t)number, sp, tp };
		}
		break;
	default:
		if (more(r, &g->tls, g->tls_count, &r->tls_room,
			 sizeof *g->tls)) {
			uint64_t at = next(r), bytes = next(r);
			g->tls[g->tls_count++] =
			    (struct graph_tls){ (uint32_t)number, at, bytes };
		}
	}
}

/* ---- nodes by address ------------------------------------------------- */

/* Neighbours in memory are neighbours here: both are often met in turn. */
static struct graph_slot *
slot_of(const struct graph *g, uint64_t address)
{
	uint64_t at = address >> g->shift;
	uint64_t h = (at >> NEAR_LOG) * UINT64_C(0x9e3779b97f4a7c15);
	uint32_t mask = g->slots - 1;
	uint32_t i = ((uint32_t)(h >> 32) + (uint32_t)(at & NEAR)) & mask;
	while (g->slot[i].node != GRAPH_NONE && g->slot[i].address != address)
		i = (i + 1) & mask;
	return &g->slot[i];
}

uint32_t
graph_find(const struct graph *g, uint64_t address)
{
	return g->slots ? slot_of(g, address)->node : GRAPH_NONE;
}

/* Which power of two most blocks are not smaller than, about. */
static unsigned
common_shift(const struct graph *g)
{
	uint64_t bytes = 0, shift = 4;
	for (uint32_t i = 0; i < g->nodes; i++)
		bytes += g->node[i].size < 4096 ? g->node[i].size : 4096;
	while (shift < 12 && bytes >> (shift + 1) >= g->nodes && g->nodes)
		shift++;
	return (unsigned)shift;
}

static int
index_nodes(struct graph *g)
{
	uint32_t n = 16;
	g->shift = common_shift(g);
	while (n / 2 < g->nodes)
		n *= 2;
	g->slot = malloc(n * sizeof *g->slot);
	if (!g->slot)
		return -1;
	g->slots = n;
	for (uint32_t i = 0; i < n; i++)
		g->slot[i].node = GRAPH_NONE;
	for (uint32_t i = 0; i < g->nodes; i++) {
		struct graph_slot *s = slot_of(g, g->node[i].address);
		if (s->node == GRAPH_NONE)
			*s = (struct graph_slot){ g->node[i].address, i };
	}
	return 0;
}

static void
link_up(struct graph *g, const uint64_t *targets)
{
	uint64_t kept = 0;
	for (uint64_t i = 0; i < g->edges; i++) {
		uint32_t to = graph_find(g, targets[i]);
		if (to == GRAPH_NONE)
			continue;
		g->edge[kept] = g->edge[i];
		g->edge[kept++].to = to;
	}
	g->edges = kept;
	uint32_t starts = 0;
	for (uint32_t i = 0; i < g->starts; i++) {
		uint32_t to = graph_find(g, g->start[i].root_offset);
		if (to == GRAPH_NONE)
			continue;
		g->start[starts] = g->start[i];
		g->start[starts++].to = to;
	}
	g->starts = starts;
}

/* ---- reading ---------------------------------------------------------- */

static void
read_words(struct reader *r)
{
	struct graph *g = r->g;
	while (!r->failed && (r->at < r->have || refill(r))) {
		uint64_t w = r->word[r->at++];
		switch (zs_graph_type(w)) {
		case ZS_GRAPH_BLOCK:
			read_block(r, w);
			break;
		case ZS_GRAPH_EDGE:
			read_edge(r, w);
			break;
		case ZS_GRAPH_ROOT:
			read_root(r, w);
			break;
		default:
			read_more(r, w);
		}
	}
	if (index_nodes(g) != 0) {
		r->failed = 1;
		return;
	}
	link_up(g, r->target);
	for (uint64_t i = 0; i < r->leaders; i++) {
		uint32_t n = graph_find(g, r->leader[i]);
		if (n != GRAPH_NONE)
			g->node[n].kind = ZS_DEFINITE;
	}
}

/* Do the words lie in the table, and in memory that is there? */
static int
fits(const struct segment *s, const struct zs_scan *scan)
{
	const struct zs_table *t = &s->h.graph;
	struct stat st;
	return scan->words && scan->words <= t->capacity &&
	       scan->first <= t->capacity - scan->words &&
	       fstat(s->fd, &st) == 0 &&
	       scan->words <= (uint64_t)st.st_blocks * 512 / 8;
}

struct graph *
graph_read(const struct segment *s, uint32_t number, const struct zs_scan *scan)
{
	struct graph *g = NULL;
	struct reader *r = calloc(1, sizeof *r);
	if (r && fits(s, scan) && (g = calloc(1, sizeof *g))) {
		r->seg = s;
		r->g = g;
		r->from = s->h.graph.offset + scan->first * 8;
		r->left = scan->words;
		g->scan = number;
		g->begin = (double)scan->begin_ns * 1e-9;
		g->end = (double)scan->end_ns * 1e-9;
		read_words(r);
		g->exact = !scan->edges_dropped &&
			   !(scan->flags & ZS_SCAN_CUT) && !r->failed;
		free(r->target);
		free(r->leader);
	}
	free(r);
	if (g && !g->slot) {
		graph_free(g);
		return NULL;
	}
	return g;
}

void
graph_free(struct graph *g)
{
	if (!g)
		return;
	free(g->node);
	free(g->edge);
	free(g->piece);
	free(g->start);
	free(g->thread);
	free(g->tls);
	free(g->slot);
	free(g->holder);
	free(g->holder_offset);
	free(g->share);
	free(g);
}
