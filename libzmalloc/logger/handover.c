/*
 * handover.c - gives the session's descriptor to the recorder.
 *
 * One connection, one message (struct zs_hello with the descriptor), closed at
 * once: the program never holds a descriptor of ours.  Called by session.c
 * while the process starts and in fork children.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>

#include "logger/logger.h"
#include "os/os.h"

enum { SEND_SECONDS = 10 }; /* a recorder that hangs must not hang us */

/* The recorder's address; abstract: sun_path[0] is 0. */
static struct sockaddr_un recorder;
static unsigned recorder_bytes;

void
zm_handover_name(const char *name, size_t bytes)
{
	size_t room = sizeof recorder.sun_path - 1;

	/* An '@' in front is how tools like to show abstract names. */
	if (bytes && name[0] == '@') {
		name++;
		bytes--;
	}
	if (!bytes || bytes > room)
		return;
	memset(&recorder, 0, sizeof recorder);
	recorder.sun_family = AF_UNIX;
	memcpy(recorder.sun_path + 1, name, bytes);
	recorder_bytes =
	    (unsigned)(offsetof(struct sockaddr_un, sun_path) + 1 + bytes);
}

static int
connect_recorder(int sock)
{
	struct timeval tv = { .tv_sec = SEND_SECONDS };
	int err;

	zm_os_syscall(SYS_setsockopt, sock, SOL_SOCKET, SO_SNDTIMEO, (long)&tv,
		      sizeof tv, 0);
	do {
		err = zm_os_connect(sock, (struct sockaddr *)&recorder,
				    recorder_bytes);
	} while (err == -EINTR);
	return err;
}

bool
zm_handover_answers(void)
{
	int sock = zm_os_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return false;
	bool there = recorder_bytes && connect_recorder(sock) == 0;
	zm_os_close(sock);
	return there;
}

int
zm_handover(int fd)
{
	const struct zs_header *h = zm_session.h;
	struct zs_hello hello = {
		.magic = ZS_MAGIC,
		.version = ZS_VERSION,
		.cause = h->cause,
		.pid = h->pid,
		.ppid = h->ppid,
	};

	if (!recorder_bytes)
		return -ENOTCONN;
	int sock = zm_os_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return sock;
	ssize_t r = connect_recorder(sock);
	while (r == 0) {
		r = zm_os_send_fd(sock, &hello, sizeof hello, fd);
		if (r == -EINTR)
			r = 0;
	}
	zm_os_close(sock);
	return r < 0 ? (int)r : 0;
}
