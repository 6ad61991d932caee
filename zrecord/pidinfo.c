/*
 * pidinfo.c - see pidinfo.h.
 */
#include "pidinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* The kernel's struct pidfd_info in its first form; newer kernels accept it. */
struct exit_info {
	uint64_t mask;
	uint64_t cgroup;
	uint32_t pid, tgid, ppid, ids[8];
	int32_t exit_code;
};
static_assert(sizeof(struct exit_info) == 64, "pidfd_info size");
#define GET_EXIT_INFO  _IOWR(0xff, 11, struct exit_info)
#define EXIT_INFO_MASK (UINT64_C(1) << 3)

int
pidinfo_open(int sock, pid_t pid)
{
	int fd;
	socklen_t n = sizeof fd;
	if (sock >= 0 &&
	    getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &fd, &n) == 0)
		return fd;
	return pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

int
pidinfo_ended(int pidfd, pid_t pid)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	if (pidfd >= 0)
		return poll(&p, 1, 0) == 1 && (p.revents & (POLLIN | POLLHUP));
	return pid <= 0 || (kill(pid, 0) != 0 && errno == ESRCH);
}

int
pidinfo_same(int a, int b)
{
	struct stat x, y;
	return fstat(a, &x) != 0 || fstat(b, &y) != 0 ||
	       (x.st_ino == y.st_ino && x.st_dev == y.st_dev);
}

struct ending
pidinfo_status(int pidfd)
{
	struct exit_info info = { .mask = EXIT_INFO_MASK };
	if (pidfd < 0 || ioctl(pidfd, GET_EXIT_INFO, &info) != 0 ||
	    !(info.mask & EXIT_INFO_MASK))
		return (struct ending){ 0 };
	return (struct ending){ 1, info.exit_code };
}

/* State letter and parent of a process; -1 when it is gone. */
static int
stat_of(pid_t pid, char *state, pid_t *parent)
{
	char path[32], text[512];
	int ppid;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -1;
	text[n] = 0;
	/* the name in parentheses may hold anything */
	const char *after = strrchr(text, ')');
	if (!after || sscanf(after + 1, " %c %d", state, &ppid) != 2)
		return -1;
	*parent = ppid;
	return 0;
}

int
pidinfo_descends(pid_t pid, pid_t ancestor)
{
	char state;
	for (int i = 0; i < 1000 && pid > 1; i++) {
		if (pid == ancestor)
			return 1;
		if (stat_of(pid, &state, &pid) != 0)
			return 0;
	}
	return 0;
}

int
pidinfo_stopped(pid_t pid)
{
	char state = 0;
	pid_t parent;
	return stat_of(pid, &state, &parent) == 0 && state == 'T';
}
