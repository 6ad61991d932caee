/*
 * message.c - formatting without libc's streams, and the error report.
 *
 * Relies on os.h and options.h.  Called by everything in malloc/ that has
 * something to say, and by the zone layer through zm_zone_fatal.
 *
 * From libc: string functions, and abort, which takes a lock of its own but
 * allocates nothing; the process is lost at that point anyway.
 */
#include "malloc/message.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmalloc/malloc.h>

#include "malloc/options.h"
#include "os/os.h"
#include "os/trace.h"

static char program[64] = "?";

struct text {
	char *buf;
	size_t cap, n;
};

struct field {
	bool left, zero;
	unsigned width;
	unsigned longs; /* 0 int, 1 long, 2 long long */
};

static void
put(struct text *t, char c)
{
	if (t->n + 1 < t->cap)
		t->buf[t->n++] = c;
}

static void
put_field(struct text *t, const struct field *f, const char *s, size_t n)
{
	size_t pad = f->width > n ? f->width - n : 0;
	if (!f->left)
		for (; pad; pad--)
			put(t, f->zero ? '0' : ' ');
	for (size_t i = 0; i < n; i++)
		put(t, s[i]);
	for (; pad; pad--)
		put(t, ' ');
}

static void
put_number(struct text *t, const struct field *f, uint64_t v, unsigned base,
	   const char *prefix)
{
	char tmp[32];
	size_t n = sizeof(tmp);
	do
		tmp[--n] = "0123456789abcdef"[v % base];
	while (v /= base);
	for (size_t k = strlen(prefix); k; k--)
		tmp[--n] = prefix[k - 1];
	put_field(t, f, tmp + n, sizeof(tmp) - n);
}

static void
put_human(struct text *t, const struct field *f, uint64_t v)
{
	static const char unit[] = "BKMGTPE";
	unsigned u = 0;
	char tmp[16];
	while (v >= 10240 && u < sizeof(unit) - 2) {
		v >>= 10;
		u++;
	}
	size_t n = zm_format(tmp, sizeof(tmp), "%u%c", (unsigned)v, unit[u]);
	put_field(t, f, tmp, n);
}

/* Reads flags, width and length behind a '%'; returns the conversion. */
static const char *
parse_field(const char *p, struct field *f, va_list *ap)
{
	*f = (struct field){ 0 };
	for (; *p == '-' || *p == '0'; p++) {
		if (*p == '-')
			f->left = true;
		else
			f->zero = true;
	}
	if (*p == '*') {
		f->width = (unsigned)va_arg(*ap, int);
		p++;
	}
	for (; *p >= '0' && *p <= '9'; p++)
		f->width = f->width * 10 + (unsigned)(*p - '0');
	for (; *p == 'l'; p++)
		f->longs++;
	if (*p == 'z') {
		f->longs = 1;
		p++;
	}
	return p;
}

static uint64_t
get_unsigned(const struct field *f, va_list *ap)
{
	if (f->longs > 1)
		return va_arg(*ap, unsigned long long);
	if (f->longs)
		return va_arg(*ap, unsigned long);
	return va_arg(*ap, unsigned);
}

static void
put_signed(struct text *t, const struct field *f, va_list *ap)
{
	int64_t v;
	if (f->longs > 1)
		v = va_arg(*ap, long long);
	else if (f->longs)
		v = va_arg(*ap, long);
	else
		v = va_arg(*ap, int);
	uint64_t magnitude = v < 0 ? -(uint64_t)v : (uint64_t)v;
	put_number(t, f, magnitude, 10, v < 0 ? "-" : "");
}

static void
convert(struct text *t, char c, const struct field *f, va_list *ap)
{
	const char *s;
	char one;
	switch (c) {
	case 's':
		s = va_arg(*ap, const char *);
		s = s ? s : "(null)";
		put_field(t, f, s, strlen(s));
		break;
	case 'c':
		one = (char)va_arg(*ap, int);
		put_field(t, f, &one, 1);
		break;
	case 'd':
	case 'i':
		put_signed(t, f, ap);
		break;
	case 'u':
		put_number(t, f, get_unsigned(f, ap), 10, "");
		break;
	case 'x':
		put_number(t, f, get_unsigned(f, ap), 16, "");
		break;
	case 'p':
		put_number(t, f, (uintptr_t)va_arg(*ap, void *), 16, "0x");
		break;
	case 'y':
		put_human(t, f, va_arg(*ap, size_t));
		break;
	default:
		put(t, c);
		break;
	}
}

size_t
zm_vformat(char *buf, size_t cap, const char *fmt, va_list args)
{
	struct text t = { buf, cap, 0 };
	struct field f;
	va_list ap;
	va_copy(ap, args);
	for (const char *p = fmt; *p; p++) {
		if (*p != '%') {
			put(&t, *p);
			continue;
		}
		p = parse_field(p + 1, &f, &ap);
		if (!*p)
			break;
		convert(&t, *p, &f, &ap);
	}
	va_end(ap);
	if (cap)
		buf[t.n] = '\0';
	return t.n;
}

size_t
zm_format(char *buf, size_t cap, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	size_t n = zm_vformat(buf, cap, fmt, ap);
	va_end(ap);
	return n;
}

/* ---- where text goes ---------------------------------------------------- */

/* The log file is opened for each message: a descriptor that stays open could
 * be closed by the program, or be in its way. */
static void
put_out(const char *buf, size_t n)
{
	int fd = -1;
	if (zm_options.log_file)
		fd = zm_os_open(zm_options.log_file,
				O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
				    O_NOCTTY | O_NONBLOCK,
				0666);
	bool done = fd >= 0 && zm_os_write_all(fd, buf, n) == 0;
	if (fd >= 0)
		zm_os_close(fd);
	if (!done)
		zm_os_write_all(STDERR_FILENO, buf, n);
}

void
zm_vprint(const char *fmt, va_list ap)
{
	char buf[1024];
	size_t n = zm_vformat(buf, sizeof(buf), fmt, ap);
	put_out(buf, n);
}

void
zm_print(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	zm_vprint(fmt, ap);
	va_end(ap);
}

void
zm_warn(const char *fmt, ...)
{
	char buf[1024];
	va_list ap;
	if (zm_options.debug_report != ZM_REPORT_STDERR)
		return;
	size_t n = zm_format(buf, sizeof(buf), "%s(%d) malloc: ", program,
			     zm_os_getpid());
	va_start(ap, fmt);
	n += zm_vformat(buf + n, sizeof(buf) - n - 1, fmt, ap);
	va_end(ap);
	buf[n++] = '\n';
	put_out(buf, n);
}

static size_t
format_error(char *buf, size_t cap, const char *why, const void *p)
{
	size_t n = zm_format(buf, cap, "%s(%d) malloc: *** error", program,
			     zm_os_getpid());
	if (p)
		n += zm_format(buf + n, cap - n, " for object %p", p);
	n += zm_format(buf + n, cap - n, ": %s\n", why);
	n += zm_format(buf + n, cap - n,
		       "*** set a breakpoint in malloc_error_break to debug\n");
	return n;
}

/* Not inlined and not empty: users put breakpoints here. */
__attribute__((visibility("default"), noinline)) void
malloc_error_break(void)
{
	__asm__ volatile("" ::: "memory");
}

static void
report(const char *why, const void *p)
{
	char buf[512];
	put_out(buf, format_error(buf, sizeof(buf), why, p));
}

/* For whoever wants to look at the process as it is. */
static void
linger(const char *why, const void *p)
{
	enum { HOUR = 3600 };
	ZM_TRACE_MAG(mallocErrorBreak, why, p);
	malloc_error_break();
	if (zm_options.error_stop) {
		zm_warn("*** sending SIGSTOP to help debug");
		zm_os_kill(zm_os_getpid(), SIGSTOP);
	} else if (zm_options.error_sleep) {
		zm_warn("*** sleeping to help debug");
		zm_os_sleep(UINT64_C(1000000000) * HOUR);
	}
}

bool zm_heap_damaged;

void
zm_fatal(const char *why, const void *p)
{
	zm_heap_damaged = true;
	if (zm_options.debug_report != ZM_REPORT_NONE)
		report(why, p);
	linger(why, p);
	abort();
}

void
zm_error(const char *why, const void *p)
{
	if (zm_options.error_abort)
		zm_fatal(why, p);
	if (zm_options.debug_report == ZM_REPORT_STDERR)
		report(why, p);
	linger(why, p);
}

void
zm_corrupt(const char *why, const void *p)
{
	if (zm_options.corruption_abort)
		zm_fatal(why, p);
	zm_error(why, p);
}

void
zm_message_program(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');
	zm_format(program, sizeof(program), "%s", slash ? slash + 1 : argv0);
}

__attribute__((visibility("default"))) void
malloc_printf(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	zm_vprint(fmt, ap);
	va_end(ap);
}
