/*
 * children.c - ways to make and to end a process, one per argument:
 *   spawn_fails  posix_spawn of what is not there      vfork_fails  vfork, exec
 *   spawn        posix_spawn of `children status 5'    that fails, _exit
 *   clone        clone without CLONE_VM, raw           daemon       two forks,
 *   many N       N children at once, child i ends      setsid, outlives us
 *                with status i % 100
 *   status N     allocates, ends with that status by exit
 *   _exit N      the same by _exit                     kill N       by signal N
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static void *volatile sink;

static __attribute__((noinline)) void
alloc_some(int n)
{
	while (n--)
		sink = malloc(48);
}

static void
print_ending(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, __WALL) != pid)
		printf("wait failed\n");
	else if (WIFSIGNALED(status))
		printf("signal %d\n", WTERMSIG(status));
	else
		printf("status %d\n", WEXITSTATUS(status));
}

static void
spawn(const char *path)
{
	char *argv[] = { (char *)"children", (char *)"status", (char *)"5",
			 NULL };
	pid_t pid;
	int error = posix_spawn(&pid, path, NULL, NULL, argv, environ);

	if (error)
		printf("spawn: %s\n", strerror(error));
	else
		print_ending(pid);
}

static void
vfork_fails(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execl("/nonexistent/program", "program", (char *)NULL);
		_exit(errno == ENOENT ? 66 : 67);
	}
	print_ending(pid);
}

static void
raw_clone(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0) {
		alloc_some(3);
		syscall(SYS_exit_group, 21);
	}
	print_ending((pid_t)pid);
}

static void
make_daemon(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		if (fork() == 0) {
			alloc_some(4);
			usleep(700000); /* we have ended by then */
			alloc_some(4);
			FILE *f = fopen(getenv("DAEMON_DONE"), "w");
			if (f)
				fclose(f);
			exit(0);
		}
		_exit(0);
	}
	print_ending(pid);
	usleep(100000);
}

static void
many(int n)
{
	int ended = 0, status, wrong = 0;

	for (int i = 0; i < n; i++) {
		if (fork() == 0) {
			alloc_some(i + 1);
			usleep(100000);
			exit(i % 100);
		}
	}
	for (; wait(&status) > 0; ended++)
		wrong += !WIFEXITED(status);
	printf("%d ended, %d wrong\n", ended, wrong);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 0;

	alloc_some(2);
	if (!strcmp(what, "spawn_fails"))
		spawn("/nonexistent/program");
	else if (!strcmp(what, "spawn"))
		spawn("/proc/self/exe");
	else if (!strcmp(what, "vfork_fails"))
		vfork_fails();
	else if (!strcmp(what, "clone"))
		raw_clone();
	else if (!strcmp(what, "daemon"))
		make_daemon();
	else if (!strcmp(what, "many"))
		many(n);
	else if (!strcmp(what, "status"))
		return n;
	else if (!strcmp(what, "_exit"))
		_exit(n);
	else if (!strcmp(what, "kill"))
		kill(getpid(), n);
	alloc_some(1);
	fflush(stdout);
	return 0;
}
