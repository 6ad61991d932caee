/*
 * selfview.c - prints all that a program sees of itself and that a recorder
 * might change: descriptors, signals, children, environment, groups, threads,
 * limits.  Once before it allocates, once after, once at exit.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static volatile int sigchld;

static void
on_sigchld(int sig)
{
	(void)sig;
	sigchld++;
}

static void
descriptors(void)
{
	for (int fd = 0; fd < 1100; fd++) {
		struct stat st;

		if (fstat(fd, &st) == 0)
			printf("fd %d: mode %o dev %lx ino %lx flags %x %x\n",
			       fd, st.st_mode, (long)st.st_dev, (long)st.st_ino,
			       (unsigned)fcntl(fd, F_GETFL),
			       (unsigned)fcntl(fd, F_GETFD));
	}
	int next = open("/dev/null", O_RDONLY);
	printf("next descriptor %d\n", next);
	close(next);
}

static void
signals(void)
{
	sigset_t mask, pending;
	stack_t ss;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	sigpending(&pending);
	for (int s = 1; s < 65; s++) {
		struct sigaction sa;

		if (sigaction(s, NULL, &sa) == 0 && sa.sa_handler != SIG_DFL)
			printf("signal %d: %s\n", s,
			       sa.sa_handler == SIG_IGN ? "ignored" : "caught");
		if (sigismember(&mask, s) == 1 || sigismember(&pending, s) == 1)
			printf("signal %d: blocked or pending\n", s);
	}
	sigaltstack(NULL, &ss);
	printf("alternate stack: flags %d\n", ss.ss_flags);
}

static void
count_dir(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	printf("%s: %d\n", path, n - 2);
}

static void
children(void)
{
	char buf[256] = "";
	int fd = open("/proc/thread-self/children", O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, sizeof(buf) - 1);

	if (fd >= 0)
		close(fd);
	printf("children: '%.*s'\n", (int)n, buf);
	pid_t pid = waitpid(-1, NULL, WNOHANG | __WALL);
	printf("waitpid: %d %s\n", pid, pid < 0 ? strerror(errno) : "");
	printf("SIGCHLD seen: %d\n", sigchld);
}

static void
limits(void)
{
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit r;

		if (getrlimit((__rlimit_resource_t)i, &r) == 0)
			printf("limit %d: %lx %lx\n", i, (long)r.rlim_cur,
			       (long)r.rlim_max);
	}
	mode_t m = umask(0);
	umask(m);
	printf("umask %o, nice %d\n", m, getpriority(PRIO_PROCESS, 0));
}

/* Environment and command line; what the test sets itself is left out. */
static void
environment(int argc, char **argv)
{
	for (char **e = environ; *e; e++)
		if (strncmp(*e, "MallocTracing", 13))
			printf("env %s\n", *e);
	for (int i = 0; i < argc; i++)
		printf("arg %s\n", argv[i]);
}

static int saved_argc;
static char **saved_argv;

static void
look(const char *when)
{
	char cwd[4096];

	printf("== %s\n", when);
	descriptors();
	signals();
	count_dir("/proc/self/task");
	children();
	limits();
	environment(saved_argc, saved_argv);
	printf("group %d session %d parent-is-shell %d\n",
	       getpgrp() == getpgid(getppid()), getsid(0) == getsid(getppid()),
	       getppid() > 1);
	printf("cwd %s, errno %d\n", getcwd(cwd, sizeof(cwd)), errno);
	fflush(stdout);
}

static void
at_exit(void)
{
	look("at exit");
}

int
main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_sigchld };
	void *kept[100];

	saved_argc = argc;
	saved_argv = argv;
	look("at first");
	sigaction(SIGCHLD, &sa, NULL);
	for (int i = 0; i < 10000; i++) {
		if (i >= 100)
			free(kept[i % 100]);
		kept[i % 100] = malloc((size_t)i % 5000);
	}
	usleep(150000);
	look("after allocations");
	atexit(at_exit);

	/* A child of its own is the only one it hears of. */
	int status = 0;
	pid_t pid = fork();
	if (pid == 0)
		_exit(9);
	printf("own child %d", waitpid(pid, &status, 0) == pid);
	printf(" status %x, SIGCHLD %d\n", status, sigchld);
	sigchld = 0;
	pid = wait(NULL);
	printf("wait: %d %s\n", pid, pid < 0 ? strerror(errno) : "");

	/* Closing all descriptors hurts nobody. */
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	kept[0] = malloc(100);
	return 5;
}
