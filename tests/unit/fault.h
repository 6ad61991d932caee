/*
 * fault.h - calls to the system for memory that fail when a test says so, and
 * the loop that lets each of them fail in turn, in a process of its own.
 */
#ifndef TESTS_UNIT_FAULT_H
#define TESTS_UNIT_FAULT_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"

/* The calls so far, and the first and last that fail; 0: none. */
static long fault_calls, fault_from, fault_to;

static bool
fault_inject(long nr, const long arg[6], long *answer)
{
	(void)arg;
	if (nr != SYS_mmap && nr != SYS_mprotect && nr != SYS_mremap &&
	    nr != SYS_munmap && nr != SYS_madvise)
		return false;
	long call = __atomic_add_fetch(&fault_calls, 1, __ATOMIC_RELAXED);
	long from = __atomic_load_n(&fault_from, __ATOMIC_RELAXED);
	if (!from || call < from || call > fault_to)
		return false;
	*answer = -ENOMEM;
	return true;
}

static inline void
fault_end(void)
{
	__atomic_store_n(&fault_from, 0, __ATOMIC_RELAXED);
}

/* What a run with faults saw. */
struct fault_run {
	long calls; /* in all: how many there are to fail */
	long nulls; /* refused requests */
	int status; /* of the process; 0: all is well */
};

/* life: begins with everything unused, ends the faults by itself, returns how
 * many NULLs it saw, -1 when something was wrong. */
static inline struct fault_run
fault_try(long from, long length, long (*life)(void))
{
	struct fault_run run = { 0, 0, -1 };
	int fds[2];
	if (pipe(fds))
		return run;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		alarm(60);
		fault_from = from;
		fault_to = from + length - 1;
		zm_os_override = fault_inject;
		long out[2];
		out[1] = life();
		out[0] = fault_calls;
		if (write(fds[1], out, sizeof(out)) != sizeof(out))
			_exit(98);
		_exit(out[1] < 0);
	}
	close(fds[1]);
	long out[2] = { 0, 0 };
	if (read(fds[0], out, sizeof(out)) == sizeof(out)) {
		run.calls = out[0];
		run.nulls = out[1];
	}
	close(fds[0]);
	waitpid(pid, &run.status, 0);
	return run;
}

/* Every `length` calls in turn.  Returns the number of
 * the first that was not survived, 0 when there is none. */
static inline long
fault_each(long length, long (*life)(void), long *total, long *nulls)
{
	*total = 1;
	*nulls = 0;
	for (long at = 1; at <= *total; at += length) {
		struct fault_run run = fault_try(at, length, life);
		if (run.status)
			return at;
		if (run.calls > *total)
			*total = run.calls;
		*nulls += run.nulls;
	}
	return 0;
}

#endif
