/*
 * launch.c - see launch.h.
 *
 * What the command inherits is what it would have inherited without us: same
 * process group, streams, signal mask and dispositions, limits, descriptors.
 * Only LD_PRELOAD and the Malloc* variables of the session are added.
 */
#include "launch.h"
#include "elfcheck.h"
#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rlimit files_before;

static int
status_of(enum elf_verdict v)
{
	if (v == ELF_NOT_FOUND)
		return EXIT_NOT_FOUND;
	return v == ELF_NOT_EXECUTABLE ? EXIT_NOT_EXECUTABLE : EXIT_TROUBLE;
}

void
launch_check(const char *command, char *path, size_t bytes)
{
	struct elf_check check;
	int error = elf_find(command, path, bytes);
	if (error)
		die(error == EACCES ? EXIT_NOT_EXECUTABLE : EXIT_NOT_FOUND,
		    "%s: %s", command,
		    error == ENOENT ? "command not found" : strerror(error));
	elf_check(path, &check);
	if (check.verdict != ELF_PRELOADABLE)
		die(status_of(check.verdict), "%s: %s", command, check.why);
}

void
launch_library(char *path, size_t bytes)
{
	static const char *const places[] = { "libzmalloc.so",
					      "../lib/libzmalloc.so" };
	char self[PATH_MAX], tried[PATH_MAX + 32], real[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n <= 0)
		die(EXIT_TROUBLE, "/proc/self/exe: %s", strerror(errno));
	self[n] = 0;
	*strrchr(self, '/') = 0;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		snprintf(tried, sizeof tried, "%s/%s", self, places[i]);
		if (access(tried, R_OK) != 0 || !realpath(tried, real))
			continue;
		if (strpbrk(real, ": \t\n"))
			die(EXIT_TROUBLE,
			    "%s: a path with blanks or colons cannot stand "
			    "in LD_PRELOAD",
			    real);
		if ((size_t)snprintf(path, bytes, "%s", real) < bytes)
			return;
	}
	die(EXIT_TROUBLE, "libzmalloc.so: not found in %s or %s/../lib", self,
	    self);
}

void
launch_prepare_files(void)
{
	struct rlimit more;
	/* A report must never become somebody's stdout. */
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", O_RDWR | O_CLOEXEC);
	/* A process of the tree costs two descriptors. */
	if (getrlimit(RLIMIT_NOFILE, &files_before) != 0)
		return;
	more = files_before;
	more.rlim_cur = more.rlim_max;
	setrlimit(RLIMIT_NOFILE, &more);
}

void
signals_init(struct signals *s, int serve)
{
	static const int wanted[] = { SIGINT, SIGQUIT, SIGTERM,
				      SIGHUP, SIGUSR1, SIGUSR2 };
	struct sigaction plain = { .sa_handler = SIG_DFL };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;
	sigemptyset(&set);
	/* in case our parent ignored it: then nothing could be waited for */
	sigaction(SIGCHLD, &plain, &s->child);
	sigaction(SIGPIPE, &ignore, &s->pipe);
	sigaction(SIGXFSZ, &ignore, &s->size);
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		sigaddset(&set, wanted[i]);
	if (!serve)
		sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &s->mask);
	s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->fd < 0)
		die(EXIT_TROUBLE, "signalfd: %s", strerror(errno));
}

static int
set_environment(const struct settings *s, const char *library,
		const char *session)
{
	char depth[16], sample[24], self[16];
	const char *old = getenv("LD_PRELOAD");
	char *list = NULL;
	int failed;
	if (old && *old) {
		if (asprintf(&list, "%s:%s", library, old) < 0)
			return -1;
		library = list;
	}
	snprintf(depth, sizeof depth, "%ld", s->depth);
	snprintf(sample, sizeof sample, "%llu", (unsigned long long)s->sample);
	snprintf(self, sizeof self, "%d", (int)getpid());
	failed = setenv("LD_PRELOAD", library, 1) ||
		 setenv("MallocTracing", "1", 1) ||
		 setenv("MallocTracingSession", session, 1) ||
		 (s->history && setenv("MallocTracingHistory", "1", 1)) ||
		 (s->depth && setenv("MallocTracingDepth", depth, 1)) ||
		 (!s->follow && setenv("MallocTracingProcess", self, 1)) ||
		 (s->sample && setenv("MallocTracingSample", sample, 1));
	free(list);
	return failed ? -1 : 0;
}

/* execvp's way with text files that have no "#!" line. */
static void
execute(const char *path, char **argv)
{
	execv(path, argv);
	if (errno != ENOEXEC)
		return;
	size_t n = 0;
	while (argv[n])
		n++;
	char **shell = calloc(n + 2, sizeof *shell);
	if (!shell)
		return;
	shell[0] = (char *)"sh";
	shell[1] = (char *)path;
	for (size_t i = 1; i < n; i++)
		shell[i + 1] = argv[i];
	execv("/bin/sh", shell);
}

static void
be_command(const struct settings *s, const struct signals *signals,
	   const char *path, const char *library, const char *session,
	   int report)
{
	int error = set_environment(s, library, session);
	if (error == 0) {
		setrlimit(RLIMIT_NOFILE, &files_before);
		sigaction(SIGCHLD, &signals->child, NULL);
		sigaction(SIGPIPE, &signals->pipe, NULL);
		sigaction(SIGXFSZ, &signals->size, NULL);
		sigprocmask(SIG_SETMASK, &signals->mask, NULL);
		execute(path, s->command);
	}
	error = errno;
	(void)!write(report, &error, sizeof error);
	_exit(EXIT_NOT_EXECUTABLE);
}

int
launch_command(const struct settings *s, const struct signals *signals,
	       const char *path, const char *library, const char *session,
	       pid_t *pid)
{
	int tell[2], error = 0;
	if (pipe2(tell, O_CLOEXEC) != 0)
		return errno;
	*pid = fork();
	if (*pid < 0)
		error = errno;
	if (*pid == 0)
		be_command(s, signals, path, library, session, tell[1]);
	close(tell[1]);
	ssize_t n;
	do
		n = read(tell[0], &error, sizeof error);
	while (n < 0 && errno == EINTR);
	close(tell[0]);
	if (error && *pid > 0)
		waitpid(*pid, NULL, 0);
	return error;
}
