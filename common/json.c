/* json.c - see json.h.  Relies on jansson and text.h. */
#include "json.h"

#include "message.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

json_t *
json_checked(json_t *j)
{
	if (!j)
		die(EXIT_UNREADABLE, "out of memory");
	return j;
}

json_t *
json_text_bytes(const char *s, size_t bytes)
{
	json_t *j = json_stringn(s, bytes);
	if (!j) { /* not UTF-8 */
		char *valid = text_utf8(s, bytes);
		j = json_string(valid);
		free(valid);
	}
	return json_checked(j);
}

json_t *
json_text(const char *s)
{
	return s ? json_text_bytes(s, strlen(s)) : json_null();
}

json_t *
json_number_or_null(double d)
{
	return isfinite(d) ? json_checked(json_real(d)) : json_null();
}

/* Comma, new line and indent before what comes next. */
static void
next(struct json_out *o)
{
	int bit = 1 << o->depth;

	fprintf(o->file, "%s\n%*s", o->not_first & bit ? "," : "", o->depth * 2,
		"");
	o->not_first |= bit;
}

static void
open_level(struct json_out *o, char c)
{
	fputc(c, o->file);
	o->depth++;
	o->not_first &= ~(1 << o->depth);
}

static void
close_level(struct json_out *o, char c)
{
	int empty = !(o->not_first & 1 << o->depth);

	o->depth--;
	if (!empty)
		fprintf(o->file, "\n%*s", o->depth * 2, "");
	fputc(c, o->file);
}

static void
key_and_colon(struct json_out *o, const char *key)
{
	next(o);
	fprintf(o->file, "\"%s\": ", key);
}

static void
value(struct json_out *o, json_t *j)
{
	json_checked(j);
	/* 17 digits would show 0.1 as 0.10000000000000001 */
	if (json_dumpf(j, o->file, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) !=
		0 &&
	    !ferror(o->file))
		die(EXIT_UNREADABLE, "out of memory");
	json_decref(j);
}

void
json_out_begin(struct json_out *o, FILE *file)
{
	o->file = file;
	o->depth = 0;
	o->not_first = 0;
	open_level(o, '{');
}

void
json_out_end(struct json_out *o)
{
	close_level(o, '}');
	fputc('\n', o->file);
}

void
json_out_member(struct json_out *o, const char *key, json_t *j)
{
	key_and_colon(o, key);
	value(o, j);
}

void
json_out_array(struct json_out *o, const char *key)
{
	key_and_colon(o, key);
	open_level(o, '[');
}

void
json_out_element(struct json_out *o, json_t *j)
{
	next(o);
	value(o, j);
}

void
json_out_next(struct json_out *o)
{
	next(o);
}

void
json_out_array_end(struct json_out *o)
{
	close_level(o, ']');
}

void
json_out_object(struct json_out *o)
{
	next(o);
	open_level(o, '{');
}

void
json_out_object_end(struct json_out *o)
{
	close_level(o, '}');
}
