/*
 * honest.c - threads that allocate, grow, copy and free all the time and lose
 * nothing: what they have hangs on globals, or is in a call.  Kills itself
 * after MILLISECONDS, so that the report has the kinds of the last scan.
 *   honest MILLISECONDS
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 4, SLOTS = 3000 };

struct node {
	struct node *next;
	long value[3];
};

static void *volatile slot[THREADS][SLOTS];
static struct node *volatile list[THREADS];

static void
step(long t, uint64_t chance)
{
	void *volatile *s = &slot[t][(chance >> 20) % SLOTS];
	void *old = *s;
	struct node *n;

	switch (chance % 7) {
	case 0:
		*s = NULL;
		free(old);
		return;
	case 1:
		*s = calloc(1, (chance >> 40) % 300);
		free(old);
		return;
	case 2:
		*s = realloc(old, 1 + (chance >> 40) % 900);
		return;
	case 3:
		*s = strdup("some text that is copied");
		free(old);
		return;
	case 4:
		n = malloc(sizeof *n);
		n->next = list[t];
		list[t] = n;
		return;
	case 5:
		n = list[t];
		if (n)
			list[t] = n->next;
		free(n);
		return;
	default:
		if ((chance >> 40) % 50 == 0)
			*s = realloc(old, 40000 + (chance >> 44) % 1000000);
	}
}

static void *
run(void *arg)
{
	long t = (long)(intptr_t)arg;
	uint64_t s = 88172645463325252u + (uint64_t)t * 77;

	for (;;) {
		s ^= s << 13;
		s ^= s >> 7;
		s ^= s << 17;
		step(t, s);
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_t t;

	for (long i = 0; i < THREADS; i++)
		pthread_create(&t, NULL, run, (void *)(intptr_t)i);
	usleep(1000u * (unsigned)(argc > 1 ? atoi(argv[1]) : 500));
	kill(getpid(), SIGKILL);
	return 1;
}
