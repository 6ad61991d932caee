/*
 * measure.c - what a command costs under each of several preloaded libraries:
 *
 *   measure [-o] [-n ROUNDS] LABEL NAME=LIBRARY... -- COMMAND [args...]
 *
 * Runs it once per NAME and round, interleaved, with LD_PRELOAD=LIBRARY (none
 * if empty), and prints lines "NAME LABEL metric value": cpu in ms (user and
 * system, with all the children it waited for), wall in ms, rss (peak, of the
 * largest process) in KiB.  A line of the command's own output is passed on
 * in the same form with -o and dropped without.  A run that fails is named
 * on stderr and gives no line; the exit status is 1 then.
 *
 * Linked static where that works: the kernel counts the size of the process
 * that spawns as part of the child's peak, so it should be small.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* No run takes so long; a deadlock does. */
enum { TIMEOUT = 120, OUTPUT = 4096 };

extern char **environ;
static volatile pid_t child;

struct run {
	int status;
	double cpu, wall; /* ms */
	long rss;	  /* KiB */
	char output[OUTPUT];
};

static void
die(const char *what)
{
	fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void
on_alarm(int sig)
{
	(void)sig;
	if (child > 0)
		kill(child, SIGKILL);
}

static double
now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return 1e3 * (double)t.tv_sec + (double)t.tv_nsec / 1e6;
}

static double
ms(struct timeval t)
{
	return 1e3 * (double)t.tv_sec + (double)t.tv_usec / 1e3;
}

/* Our environment with another LD_PRELOAD. */
static char **
environment(const char *library)
{
	size_t n = 0;
	while (environ[n] != NULL)
		n++;
	char **env = calloc(n + 2, sizeof *env), **end = env;
	if (env == NULL)
		die("calloc");
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "LD_PRELOAD=", 11) != 0)
			*end++ = environ[i];
	if (*library != '\0' && asprintf(end, "LD_PRELOAD=%s", library) < 0)
		die("asprintf");
	return env;
}

/* The command's output: nowhere, or a pipe that is read when the command has
   ended (a pattern's one line fits). */
static void
output_open(int fd[2], int wanted)
{
	if (wanted) {
		if (pipe2(fd, O_CLOEXEC) != 0)
			die("pipe2");
		fcntl(fd[0], F_SETFL, O_NONBLOCK);
	} else {
		fd[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		fd[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (fd[0] < 0 || fd[1] < 0)
			die("/dev/null");
	}
}

static struct run
run(char **command, char **env, int output)
{
	struct run r = { 0 };
	struct rusage usage;
	posix_spawn_file_actions_t files;
	int out[2];
	output_open(out, output);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
	double start = now_ms();
	pid_t pid;
	errno = posix_spawnp(&pid, command[0], &files, NULL, command, env);
	if (errno != 0)
		die(command[0]);
	child = pid;
	alarm(TIMEOUT);
	while (wait4(pid, &r.status, 0, &usage) < 0)
		if (errno != EINTR)
			die("wait4");
	child = 0;
	alarm(0);
	r.wall = now_ms() - start;
	r.cpu = ms(usage.ru_utime) + ms(usage.ru_stime);
	r.rss = usage.ru_maxrss;
	if (read(out[0], r.output, sizeof r.output - 1) < 0)
		r.output[0] = '\0';
	posix_spawn_file_actions_destroy(&files);
	close(out[0]);
	close(out[1]);
	return r;
}

static int
report(const char *name, int length, const char *label, struct run *r)
{
	if (r->status != 0) {
		fprintf(stderr, "%s under %.*s: %s %d\n", label, length, name,
			WIFSIGNALED(r->status) ? "signal" : "exit status",
			WIFSIGNALED(r->status) ? WTERMSIG(r->status)
					       : WEXITSTATUS(r->status));
		return 1;
	}
	printf("%.*s %s cpu %.3f\n", length, name, label, r->cpu);
	printf("%.*s %s wall %.3f\n", length, name, label, r->wall);
	printf("%.*s %s rss %ld\n", length, name, label, r->rss);
	char *rest = r->output, *line;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line != '\0')
			printf("%.*s %s %s\n", length, name, label, line);
	return 0;
}

int
main(int argc, char **argv)
{
	int output = 0, failed = 0, option;
	long rounds = 1;
	while ((option = getopt(argc, argv, "+on:")) != -1) {
		if (option == 'o')
			output = 1;
		else if (option == 'n')
			rounds = strtol(optarg, NULL, 10);
		else
			return 2;
	}
	char **label = argv + optind, **command = label;
	while (*command != NULL && strcmp(*command, "--") != 0)
		command++;
	if (command - label < 2 || command[0] == NULL || command[1] == NULL) {
		fprintf(stderr, "usage: measure [-o] [-n ROUNDS] LABEL "
				"NAME=LIBRARY... -- COMMAND [args...]\n");
		return 2;
	}
	signal(SIGALRM, on_alarm);
	for (long i = 0; i < rounds; i++) {
		for (char **v = label + 1; v < command; v++) {
			char *equal = strchr(*v, '=');
			if (equal == NULL)
				return 2;
			char **env = environment(equal + 1);
			struct run r = run(command + 1, env, output);
			failed |= report(*v, (int)(equal - *v), *label, &r);
		}
	}
	return failed;
}
