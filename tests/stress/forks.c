/*
 * forks.c - the program forks again and again while other threads allocate;
 * each child allocates, frees what it inherited, makes a thread, and ends.
 * A child that hangs on a lock is what this looks for: the runner's time limit
 * is the judge, together with the children's exit status.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, SLOTS = 100 };

static volatile int stop;
static void *mine[SLOTS];

static void *
body(void *arg)
{
	uint32_t s = (uint32_t)(uintptr_t)arg;
	void *p[SLOTS] = { NULL };

	while (!stop) {
		s = s * 1664525u + 1013904223u;
		unsigned i = (s >> 8) % SLOTS;
		free(p[i]);
		p[i] = malloc((s >> 4) % ((s >> 28) ? 500 : 50000));
	}
	for (int i = 0; i < SLOTS; i++)
		free(p[i]);
	return NULL;
}

static void *
short_body(void *arg)
{
	for (int i = 0; i < 200; i++)
		free(malloc((size_t)i * 50));
	return arg;
}

static void
child(void)
{
	pthread_t t;

	for (int i = 0; i < SLOTS; i++) {
		if (mine[i] && *(int *)mine[i] != i)
			_exit(1);
		free(mine[i]);
		mine[i] = malloc(300);
	}
	if (pthread_create(&t, NULL, short_body, NULL) || pthread_join(t, NULL))
		_exit(2);
	exit(0);
}

int
main(int argc, char **argv)
{
	int forks = argc > 1 ? atoi(argv[1]) : 40, bad = 0;
	pthread_t t[THREADS];

	for (int i = 0; i < SLOTS; i++) {
		mine[i] = malloc(sizeof(int) + (size_t)i * 40);
		*(int *)mine[i] = i;
	}
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, body, (void *)(i + 1));
	for (int i = 0; i < forks; i++) {
		int status = -1;
		pid_t pid = fork();

		if (pid == 0)
			child();
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			bad++;
	}
	stop = 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	return bad != 0;
}
