/*
 * utf8.h - strings from programs and files as they may go into a report.
 */
#ifndef ZRECORD_UTF8_H
#define ZRECORD_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Makes valid UTF-8 of any string, in place: each byte that is none becomes
 * '?'. */
void utf8_clean(char *text);

/* The JSON array of NUL-separated arguments, malloc'd; NULL out of memory. */
char *utf8_json_arguments(const char *arguments, size_t bytes);

/* A growing string.  After a failure text is NULL and stays so. */
struct utf8 {
	char *text;
	size_t length, room;
	int failed;
};
void utf8_add(struct utf8 *, const char *bytes, size_t n);
void utf8_number(struct utf8 *, uint64_t n);

#endif
