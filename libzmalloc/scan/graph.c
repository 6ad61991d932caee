/*
 * graph.c - writes down what the scan sees: who points to whom.
 *
 * One pass over the words as they are read, straight into the segment
 * (logger/session.h has the form).  The pointer that finds a block is always
 * kept; others as long as they stay within a share of the heap, so that a scan
 * costs little more time, and a bounded amount of memory, with it.  Called by
 * scan.c, mark.c, roots.c and verdict.c, threads stopped.
 */
#include <link.h>
#include <string.h>
#include <sys/mman.h>

#include "logger/logger.h"
#include "os/os.h"
#include "scan/scan.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum {
	PAGE_WORDS = 512,
	STEP = 8 << 10,	     /* words that are opened at once */
	SHARE = 8,	     /* extra edges: this part of the heap at most */
	EXTRA_MIN = 2 << 20, /* .. and no less than so many */
	MODULE_LOW = 0x10000 /* no module begins below */
};

/* ---- words ------------------------------------------------------------ */

static bool
more_room(struct zm_graph *g)
{
	uint64_t to = g->at + STEP;

	to = to < g->end ? to : g->end;
	if (!g->on || g->at >= to || !zm_graph_open(to)) {
		g->on = false;
		g->flags |= ZS_SCAN_CUT;
		return false;
	}
	/* at once, not page by page at a fault each; old kernels refuse */
	uint64_t page = g->at & ~(uint64_t)(PAGE_WORDS - 1);
	zm_os_madvise(g->out + page, (to - page) * sizeof *g->out,
		      MADV_POPULATE_WRITE);
	g->open = to;
	return true;
}

static inline void
put(struct zm_graph *g, uint64_t word)
{
	if (g->at < g->open || more_room(g))
		g->out[g->at++] = word;
}

static inline uint64_t
block_word(uintptr_t start, unsigned type)
{
	return (uint64_t)start >> 4 << 2 | type;
}

static void
put_more(struct zm_graph *g, enum zs_more what, uint64_t number)
{
	put(g, number << 4 | (uint64_t)what << 2 | ZS_GRAPH_MORE);
}

/* ---- beginning and end ------------------------------------------------ */

/* Thread-local data at a fixed distance from the thread pointer; what dlopen
 * brings lies in blocks. */
static int
note_tls(struct dl_phdr_info *info, size_t bytes, void *ctx)
{
	struct zm_graph *g = ctx;
	uintptr_t at = (uintptr_t)info->dlpi_tls_data, size = 0;

	(void)bytes;
	if (!at || g->tls_count == ZM_TLS_MAX || zm_region_of((void *)at))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type == PT_TLS)
			size = info->dlpi_phdr[i].p_memsz;
	}
	unsigned module = zm_module_of((uintptr_t)info->dlpi_phdr);
	if (module && size)
		g->tls[g->tls_count++] =
		    (struct zm_tls){ module, at - zm_thread_pointer(), size };
	return 0;
}

/* What was found last serves those who may not ask the loader. */
void
zm_graph_prepare(struct zm_scan *s, bool locks)
{
	static struct zm_tls last[ZM_TLS_MAX];
	static unsigned count;
	struct zm_graph *g = &s->graph;

	if (locks) {
		dl_iterate_phdr(note_tls, g);
		memcpy(last, g->tls, sizeof last);
		count = g->tls_count;
	} else {
		memcpy(g->tls, last, sizeof last);
		g->tls_count = count;
	}
}

static void
put_thread(struct zm_graph *g, int tid, uintptr_t sp, uintptr_t tp)
{
	put_more(g, ZS_MORE_THREAD, (uint64_t)(uint32_t)tid);
	put(g, sp);
	put(g, tp);
}

void
zm_graph_start(struct zm_scan *s)
{
	struct zm_graph *g = &s->graph;
	const struct zs_header *h = zm_session.h;
	uint32_t n = h->scans.count;
	uint32_t seen = __atomic_load_n(&h->scans_read, __ATOMIC_ACQUIRE);
	const struct zs_scan *last = &zm_session.scans[n - 1];

	if (n >= h->scans.capacity || !zm_table_open(&h->scans, n))
		return;
	if (n > 1 && seen < n)
		g->at = last->first + last->words;
	g->first = g->at;
	g->out = zm_session.graph;
	g->end = h->graph.capacity;
	g->on = true;
	uint64_t extra = s->heap_bytes / sizeof(uint64_t) / SHARE;
	g->extra = extra > EXTRA_MIN ? extra : EXTRA_MIN;
	for (unsigned i = 0; i < g->tls_count; i++) {
		put_more(g, ZS_MORE_TLS, g->tls[i].module);
		put(g, g->tls[i].at);
		put(g, g->tls[i].bytes);
	}
	put_thread(g, s->tid, s->sp, zm_thread_pointer());
	for (uint32_t i = 0; i < s->stop.count; i++)
		put_thread(g, s->stop.thread[i].tid, s->stop.thread[i].sp,
			   s->stop.thread[i].tp);
}

void
zm_graph_finish(struct zm_scan *s, uint64_t begin_ns, uint64_t end_ns)
{
	struct zm_graph *g = &s->graph;
	struct zs_header *h = zm_session.h;
	uint32_t n = h->scans.count;

	if (!g->out)
		return;
	zm_session.scans[n] = (struct zs_scan){
		.begin_ns = begin_ns,
		.end_ns = end_ns,
		.first = g->first,
		.words = g->at - g->first,
		.edges_dropped = g->dropped,
		.flags = g->flags,
	};
	if (h->graph.count < g->at)
		h->graph.count = (uint32_t)g->at;
	__atomic_store_n(&h->scans.count, n + 1, __ATOMIC_RELEASE);
}

/* ---- roots ------------------------------------------------------------ */

static void
begin_root(struct zm_graph *g, uint64_t where, enum zs_root kind,
	   uint64_t mapping)
{
	g->head[0] = where << 2 | (uint64_t)kind << 50 | ZS_GRAPH_ROOT;
	g->head[1] = mapping;
	g->heads = 2;
	g->base = 0;
	g->source = 0;
}

void
zm_graph_registers(struct zm_scan *s, int tid)
{
	begin_root(&s->graph, (uint32_t)tid, ZS_ROOT_REGISTERS, 0);
}

void
zm_graph_mapping(struct zm_scan *s, uintptr_t start, uintptr_t end,
		 const char *path)
{
	enum zs_root kind = ZS_ROOT_ANON;

	if (path[0] == '/')
		kind = ZS_ROOT_FILE;
	else if (!strcmp(path, "[heap]"))
		kind = ZS_ROOT_HEAP;
	else if (!strcmp(path, "[stack]"))
		kind = ZS_ROOT_STACK;
	s->graph.kind = kind;
	s->graph.mapping =
	    (uint64_t)start >> 12 | (uint64_t)((end - start) >> 12) << 36;
}

void
zm_graph_root(struct zm_scan *s, uintptr_t at)
{
	begin_root(&s->graph, at >> 3, s->graph.kind, s->graph.mapping);
}

/* ---- blocks ----------------------------------------------------------- */

/* The first word of a block if it points into a module, else 0. */
static uintptr_t
first_word(const struct zm_scan *s, const struct zm_work *w)
{
	if (w->size < sizeof(uintptr_t) ||
	    !zm_scan_readable(s, w->start, sizeof(uintptr_t)))
		return 0;
	uintptr_t word = *(const uintptr_t *)w->start;
	if (word < MODULE_LOW || word & 7 || word >> 47 ||
	    (word >= s->lo && word < s->hi) || !zm_module_of(word))
		return 0;
	return word;
}

static unsigned
verdict_now(const struct zm_scan *s)
{
	switch (s->pass) {
	case ZM_PASS_REACH:
		return ZS_REACHABLE;
	case ZM_PASS_POSSIBLE:
		return ZS_POSSIBLE;
	default:
		return ZS_INDIRECT;
	}
}

void
zm_graph_block(struct zm_scan *s, const struct zm_work *w)
{
	struct zm_graph *g = &s->graph;
	uint64_t w0 = w->tag ? __atomic_load_n(w->tag, __ATOMIC_RELAXED) : 0;

	if (!g->on)
		return;
	uintptr_t table = first_word(s, w);
	bool wide = w->size >= UINT32_MAX;
	put(g, block_word(w->start, ZS_GRAPH_BLOCK) |
		   (uint64_t)verdict_now(s) << 46 |
		   (uint64_t)(zs_tag_verdict(w0) & 7) << 49 |
		   (uint64_t)(w0 != 0) << 52 | (uint64_t)wide << 53 |
		   (uint64_t)(table != 0) << 54);
	put(g, zs_tag_stack(w0) | (uint64_t)(wide ? UINT32_MAX : w->size)
				      << 32);
	if (wide)
		put(g, w->size);
	if (table)
		put(g, table);
	g->heads = 0;
	g->base = 0;
	g->source = w->start;
	g->target = 0;
}

/* ---- edges ------------------------------------------------------------ */

void
zm_graph_edge(struct zm_scan *s, uintptr_t block, size_t word, bool holds,
	      bool found)
{
	struct zm_graph *g = &s->graph;

	if (!g->on || block == g->source)
		return;
	if (!found && (block == g->target || !g->extra)) {
		g->dropped += block != g->target;
		return;
	}
	if (g->heads) {
		put(g, g->head[0]);
		put(g, g->head[1]);
		g->heads = 0;
	}
	if (word - g->base > ZS_GRAPH_OFFSET_MAX) {
		put_more(g, ZS_MORE_BASE, word);
		g->base = word;
	}
	put(g, block_word(block, ZS_GRAPH_EDGE) | (uint64_t)holds << 46 |
		   (uint64_t)found << 47 | (uint64_t)(word - g->base) << 48);
	g->extra -= !found;
	g->target = holds ? block : 0;
}

void
zm_graph_leader(struct zm_scan *s, uintptr_t start)
{
	put_more(&s->graph, ZS_MORE_LEADER, start);
}
