/*
 * message.h - all that the library ever prints.
 *
 * Text is put together on the stack and leaves through one write(2) on
 * standard error, or at the end of MallocLogFile: nothing here allocates,
 * locks or touches libc's streams, so it may be called from anywhere, with any
 * lock held.
 */
#ifndef ZMALLOC_MALLOC_MESSAGE_H
#define ZMALLOC_MALLOC_MESSAGE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * As vsnprintf for %s %c %d %u %x %p %y %%, with the modifiers l, ll, z, the
 * flags - and 0, and a width, * included.  %y: bytes in a human unit.  Returns
 * the length written, at most cap - 1; always terminates.
 */
size_t zm_vformat(char *buf, size_t cap, const char *fmt, va_list ap);
size_t zm_format(char *buf, size_t cap, const char *fmt, ...);

/* Writes text that was asked for (malloc_zone_print, malloc_stats); goes to
 * MallocLogFile as messages do. */
void zm_print(const char *fmt, ...);
void zm_vprint(const char *fmt, va_list ap);

/* Says "progname(pid) malloc: ...", unless MallocDebugReport forbids it. */
void zm_warn(const char *fmt, ...);

/* An error of the program that it may survive: as zm_warn; stops it, or lets
 * it sleep or end where the options say so.  why: a constant text. */
void zm_error(const char *why, const void *p);

/* The heap is damaged, or the program hands in what is no block: as zm_fatal;
 * returns only where MallocCorruptionAbort=0 asks to go on. */
void zm_corrupt(const char *why, const void *p);

/* The program ends: message about the object at p (NULL: none), the breakpoint
 * function, SIGABRT. */
void zm_fatal(const char *why, const void *p) __attribute__((noreturn));
/* One of these was said: do not believe what the heap's metadata says. */
extern bool zm_heap_damaged;

/* The name that messages begin with; the last part of argv[0]. */
void zm_message_program(const char *argv0);

#endif
