/*
 * growing.c - memory over time in a known shape:
 *   growing KIND SEED [MILLISECONDS]
 * in steps of two milliseconds, MILLISECONDS in all (1200).  KIND:
 *   steady     a block of 64 bytes is kept at each step
 *   request    requests come at random; each keeps 3 blocks of 48 bytes
 *              and sets the mark "request"
 *   warm       keeps a block at each step for the first 15 to 45 % of the time
 *   saw        keeps blocks and frees all of them when there are 20 to 40
 *   step       keeps 400 blocks at once somewhere in the middle
 *   slow       a queue of 0 to 40 blocks of 64 bytes goes up and down, and at
 *              two steps in five a block more is kept
 *   noise      the same queue without the leak
 * Beside it, in all of them, a table of 500 blocks of 64 bytes is filled at the
 * start, which must not be named, and buffers of 1000 bytes come and go.
 * Functions that keep something are called alloc_KIND.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ZMALLOC_RECORD_WEAK
#include <zmalloc/record.h>

#define NOINLINE __attribute__((noinline))
enum { STEP_US = 2000, KEPT_MAX = 100000, QUEUE = 40 };

static void *kept[KEPT_MAX], *table[500], *queue[QUEUE];
static int kept_count, queued;
static unsigned long long state;

static double
uniform(void)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (double)(state >> 11) * 0x1p-53;
}

static NOINLINE void
alloc_table(void)
{
	for (int i = 0; i < 500; i++)
		table[i] = malloc(64);
}

static void
keep(void *p)
{
	kept[kept_count++ % KEPT_MAX] = p;
}

static NOINLINE void
alloc_steady(void)
{
	keep(malloc(64));
}
static NOINLINE void
alloc_request(void)
{
	for (int i = 0; i < 3; i++)
		keep(malloc(48));
}
static NOINLINE void
alloc_warm(void)
{
	keep(malloc(64));
}
static NOINLINE void
alloc_saw(void)
{
	keep(malloc(64));
}
static NOINLINE void
alloc_step(void)
{
	for (int i = 0; i < 400; i++)
		keep(malloc(64));
}
static NOINLINE void
alloc_slow(void)
{
	keep(malloc(64));
}
static NOINLINE void
alloc_queue(void)
{
	queue[queued++] = malloc(64);
}

/* Up or down by a few, and back towards the middle. */
static void
move_queue(void)
{
	for (int i = 0; i < 4; i++) {
		double up = 0.5 + (QUEUE / 2 - queued) * 0.02;
		if (uniform() < up) {
			if (queued < QUEUE)
				alloc_queue();
		} else if (queued > 0) {
			free(queue[--queued]);
		}
	}
}

static void
request(void)
{
	alloc_request();
	if (zmalloc_record_mark)
		zmalloc_record_mark("request");
}

static void
free_all(void)
{
	while (kept_count > 0)
		free(kept[--kept_count]);
}

static double
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* What the kind does at a step; part: of the time that is over. */
static void
step(const char *kind, double part, double at, int height)
{
	static int stepped;

	free(malloc(1200));
	if (!strcmp(kind, "steady"))
		alloc_steady();
	else if (!strcmp(kind, "request") && uniform() < 0.4)
		request();
	else if (!strcmp(kind, "warm") && part < at)
		alloc_warm();
	else if (!strcmp(kind, "saw"))
		kept_count < height ? alloc_saw() : free_all();
	else if (!strcmp(kind, "step") && part > at + 0.15 && !stepped++)
		alloc_step();
	if (!strcmp(kind, "slow") || !strcmp(kind, "noise"))
		move_queue();
	if (!strcmp(kind, "slow") && uniform() < 0.4)
		alloc_slow();
}

/* By time, not by steps: on a busy machine there are fewer of them, but the
 * shape is the same. */
int
main(int argc, char **argv)
{
	double length = argc > 3 ? atof(argv[3]) * 1e-3 : 1.2;
	const char *kind = argc > 1 ? argv[1] : "steady";

	state = argc > 2 ? strtoull(argv[2], NULL, 10) * 77777 + 1 : 1;
	for (int i = 0; i < 10; i++)
		uniform();
	double at = 0.15 + 0.3 * uniform();
	int height = 20 + (int)(20 * uniform());
	alloc_table();
	double begin = now(), part;
	while ((part = (now() - begin) / length) < 1) {
		step(kind, part, at, height);
		usleep(STEP_US);
	}
	return 0;
}
