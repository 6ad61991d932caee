/*
 * lookup.c - see lookup.h.
 *
 * The queue is in order of arrival.  Where no thread can be had, questions are
 * answered when somebody waits for them.
 */
#include "lookup.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct lookup {
	pthread_t thread;
	int started, refused; /* there is a thread; there cannot be one */
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t asked, answered;
	struct lookup_job *first, **last;
	int stop;
};

struct lookup *
lookup_new(void)
{
	struct lookup *l = calloc(1, sizeof *l);
	if (!l)
		return NULL;
	l->last = &l->first;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->asked, NULL);
	pthread_cond_init(&l->answered, NULL);
	return l;
}

int
lookup_done(const struct lookup_job *job)
{
	return __atomic_load_n(&job->done, __ATOMIC_ACQUIRE);
}

static void
answer(struct lookup_job *job)
{
	const struct symbol_frame *frames;
	size_t n = 0;
	if (job->address == LOOKUP_HEAP)
		job->heap = symbols_heap(job->module);
	else
		n = symbols_lookup(job->module, job->address, &frames);
	if (n && (job->frames = malloc(n * sizeof *frames))) {
		memcpy(job->frames, frames, n * sizeof *frames);
		job->count = n;
	}
	__atomic_store_n(&job->done, 1, __ATOMIC_RELEASE);
}

/* The next question, or NULL when the thread is to end. */
static struct lookup_job *
take(struct lookup *l)
{
	struct lookup_job *job;
	pthread_mutex_lock(&l->lock);
	pthread_cond_signal(&l->answered);
	while (!l->stop && !l->first)
		pthread_cond_wait(&l->asked, &l->lock);
	job = l->stop ? NULL : l->first;
	if (job && !(l->first = job->next))
		l->last = &l->first;
	pthread_mutex_unlock(&l->lock);
	return job;
}

static void *
work(void *arg)
{
	struct lookup *l = arg;
	struct lookup_job *job;
	while ((job = take(l)))
		answer(job);
	return NULL;
}

void
lookup_ask(struct lookup *l, struct lookup_job *job)
{
	if (!l->started && !l->refused) {
		l->started = pthread_create(&l->thread, NULL, work, l) == 0;
		l->refused = !l->started;
	}
	if (l->refused)
		return;
	pthread_mutex_lock(&l->lock);
	job->next = NULL;
	*l->last = job;
	l->last = &job->next;
	pthread_cond_signal(&l->asked);
	pthread_mutex_unlock(&l->lock);
}

void
lookup_wait(struct lookup *l, struct lookup_job *job)
{
	if (lookup_done(job))
		return;
	if (l->refused) {
		answer(job);
		return;
	}
	pthread_mutex_lock(&l->lock);
	while (!lookup_done(job))
		pthread_cond_wait(&l->answered, &l->lock);
	pthread_mutex_unlock(&l->lock);
}

void
lookup_stop(struct lookup *l)
{
	if (!l)
		return;
	if (l->started) {
		pthread_mutex_lock(&l->lock);
		l->stop = 1;
		pthread_cond_signal(&l->asked);
		pthread_mutex_unlock(&l->lock);
		pthread_join(l->thread, NULL);
	}
	pthread_mutex_destroy(&l->lock);
	pthread_cond_destroy(&l->asked);
	pthread_cond_destroy(&l->answered);
	free(l);
}
