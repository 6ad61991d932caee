/*
 * message.c - see message.h.
 */
#include "message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *program = "zmalloc";
static int be_quiet;
static void (*before)(void);

void
message_program(const char *name)
{
	program = name;
}

const char *
message_program_name(void)
{
	return program;
}

void
message_quiet(int quiet)
{
	be_quiet = quiet;
}

void
message_before(void (*give_back)(void))
{
	before = give_back;
}

void
message_clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

/* A closed or full stderr is nobody's problem. */
static void
put(const char *text, size_t n)
{
	while (n > 0) {
		ssize_t done = write(STDERR_FILENO, text, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;
		text += done;
		n -= (size_t)done;
	}
}

void
messagev(const char *format, va_list args)
{
	char line[4096];
	int saved = errno;
	int head = snprintf(line, sizeof line, "%.64s: ", program);
	size_t room = sizeof line - (size_t)head - 1;
	int n = vsnprintf(line + head, room, format, args);
	if (n < 0)
		n = 0;
	size_t len = (size_t)n < room ? (size_t)n : room - 1;
	line[(size_t)head + len] = 0;
	message_clean(line);
	line[(size_t)head + len] = '\n';
	if (before)
		before();
	put(line, (size_t)head + len + 1);
	errno = saved;
}

void
message(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	messagev(format, args);
	va_end(args);
}

void
message_note(const char *format, ...)
{
	if (be_quiet)
		return;
	va_list args;
	va_start(args, format);
	messagev(format, args);
	va_end(args);
}

void
die(int status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	messagev(format, args);
	va_end(args);
	exit(status);
}

char *
message_number(char *buf, size_t bytes, unsigned long long n)
{
	char digits[24], grouped[32];
	int len = snprintf(digits, sizeof digits, "%llu", n);
	size_t out = 0;
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			grouped[out++] = ',';
		grouped[out++] = digits[i];
	}
	grouped[out] = 0;
	snprintf(buf, bytes, "%s", grouped);
	return buf;
}

char *
message_bytes(char *buf, size_t bytes, unsigned long long n)
{
	static const char unit[] = "KMGTPE";
	if (n < 10 * 1024) {
		char number[32];
		snprintf(buf, bytes, "%s byte%s",
			 message_number(number, sizeof number, n),
			 n == 1 ? "" : "s");
		return buf;
	}
	double x = (double)n / 1024;
	size_t i = 0;
	/* 1023.95 would be printed as 1024.0 */
	while (x >= 1023.95 && unit[i + 1]) {
		x /= 1024;
		i++;
	}
	snprintf(buf, bytes, "%.1f %ciB", x, unit[i]);
	return buf;
}
