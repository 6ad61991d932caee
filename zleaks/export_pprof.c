/*
 * export_pprof.c - pprof's profile.proto, compressed with gzip.
 *
 * The message is small and stable, so that it is written by hand: a field is a
 * varint of its number and wire type (0 varint, 2 bytes), then the value.  As
 * pprof wants it for heaps, the types of samples are those of Go's heap
 * profiles: alloc_objects, alloc_space, inuse_space, with ours behind them.
 */
#include "export.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <zlib.h>

enum { /* fields of Profile, ValueType, Sample, Location, Line, Function */
       PROFILE_SAMPLE_TYPE = 1,
       PROFILE_SAMPLE = 2,
       PROFILE_LOCATION = 4,
       PROFILE_FUNCTION = 5,
       PROFILE_STRINGS = 6,
       PROFILE_DEFAULT_TYPE = 14,
       TYPE_TYPE = 1,
       TYPE_UNIT = 2,
       SAMPLE_LOCATION = 1,
       SAMPLE_VALUE = 2,
       LOCATION_ID = 1,
       LOCATION_ADDRESS = 3,
       LOCATION_LINE = 4,
       LINE_FUNCTION = 1,
       LINE_LINE = 2,
       FUNCTION_ID = 1,
       FUNCTION_NAME = 2,
       FUNCTION_SYSTEM_NAME = 3,
       FUNCTION_FILE = 4
};

struct bytes {
	unsigned char *at;
	size_t n, room;
};

struct string {
	char *text;
	uint64_t index;
	UT_hash_handle hh;
};

struct function {
	struct {
		uint64_t name, file;
	} key;
	uint64_t index;
	UT_hash_handle hh;
};

struct pprof {
	struct export *e;
	struct bytes out;
	struct bytes sample;  /* the latest: its memory is used again */
	struct bytes strings; /* fields that come last */
	struct string *string;
	struct function *function;
	uint64_t string_count, function_count;
	uint32_t place_count;
};

/* ---- writing ---------------------------------------------------------- */

static void
put_bytes(struct bytes *b, const void *p, size_t n)
{
	if (b->room - b->n < n) {
		b->room = 2 * b->room + n + 64;
		b->at = text_grow(b->at, b->room, 1);
	}
	memcpy(b->at + b->n, p, n);
	b->n += n;
}

static void
put_number(struct bytes *b, uint64_t v)
{
	unsigned char text[10];
	size_t n = 0;

	for (; v >= 128; v >>= 7)
		text[n++] = (unsigned char)(v | 128);
	text[n++] = (unsigned char)v;
	put_bytes(b, text, n);
}

static void
put_field(struct bytes *b, unsigned field, uint64_t v)
{
	put_number(b, (uint64_t)field << 3);
	put_number(b, v);
}

static void
put_message(struct bytes *b, unsigned field, const void *p, size_t n)
{
	put_number(b, (uint64_t)field << 3 | 2);
	put_number(b, n);
	put_bytes(b, p, n);
}

/* ---- what is referred to ---------------------------------------------- */

static uint64_t
string_index(struct pprof *x, const char *text)
{
	struct string *s;

	HASH_FIND_STR(x->string, text, s);
	if (s)
		return s->index;
	s = text_alloc(sizeof *s);
	s->text = text_copy(text);
	s->index = x->string_count++;
	HASH_ADD_KEYPTR(hh, x->string, s->text, strlen(s->text), s);
	put_message(&x->strings, PROFILE_STRINGS, text, strlen(text));
	return s->index;
}

static uint64_t
function_index(struct pprof *x, const struct frame *f)
{
	struct function *known, key;
	struct bytes m = { 0 };
	char *name = call_name(f);
	char *file = f->file ? text_printable(f->file) : text_copy("");

	memset(&key, 0, sizeof key);
	key.key.name = string_index(x, name);
	key.key.file = string_index(x, file);
	free(name);
	free(file);
	HASH_FIND(hh, x->function, &key.key, sizeof key.key, known);
	if (known)
		return known->index;
	known = text_alloc(sizeof *known);
	known->key = key.key;
	known->index = ++x->function_count;
	HASH_ADD(hh, x->function, key, sizeof known->key, known);
	put_field(&m, FUNCTION_ID, known->index);
	put_field(&m, FUNCTION_NAME, known->key.name);
	put_field(&m, FUNCTION_SYSTEM_NAME, known->key.name);
	put_field(&m, FUNCTION_FILE, known->key.file);
	put_message(&x->out, PROFILE_FUNCTION, m.at, m.n);
	free(m.at);
	return known->index;
}

static uint64_t
place_index(struct pprof *x, struct frame *f)
{
	struct bytes line = { 0 }, m = { 0 };

	if (f->index)
		return f->index;
	f->index = ++x->place_count;
	put_field(&line, LINE_FUNCTION, function_index(x, f));
	if (f->line > 0)
		put_field(&line, LINE_LINE, (uint64_t)f->line);
	put_field(&m, LOCATION_ID, f->index);
	if (f->offset > 0)
		put_field(&m, LOCATION_ADDRESS, (uint64_t)f->offset);
	put_message(&m, LOCATION_LINE, line.at, line.n);
	put_message(&x->out, PROFILE_LOCATION, m.at, m.n);
	free(line.at);
	free(m.at);
	return f->index;
}

/* ---- samples ---------------------------------------------------------- */

static const struct {
	const char *type, *unit;
	enum cost cost;
} types[] = { { "alloc_objects", "count", COST_COUNT },
	      { "alloc_space", "bytes", COST_TOTAL },
	      { "peak_space", "bytes", COST_PEAK },
	      { "temporary_objects", "count", COST_TEMPORARY },
	      { "leaked_space", "bytes", COST_LEAKED },
	      { "inuse_space", "bytes", COST_LIVE } };
enum { TYPES = sizeof types / sizeof *types };

static void
put_types(struct pprof *x)
{
	string_index(x, "");
	for (int i = 0; i < TYPES; i++) {
		struct bytes m = { 0 };
		put_field(&m, TYPE_TYPE, string_index(x, types[i].type));
		put_field(&m, TYPE_UNIT, string_index(x, types[i].unit));
		put_message(&x->out, PROFILE_SAMPLE_TYPE, m.at, m.n);
		free(m.at);
		if (types[i].cost == x->e->cost)
			put_field(&x->out, PROFILE_DEFAULT_TYPE,
				  string_index(x, types[i].type));
	}
}

static void
put_sample(void *ctx, const struct process *p, int64_t id,
	   const struct stack *stack, const uint64_t cost[COSTS])
{
	struct pprof *x = ctx;
	struct bytes m = { .at = x->sample.at, .room = x->sample.room };
	size_t n = stack_frames_worth_showing(stack);

	(void)p, (void)id;
	for (size_t i = 0; i < n; i++)
		put_field(&m, SAMPLE_LOCATION,
			  place_index(x, stack->frames[i]));
	for (int i = 0; i < TYPES; i++)
		put_field(&m, SAMPLE_VALUE, cost[types[i].cost]);
	put_message(&x->out, PROFILE_SAMPLE, m.at, m.n);
	x->sample = m;
}

/* ---- the file --------------------------------------------------------- */

static void
compress_to(FILE *out, const struct bytes *b)
{
	enum { GZIP = 16 + 15 };
	unsigned char part[1 << 15];
	z_stream z = { .next_in = b->at, .avail_in = (uInt)b->n };
	int code = deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP, 8,
				Z_DEFAULT_STRATEGY);

	while (code == Z_OK) {
		z.next_out = part;
		z.avail_out = sizeof part;
		code = deflate(&z, Z_FINISH);
		fwrite(part, 1, sizeof part - z.avail_out, out);
	}
	deflateEnd(&z);
	if (code != Z_STREAM_END)
		die(EXIT_UNREADABLE, "export: cannot compress: %s",
		    z.msg ? z.msg : "out of memory");
}

void
export_pprof(struct export *e)
{
	struct pprof x = { .e = e };
	struct string *s, *next_s;
	struct function *f, *next_f;

	put_types(&x);
	calltree_each_stack(e->recording, e->stacks, e->settings, put_sample,
			    &x);
	put_bytes(&x.out, x.strings.at, x.strings.n);
	compress_to(e->out, &x.out);
	HASH_ITER(hh, x.string, s, next_s)
	{
		HASH_DEL(x.string, s);
		free(s->text);
		free(s);
	}
	HASH_ITER(hh, x.function, f, next_f)
	{
		HASH_DEL(x.function, f);
		free(f);
	}
	free(x.out.at);
	free(x.sample.at);
	free(x.strings.at);
}
