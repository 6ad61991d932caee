/*
 * attach.h - asking a process that runs already to record itself.
 *
 * libzmalloc keeps a place in its data where such a wish is written (struct
 * zs_control).  The process is not stopped and no ptrace is used; but the
 * kernel lets nobody write there who may not trace.  Called by main.c and
 * recorder.c.
 */
#ifndef ZRECORD_ATTACH_H
#define ZRECORD_ATTACH_H

#include "libzmalloc/logger/session.h"

#include <sys/types.h>

struct attach {
	pid_t pid;		/* 0: none */
	int pidfd;		/* -1: not known */
	uint64_t control, word; /* addresses over there */
};

/* Finds the place; dies with a line that says what is possible instead. */
void attach_find(struct attach *, pid_t pid);

/* Asks for a recording with these; 0 or an errno. */
int attach_request(const struct attach *, const char *session, uint32_t depth,
		   uint64_t sample);
/* Takes back what has not been answered. */
void attach_withdraw(const struct attach *);

/* Why the process could not start: an errno; 0: it may still do so. */
int attach_error(const struct attach *);

#endif
