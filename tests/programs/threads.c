/*
 * threads.c - blocks of threads that end, of many threads, of each other.
 */
#include "known.h"

#include <pthread.h>

/* A thread's own stack holds traces of what it did. */
#define BODY(name, statement)               \
	static void *name##_body(void *arg) \
	{                                   \
		statement;                  \
		clear_traces();             \
		return arg;                 \
	}

static NOINLINE void
alloc_ended(void)
{
	for (int i = 0; i < 5; i++)
		used(malloc(48));
}
BODY(ended, alloc_ended())
static NOINLINE void
ended(void)
{
	pthread_t t;

	pthread_create(&t, NULL, ended_body, NULL);
	pthread_join(t, NULL);
}

static pthread_barrier_t barrier;

static NOINLINE void
alloc_fifty(void)
{
	void *p[100];

	for (int i = 0; i < 100; i++)
		p[i] = used(malloc(16 + i));
	for (int i = 0; i < 100; i++)
		if (i != 50 && i != 84)
			free(p[i]);
}
BODY(fifty, pthread_barrier_wait(&barrier); alloc_fifty())
static NOINLINE void
fifty(void)
{
	pthread_t t[50];

	pthread_barrier_init(&barrier, NULL, 50);
	for (int i = 0; i < 50; i++)
		pthread_create(&t[i], NULL, fifty_body, NULL);
	for (int i = 0; i < 50; i++)
		pthread_join(t[i], NULL);
}

/* One thread allocates, another frees all but a few. */
static void *volatile handed[1000];
static NOINLINE void
alloc_handed(void)
{
	for (int i = 0; i < 1000; i++)
		handed[i] = used(malloc(200));
}
static NOINLINE void
free_handed(void)
{
	for (int i = 0; i < 1000; i++) {
		if (i % 100)
			free(handed[i]);
		handed[i] = NULL;
	}
}
BODY(giver, alloc_handed())
BODY(taker, free_handed())
static NOINLINE void
handed_over(void)
{
	pthread_t t;

	pthread_create(&t, NULL, giver_body, NULL);
	pthread_join(t, NULL);
	pthread_create(&t, NULL, taker_body, NULL);
	pthread_join(t, NULL);
}

/* A detached thread ends before the program does. */
static volatile int detached_done;
static NOINLINE void
alloc_detached(void)
{
	used(malloc(64));
}
BODY(detached, alloc_detached(); detached_done = 1)
static NOINLINE void
detached(void)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_create(&t, &attr, detached_body, NULL);
	while (!detached_done)
		usleep(1000);
	usleep(20000);
}

/* The destructor of thread-specific data allocates, late in a thread's life. */
static pthread_key_t key;
static NOINLINE void
alloc_in_destructor(void *p)
{
	free(p);
	used(malloc(72));
	clear_traces();
}
static NOINLINE void
alloc_specific(void)
{
	pthread_setspecific(key, used(malloc(8)));
}
BODY(destructor, alloc_specific())
static NOINLINE void
destructor(void)
{
	pthread_t t;

	pthread_key_create(&key, alloc_in_destructor);
	pthread_create(&t, NULL, destructor_body, NULL);
	pthread_join(t, NULL);
}

/* Another thread than main calls exit(). */
static NOINLINE void
alloc_exiting(void)
{
	used(malloc(88));
}
static void *
exiting_body(void *arg)
{
	alloc_exiting();
	clear_traces();
	exit(0);
	return arg;
}
static NOINLINE void
exit_elsewhere(void)
{
	pthread_t t;

	pthread_create(&t, NULL, exiting_body, NULL);
	for (;;)
		pause();
}

static const struct scenario scenarios[] = {
	{ "ended", ended, "definite alloc_ended 5 240\n", NULL },
	{ "fifty", fifty, "definite alloc_fifty 100 8300\n", NULL },
	{ "handed_over", handed_over, "definite alloc_handed 10 2000\n", NULL },
	{ "detached", detached, "definite alloc_detached 1 64\n", NULL },
	{ "destructor", destructor, "definite alloc_in_destructor 1 72\n",
	  NULL },
	{ "exit_elsewhere", exit_elsewhere, "definite alloc_exiting 1 88\n",
	  "alone" },
};

KNOWN_MAIN(scenarios)
