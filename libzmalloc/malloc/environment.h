/*
 * environment.h - arguments and environment before libc knows them.
 */
#ifndef ZMALLOC_MALLOC_ENVIRONMENT_H
#define ZMALLOC_MALLOC_ENVIRONMENT_H

#include <stdbool.h>

/*
 * Finds argv[0] and the environment of the process.  *argv0 is NULL when it
 * cannot be known; *envp is NULL when there is none, or when the process runs
 * with raised rights (AT_SECURE) and must not listen to its caller.
 */
void zm_environment(const char **argv0, char *const **envp);

/* True when a variable is set that may be ours; libc must be up. */
bool zm_environment_concerns_us(void);

#endif
