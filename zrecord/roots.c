/*
 * roots.c - see roots.h.
 *
 * Where a root lies is decided in this order: thread-local data and what libc
 * keeps behind the thread pointer, a thread's stack from its stack pointer up,
 * the data of a module, then the mapping as a whole.
 */
#include "roots.h"
#include "stacks.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* What libc keeps of a thread lies behind its thread pointer on x86-64, before
 * it on aarch64. */
#if defined(__aarch64__)
enum { THREAD_BEFORE = 0x800, THREAD_BEHIND = 16 };
#else
enum { THREAD_BEFORE = 0, THREAD_BEHIND = 0xa00 };
#endif

struct key {
	uint32_t kind, thread, module;
	int32_t tid;	/* of a thread, if it has no index in the record */
	uint64_t start; /* of the symbol or mapping */
};

struct entry {
	struct key key;
	uint32_t index;
	struct root root;
	UT_hash_handle hh;
};

struct roots {
	struct entry *by_key;
	struct entry **all;
	uint32_t count, room;
};

/* A stretch of thread-local data, or of what libc keeps of a thread. */
struct local {
	uint64_t start, end;
	uint32_t thread; /* of the graph */
	uint32_t module; /* 0: libc's */
};

struct resolver {
	struct roots *roots;
	struct process *process;
	struct writer *writer;
	struct graph *graph;
	struct zs_module *modules;
	uint32_t module_count;
	struct zs_thread *threads;
	uint32_t thread_count;
	struct local *locals; /* by start */
	uint32_t local_count;
	/* the answer for addresses [start, end) */
	uint64_t start, end;
	uint32_t root;
	uint64_t base; /* what offsets count from */
};

struct roots *
roots_new(void)
{
	return calloc(1, sizeof(struct roots));
}

void
roots_free(struct roots *r)
{
	struct entry *e, *next;
	if (!r)
		return;
	HASH_ITER(hh, r->by_key, e, next)
	{
		HASH_DEL(r->by_key, e);
		free(e);
	}
	free(r->all);
	free(r);
}

uint32_t
roots_count(const struct roots *r)
{
	return r->count;
}

struct root *
roots_get(const struct roots *r, uint32_t index)
{
	return &r->all[index]->root;
}

/* ---- rows ------------------------------------------------------------- */

/* The latest thread with that id. */
static void
set_thread(const struct resolver *r, struct key *key, int32_t tid)
{
	for (uint32_t i = r->thread_count; i-- > 1;)
		if (r->threads[i].tid == tid) {
			key->thread = i;
			return;
		}
	key->tid = tid; /* one that never allocated */
}

static void
write_root(const struct resolver *r, struct entry *e, const char *symbol,
	   uint64_t bytes)
{
	static const char *const names[] = { "data",	 "tls",	   "heap",
					     "mapping",	 "thread", "stack",
					     "registers" };
	const struct key *k = &e->key;
	struct catalog_module *m =
	    k->module ? stacks_module(r->process, k->module) : NULL;
	char *name = symbol ? strdup(symbol) : NULL;
	int addressed = k->kind == ROOT_HEAP || k->kind == ROOT_MAPPING ||
			(symbol && k->kind == ROOT_DATA);
	int32_t tid = k->thread ? r->threads[k->thread].tid : k->tid;
	if (name)
		utf8_clean(name);
	e->root.id =
	    writer_row(r->writer, ROW_ROOT, "ititiiii", r->process->id,
		       names[k->kind], m ? catalog_module_id(m) : NO_INTEGER,
		       name, k->thread ? (int64_t)k->thread : NO_INTEGER,
		       tid ? (int64_t)tid : NO_INTEGER,
		       addressed ? (int64_t)k->start : NO_INTEGER,
		       bytes ? (int64_t)bytes : NO_INTEGER);
	free(name);
}

/* The root with that key, made when it is new. */
static uint32_t
root_of(struct resolver *r, struct key key, const char *symbol, uint64_t bytes)
{
	struct roots *t = r->roots;
	struct entry *e;
	HASH_FIND(hh, t->by_key, &key, sizeof key, e);
	if (e)
		return e->index;
	if (t->count == t->room) {
		uint32_t room = t->room ? t->room * 2 : 64;
		struct entry **all = reallocarray(t->all, room, sizeof *all);
		if (!all)
			return GRAPH_NONE;
		t->all = all;
		t->room = room;
	}
	if (!(e = calloc(1, sizeof *e)))
		return GRAPH_NONE;
	e->key = key;
	e->index = t->count;
	e->root.kind = (enum root_kind)key.kind;
	HASH_ADD(hh, t->by_key, key, sizeof key, e);
	t->all[t->count++] = e;
	write_root(r, e, symbol, bytes);
	return e->index;
}

/* ---- what an address is ----------------------------------------------- */

static void
answer(struct resolver *r, uint64_t start, uint64_t end, uint64_t base,
       uint32_t root)
{
	r->start = start;
	r->end = end;
	r->base = base;
	r->root = root;
}

/* The variable at an address of a module's data or thread-local data: `zero`
 * is where the file's addresses begin in memory. */
static void
answer_variable(struct resolver *r, uint64_t at, struct key key, uint64_t zero)
{
	struct symbol_object o = { 0 };
	struct catalog_module *m = stacks_module(r->process, key.module);
	int tls = key.kind == ROOT_TLS;
	if (m && catalog_object(m, at - zero, tls, &o) == 0) {
		key.start = zero + o.start;
		uint64_t end = o.size ? key.start + o.size : at + 8;
		answer(r, key.start, end, key.start,
		       root_of(r, key, o.name, o.size));
	} else {
		/* no name: all of these are one root, offsets are the file's */
		answer(r, at, at + 8, zero, root_of(r, key, NULL, 0));
	}
}

static int
answer_local(struct resolver *r, uint64_t at)
{
	uint32_t low = 0, high = r->local_count;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (r->locals[middle].start <= at)
			low = middle + 1;
		else
			high = middle;
	}
	const struct local *l = low ? &r->locals[low - 1] : NULL;
	if (!l || at >= l->end)
		return 0;
	int32_t tid = r->graph->thread[l->thread].tid;
	struct key key = { .kind = l->module ? ROOT_TLS : ROOT_THREAD,
			   .module = l->module };
	set_thread(r, &key, tid);
	if (l->module)
		answer_variable(r, at, key, l->start);
	else
		answer(r, l->start, l->end, l->start, root_of(r, key, NULL, 0));
	return 1;
}

/* The stack of the thread whose stack pointer is the nearest below. */
static int
answer_stack(struct resolver *r, uint64_t at, const struct graph_piece *p)
{
	const struct graph *g = r->graph;
	const struct graph_thread *best = NULL;
	uint64_t above = p->map_end;
	for (uint32_t i = 0; i < g->threads; i++) {
		const struct graph_thread *t = &g->thread[i];
		if (t->sp < p->map_start || t->sp >= p->map_end)
			continue;
		if (t->sp > at && t->sp < above)
			above = t->sp;
		if (t->sp <= at && (!best || t->sp > best->sp))
			best = t;
	}
	if (!best)
		return 0;
	uint64_t end = above;
	if (best->tp > best->sp && best->tp < end)
		end = best->tp;
	if (at >= end)
		return 0;
	/* up to the next thread-local data, which was looked for before */
	struct key key = { .kind = ROOT_STACK };
	set_thread(r, &key, best->tid);
	answer(r, at, at + 8, best->sp, root_of(r, key, NULL, 0));
	return 1;
}

static int
answer_module(struct resolver *r, uint64_t at)
{
	for (uint32_t i = r->module_count; i-- > 1;) {
		const struct zs_module *m = &r->modules[i];
		double gone = (double)m->unloaded_ns * 1e-9;
		if (at < m->start || at >= m->end ||
		    (m->unloaded_ns && gone < r->graph->begin))
			continue;
		answer_variable(r, at,
				(struct key){ .kind = ROOT_DATA, .module = i },
				m->bias);
		return 1;
	}
	return 0;
}

static void
resolve_address(struct resolver *r, uint64_t at, const struct graph_piece *p)
{
	if (at >= r->start && at < r->end)
		return;
	if (answer_local(r, at) || answer_stack(r, at, p) ||
	    answer_module(r, at))
		return;
	struct key key = { .kind = p->kind == ZS_ROOT_HEAP ? ROOT_HEAP
							   : ROOT_MAPPING,
			   .start = p->map_start };
	answer(r, at, at + 8, p->map_start,
	       root_of(r, key, NULL, p->map_end - p->map_start));
}

static void
resolve(struct resolver *r, struct graph_start *s)
{
	const struct graph_piece *p = &r->graph->piece[s->piece];
	if (p->kind == ZS_ROOT_REGISTERS) {
		struct key key = { .kind = ROOT_REGISTERS };
		set_thread(r, &key, (int32_t)p->at);
		s->root = root_of(r, key, NULL, 0);
		s->root_offset = s->offset / 8;
		return;
	}
	uint64_t at = p->at + s->offset;
	resolve_address(r, at, p);
	s->root = r->root;
	s->root_offset = at - r->base;
}

/* ---- thread-local data ------------------------------------------------ */

static int
by_start(const void *a, const void *b)
{
	const struct local *x = a, *y = b;
	return (x->start > y->start) - (x->start < y->start);
}

static void
list_locals(struct resolver *r)
{
	const struct graph *g = r->graph;
	uint64_t n = (uint64_t)g->threads * (g->tls_count + 1ul);
	r->locals = n < GRAPH_ROOT ? calloc(n + 1, sizeof *r->locals) : NULL;
	if (!r->locals)
		return;
	for (uint32_t t = 0; t < g->threads; t++) {
		uint64_t tp = g->thread[t].tp;
		for (uint32_t i = 0; i < g->tls_count; i++) {
			uint64_t at = tp + g->tls[i].at;
			r->locals[r->local_count++] =
			    (struct local){ at, at + g->tls[i].bytes, t,
					    g->tls[i].module };
		}
		r->locals[r->local_count++] =
		    (struct local){ tp - THREAD_BEFORE, tp + THREAD_BEHIND, t,
				    0 };
	}
	qsort(r->locals, r->local_count, sizeof *r->locals, by_start);
}

void
roots_resolve(struct roots *roots, struct process *p, struct writer *w,
	      struct catalog *c, struct graph *g)
{
	struct resolver r = { .roots = roots,
			      .process = p,
			      .writer = w,
			      .graph = g,
			      .root = GRAPH_NONE };
	stacks_ask(p, c); /* the modules of the scan are in its list */
	r.modules = segment_table(&p->seg, &p->seg.h.modules, &r.module_count);
	r.threads = segment_table(&p->seg, &p->seg.h.threads, &r.thread_count);
	list_locals(&r);
	for (uint32_t i = 0; i < g->starts; i++)
		resolve(&r, &g->start[i]);
	free(r.modules);
	free(r.threads);
	free(r.locals);
}
