/*
 * launch.c - starts zrecord for a program that runs with MallocTracing=1.
 *
 * The recorder becomes a process of its own that the program cannot notice:
 * no SIGCHLD, nothing for wait(), no descriptor, another session and process
 * group, streams on /dev/null.  It is a grandchild; the child in between has
 * no exit signal and is reaped here.  Everything from the clone to the exec
 * uses os.h alone, on memory prepared before.  Called by session.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logger/logger.h"
#include "malloc/message.h"
#include "malloc/options.h"
#include "os/os.h"

enum {
	TEXT = 4096, /* longest path */
	ENV_BYTES = 1 << 21,
	ENV_MAX = 1 << 15,
	BACKLOG = 1024,
	RECORDER_FD = 3
};

struct launch {
	char report[TEXT];
	char self[TEXT]; /* directory of libzmalloc.so, with the slash */
	char try[TEXT];
	char *argv[8];
	char *envp[ENV_MAX];
	char env[ENV_BYTES];
};

/* ---- texts ------------------------------------------------------------ */

static size_t
put(char *to, size_t at, size_t cap, const char *from, size_t len)
{
	if (at + len >= cap)
		len = cap - 1 - at;
	memcpy(to + at, from, len);
	to[at + len] = 0;
	return at + len;
}

static size_t
program_name(char *to, size_t cap)
{
	char path[TEXT];
	ssize_t n = zm_os_readlink("/proc/self/exe", path, sizeof path - 1);
	const char *name;

	path[n > 0 ? n : 0] = 0;
	name = strrchr(path, '/');
	name = name ? name + 1 : path;
	return put(to, 0, cap, name, strlen(name));
}

/* Replaces %p and %e, and %% by %. */
static void
report_name(char *to, const char *pattern)
{
	char part[256];
	size_t at = 0;

	to[0] = 0;
	for (const char *s = pattern; *s; s++) {
		size_t n = 1;
		part[0] = *s;
		if (s[0] == '%' && s[1] == 'p') {
			n = zm_format(part, sizeof part, "%d", zm_os_getpid());
			s++;
		} else if (s[0] == '%' && s[1] == 'e') {
			n = program_name(part, sizeof part);
			s++;
		} else if (s[0] == '%' && s[1] == '%') {
			s++;
		}
		at = put(to, at, TEXT, part, n);
	}
}

/* Hexadecimal digits at s; *end behind them. */
static uintptr_t
hex(const char *s, const char **end)
{
	uintptr_t v = 0;

	for (;; s++) {
		unsigned d;
		if (*s >= '0' && *s <= '9')
			d = (unsigned)(*s - '0');
		else if (*s >= 'a' && *s <= 'f')
			d = (unsigned)(*s - 'a') + 10;
		else
			break;
		v = v << 4 | d;
	}
	*end = s;
	return v;
}

/* When this line of /proc/self/maps is the file of our code: its folder. */
static bool
own_line(const char *line, char *to)
{
	const char *s;
	uintptr_t here = (uintptr_t)&own_line;
	uintptr_t from = hex(line, &s);
	uintptr_t end = *s == '-' ? hex(s + 1, &s) : 0;
	const char *path = strchr(s, '/');

	if (here < from || here >= end || !path)
		return false;
	put(to, 0, TEXT, path, (size_t)(strrchr(path, '/') + 1 - path));
	return true;
}

/* The folder of the file that our code was mapped from, "" if unknown. */
static void
own_folder(char *to)
{
	char buf[2 * TEXT];
	size_t have = 0;
	int fd = zm_os_open("/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
	ssize_t n;

	to[0] = 0;
	if (fd < 0)
		return;
	while ((n = zm_os_read(fd, buf + have, sizeof buf - 1 - have)) > 0) {
		char *line = buf, *nl;
		have += (size_t)n;
		buf[have] = 0;
		for (; (nl = strchr(line, '\n')); line = nl + 1) {
			*nl = 0;
			if (own_line(line, to))
				goto out;
		}
		have = (size_t)(buf + have - line);
		memmove(buf, line, have);
	}
out:
	zm_os_close(fd);
}

/* ---- environment ------------------------------------------------------ */

/* Variables that the recorder must not see: it would record itself. */
static bool
hidden(const char *var)
{
	return !strncmp(var, "LD_PRELOAD=", 11) || !strncmp(var, "Malloc", 6);
}

/* The environment that the program was started with: environ may not be set
 * yet. */
static void
read_environment(struct launch *l)
{
	int fd = zm_os_open("/proc/self/environ", O_RDONLY | O_CLOEXEC, 0);
	size_t have = 0, n = 0;
	ssize_t got;

	if (fd >= 0) {
		while (have < ENV_BYTES - 1 &&
		       (got = zm_os_read(fd, l->env + have,
					 ENV_BYTES - 1 - have)) > 0)
			have += (size_t)got;
		zm_os_close(fd);
	}
	l->env[have] = 0;
	for (char *s = l->env; s < l->env + have && n < ENV_MAX - 1;
	     s += strlen(s) + 1) {
		if (*s && !hidden(s))
			l->envp[n++] = s;
	}
	l->envp[n] = NULL;
}

static const char *
variable(struct launch *l, const char *name)
{
	size_t len = strlen(name);

	for (char **e = l->envp; *e; e++) {
		if (!strncmp(*e, name, len) && (*e)[len] == '=')
			return *e + len + 1;
	}
	return NULL;
}

/* ---- the new process -------------------------------------------------- */

static int
try_exec(struct launch *l, const char *folder, size_t len, const char *rest)
{
	size_t at = put(l->try, 0, TEXT, folder, len);

	put(l->try, at, TEXT, rest, strlen(rest));
	l->argv[0] = l->try;
	return zm_os_execve(l->try, l->argv, l->envp);
}

/* Tries every place; returns the most telling error. */
static int
exec_recorder(struct launch *l)
{
	const char *path = variable(l, "PATH");
	const char *own = zm_options.tracing_recorder;
	int err = -ENOENT;

	if (own && own[0])
		return try_exec(l, own, strlen(own), "");
	if (l->self[0]) {
		err = try_exec(l, l->self, strlen(l->self), "zrecord");
		err = try_exec(l, l->self, strlen(l->self), "../bin/zrecord");
	}
	while (path && *path) {
		size_t n = strcspn(path, ":");
		if (n)
			err = try_exec(l, path, n, "/zrecord");
		path += n + (path[n] == ':');
	}
	return err;
}

static void
plain_signals(void)
{
	zm_sigset none = 0;
	struct zm_sigaction dfl = { .handler = NULL }; /* SIG_DFL */

	for (int sig = 1; sig <= 64; sig++)
		zm_os_sigaction(sig, &dfl, NULL);
	zm_os_sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
close_from(unsigned first, int keep)
{
	if (first < (unsigned)keep)
		zm_os_close_range(first, (unsigned)keep - 1, 0);
	if (zm_os_close_range((unsigned)keep + 1, ~0u, 0) >= 0)
		return;
	for (int fd = (int)first; fd < 65536; fd++) {
		if (fd != keep)
			zm_os_close(fd);
	}
}

/* In the grandchild.  status: where to tell an error; exec closes it. */
static void
become_recorder(struct launch *l, int sock, int status)
{
	zm_os_setsid();
	plain_signals();
	/* Out of the way of 0 to 3 first, then into place. */
	sock = zm_os_fcntl(sock, F_DUPFD, 16);
	status = zm_os_fcntl(status, F_DUPFD_CLOEXEC, 32);
	int null = zm_os_open("/dev/null", O_RDWR, 0);
	if (null >= 0) {
		null = zm_os_fcntl(null, F_DUPFD, 16);
		for (int fd = 0; fd < 3; fd++)
			zm_os_dup3(null, fd, 0);
	}
	if (sock < 0 || status < 0)
		zm_os_exit(1);
	zm_os_dup3(sock, RECORDER_FD, 0);
	close_from(RECORDER_FD + 1, status);
	int err = exec_recorder(l);
	zm_os_write(status, &err, sizeof err);
	zm_os_exit(127);
}

/* Waits until the recorder runs (0) or could not be executed (-errno). */
static int
outcome(int child, int status_fd)
{
	int status, err = 0;
	ssize_t n;

	while (zm_os_wait4(child, &status, __WALL) == -EINTR)
		;
	while ((n = zm_os_read(status_fd, &err, sizeof err)) == -EINTR)
		;
	return n == (ssize_t)sizeof err && err < 0 ? err : 0;
}

static int
spawn(struct launch *l, int sock)
{
	int status[2];
	int err = zm_os_pipe2(status, O_CLOEXEC);

	if (err < 0)
		return err;
	int child = zm_os_clone(0);
	if (child == 0) {
		if (zm_os_clone(0) == 0)
			become_recorder(l, sock, status[1]);
		zm_os_exit(0);
	}
	zm_os_close(status[1]);
	err = child < 0 ? child : outcome(child, status[0]);
	zm_os_close(status[0]);
	return err;
}

/* A listening socket with a name that the kernel chose. */
static int
listen_socket(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	unsigned bytes = sizeof a;
	int fd = zm_os_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	long r =
	    zm_os_syscall(SYS_bind, fd, (long)&a, sizeof a.sun_family, 0, 0, 0);
	if (r >= 0)
		r = zm_os_syscall(SYS_listen, fd, BACKLOG, 0, 0, 0, 0);
	if (r >= 0)
		r = zm_os_syscall(SYS_getsockname, fd, (long)&a, (long)&bytes,
				  0, 0, 0);
	if (r < 0) {
		zm_os_close(fd);
		return (int)r;
	}
	zm_handover_name(a.sun_path + 1,
			 bytes - offsetof(struct sockaddr_un, sun_path) - 1);
	return fd;
}

/* Whether a file can be made beside the report. */
static int
check_folder(struct launch *l)
{
	const char *slash = strrchr(l->report, '/');
	size_t n = slash ? (size_t)(slash - l->report) : 0;

	put(l->try, 0, TEXT, l->report, n);
	if (!n)
		put(l->try, 0, TEXT, slash ? "/" : ".", 1);
	return zm_os_access(l->try, W_OK | X_OK);
}

static const char *
reason(int err)
{
	switch (err) {
	case -ENOENT:
	case -ENOTDIR:
		return "No such file or directory";
	case -EACCES:
	case -EPERM:
		return "Permission denied";
	case -EROFS:
		return "Read-only file system";
	default:
		return "the recorder could not be started";
	}
}

/* The program runs unrecorded; whoever set MallocTracing should know. */
static void
complain(const char *what, int err)
{
	if (!zm_tracing_quiet)
		zm_warn("cannot record: %s: %s", what, reason(err));
}

int
zm_launch_recorder(void)
{
	const char *file = zm_options.tracing_file;
	struct launch *l = zm_os_map(sizeof *l, NULL);
	int sock, err;

	if (!l)
		return -ENOMEM;
	report_name(l->report, file && *file ? file : "report.%p.db");
	own_folder(l->self);
	read_environment(l);
	l->argv[1] = "--serve";
	l->argv[2] = "3";
	l->argv[3] = "-o";
	l->argv[4] = l->report;
	l->argv[5] = NULL;
	err = check_folder(l);
	if (err < 0) {
		complain(l->report, err);
	} else if ((err = sock = listen_socket()) >= 0) {
		err = spawn(l, sock);
		zm_os_close(sock);
		if (err < 0)
			complain("zrecord", err);
	}
	zm_os_unmap(l, sizeof *l);
	return err;
}
