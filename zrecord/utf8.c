/*
 * utf8.c - see utf8.h.
 */
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Length of the UTF-8 sequence at p, 0 if it is none.  p ends with NUL, which
 * is no continuation byte. */
static size_t
sequence(const unsigned char *p)
{
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80	 ? 1
		   : p[0] < 0xc2 ? 0
		   : p[0] < 0xe0 ? 2
		   : p[0] < 0xf0 ? 3
		   : p[0] < 0xf5 ? 4
				 : 0;
	if (n < 2)
		return n;
	unsigned c = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return n;
}

void
utf8_clean(char *text)
{
	while (*text) {
		size_t n = sequence((const unsigned char *)text);
		if (n == 0)
			*text = '?';
		text += n ? n : 1;
	}
}

void
utf8_add(struct utf8 *t, const char *bytes, size_t n)
{
	if (t->failed)
		return;
	if (t->length + n + 1 > t->room) {
		size_t room = (t->length + n + 1) * 2;
		char *grown = realloc(t->text, room);
		if (!grown) {
			free(t->text);
			*t = (struct utf8){ .failed = 1 };
			return;
		}
		t->text = grown;
		t->room = room;
	}
	memcpy(t->text + t->length, bytes, n);
	t->length += n;
	t->text[t->length] = 0;
}

void
utf8_number(struct utf8 *t, uint64_t n)
{
	char digits[24];
	size_t at = sizeof digits;
	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	utf8_add(t, digits + at, sizeof digits - at);
}

/* One JSON string; s is valid UTF-8. */
static void
add_json(struct utf8 *t, const char *s)
{
	utf8_add(t, "\"", 1);
	for (; *s; s++) {
		char escape[8];
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\')
			utf8_add(t, "\\", 1);
		if (c < 0x20) {
			int n = snprintf(escape, sizeof escape, "\\u%04x", c);
			utf8_add(t, escape, (size_t)n);
		} else {
			utf8_add(t, s, 1);
		}
	}
	utf8_add(t, "\"", 1);
}

char *
utf8_json_arguments(const char *arguments, size_t bytes)
{
	struct utf8 t = { 0 };
	const char *end = arguments + bytes;
	utf8_add(&t, "[", 1);
	for (const char *a = arguments; a < end;) {
		size_t n = strnlen(a, (size_t)(end - a));
		char *copy = strndup(a, n);
		if (t.length > 1)
			utf8_add(&t, ",", 1);
		if (copy) {
			utf8_clean(copy);
			add_json(&t, copy);
		}
		free(copy);
		a += n + 1;
	}
	utf8_add(&t, "]", 1);
	return t.text;
}
