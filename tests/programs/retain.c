/*
 * retain.c - programs of which it is known who holds each block, which root
 * retains what, and when a block was lost.
 *
 *   retain roots       holders of every kind
 *   retain random SEED a graph of blocks under eight variables
 *   retain lost        blocks that are lost between scans
 *   retain grow        a cache that grows between two scans
 *
 * Lines on standard output say what is true:
 *   retains ROOT BLOCKS BYTES   without ROOT so much would be lost
 *   block NAME ADDRESS          where a block lies
 * What retains is computed here by taking each root away and looking at what
 * is still reached, which is slow and simple.
 */
#define ZMALLOC_RECORD_WEAK
#include "known.h"
#include "zmalloc/record.h"

#include <pthread.h>
#include <sys/mman.h>

static void
scan(const char *label)
{
	clear_traces();
	if (zmalloc_record_snapshot)
		zmalloc_record_snapshot(label);
}

/* ---- roots ------------------------------------------------------------ */

struct link {
	struct link *next;
	char rest[24];
};

struct pair {
	void *left, *right;
	char rest[48];
};

struct link *g_list;
void *g_array[10];
struct pair *g_diamond;
struct pair *g_one, *g_other; /* hold one block together */
/* Into the middle of a block: of one that others hold, of one that none does.
 */
char *g_inner, *g_only_inner;
static struct {
	long before[3];
	void *member;
} s_struct;
__thread void *t_local;
static void **volatile page;

static NOINLINE void *
alloc_block(size_t bytes)
{
	return used(malloc(bytes));
}

static NOINLINE void
say(const char *name, void *p)
{
	dprintf(1, "block %s %p\n", name, p);
}

static NOINLINE void
build_list(void)
{
	for (int i = 0; i < 100; i++) {
		struct link *l = alloc_block(sizeof *l);
		l->next = g_list;
		g_list = l;
		if (i == 0)
			say("last_of_list", l);
	}
}

static NOINLINE void
build_diamond(void)
{
	struct pair *l = alloc_block(sizeof *l), *r = alloc_block(sizeof *r);

	memset(l, 0, sizeof *l);
	memset(r, 0, sizeof *r);
	g_diamond = alloc_block(sizeof *g_diamond);
	memset(g_diamond, 0, sizeof *g_diamond);
	g_diamond->left = l;
	g_diamond->right = r;
	l->right = r->left = alloc_block(300);
	say("tip", l->right);
	g_inner = (char *)l + 40;
	char *possible = alloc_block(600);
	memset(possible, 0, 600);
	g_only_inner = possible + 104;
	say("possible", possible);
}

static NOINLINE void
build_shared(void)
{
	g_one = alloc_block(sizeof *g_one);
	g_other = alloc_block(sizeof *g_other);
	memset(g_one, 0, sizeof *g_one);
	memset(g_other, 0, sizeof *g_other);
	struct pair *both = alloc_block(sizeof *both);
	memset(both, 0, sizeof *both);
	both->left = alloc_block(500);
	g_one->left = g_other->right = both;
	say("shared", both->left);
}

static NOINLINE void
build_static(void)
{
	static void *s_static;

	s_static = alloc_block(70);
	used(&s_static);
	s_struct.member = alloc_block(90);
	used(&s_struct);
	say("member", s_struct.member);
}

static NOINLINE void
build_mapping(void)
{
	/* between two that cannot be used, so that it stays one of its own */
	char *three =
	    mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	page = (void **)(three + 4096);
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
	page[17] = alloc_block(1100);
	say("mapped", page[17]);
}

static volatile int ready;

static NOINLINE void
hold_in_thread(void *volatile *local)
{
	local[0] = alloc_block(1200);
	say("on_stack", local[0]);
	t_local = alloc_block(1300);
	say("thread_local", t_local);
}

static void *
holding_thread(void *arg)
{
	void *volatile local[2] = { NULL, NULL };

	pthread_setname_np(pthread_self(), "holding");
	hold_in_thread((void *volatile *)used((void *)local));
	clear_traces();
	ready = 1;
	for (;;)
		pause();
	return arg;
}

static void
roots(void)
{
	pthread_t t;

	build_list();
	for (int i = 0; i < 10; i++)
		g_array[i] = alloc_block(100);
	say("in_array", g_array[7]);
	build_diamond();
	build_shared();
	build_static();
	t_local = alloc_block(1000);
	say("main_local", t_local);
	build_mapping();
	pthread_create(&t, NULL, holding_thread, NULL);
	while (!ready)
		usleep(1000);
	usleep(1000);
	say("lost", alloc_block(77));
	struct pair *lost = alloc_block(sizeof *lost);
	memset(lost, 0, sizeof *lost);
	lost->right = alloc_block(78);
	say("indirect", lost->right);
	dprintf(1, "retains g_list 100 3200\nretains g_array 10 1000\n"
		   "retains g_diamond 4 492\nretains g_one 1 64\n"
		   "retains g_other 1 64\nretains s_struct 1 90\n"
		   "retains g_only_inner 1 600\n"
		   "retains s_static 1 70\n");
}

/* ---- a random graph ---------------------------------------------------- */

enum { NODES = 400, ROOTS = 8, WORDS = 6 };

void *g_r0, *g_r1, *g_r2, *g_r3, *g_r4, *g_r5, *g_r6, *g_r7;
static void **const root[ROOTS] = { &g_r0, &g_r1, &g_r2, &g_r3,
				    &g_r4, &g_r5, &g_r6, &g_r7 };

static int from_root[ROOTS]; /* the node it points to, or -1 */
static int edge[NODES][WORDS];
static size_t size[NODES];
static uintptr_t hidden[NODES]; /* complement of the address */
static uint64_t state;

static unsigned
random_below(unsigned n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((state >> 33) % n);
}

static void
reach(int node, char *seen)
{
	if (node < 0 || seen[node])
		return;
	seen[node] = 1;
	for (int w = 0; w < WORDS; w++)
		reach(edge[node][w], seen);
}

static NOINLINE void
link_nodes(void)
{
	for (int i = 0; i < NODES; i++) {
		void **block = (void **)~hidden[i];
		for (int w = 0; w < WORDS; w++)
			if (edge[i][w] >= 0)
				block[w] = (void *)~hidden[edge[i][w]];
	}
	for (int r = 0; r < ROOTS; r++)
		if (from_root[r] >= 0)
			*root[r] = (void *)~hidden[from_root[r]];
}

static NOINLINE void
choose_graph(void)
{
	/* sparse at some seeds, dense at others */
	unsigned spread = 1 + random_below(30), fan = 1 + random_below(3);

	for (int i = 0; i < NODES; i++) {
		size[i] = WORDS * sizeof(void *) + random_below(200);
		hidden[i] = ~(uintptr_t)used(calloc(1, size[i]));
		for (int w = 0; w < WORDS; w++) {
			edge[i][w] = -1;
			if (random_below(WORDS) < fan)
				edge[i][w] =
				    (int)(((unsigned)i + random_below(spread) +
					   NODES - spread / 2) %
					  NODES);
		}
	}
	for (int r = 0; r < ROOTS; r++)
		from_root[r] = r == 3 ? -1 : (int)random_below(NODES);
}

static void
random_graph(uint64_t seed)
{
	char all[NODES] = { 0 };

	state = seed * 2654435761u + 1;
	choose_graph();
	link_nodes();
	for (int r = 0; r < ROOTS; r++)
		reach(from_root[r], all);
	for (int r = 0; r < ROOTS; r++) {
		char without[NODES] = { 0 };
		size_t blocks = 0, bytes = 0;
		for (int k = 0; k < ROOTS; k++)
			if (k != r)
				reach(from_root[k], without);
		for (int i = 0; i < NODES; i++)
			if (all[i] && !without[i]) {
				blocks++;
				bytes += size[i];
			}
		if (blocks)
			dprintf(1, "retains g_r%d %zu %zu\n", r, blocks, bytes);
	}
}

/* ---- lost between scans ------------------------------------------------ */

struct session {
	long id[3];
	struct pair *cart;
};

struct session *g_sessions[4];
struct link *g_chain;

static NOINLINE struct session *
open_session(void)
{
	return used(calloc(1, sizeof(struct session)));
}

static NOINLINE void *
alloc_cart(void)
{
	return used(calloc(1, sizeof(struct pair)));
}

static NOINLINE void *
alloc_early(void)
{
	return used(malloc(33));
}

static NOINLINE void *
alloc_late(void)
{
	return used(malloc(44));
}

static NOINLINE void
forget_carts(void)
{
	for (int i = 1; i < 4; i++)
		g_sessions[i]->cart = NULL;
}

static NOINLINE void
cut_chain(int at)
{
	struct link *l = g_chain;

	while (at--)
		l = l->next;
	l->next = NULL;
}

static NOINLINE void
lost_setup(void)
{
	for (int i = 0; i < 4; i++) {
		g_sessions[i] = open_session();
		g_sessions[i]->cart = alloc_cart();
	}
	alloc_early(); /* lost before any scan: nobody ever held it */
	for (int i = 0; i < 50; i++) {
		struct link *l = used(calloc(1, sizeof *l));
		l->next = g_chain;
		g_chain = l;
	}
}

static void
lost(void)
{
	lost_setup();
	scan("loaded");
	forget_carts();
	if (zmalloc_record_mark)
		zmalloc_record_mark("between");
	scan("served");
	cut_chain(9); /* 40 blocks, one of them definite */
	alloc_late(); /* never held at a scan */
	scan("closed");
}

/* ---- growth ------------------------------------------------------------ */

struct link *g_cache;
void *g_still;

static NOINLINE void
fill_cache(int n)
{
	while (n--) {
		struct link *l = alloc_block(sizeof *l);
		l->next = g_cache;
		g_cache = l;
	}
}

static void
grow(void)
{
	g_still = alloc_block(1000);
	fill_cache(100);
	scan("first");
	usleep(200000);
	fill_cache(4000);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	void *volatile middle = NULL; /* of a list that a variable holds */

	used((void *)&middle);
	if (!strcmp(what, "roots")) {
		roots();
		middle = g_list->next->next;
	} else if (!strcmp(what, "random") && argc > 2)
		random_graph(strtoull(argv[2], NULL, 10));
	else if (!strcmp(what, "lost"))
		lost();
	else if (!strcmp(what, "grow"))
		grow();
	else
		return 2;
	clear_traces();
	exit(0);
}
