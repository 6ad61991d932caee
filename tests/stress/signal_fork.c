/*
 * signal_fork.c - a signal interrupts malloc or free anywhere, and its handler
 * forks while other threads allocate.  The child ends at once; neither it nor
 * the parent may hang on a lock that the interrupted call holds.
 *
 *   signal_fork [COUNT [BLOCKS]]
 *
 * With BLOCKS 1 every second child allocates in the handler first.  Nothing
 * promises that this works where the interrupted call was changing a list;
 * malloc_fork_inside.c has the places where it does.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, SLOTS = 300 };

static int stop;
static unsigned long steps; /* of the main thread */
static volatile sig_atomic_t forks, bad, blocks;

/* Slow paths most of the time: many sizes, few of each. */
static void
churn(uint32_t *s, void **p)
{
	*s = *s * 1664525u + 1013904223u;
	unsigned i = (*s >> 8) % SLOTS, n = *s >> 4;
	free(p[i]);
	p[i] = malloc(n % (*s >> 31   ? 256
			   : *s >> 30 ? 40000
			   : *s >> 29 ? 400000
				      : 1008));
}

static void *
body(void *arg)
{
	uint32_t s = (uint32_t)(uintptr_t)arg;
	void *p[SLOTS] = { NULL };
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		churn(&s, p);
	for (int i = 0; i < SLOTS; i++)
		free(p[i]);
	return NULL;
}

static void
child(int allocate)
{
	static const size_t size[] = { 30, 700, 5000, 100000, 9 << 20 };
	alarm(30);
	for (int k = 0; allocate && k < 5; k++) {
		void *p = malloc(size[k]);
		if (!p)
			_exit(2);
		*(char *)p = 1;
		free(p);
	}
	_exit(0);
}

static void
on_signal(int sig)
{
	int e = errno, status = -1;
	(void)sig;
	pid_t pid = fork();
	if (pid == 0)
		child(blocks && forks % 2);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		bad = status;
	forks++;
	errno = e;
}

static void *
shoot(void *arg)
{
	pthread_t *target = arg;
	unsigned long seen = 0, now;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		usleep(300);
		now = __atomic_load_n(&steps, __ATOMIC_RELAXED);
		if (now != seen) /* or it never gets anywhere */
			pthread_kill(*target, SIGUSR1);
		seen = now;
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 100;
	blocks = argc > 2 && atoi(argv[2]);
	struct sigaction sa = { .sa_handler = on_signal,
				.sa_flags = SA_RESTART };
	pthread_t t[THREADS + 1], self = pthread_self();
	void *p[SLOTS] = { NULL };
	uint32_t s = 99;

	alarm(100);
	sigaction(SIGUSR1, &sa, NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, body, (void *)(i + 1));
	pthread_create(&t[THREADS], NULL, shoot, &self);
	while (forks < count && !bad) {
		churn(&s, p);
		__atomic_fetch_add(&steps, 1, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i <= THREADS; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < SLOTS; i++)
		free(p[i]);
	return bad != 0;
}
