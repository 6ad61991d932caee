/*
 * hello.c - see hello.h.
 *
 * The socket's name lies in no folder and dies with us.  Anybody in the same
 * network namespace could connect, so the kernel's word for the peer's user id
 * decides, not the message.
 */
#include "hello.h"
#include "libzmalloc/logger/session.h"
#include "message.h"
#include "pidinfo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int
hello_listen(char *name, size_t bytes)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	uint64_t random[2] = { 0 };
	(void)!getrandom(random, sizeof random, GRND_NONBLOCK);
	int n = snprintf(name, bytes, "zmalloc-%d-%016llx%016llx",
			 (int)getpid(), (unsigned long long)random[0],
			 (unsigned long long)random[1]);
	memcpy(a.sun_path + 1, name, (size_t)n);
	socklen_t length =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	int fd =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, length) != 0 ||
	    listen(fd, SOMAXCONN) != 0)
		die(EXIT_TROUBLE, "socket: %s", strerror(errno));
	return fd;
}

int
hello_accept(int listener)
{
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static int
allowed(const struct ucred *peer, pid_t ancestor)
{
	if (peer->uid == geteuid() || peer->uid == getuid())
		return 1;
	/* root's programs may change their user */
	return geteuid() == 0 && ancestor > 0 &&
	       pidinfo_descends(peer->pid, ancestor);
}

/* The one descriptor of a message; any others are closed. */
static int
take_descriptor(struct msghdr *m)
{
	int taken = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (taken < 0)
				taken = fd;
			else
				close(fd);
		}
	}
	return taken;
}

static const char *
check(const struct zs_hello *z, ssize_t n, int fd)
{
	if (n != (ssize_t)sizeof *z || z->magic != ZS_MAGIC || fd < 0)
		return "no hello";
	if (z->version != ZS_VERSION)
		return "libzmalloc.so and zrecord are of different versions";
	return NULL;
}

int
hello_read(int connection, pid_t ancestor, struct hello *h, const char **why)
{
	struct zs_hello z;
	struct ucred peer;
	socklen_t peer_bytes = sizeof peer;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec iov = { &z, sizeof z };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof control };
	ssize_t n = recvmsg(connection, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	int fd = n >= 0 ? take_descriptor(&m) : -1;
	*why = check(&z, n, fd);
	if (!*why && (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer,
				 &peer_bytes) != 0 ||
		      !allowed(&peer, ancestor)))
		*why = "another user's process";
	if (*why) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*h = (struct hello){ .pid = peer.pid, .fd = fd };
	h->pidfd = pidinfo_open(connection, peer.pid);
	return 1;
}
