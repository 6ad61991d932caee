/*
 * hello.h - the recorder's socket: who connects, and with what.
 */
#ifndef ZRECORD_HELLO_H
#define ZRECORD_HELLO_H

#include <sys/types.h>

struct hello {
	pid_t pid; /* as we see it; 0 when it is in a foreign pid namespace */
	int pidfd; /* -1: none */
	int fd;	   /* the segment */
};

/* A listening socket; its abstract name goes to name.  Dies on failure. */
int hello_listen(char *name, size_t bytes);

/* The next connection, or -1. */
int hello_accept(int listener);

/*
 * Reads the message of a connection.  1: h is filled (the caller owns its
 * descriptors); 0: it has not come yet; -1: refused, *why says why.  ancestor:
 * whose descendants may have another user id, if we are root.
 */
int hello_read(int connection, pid_t ancestor, struct hello *h,
	       const char **why);

#endif
