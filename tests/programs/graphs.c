/*
 * graphs.c - random graphs of blocks, and what they are made of.
 *   graphs SEED COUNT [snapshot]
 *
 * Builds COUNT graphs of blocks of all sizes: trees, lists, rings and chance,
 * with pointers to starts and into interiors, held by globals, by a mapping, by
 * thread-local data and by the stack of another thread, or by nothing.  Prints
 *   n GRAPH NODE ADDRESS SIZE, e GRAPH FROM TO INTERIOR, r GRAPH TO INTERIOR
 * and ends by exit, or by _exit after a snapshot.  All that is known of the
 * graphs lies in shared memory, where no scan looks.
 */
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include "known.h"

#define ZMALLOC_RECORD_WEAK
#include <zmalloc/record.h>

enum { NODES = 64, EDGES = 160, ROOTS = 12, GRAPHS = 400, INSIDE = 16 };

struct graph {
	int nodes, edges, roots;
	uintptr_t at[NODES];
	size_t size[NODES];
	struct edge {
		int from, to, inside;
	} edge[EDGES];
	struct {
		int to, inside;
	} root[ROOTS];
};

static struct graph *graph; /* [GRAPHS], shared */
static char *text;	    /* shared */
static size_t text_used;

static void *volatile globals[GRAPHS * 3];
static __thread void *volatile local[GRAPHS * 3];
static void **mapping;
static uint64_t seed;
static volatile int ready;

static unsigned
chance(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 20) % n;
}

static void
put(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_used += (size_t)vsnprintf(text + text_used, 256, format, args);
	va_end(args);
}

static void
connect(struct graph *g, int from, int to, int inside)
{
	if (g->edges == EDGES)
		return;
	for (int i = 0; i < g->edges; i++)
		if (g->edge[i].from == from && g->edge[i].to == to)
			return;
	g->edge[g->edges++] = (struct edge){ from, to, inside };
}

static void
shape(struct graph *g)
{
	int kind = (int)chance(4), n = g->nodes;

	for (int i = 1; i < n; i++) {
		int inside = chance(6) == 0;
		if (kind == 0)
			connect(g, (i - 1) / 2, i, inside);
		else if (kind == 1)
			connect(g, i - 1, i, inside);
		else if (kind == 2 && i % 7)
			connect(g, i - 1, i, inside);
		else if (kind == 2)
			connect(g, i - 1, i - (int)chance(7) - 0, inside);
	}
	if (kind == 2) /* rings */
		for (int i = 6; i < n; i += 7)
			connect(g, i, i - 6, 0);
	for (int i = 0; i < n / (kind == 3 ? 1 : 4); i++)
		connect(g, (int)chance((unsigned)n), (int)chance((unsigned)n),
			chance(4) == 0);
	g->roots = (int)chance(4);
	for (int i = 0; i < g->roots; i++) {
		g->root[i].to = (int)chance((unsigned)n);
		g->root[i].inside = chance(4) == 0;
	}
}

static size_t
some_size(void)
{
	switch (chance(8)) {
	case 0:
		return 1024 + chance(60000);
	case 1:
		return 300 + chance(700);
	default:
		return 200 + chance(56);
	}
}

/* Edges out of a node lie at the beginning and in the middle of a block. */
static NOINLINE void
build(int number, struct graph *g)
{
	int out[NODES] = { 0 };

	g->nodes = 5 + (int)chance(NODES - 5);
	shape(g);
	for (int i = 0; i < g->nodes; i++) {
		g->size[i] = some_size() & ~(size_t)7;
		void *p = used(malloc(g->size[i]));
		memset(p, 0, g->size[i]);
		g->at[i] = (uintptr_t)p;
		put("n %d %d %lu %zu\n", number, i, (unsigned long)g->at[i],
		    g->size[i]);
	}
	for (int i = 0; i < g->edges; i++) {
		struct edge *e = &g->edge[i];
		size_t room = g->size[e->from] / 8 - 4;
		if ((size_t)out[e->from] == room)
			continue;
		void **words = (void **)g->at[e->from];
		words[3 + out[e->from]++] =
		    (char *)g->at[e->to] + (e->inside ? INSIDE : 0);
		put("e %d %d %d %d\n", number, e->from, e->to, e->inside);
	}
	for (int i = 0; i < g->roots; i++) {
		void *p = (char *)g->at[g->root[i].to] +
			  (g->root[i].inside ? INSIDE : 0);
		switch (chance(3)) {
		case 0:
			globals[number * 3 + i] = p;
			break;
		case 1:
			local[number * 3 + i] = p;
			break;
		default:
			mapping[number * 3 + i] = p;
		}
		put("r %d %d %d\n", number, g->root[i].to, g->root[i].inside);
	}
}

/* Another thread holds a block of some graphs on its stack. */
static void *
holder(void *arg)
{
	void *volatile held[GRAPHS / 4];
	long count = (long)(intptr_t)arg;

	memset((void *)held, 0, sizeof held);
	for (long i = 0; i < count; i += 4) {
		struct graph *g = &graph[i];
		int to = (int)chance((unsigned)g->nodes);
		held[i / 4] = (void *)g->at[to];
		put("r %ld %d 0\n", i, to);
	}
	ready = 1;
	for (;;)
		pause();
	return (void *)held[0];
}

static NOINLINE void
run(int count)
{
	pthread_t t;

	for (int i = 0; i < count; i++)
		build(i, &graph[i]);
	pthread_create(&t, NULL, holder, (void *)(intptr_t)count);
	while (!ready)
		usleep(1000);
	usleep(20000); /* it sleeps */
}

static void *
shared(size_t bytes)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

int
main(int argc, char **argv)
{
	int count = argc > 2 ? atoi(argv[2]) : 1;

	seed = 88172645463325252u ^
	       (argc > 1 ? strtoul(argv[1], NULL, 10) * 2654435761u : 0);
	if (count < 1 || count > GRAPHS)
		return 2;
	graph = shared(GRAPHS * sizeof *graph);
	text = shared((size_t)GRAPHS << 16);
	mapping =
	    mmap(NULL, GRAPHS * 3 * sizeof *mapping, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	run(count);
	clear_traces();
	int error = 0;
	if (argc > 3)
		error = zmalloc_record_snapshot
			    ? zmalloc_record_snapshot("graphs")
			    : 1;
	for (size_t at = 0; at < text_used;) {
		ssize_t n = write(1, text + at, text_used - at);
		if (n <= 0)
			return 1;
		at += (size_t)n;
	}
	if (argc > 3)
		kill(getpid(), SIGKILL); /* kinds are the snapshot's */
	exit(error);
}
