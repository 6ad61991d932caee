/*
 * graph.h - what one leak scan saw: blocks, the pointers between them, and the
 * roots that pointers begin at (zs_graph in session.h).
 *
 * graph_read takes the words of a scan apart; roots.c says what each root is;
 * graph_solve then finds for each held block its first holder and what depends
 * on each root alone.  Nothing in the words is believed: a damaged graph gives
 * wrong holders or none, never a fault.
 *
 * Glossary
 *   node      a block, recorded or not, in the order in which it was read
 *   holds     a pointer to a node's start, or what counts as such; of a
 *             "possible" node: any pointer
 *   holder    of the shortest chains of pointers that hold a block from a
 *             root, the last link of one: a node, or a root
 *   retains   a root retains a node when every chain that holds the node
 *             begins there: without the root it would be lost.  Chains from
 *             stacks and registers count only where no variable holds it
 */
#ifndef ZRECORD_GRAPH_H
#define ZRECORD_GRAPH_H

#include "segment.h"

#define GRAPH_NONE UINT32_MAX
#define GRAPH_ROOT 0x80000000u /* in graph.holder: the rest is a root */
enum { GRAPH_PASSING = 5, GRAPH_RANKS = 8 };

struct graph_node {
	uint64_t address, size;
	uint64_t word; /* its first one, if that points into a module, else 0 */
	uint32_t stack;	      /* 0: not recorded */
	uint32_t type;	      /* holders.c's; 0: not known */
	uint8_t kind, before; /* enum zs_verdict: of this scan, of the last */
	uint8_t recorded;
	uint8_t noted; /* holders.c's: it may have a loss */
};

struct graph_edge {
	uint32_t from, to; /* nodes */
	uint32_t offset;   /* bytes */
	uint8_t holds;
};

/* A stretch of roots that was read in one go. */
struct graph_piece {
	uint64_t at; /* address, or the thread's id for registers */
	uint64_t map_start, map_end;
	unsigned kind; /* enum zs_root */
};

struct graph_start { /* a pointer in a root */
	uint32_t piece, to;
	uint64_t offset; /* bytes; in registers: 8 * their number */
	uint8_t holds;
	uint32_t root; /* roots.c's */
	uint64_t root_offset;
};

struct graph_thread {
	int32_t tid;
	uint64_t sp, tp;
};

struct graph_tls {
	uint32_t module;
	uint64_t at, bytes; /* at: from the thread pointer */
};

/* What depends on one root, by its index. */
struct graph_share {
	uint64_t blocks, bytes; /* that it retains */
	uint64_t direct;	/* blocks that it points to */
};

struct graph_slot {
	uint64_t address;
	uint32_t node; /* GRAPH_NONE: free */
};

struct graph {
	uint32_t scan; /* entry of the table of scans */
	double begin, end;
	int exact; /* all edges are there */

	struct graph_node *node;
	uint32_t nodes;
	struct graph_edge *edge; /* until graph_solve */
	uint64_t edges;
	struct graph_piece *piece;
	uint32_t pieces;
	struct graph_start *start;
	uint32_t starts;
	struct graph_thread *thread;
	uint32_t threads;
	struct graph_tls *tls;
	uint32_t tls_count;
	struct graph_slot *slot; /* finds nodes by address */
	uint32_t slots;
	unsigned shift; /* of addresses: about a block */

	/* of graph_solve */
	uint32_t *holder;	 /* [nodes] GRAPH_NONE: none; see GRAPH_ROOT */
	uint64_t *holder_offset; /* [nodes] bytes in the holder */
	struct graph_share *share; /* [roots] */
	uint32_t roots;
	struct graph_share held, shared; /* all; by several roots only */
};

/* NULL: no memory, or nothing there. */
struct graph *graph_read(const struct segment *, uint32_t number,
			 const struct zs_scan *);
void graph_free(struct graph *);

/* The node with that address, or GRAPH_NONE. */
uint32_t graph_find(const struct graph *, uint64_t address);

/*
 * rank[root], below GRAPH_RANKS: lower ones are preferred as holders; those
 * from GRAPH_PASSING on hold only what no lower one does.  sample: as in the
 * segment's header; sums are estimates then.  0, or -1 without memory.
 */
int graph_solve(struct graph *, uint32_t roots, const uint8_t *rank,
		uint64_t sample);

#endif
