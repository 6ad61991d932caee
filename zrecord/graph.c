/*
 * graph.c - see graph.h: taking the words of a scan apart.
 */
#include "graph.h"

#include <stdlib.h>
#include <sys/stat.h>

struct reader {
	const uint64_t *word;
	uint64_t at, end;
	struct graph *g;
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

static uint64_t
next(struct reader *r)
{
	if (r->at < r->end)
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

/* The target's address goes where its node will stand: it may come later. */
static void
read_edge(struct reader *r, uint64_t w, uint64_t **targets)
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
	    !more(r, targets, g->edges, &room, sizeof **targets))
		return;
	(*targets)[g->edges] = zs_graph_block(w);
	g->edge[g->edges++] = (struct graph_edge){
		.from = g->nodes - 1,
		.offset = offset > UINT32_MAX ? UINT32_MAX : (uint32_t)offset,
		.holds = (uint8_t)holds
	};
}

static void
read_more(struct reader *r, uint64_t w, uint64_t *leaders)
{
	struct graph *g = r->g;
	uint64_t number = w >> 4;
	switch (w >> 2 & 3) {
	case ZS_MORE_BASE:
		r->base = number * 8;
		break;
	case ZS_MORE_LEADER: /* all come behind the blocks */
		if (*leaders > r->at - 1)
			*leaders = r->at - 1;
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

static struct graph_slot *
slot_of(const struct graph *g, uint64_t address)
{
	uint64_t h = (address >> 4) * UINT64_C(0x9e3779b97f4a7c15);
	uint32_t mask = g->slots - 1, i = (uint32_t)(h >> 32) & mask;
	while (g->slot[i].node != GRAPH_NONE && g->slot[i].address != address)
		i = (i + 1) & mask;
	return &g->slot[i];
}

uint32_t
graph_find(const struct graph *g, uint64_t address)
{
	return g->slots ? slot_of(g, address)->node : GRAPH_NONE;
}

static int
index_nodes(struct graph *g)
{
	uint32_t n = 16;
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
	uint64_t leaders = UINT64_MAX, *targets = NULL;
	while (r->at < r->end && !r->failed) {
		uint64_t w = r->word[r->at++];
		switch (zs_graph_type(w)) {
		case ZS_GRAPH_BLOCK:
			read_block(r, w);
			break;
		case ZS_GRAPH_EDGE:
			read_edge(r, w, &targets);
			break;
		case ZS_GRAPH_ROOT:
			read_root(r, w);
			break;
		default:
			read_more(r, w, &leaders);
		}
	}
	if (index_nodes(g) == 0)
		link_up(g, targets);
	else
		r->failed = 1;
	free(targets);
	for (uint64_t i = leaders; i < r->end && !r->failed; i++) {
		uint32_t n = graph_find(g, r->word[i] >> 4);
		if ((r->word[i] & 15) ==
			(ZS_MORE_LEADER << 2 | ZS_GRAPH_MORE) &&
		    n != GRAPH_NONE)
			g->node[n].kind = ZS_DEFINITE;
	}
}

/* The words, malloc'd; NULL when they are not all there. */
static uint64_t *
fetch(const struct segment *s, const struct zs_scan *scan)
{
	const struct zs_table *t = &s->h.graph;
	struct stat st;
	if (scan->words == 0 || scan->words > t->capacity ||
	    scan->first > t->capacity - scan->words || fstat(s->fd, &st) != 0 ||
	    scan->words > (uint64_t)st.st_blocks * 512 / 8)
		return NULL;
	uint64_t *words = malloc(scan->words * sizeof *words);
	if (words && segment_read(s, t->offset + scan->first * sizeof *words,
				  words, scan->words * sizeof *words) == 0)
		return words;
	free(words);
	return NULL;
}

struct graph *
graph_read(const struct segment *s, uint32_t number, const struct zs_scan *scan)
{
	uint64_t *words = fetch(s, scan);
	struct graph *g = words ? calloc(1, sizeof *g) : NULL;
	struct reader r = { .word = words, .end = scan->words, .g = g };
	if (g) {
		g->scan = number;
		g->begin = (double)scan->begin_ns * 1e-9;
		g->end = (double)scan->end_ns * 1e-9;
		read_words(&r);
		g->exact = !scan->edges_dropped &&
			   !(scan->flags & ZS_SCAN_CUT) && !r.failed;
		if (!g->slot) {
			graph_free(g);
			g = NULL;
		}
	}
	free(words);
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
