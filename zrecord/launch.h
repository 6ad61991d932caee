/*
 * launch.h - running the command as if zrecord were not there.
 */
#ifndef ZRECORD_LAUNCH_H
#define ZRECORD_LAUNCH_H

#include "settings.h"

#include <signal.h>
#include <sys/types.h>

/* zrecord's own signal handling, and what it was before. */
struct signals {
	int fd;	       /* signalfd of what zrecord wants to know */
	sigset_t mask; /* as inherited: the command's */
	struct sigaction child, pipe, size;
};

/* Dies with the contract's status when the command cannot be run or nothing
 * could be recorded.  path gets the file to execute. */
void launch_check(const char *command, char *path, size_t bytes);

/* Path of libzmalloc.so beside zrecord or in ../lib; dies when there is
 * none. */
void launch_library(char *path, size_t bytes);

/* Keeps descriptors 0 to 2 occupied and raises the limit of open files. */
void launch_prepare_files(void);

void signals_init(struct signals *, int serve);

/*
 * Starts the command; session is the name of the recorder's socket.  0 with
 * its pid in *pid, or the errno that fork or execve gave.
 */
int launch_command(const struct settings *, const struct signals *,
		   const char *path, const char *library, const char *session,
		   pid_t *pid);

#endif
