/*
 * text.h - text of unknown origin on its way to a terminal or into JSON.
 *
 * Function names, paths, commands and thread names come from programs and
 * from report files that anyone may have written: they can hold control
 * characters, broken UTF-8 and marks that reverse the reading direction, and
 * can be very long.  What these functions return is safe to print and bounded.
 * No state, no locks; memory returned is the caller's to free().  They end the
 * program when memory runs out.
 */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { TEXT_BYTES_MAX = 4096 }; /* bound of one printed text, in bytes */

/*
 * Length of the UTF-8 sequence at s, of which bytes are there (at least one),
 * and its code point; 1 and UINT32_MAX where the bytes are not UTF-8.
 */
size_t text_decode(const char *s, size_t bytes, uint32_t *code);

/*
 * A printable copy: control characters, invisible direction marks and broken
 * UTF-8 become \n, \x1b, \u{202e} and so on; a text longer than
 * TEXT_BYTES_MAX is cut and ends in "...".  NULL gives "?".
 */
char *text_printable(const char *s);

/* A copy that is valid UTF-8: each invalid byte becomes U+FFFD. */
char *text_utf8(const char *s, size_t bytes);

/* Columns that printable text takes on a terminal. */
size_t text_columns(const char *s);

/* 1 when the locale's character set is UTF-8 (after setlocale). */
int text_locale_is_utf8(void);

/* Part behind the last slash; the text itself without one. */
const char *text_basename(const char *path);

/* A word as a shell would want it: quoted where it needs to be, and not to be
 * taken for an option. */
char *text_quoted(const char *word);

/* malloc and friends that never fail (they end the program instead). */
void *text_alloc(size_t bytes);
void *text_grow(void *old, size_t count, size_t bytes_each);
char *text_copy(const char *s);
char *text_format(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

#endif
