/*
 * pidinfo.h - what the kernel tells about processes that are not our children.
 */
#ifndef ZRECORD_PIDINFO_H
#define ZRECORD_PIDINFO_H

#include "process.h"

/* A pidfd (close-on-exec) of a socket's peer, or of a pid: -1 when the kernel
 * is too old or the process is gone. */
int pidinfo_open(int sock, pid_t pid);

/* Has the process ended?  Without a pidfd, whether the pid is free again. */
int pidinfo_ended(int pidfd, pid_t pid);

/* Do two pidfds mean the same process?  (Before kernel 6.9 this cannot be told
 * apart from a pid that was used again: then yes.) */
int pidinfo_same(int a, int b);

/* How it ended, once its parent has waited for it (kernel 6.15 or newer); not
 * known otherwise. */
struct ending pidinfo_status(int pidfd);

/* Is pid a descendant of ancestor? */
int pidinfo_descends(pid_t pid, pid_t ancestor);

/* Is it stopped (job control, SIGSTOP)? */
int pidinfo_stopped(pid_t pid);

#endif
