/*
 * fake_graph.h - for fake_session.c: two leak scans written by hand, and
 * graphs of nonsense.
 *
 * At 0.5 s a variable holds block 4, that holds 5 and 0; at 0.6 s block 0 is
 * lost, with 1 and 2 hanging on it.  Blocks are by their index in the nano
 * region.
 */
#ifndef TESTS_FAKE_GRAPH_H
#define TESTS_FAKE_GRAPH_H

#include "libzmalloc/logger/session.h"

enum { FAKE_SCANS = 16, FAKE_WORDS = 65536 };

uint64_t fake_root[2]; /* a variable with a name; the second word points */

static uint64_t *fake_word;

static void
word(uint64_t w)
{
	*fake_word++ = w;
}

static uint64_t
fake_block(unsigned i)
{
	return ((uint64_t)0x10000000 + i * 32) >> 4 << 2;
}

static void
fake_node(unsigned i, enum zs_verdict now, enum zs_verdict before)
{
	word(fake_block(i) | ZS_GRAPH_BLOCK | (uint64_t)now << 46 |
	     (uint64_t)before << 49 | UINT64_C(1) << 52);
	word(1 | UINT64_C(20) << 32);
}

static void
fake_edge(unsigned to, uint64_t offset)
{
	word(fake_block(to) | ZS_GRAPH_EDGE | UINT64_C(1) << 46 |
	     offset / 8 << 48);
}

static void
fake_scan(struct zs_scan *s, const uint64_t *graph, uint64_t ns)
{
	s->begin_ns = s->end_ns = ns;
	s->words = (uint64_t)(fake_word - graph) - s->first;
}

static void
fill_graph(struct zs_header *h, struct zs_scan *s, uint64_t *graph)
{
	uint64_t at = (uint64_t)(uintptr_t)fake_root;

	fake_word = graph;
	for (int i = 1; i <= 2; i++) {
		s[i].first = (uint64_t)(fake_word - graph);
		word(at / 8 << 2 | (uint64_t)ZS_ROOT_FILE << 50 |
		     ZS_GRAPH_ROOT);
		word(at >> 12 | UINT64_C(1) << 36);
		fake_edge(4, 8);
		fake_node(4, ZS_REACHABLE, i > 1 ? ZS_REACHABLE : 0);
		fake_edge(5, 16);
		if (i == 1)
			fake_edge(0, 8);
		fake_node(5, ZS_REACHABLE, i > 1 ? ZS_REACHABLE : 0);
		fake_node(0, i == 1 ? ZS_REACHABLE : ZS_INDIRECT,
			  i > 1 ? ZS_REACHABLE : 0);
		fake_edge(1, 0);
		fake_edge(2, 8);
		for (unsigned k = 1; k <= 2; k++)
			fake_node(k, i == 1 ? ZS_REACHABLE : ZS_INDIRECT,
				  i > 1 ? ZS_REACHABLE : 0);
		if (i == 2)
			word(UINT64_C(0x10000000) << 4 | ZS_MORE_LEADER << 2 |
			     ZS_GRAPH_MORE);
		fake_scan(&s[i], graph, (uint64_t)(4 + i) * 100000000);
	}
	h->scans.count = 3;
	h->graph.count = (uint32_t)(fake_word - graph);
}

/* Words of every kind in any order, over few addresses; and entries that lie
 * outside of the table. */
static void
wreck_graph(struct zs_header *h, struct zs_scan *s, uint64_t *graph)
{
	uint64_t r = 88172645463325252u;

	for (unsigned i = 0; i < FAKE_WORDS; i++) {
		r ^= r << 13;
		r ^= r >> 7;
		r ^= r << 17;
		graph[i] = r;
		if (i % 4) /* mostly blocks and edges between them */
			graph[i] = (r & ~UINT64_C(0x3fffffffffff)) |
				   fake_block(r % 97) | (r >> 20 & 1);
	}
	for (unsigned i = 1; i < FAKE_SCANS; i++)
		s[i] = (struct zs_scan){ .first = i * 4000, .words = 5000 };
	s[2].words = UINT64_MAX;
	s[3].first = UINT64_MAX - 100;
	s[4].first = FAKE_WORDS - 1;
	h->scans.count = FAKE_SCANS;
	h->graph.count = FAKE_WORDS;
}

#endif
