/*
 * alloc.h - what the pattern files of bench/alloc share: the description of a
 * pattern, random numbers, and how a pattern touches its memory.
 *
 * Fairness rules, for all patterns:
 * - Fixed seeds and fixed counts: each allocator serves the same requests.
 * - Memory is used as programs use it.  The first bytes of each block are
 *   written, always; where sizes are random, every page of the block too, so
 *   that memory handed out counts in the peak and cold pages cost their fault.
 * - Threads that have nothing to do sleep on a semaphore; none spins, or CPU
 *   time would measure the waiting.
 */
#ifndef BENCH_ALLOC_H
#define BENCH_ALLOC_H

#include <stddef.h>
#include <stdint.h>

/* How a pattern is judged; the words are those of `alloc --list`. */
enum unit {
	UNIT_NS,  /* it prints CPU ns per operation, of all threads */
	UNIT_CPU, /* CPU time and peak RSS of the process, from outside */
};

struct pattern {
	const char *name;
	enum unit unit;
	void (*run)(const struct pattern *);
	size_t low, high; /* sizes of blocks, both included */
	uint32_t blocks;  /* blocks alive at a time (of one thread) */
	long count;	  /* operations of one thread; 0: until 0.1 s */
};

struct random {
	uint64_t state;
};

/* xorshift64 (Marsaglia), the same on every machine. */
static inline uint32_t
random_next(struct random *r)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return (uint32_t)(r->state >> 16);
}

static inline struct random
random_start(unsigned stream)
{
	return (struct random){ 88172645463325252ull +
				stream * 0x9e3779b97f4aull };
}

static inline size_t
random_size(struct random *r, const struct pattern *p)
{
	return p->low + random_next(r) % (p->high - p->low + 1);
}

/* All blocks have 8 bytes or more.  No memory: the program may crash here. */
static inline void
touch_first(void *block)
{
	*(volatile uint64_t *)block = 1;
}

static inline void
touch_pages(void *block, size_t size)
{
	touch_first(block);
	for (size_t at = 4096; at < size; at += 4096)
		((volatile char *)block)[at] = 1;
}

/* `operations` allocations in a window of blocks, each replacing one. */
void replace_blocks(const struct pattern *p, void **window, struct random *r,
		    long operations);
void free_blocks(void **window, uint32_t blocks);

/* Programs have other blocks too: allocate the pattern's first ones, then one
   that stays, then free the first.  Otherwise glibc, whose heap is a stack,
   would be measured giving all of it back to the kernel after each round. */
void settle(const struct pattern *p, uint32_t blocks);

/* Zeroed memory that is not the allocator's. */
void *own_memory(size_t size);
void die(const char *what);

/* Repeat `work(p, n)`, which answers how many operations it did, with growing
   n until it takes 0.1 s of CPU time, and print the last one's ns each. */
void latency(const struct pattern *p,
	     long (*work)(const struct pattern *, long n));

void run_producer_consumer(const struct pattern *p);
void run_remote(const struct pattern *p);
void run_threads(const struct pattern *p);
void run_server(const struct pattern *p);
void run_churn(const struct pattern *p);

#endif
