/*
 * leave.h - ends of the program that are no exit(): what patch.c, leave.c and
 * fatal.c share.
 */
#ifndef ZMALLOC_SCAN_LEAVE_H
#define ZMALLOC_SCAN_LEAVE_H

#include "logger/logger.h"
#include "malloc/message.h"
#include "scan/scan.h"

/* From now on a scan comes before _exit, exec and fatal signals.  Called when
 * a recording begins, libc is up; does nothing the second time. */
void zm_leave_start(void);
void zm_fatal_start(void);

/*
 * patch.c: calls of libc's function `name` go to `to` from now on, whoever
 * makes them.  False when that cannot be done.
 */
bool zm_patch_function(const char *name, void *to);

/*
 * The program is about to end as `how` says; status: exit's argument, or the
 * signal.  False: this process or thread is none whose end is looked at.
 * Other threads stand still from then on, unless zm_leave_undone says that the
 * program goes on.
 */
bool zm_leave(enum zs_end how, int status, const struct zm_self *);
void zm_leave_undone(void);
/* exit() has come to its end: waits for another thread that is in zm_leave,
 * and keeps others out.  False when this one is. */
bool zm_leave_begin(void);

#endif
