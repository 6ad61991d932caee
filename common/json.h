/*
 * json.h - writing JSON through jansson, in pieces, so that a report of any
 * size needs the memory of one element only; and strings of unknown origin,
 * which JSON must not refuse.  Used by zleaks.
 *
 * Functions that take a json_t own it from then on.
 */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* NULL becomes null; bytes that are not UTF-8 become U+FFFD. */
json_t *json_text(const char *s);
json_t *json_text_bytes(const char *s, size_t bytes);

/* NAN and infinities, which JSON does not know, become null. */
json_t *json_number_or_null(double);

/* For "object is complete"; ends the program when memory ran out. */
json_t *json_checked(json_t *);

struct json_out {
	FILE *file;
	int depth;     /* of open objects and arrays */
	int not_first; /* bit per depth: a comma is due */
};

void json_out_begin(struct json_out *, FILE *); /* opens the outer object */
void json_out_end(struct json_out *);

/* A member of the innermost open object. */
void json_out_member(struct json_out *, const char *key, json_t *);
void json_out_array(struct json_out *, const char *key);
/* An element of the innermost open array. */
void json_out_element(struct json_out *, json_t *);
/* Before an element that the caller writes itself, as JSON on one line. */
void json_out_next(struct json_out *);
void json_out_array_end(struct json_out *);
/* An object as element of the innermost open array, member by member. */
void json_out_object(struct json_out *);
void json_out_object_end(struct json_out *);

#endif
