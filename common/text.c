/*
 * text.c - see text.h.  Relies on libc's locale for column widths only; used
 * by zleaks's rendering and by common/table.c and common/json.c.
 */
#include "text.h"

#include "message.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static const uint32_t bad = UINT32_MAX;

static void
need(const void *p)
{
	if (!p)
		die(EXIT_UNREADABLE, "out of memory");
}

void *
text_alloc(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);
	need(p);
	return p;
}

void *
text_grow(void *old, size_t count, size_t bytes_each)
{
	void *p = reallocarray(old, count ? count : 1, bytes_each);
	need(p);
	return p;
}

char *
text_copy(const char *s)
{
	char *p = strdup(s);
	need(p);
	return p;
}

char *
text_format(const char *format, ...)
{
	char *p;
	va_list args;

	va_start(args, format);
	int n = vasprintf(&p, format, args);
	va_end(args);
	need(n < 0 ? NULL : p);
	return p;
}

/* How many bytes a sequence has by its first one; 0: none begins so. */
static size_t
sequence_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if ((first & 0xf0) == 0xe0)
		return 3;
	return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

size_t
text_decode(const char *s, size_t bytes, uint32_t *code)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	static const unsigned char mask[5] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	size_t n = sequence_length((unsigned char)*s);

	*code = bad;
	if (n == 0 || n > bytes)
		return 1;
	uint32_t c = (unsigned char)*s & mask[n];
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return 1;
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 1;
	*code = c;
	return n;
}

/* Characters that would act on the terminal, or hide or reorder text. */
static int
is_unsafe(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xfff9 && c <= 0xfffb) || c >= 0xe0000;
}

/* Writes an escape for a character, or for an invalid byte; its length. */
static size_t
escape(char out[16], uint32_t c, unsigned char byte)
{
	int n;

	if (c == bad || (c < 0x100 && c != '\n' && c != '\t'))
		n = snprintf(out, 16, "\\x%02x", c == bad ? byte : (unsigned)c);
	else if (c == '\n' || c == '\t')
		n = snprintf(out, 16, "\\%c", c == '\n' ? 'n' : 't');
	else
		n = snprintf(out, 16, "\\u{%x}", (unsigned)c);
	return (size_t)n;
}

char *
text_printable(const char *s)
{
	if (!s)
		return text_copy("?");
	size_t bytes = strnlen(s, TEXT_BYTES_MAX + 1), used = 0;
	int cut = bytes > TEXT_BYTES_MAX;
	char *out = text_alloc(bytes * 10 + 4);

	for (size_t i = 0; i < bytes && i < TEXT_BYTES_MAX;) {
		uint32_t c;
		size_t n = text_decode(s + i, bytes - i, &c);
		if (c == bad || is_unsafe(c)) {
			char esc[16];
			size_t m = escape(esc, c, (unsigned char)s[i]);
			memcpy(out + used, esc, m);
			used += m;
		} else {
			memcpy(out + used, s + i, n);
			used += n;
		}
		i += n;
	}
	memcpy(out + used, cut ? "..." : "", cut ? 4 : 1);
	return out;
}

char *
text_utf8(const char *s, size_t bytes)
{
	char *out = text_alloc(bytes * 3 + 1);
	size_t used = 0;

	for (size_t i = 0; i < bytes;) {
		uint32_t c;
		size_t n = text_decode(s + i, bytes - i, &c);
		const char *from = c == bad ? "\xef\xbf\xbd" : s + i;
		size_t m = c == bad ? 3 : n;
		memcpy(out + used, from, m);
		used += m;
		i += n;
	}
	out[used] = 0;
	return out;
}

size_t
text_columns(const char *s)
{
	size_t columns = 0, bytes = strlen(s);

	for (size_t i = 0; i < bytes;) {
		uint32_t c;
		i += text_decode(s + i, bytes - i, &c);
		int w = c == bad || c < 0x80 ? 1 : wcwidth((wchar_t)c);
		columns += w < 0 ? 1 : (size_t)w;
	}
	return columns;
}

int
text_locale_is_utf8(void)
{
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

const char *
text_basename(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

char *
text_quoted(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-+=.,/:@%^";

	if (*word && word[strspn(word, plain)] == 0)
		return text_format("%s%s", *word == '-' ? "./" : "", word);
	char *quoted = text_alloc(strlen(word) * 4 + 3), *out = quoted;
	*out++ = '\'';
	for (; *word; word++) {
		if (*word == '\'')
			out = stpcpy(out, "'\\''");
		else
			*out++ = *word;
	}
	strcpy(out, "'");
	return quoted;
}
