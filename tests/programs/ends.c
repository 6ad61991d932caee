/*
 * ends.c - a program that ends in one of many ways, with 5 blocks of 33 bytes
 * lost, 3 of 48 held by a global and 1 of 72 held by a thread's stack.
 *   ends HOW
 * Also says what it sees of its signals: "ends signals".
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

static void *volatile held[3];
static volatile int ready;
extern char **environ;

static NOINLINE void
alloc_lost(void)
{
	for (int i = 0; i < 5; i++) {
		char *volatile p = malloc(33);
		p[0] = 1;
		p = NULL;
	}
}
static NOINLINE void
alloc_held(void)
{
	for (int i = 0; i < 3; i++)
		held[i] = malloc(48);
}
static NOINLINE void *
alloc_stack(void)
{
	return malloc(72);
}

static NOINLINE void
clear_stack(void)
{
	char dead[32 << 10];

	memset(dead, 0, sizeof dead);
	__asm__ volatile("" : : "r"(dead) : "memory");
}

static void *
sleeper(void *arg)
{
	void *volatile mine = alloc_stack();

	ready = 1;
	for (;;)
		pause();
	return mine ? arg : mine;
}

static void *
leaver(void *arg)
{
	clear_stack();
	_exit(6);
	return arg;
}

static void
on_term(int sig)
{
	_exit(sig);
}

static void
on_abort(int sig)
{
	(void)sig;
	if (write(1, "aborts\n", 7) != 7)
		_exit(1);
}

static void
print_signals(void)
{
	static const int looked[] = { SIGHUP,  SIGINT,	SIGSEGV, SIGABRT,
				      SIGTERM, SIGPIPE, SIGCHLD };
	struct sigaction a;

	for (size_t i = 0; i < sizeof looked / sizeof *looked; i++) {
		sigaction(looked[i], NULL, &a);
		printf("%d %s %x\n", looked[i],
		       a.sa_handler == SIG_DFL	 ? "default"
		       : a.sa_handler == SIG_IGN ? "ignored"
						 : "handler",
		       (unsigned)a.sa_flags & ~0x04000000u);
	}
	printf("%d", signal(SIGTERM, on_term) == SIG_DFL);
	printf("%d", signal(SIGTERM, SIG_DFL) == on_term);
	printf("%d", signal(SIGTERM, SIG_IGN) == SIG_DFL);
	printf("%d\n", signal(SIGTERM, SIG_DFL) == SIG_IGN);
}

static void
children(void)
{
	char *argv[] = { "true", NULL };
	int status;

	if (fork() == 0)
		_exit(3);
	wait(&status);
	if (vfork() == 0) {
		execv("/nonexistent", argv);
		_exit(4);
	}
	wait(&status);
	if (vfork() == 0)
		execve("/bin/true", argv, environ);
	wait(&status);
	if (fork() == 0)
		kill(getpid(), SIGTERM);
	wait(&status);
	printf("%d %d\n", WIFSIGNALED(status), system("exit 5") >> 8);
}

int
main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "return";
	char *next[] = { argv[0], "again", NULL };
	pthread_t t;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (!strcmp(how, "again"))
		return 8;
	pthread_create(&t, NULL, sleeper, NULL);
	while (!ready)
		usleep(1000);
	alloc_lost();
	alloc_held();
	clear_stack();
	if (!strcmp(how, "_exit"))
		_exit(5);
	if (!strcmp(how, "_Exit"))
		_Exit(5);
	if (!strcmp(how, "quick_exit"))
		quick_exit(5);
	if (!strcmp(how, "exec"))
		execv("/proc/self/exe", next);
	if (!strcmp(how, "execvpe"))
		execvpe("/proc/self/exe", next, environ);
	if (!strcmp(how, "execl"))
		execl("/proc/self/exe", argv[0], "again", NULL);
	if (!strcmp(how, "exec-fails")) {
		execv("/nonexistent", next);
		perror("exec");
		alloc_held();
		_exit(9);
	}
	if (!strcmp(how, "abort"))
		abort();
	if (!strcmp(how, "abort-handled")) {
		signal(SIGABRT, on_abort);
		abort();
	}
	if (!strcmp(how, "segv"))
		*(volatile int *)(uintptr_t)16 = 1;
	if (!strcmp(how, "term"))
		kill(getpid(), SIGTERM);
	if (!strcmp(how, "term-handled")) {
		signal(SIGTERM, on_term);
		raise(SIGTERM);
	}
	if (!strcmp(how, "term-default")) {
		signal(SIGTERM, on_term);
		signal(SIGTERM, SIG_DFL);
		kill(getpid(), SIGTERM);
	}
	if (!strcmp(how, "pipe")) {
		int fds[2];
		if (pipe(fds) || close(fds[0]) || write(fds[1], "x", 1) != 1)
			return 1;
	}
	if (!strcmp(how, "thread")) {
		pthread_create(&t, NULL, leaver, NULL);
		for (;;)
			pause();
	}
	if (!strcmp(how, "signals"))
		print_signals();
	if (!strcmp(how, "children"))
		children();
	return 7;
}
