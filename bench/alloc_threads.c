/*
 * alloc_threads.c - the patterns of bench/alloc that have threads.  Blocks
 * wander from thread to thread, threads outnumber CPUs, threads come and go.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "alloc.h"

enum { THREADS = 8, CHAINS = 4 };

static pthread_t
start(void *(*function)(void *), void *arg)
{
	pthread_t t;
	if (pthread_create(&t, NULL, function, arg) != 0)
		die("pthread_create");
	return t;
}

/*
 * A ring of two halves of p->blocks blocks each: the producer fills one while
 * the consumer frees the other, and whoever has no half sleeps.
 */
struct ring {
	const struct pattern *p;
	void **half[2];
	sem_t empty, full;
	long halves;
};

static void *
consumer(void *arg)
{
	struct ring *ring = arg;
	for (long i = 0; i < ring->halves; i++) {
		sem_wait(&ring->full);
		free_blocks(ring->half[i % 2], ring->p->blocks);
		sem_post(&ring->empty);
	}
	return NULL;
}

static void
produce(const struct pattern *p, long halves, unsigned ahead)
{
	struct ring ring = { .p = p, .halves = halves };
	for (int i = 0; i < 2; i++)
		ring.half[i] = own_memory(p->blocks * sizeof(void *));
	sem_init(&ring.empty, 0, ahead);
	sem_init(&ring.full, 0, 0);
	pthread_t t = start(consumer, &ring);
	for (long i = 0; i < halves; i++) {
		sem_wait(&ring.empty);
		for (uint32_t k = 0; k < p->blocks; k++) {
			void *block = malloc(p->low);
			touch_first(block);
			ring.half[i % 2][k] = block;
		}
		sem_post(&ring.full);
	}
	pthread_join(t, NULL);
}

void
run_producer_consumer(const struct pattern *p)
{
	settle(p, 2 * p->blocks);
	produce(p, p->count / p->blocks, 2);
}

/* One thread allocates, then the other frees: never both at once. */
static long
work_remote(const struct pattern *p, long n)
{
	long rounds = n / p->blocks + 1;
	produce(p, rounds, 1);
	return rounds * p->blocks;
}

void
run_remote(const struct pattern *p)
{
	settle(p, p->blocks);
	latency(p, work_remote);
}

/* One thread's part of the patterns below. */
struct job {
	const struct pattern *p;
	struct random random;
	void **window;
	long generations;
	sem_t *done;
};

static void *
replacer(void *arg)
{
	struct job *job = arg;
	replace_blocks(job->p, job->window, &job->random, job->p->count);
	free_blocks(job->window, job->p->blocks);
	return NULL;
}

static struct job
job_new(const struct pattern *p, unsigned stream)
{
	return (struct job){
		.p = p,
		.random = random_start(stream),
		.window = own_memory(p->blocks * sizeof(void *)),
	};
}

/* More threads than CPUs, each with blocks of its own. */
void
run_threads(const struct pattern *p)
{
	struct job job[THREADS];
	pthread_t t[THREADS];
	for (unsigned i = 0; i < THREADS; i++) {
		job[i] = job_new(p, i);
		t[i] = start(replacer, &job[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

/* Works on the window it was given, hands it on to a successor and ends. */
static void *
server(void *arg)
{
	struct job *job = arg;
	pthread_detach(pthread_self());
	replace_blocks(job->p, job->window, &job->random, job->p->count);
	if (--job->generations > 0)
		start(server, job);
	else
		sem_post(job->done);
	return NULL;
}

/* A server in which blocks outlive the threads that allocated them. */
void
run_server(const struct pattern *p)
{
	struct job job[CHAINS];
	sem_t done;
	sem_init(&done, 0, 0);
	for (unsigned i = 0; i < CHAINS; i++) {
		job[i] = job_new(p, i);
		job[i].generations = 200;
		job[i].done = &done;
		start(server, &job[i]);
	}
	for (int i = 0; i < CHAINS; i++)
		sem_wait(&done);
	for (int i = 0; i < CHAINS; i++)
		free_blocks(job[i].window, p->blocks);
}

static void *
visitor(void *arg)
{
	struct job *job = arg;
	for (uint32_t k = 0; k < job->p->blocks; k++) {
		size_t size = random_size(&job->random, job->p);
		job->window[k] = malloc(size);
		touch_pages(job->window[k], size);
	}
	free_blocks(job->window, job->p->blocks);
	return NULL;
}

/* p->count waves of threads that allocate a little and end. */
void
run_churn(const struct pattern *p)
{
	struct job job[THREADS];
	pthread_t t[THREADS];
	for (unsigned i = 0; i < THREADS; i++)
		job[i] = job_new(p, i);
	for (long wave = 0; wave < p->count; wave++) {
		for (int i = 0; i < THREADS; i++)
			t[i] = start(visitor, &job[i]);
		for (int i = 0; i < THREADS; i++)
			pthread_join(t[i], NULL);
	}
}
