/*
 * alloc.c - allocator patterns: `alloc PATTERN [size]` runs one, so that its
 * CPU time and peak RSS can be taken from outside the process; `alloc --list`
 * names them all.  The table is at the end; alloc.h has the rules.  bench/run
 * compiles it (-fno-builtin: no allocation may be optimised away) and runs it
 * under each allocator by LD_PRELOAD.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "alloc.h"

#define K 1024ul
#define M (1024ul * K)

void
die(const char *what)
{
	perror(what);
	exit(1);
}

void *
own_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static double
cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

void
latency(const struct pattern *p, long (*work)(const struct pattern *, long n))
{
	for (long n = 1000;;) {
		double t = cpu_ns();
		long done = work(p, n);
		t = cpu_ns() - t;
		if (t >= 1e8) {
			printf("ns %.2f\n", t / (double)done);
			return;
		}
		n = t < 1e7 ? 8 * n : (long)((double)n * 1.3e8 / t);
	}
}

void
settle(const struct pattern *p, uint32_t blocks)
{
	void **first = own_memory(blocks * sizeof *first);
	for (uint32_t k = 0; k < blocks; k++) {
		first[k] = malloc(p->low);
		touch_first(first[k]);
	}
	touch_first(malloc(p->low));
	free_blocks(first, blocks);
}

/* The same block again and again. */
static long
work_pair(const struct pattern *p, long n)
{
	for (long i = 0; i < n; i++) {
		void *block = malloc(p->low);
		touch_first(block);
		free(block);
	}
	return n;
}

static void
run_pair(const struct pattern *p)
{
	settle(p, 1);
	latency(p, work_pair);
}

/* 64 allocations, then 64 frees, oldest first. */
static long
work_batch(const struct pattern *p, long n)
{
	void *block[64];
	long i;
	for (i = 0; i < n; i += 64) {
		for (int k = 0; k < 64; k++) {
			block[k] = malloc(p->low);
			touch_first(block[k]);
		}
		for (int k = 0; k < 64; k++)
			free(block[k]);
	}
	return i;
}

static void
run_batch(const struct pattern *p)
{
	settle(p, p->blocks);
	latency(p, work_batch);
}

void
replace_blocks(const struct pattern *p, void **window, struct random *r,
	       long operations)
{
	for (long i = 0; i < operations; i++) {
		uint32_t k = random_next(r) % p->blocks;
		size_t size = random_size(r, p);
		free(window[k]);
		window[k] = malloc(size);
		touch_pages(window[k], size);
	}
}

void
free_blocks(void **window, uint32_t blocks)
{
	for (uint32_t k = 0; k < blocks; k++)
		free(window[k]);
}

static void
run_replace(const struct pattern *p)
{
	struct random r = random_start(0);
	void **window = own_memory(p->blocks * sizeof *window);
	replace_blocks(p, window, &r, p->count);
	free_blocks(window, p->blocks);
}

/* A list that only grows, then goes in the order it came. */
static void
run_grow(const struct pattern *p)
{
	void **list = NULL, **last = NULL;
	for (uint32_t i = 0; i < p->blocks; i++) {
		void **block = malloc(p->low);
		*block = NULL;
		if (last != NULL)
			*last = block;
		else
			list = block;
		last = block;
	}
	while (list != NULL) {
		void **next = *list;
		free(list);
		list = next;
	}
}

/* The same with frees in random order: a congruential generator visits every
   index once (blocks is a power of two). */
static void
run_grow_random(const struct pattern *p)
{
	void **block = own_memory(p->blocks * sizeof *block);
	for (uint32_t i = 0; i < p->blocks; i++) {
		block[i] = malloc(p->low);
		touch_first(block[i]);
	}
	uint32_t k = 0;
	for (uint32_t i = 0; i < p->blocks; i++) {
		k = (k * 1664525u + 1013904223u) % p->blocks;
		free(block[k]);
	}
}

struct node {
	struct node *left, *right;
	long value;
};

static struct node *
tree_build(int depth)
{
	struct node *n = malloc(sizeof *n);
	n->value = depth;
	n->left = depth > 0 ? tree_build(depth - 1) : NULL;
	n->right = depth > 0 ? tree_build(depth - 1) : NULL;
	return n;
}

static void
tree_free(struct node *n)
{
	if (n == NULL)
		return;
	tree_free(n->left);
	tree_free(n->right);
	free(n);
}

/* Binary trees of all depths come and go beside one that stays. */
static void
run_trees(const struct pattern *p)
{
	struct node *stays = tree_build(17);
	for (long i = 0; i < p->count; i++)
		for (int depth = 4; depth <= 16; depth += 2)
			for (int k = 0; k < 1 << (16 - depth); k++)
				tree_free(tree_build(depth));
	tree_free(stays);
}

/* Strings grow by append, each time to the exact length, and are dropped when
   they are longer than `high`. */
static void
run_strings(const struct pattern *p)
{
	struct random r = random_start(0);
	char **text = own_memory(p->blocks * sizeof *text);
	size_t *length = own_memory(p->blocks * sizeof *length);
	for (long i = 0; i < p->count; i++) {
		uint32_t k = random_next(&r) % p->blocks;
		size_t more = 1 + random_next(&r) % p->low;
		if (length[k] + more > p->high) {
			free(text[k]);
			text[k] = NULL;
			length[k] = 0;
		}
		text[k] = realloc(text[k], length[k] + more + 1);
		memset(text[k] + length[k], 'a', more);
		length[k] += more;
		text[k][length[k]] = '\0';
	}
	free_blocks((void **)text, p->blocks);
}

static void
run_usable(const struct pattern *p)
{
	struct random r = random_start(0);
	void **window = own_memory(p->blocks * sizeof *window);
	for (uint32_t k = 0; k < p->blocks; k++) {
		size_t size = random_size(&r, p);
		window[k] = malloc(size);
		touch_pages(window[k], size);
	}
	size_t sum = 0;
	for (long i = 0; i < p->count; i++)
		sum += malloc_usable_size(window[i * 7919 % p->blocks]);
	if (sum < (size_t)p->count * p->low)
		die("malloc_usable_size");
	free_blocks(window, p->blocks);
}

/* Counts are such that glibc takes 0.1 to 0.6 s. */
static const struct pattern patterns[] = {
	{ "pair-16", UNIT_NS, run_pair, 16, 16, 1, 0 },
	{ "pair-64", UNIT_NS, run_pair, 64, 64, 1, 0 },
	{ "pair-256", UNIT_NS, run_pair, 256, 256, 1, 0 },
	{ "pair-1008", UNIT_NS, run_pair, 1008, 1008, 1, 0 },
	{ "pair-4096", UNIT_NS, run_pair, 4 * K, 4 * K, 1, 0 },
	{ "pair-32K", UNIT_NS, run_pair, 32 * K, 32 * K, 1, 0 },
	{ "pair-128K", UNIT_NS, run_pair, 128 * K, 128 * K, 1, 0 },
	{ "pair-1M", UNIT_NS, run_pair, M, M, 1, 0 },
	{ "pair-8M", UNIT_NS, run_pair, 8 * M, 8 * M, 1, 0 },
	{ "batch64-16", UNIT_NS, run_batch, 16, 16, 64, 0 },
	{ "batch64-64", UNIT_NS, run_batch, 64, 64, 64, 0 },
	{ "batch64-256", UNIT_NS, run_batch, 256, 256, 64, 0 },
	{ "batch64-1008", UNIT_NS, run_batch, 1008, 1008, 64, 0 },
	{ "batch64-4096", UNIT_NS, run_batch, 4 * K, 4 * K, 64, 0 },
	{ "batch64-32K", UNIT_NS, run_batch, 32 * K, 32 * K, 64, 0 },
	{ "remote-64", UNIT_NS, run_remote, 64, 64, 10000, 0 },
	{ "remote-1008", UNIT_NS, run_remote, 1008, 1008, 10000, 0 },
	{ "replace-8-64", UNIT_CPU, run_replace, 8, 64, 1000, 8000000 },
	{ "replace-8-256", UNIT_CPU, run_replace, 8, 256, 10000, 5000000 },
	{ "replace-16-1K", UNIT_CPU, run_replace, 16, K, 10000, 4000000 },
	{ "replace-512-32K", UNIT_CPU, run_replace, 512, 32 * K, 1000,
	  1000000 },
	{ "replace-4K-4M", UNIT_CPU, run_replace, 4 * K, 4 * M, 30, 2000 },
	{ "grow-40", UNIT_CPU, run_grow, 40, 40, 1 << 21, 0 },
	{ "grow-400", UNIT_CPU, run_grow, 400, 400, 1 << 19, 0 },
	{ "grow-random-40", UNIT_CPU, run_grow_random, 40, 40, 1 << 20, 0 },
	{ "grow-random-400", UNIT_CPU, run_grow_random, 400, 400, 1 << 18, 0 },
	{ "trees", UNIT_CPU, run_trees, 0, 0, 0, 16 },
	{ "strings", UNIT_CPU, run_strings, 32, 4000, 20000, 2000000 },
	{ "usable-size", UNIT_CPU, run_usable, 8, 8 * K, 5000, 40000000 },
	{ "prodcons-64", UNIT_CPU, run_producer_consumer, 64, 64, 512,
	  3000000 },
	{ "prodcons-4096", UNIT_CPU, run_producer_consumer, 4 * K, 4 * K, 512,
	  500000 },
	{ "threads-8", UNIT_CPU, run_threads, 16, K, 1000, 500000 },
	{ "server", UNIT_CPU, run_server, 8, 500, 1000, 4000 },
	{ "thread-churn", UNIT_CPU, run_churn, 16, K, 64, 400 },
};
enum { PATTERNS = sizeof patterns / sizeof *patterns };

/* By its name; with a size of one's own the family ("pair") is enough. */
static const struct pattern *
pattern_find(const char *name, int family)
{
	size_t length = strlen(name);
	for (int i = 0; i < PATTERNS; i++) {
		const char *have = patterns[i].name;
		if (strcmp(have, name) == 0 ||
		    (family && strncmp(have, name, length) == 0 &&
		     have[length] == '-'))
			return &patterns[i];
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (int i = 0; i < PATTERNS; i++)
			printf("%s %s\n", patterns[i].name,
			       patterns[i].unit == UNIT_NS ? "ns" : "cpu");
		return 0;
	}
	const struct pattern *found =
	    argc == 2 || argc == 3 ? pattern_find(argv[1], argc == 3) : NULL;
	long size = argc == 3 ? strtol(argv[2], NULL, 10) : 8;
	if (found == NULL || size < 8) {
		fprintf(stderr, "usage: alloc --list | PATTERN [size]\n");
		return 2;
	}
	struct pattern p = *found;
	if (argc == 3)
		p.low = p.high = (size_t)size;
	p.run(&p);
	return 0;
}
