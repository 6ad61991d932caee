/*
 * malloc_child.h - programs for tests of what is fixed when a process starts.
 *
 * A test program has roles: functions that it runs when it is started with
 * their name.  child_run starts the program again in a role, with variables in
 * its environment, and reports how that ended and what it said.
 */
#ifndef TESTS_UNIT_MALLOC_CHILD_H
#define TESTS_UNIT_MALLOC_CHILD_H

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "malloc_check.h"

struct role {
	const char *name;
	int (*run)(void); /* exit status */
};

struct outcome {
	int status;   /* of waitpid */
	bool stopped; /* it stopped itself, and was killed then */
	char text[8192];
};

static const char *child_program = "/proc/self/exe";

/* The child, to be waited for; what it prints goes to out. */
static pid_t
child_start(const char *role, char *const env[], int out)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid)
		return pid;
	char *argv[] = { (char *)"child", (char *)role, NULL };
	alarm(50);
	dup2(out, 1);
	dup2(out, 2);
	execve(child_program, argv, env);
	_exit(127);
}

static void
child_text(int out, struct outcome *o)
{
	ssize_t n = pread(out, o->text, sizeof(o->text) - 1, 0);
	o->text[n > 0 ? n : 0] = '\0';
}

/* env: up to four VAR=VALUE, NULL for less. */
static struct outcome
child_run(const char *role, const char *a, const char *b, const char *c,
	  const char *d)
{
	struct outcome o = { .stopped = false };
	char *env[] = { (char *)a, (char *)b, (char *)c, (char *)d, NULL };
	int out = memfd_create("child", MFD_CLOEXEC);
	CHECK(out >= 0);
	pid_t pid = child_start(role, env, out);
	CHECK(waitpid(pid, &o.status, WUNTRACED) == pid);
	if (WIFSTOPPED(o.status)) {
		o.stopped = true;
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, NULL, 0) == pid);
	}
	child_text(out, &o);
	close(out);
	return o;
}

/* The exit status of a child in a role; 1000 + the signal that ended it. */
__attribute__((unused)) static int
child_exit(const char *role, const char *a, const char *b, const char *c)
{
	struct outcome o = child_run(role, a, b, c, NULL);
	return WIFSIGNALED(o.status) ? 1000 + WTERMSIG(o.status)
				     : WEXITSTATUS(o.status);
}

/* Runs the role and ends, when the program was started in one. */
static void
child_main(int argc, char **argv, const struct role *roles, size_t count)
{
	for (size_t i = 0; argc > 1 && i < count; i++)
		if (strcmp(argv[1], roles[i].name) == 0)
			exit(roles[i].run());
	if (argc > 1)
		exit(126);
}

#define CHILD_MAIN(argc, argv, roles) \
	child_main(argc, argv, roles, sizeof(roles) / sizeof((roles)[0]))

/* True when the byte at p can be read, by the kernel's own judgement. */
__attribute__((unused)) static bool
readable(const void *p)
{
	int fd[2];
	if (pipe(fd))
		return false;
	bool can = write(fd[1], p, 1) == 1;
	close(fd[0]);
	close(fd[1]);
	return can;
}

#endif
