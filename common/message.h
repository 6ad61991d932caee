/*
 * message.h - one-line messages of the tools on stderr, and exit statuses.
 *
 * Every message is one line, "program: what: why", written with a single
 * write(2), so that lines of several processes do not mix.  Control characters
 * that file names or reports may hold are shown as '?'.  Used by zrecord and
 * zleaks; not thread-safe (neither tool has threads).
 */
#ifndef COMMON_MESSAGE_H
#define COMMON_MESSAGE_H

#include <stdarg.h>
#include <stddef.h>

/* zrecord's own failures, as env(1) numbers them. */
enum { EXIT_TROUBLE = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

/* zleaks's statuses. */
enum { EXIT_CLEAN = 0, EXIT_LEAKS = 1, EXIT_USAGE = 2, EXIT_UNREADABLE = 3 };

/* The name in front of each message; kept, not copied. */
void message_program(const char *name);
const char *message_program_name(void);

/* With quiet set, message_note writes nothing; message and die always do. */
void message_quiet(int quiet);

void message(const char *format, ...) __attribute__((format(printf, 1, 2)));
void messagev(const char *format, va_list)
    __attribute__((format(printf, 1, 0)));
void message_note(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* Called before a message is written: whoever has changed the terminal gives it
 * back.  NULL: nobody. */
void message_before(void (*give_back)(void));

/* Writes the message and ends the program with that status. */
void die(int status, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* Replaces control characters in place. */
void message_clean(char *text);

/* "12,345" into buf; returns buf.  32 bytes always suffice. */
char *message_number(char *buf, size_t bytes, unsigned long long n);

/* "12.3 MiB" into buf (below 10 KiB: "1,234 bytes"); returns buf. */
char *message_bytes(char *buf, size_t bytes, unsigned long long n);

#endif
