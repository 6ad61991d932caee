/*
 * control.c - a program that records itself, or waits to be recorded:
 *   control self      start, stop and start again, marks, a snapshot
 *   control off       every call of <zmalloc/record.h> without a recorder
 *   control loop N    N rounds of 10 ms; each keeps a block of 48 bytes and
 *                     loses one of 33; threads allocate beside it
 *   control idle      allocates when it is told to by a line on its input
 *   control fork      as loop, and has a child that does the same
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ZMALLOC_RECORD_WEAK
#include <zmalloc/record.h>

#define NOINLINE __attribute__((noinline))

static void *kept[4096];
static volatile int interrupted;

static NOINLINE void
alloc_before(void)
{
	for (int i = 0; i < 1000; i++)
		kept[i] = malloc(100);
}
static NOINLINE void
alloc_during(int i)
{
	kept[2000 + i] = malloc(48);
}
static NOINLINE void
alloc_lost(void)
{
	static volatile char sink;
	char *p = malloc(33);
	p[0] = 1;
	sink = p[0];
	(void)sink;
}
static NOINLINE void
alloc_after(int i)
{
	kept[3000 + i] = malloc(200);
}

static void *
busy(void *arg)
{
	for (unsigned long i = 0;; i++) {
		void *p = malloc(64 + i % 128);
		memset(p, 1, 8);
		free(p);
		if (i % 1000 == 0)
			usleep(1000);
	}
	return arg;
}

static void
print(const char *what, int error)
{
	printf("%s %s\n", what,
	       error == 0	   ? "done"
	       : error == ENOTCONN ? "not recorded"
	       : error == EALREADY ? "already"
				   : strerror(error));
}

static int
self(void)
{
	alloc_before();
	print("start", zmalloc_record_start());
	print("start", zmalloc_record_start());
	printf("running %d\n", zmalloc_record_running() != 0);
	for (int i = 0; i < 20; i++)
		alloc_during(i);
	for (int i = 0; i < 5; i++)
		alloc_lost();
	for (int i = 0; i < 10; i++)
		free(kept[i]); /* older than the recording */
	print("mark", zmalloc_record_mark("middle"));
	print("snapshot", zmalloc_record_snapshot("looked"));
	print("stop", zmalloc_record_stop());
	print("stop", zmalloc_record_stop());
	printf("running %d\n", zmalloc_record_running() != 0);
	for (int i = 0; i < 100; i++)
		alloc_lost();
	for (int i = 0; i < 10; i++)
		free(kept[2000 + i]);
	print("start", zmalloc_record_start());
	for (int i = 0; i < 7; i++)
		alloc_after(i);
	for (int i = 10; i < 20; i++)
		free(kept[2000 + i]); /* of the recording before */
	return 0;
}

static int
off(void)
{
	if (!zmalloc_record_mark)
		return puts("no library"), 0;
	print("mark", zmalloc_record_mark("x"));
	print("snapshot", zmalloc_record_snapshot(NULL));
	print("stop", zmalloc_record_stop());
	printf("running %d\n", zmalloc_record_running() != 0);
	return 0;
}

static void
on_alarm(int sig)
{
	(void)sig;
	interrupted++;
}

static int
loop(int rounds)
{
	pthread_t t;

	signal(SIGUSR1, on_alarm);
	alloc_before();
	for (int i = 0; i < 2; i++)
		pthread_create(&t, NULL, busy, NULL);
	for (int i = 0; i < rounds; i++) {
		alloc_during(i % 1000);
		alloc_lost();
		if (usleep(10000) != 0) {
			puts("interrupted");
			return 9;
		}
	}
	puts("end");
	fflush(stdout);
	_exit(7);
}

static int
idle(void)
{
	char c;

	alloc_before();
	while (read(0, &c, 1) == 1) {
		for (int i = 0; i < 10; i++)
			alloc_during(i);
		if (write(1, "did\n", 4) != 4)
			return 1;
	}
	return 0;
}

static int
forks(int rounds)
{
	alloc_before();
	for (int i = 0; i < rounds; i++) {
		alloc_during(i % 1000);
		usleep(10000);
		if (i % 20 == 10 && fork() == 0) {
			for (int k = 0; k < 5; k++)
				alloc_after(k);
			exit(4);
		}
	}
	while (wait(NULL) > 0)
		;
	return 0;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 100;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(what, "self"))
		return self();
	if (!strcmp(what, "off"))
		return off();
	if (!strcmp(what, "loop"))
		return loop(n);
	if (!strcmp(what, "idle"))
		return idle();
	if (!strcmp(what, "fork"))
		return forks(n);
	return 2;
}
