/*
 * stack.c - see stack.h.  Relies on the tables stack_info, location and
 * module_info, and on uthash for the two tables of what was read already.
 */
#include "stack.h"

#include "json.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum {
	FRAMES_MAX = 4096, /* of one stack: zrecord keeps far fewer */
	NAME_MAX_BYTES = 16 << 10,
	SMALL_ID = 1 << 17
};

struct place { /* a row of `location` */
	int64_t location_id;
	struct frame frame;
	UT_hash_handle hh;
};

struct known_stack {
	int64_t stack_id;
	struct stack stack;
	UT_hash_handle hh;
};

struct stacks {
	const struct recording *recording;
	sqlite3_stmt *frames_of, *location;
	struct place *places;
	struct place **by_id; /* those with small numbers, most often all */
	struct known_stack *stacks;
	int no_fingerprints;
};

struct stacks *
stacks_new(const struct recording *r)
{
	struct stacks *s = text_alloc(sizeof *s);

	s->recording = r;
	s->by_id = text_alloc(SMALL_ID * sizeof(struct place *));
	/* older reports have no types */
	s->frames_of = recording_sql(
	    r, recording_has(r, "stack_info", "type_id")
		   ? "SELECT frames, name FROM stack_info"
		     " LEFT JOIN type_info USING (type_id) WHERE stack_id = ?"
		   : "SELECT frames, NULL FROM stack_info WHERE stack_id = ?");
	s->location = recording_sql(
	    r, "SELECT function, file, path, line, offset, inlined"
	       " FROM location LEFT JOIN module_info USING (module_id)"
	       " WHERE location_id = ?");
	return s;
}

void
stacks_free(struct stacks *s)
{
	struct place *place, *next_place;
	struct known_stack *stack, *next_stack;

	HASH_ITER(hh, s->places, place, next_place)
	{
		HASH_DEL(s->places, place);
		free(place->frame.function);
		free(place->frame.file);
		free(place->frame.module);
		json_decref(place->frame.json);
		free(place->frame.text);
		free(place->frame.name);
		free(place);
	}
	HASH_ITER(hh, s->stacks, stack, next_stack)
	{
		HASH_DEL(s->stacks, stack);
		free(stack->stack.frames);
		free(stack->stack.type);
		free(stack);
	}
	sqlite3_finalize(s->frames_of);
	sqlite3_finalize(s->location);
	free(s->by_id);
	free(s);
}

void
stacks_without_fingerprints(struct stacks *s)
{
	s->no_fingerprints = 1;
}

/* ---- reading ---------------------------------------------------------- */

static char *
bounded_text(sqlite3_stmt *st, int column)
{
	const char *s = (const char *)sqlite3_column_text(st, column);
	if (!s || !*s)
		return NULL;
	size_t n = strnlen(s, NAME_MAX_BYTES);
	char *copy = text_alloc(n + 1);
	return memcpy(copy, s, n);
}

static struct frame *
place_get(struct stacks *s, int64_t id)
{
	struct place *p;

	if (id >= 0 && id < SMALL_ID && s->by_id[id])
		return &s->by_id[id]->frame;
	HASH_FIND(hh, s->places, &id, sizeof id, p);
	if (p)
		return &p->frame;
	p = text_alloc(sizeof *p);
	p->location_id = id;
	p->frame.line = p->frame.offset = UNKNOWN;
	sqlite3_bind_int64(s->location, 1, id);
	if (recording_step(s->recording, s->location)) {
		sqlite3_stmt *st = s->location;
		p->frame.function = bounded_text(st, 0);
		p->frame.file = bounded_text(st, 1);
		p->frame.module = bounded_text(st, 2);
		p->frame.line = column_int(st, 3);
		p->frame.offset = column_int(st, 4);
		p->frame.inlined = sqlite3_column_int(st, 5) != 0;
	}
	sqlite3_reset(s->location);
	frame_prepare(&p->frame);
	HASH_ADD(hh, s->places, location_id, sizeof p->location_id, p);
	if (id >= 0 && id < SMALL_ID)
		s->by_id[id] = p;
	return &p->frame;
}

/* Frames from the text of a JSON array of location ids; ends at whatever is
 * not of that form. */
static void
read_frames(struct stacks *s, struct stack *stack, const char *list)
{
	size_t room = 0;

	while (stack->count < FRAMES_MAX && list &&
	       (*list == '[' || *list == ',')) {
		char *end;
		int64_t id = strtoll(list + 1, &end, 10);
		if (end == list + 1)
			break;
		list = end;
		if (stack->count == room) {
			room = room ? room * 2 : 32;
			stack->frames = text_grow(stack->frames, room,
						  sizeof *stack->frames);
		}
		stack->frames[stack->count++] = place_get(s, id);
	}
	if (stack->count < room)
		stack->frames = text_grow(stack->frames, stack->count,
					  sizeof *stack->frames);
}

const struct stack *
stacks_get(struct stacks *s, int64_t id)
{
	struct known_stack *k;

	HASH_FIND(hh, s->stacks, &id, sizeof id, k);
	if (k)
		return &k->stack;
	k = text_alloc(sizeof *k);
	k->stack_id = id;
	sqlite3_bind_int64(s->frames_of, 1, id);
	if (recording_step(s->recording, s->frames_of)) {
		read_frames(s, &k->stack,
			    (const char *)sqlite3_column_text(s->frames_of, 0));
		k->stack.type = bounded_text(s->frames_of, 1);
	}
	sqlite3_reset(s->frames_of);
	if (!s->no_fingerprints)
		k->stack.fingerprint = stack_fingerprint(&k->stack);
	HASH_ADD(hh, s->stacks, stack_id, sizeof k->stack_id, k);
	return &k->stack;
}

/* ---- what a stack says ------------------------------------------------ */

int
stack_passes(const struct stack *stack, const struct regexfilter *f)
{
	int focused = !f->has_focus;

	if (!regexfilter_active(f))
		return 1;
	for (size_t i = 0; i < stack->count; i++) {
		const struct frame *fr = stack->frames[i];
		const char *const text[] = { fr->function, fr->file,
					     fr->module };
		for (int j = 0; j < 3; j++) {
			if (regexfilter_ignores(f, text[j]))
				return 0;
			focused |= regexfilter_focuses(f, text[j]);
		}
	}
	return focused;
}

static json_t *
int_or_null(int64_t n)
{
	return n == UNKNOWN ? json_null() : json_checked(json_integer(n));
}

static json_t *
frame_json(struct frame *f)
{
	if (!f->json)
		f->json = json_checked(json_pack(
		    "{s:o, s:o, s:o, s:o, s:o, s:b}", "function",
		    json_text(f->function), "file", json_text(f->file), "line",
		    int_or_null(f->line), "module", json_text(f->module),
		    "offset", int_or_null(f->offset), "inlined", f->inlined));
	return f->json;
}

json_t *
stack_json(const struct stack *stack)
{
	json_t *list = json_checked(json_array());

	for (size_t i = 0; i < stack->count; i++)
		if (json_array_append(list, frame_json(stack->frames[i])) != 0)
			json_checked(NULL);
	return list;
}

void
stack_json_write(const struct stack *stack, FILE *out)
{
	fputc('[', out);
	for (size_t i = 0; i < stack->count; i++) {
		struct frame *f = stack->frames[i];
		if (!f->text) {
			f->text = json_dumps(frame_json(f), 0);
			if (!f->text)
				die(EXIT_UNREADABLE, "out of memory");
			f->text_bytes = strlen(f->text);
		}
		fwrite(", ", 1, i ? 2 : 0, out);
		fwrite(f->text, 1, f->text_bytes, out);
	}
	fputc(']', out);
}

static int
one_of(const char *name, const char *const *list)
{
	/* "NAME@@VERSION" is that function too */
	size_t n = name ? strcspn(name, "@") : 0;

	for (; name && *list; list++)
		if (!strncmp(name, *list, n) && !(*list)[n])
			return 1;
	return 0;
}

size_t
stack_frames_worth_showing(const struct stack *stack)
{
	static const char *const starters[] = { "_start",
						"__libc_start_main",
						"__libc_start_call_main",
						"__libc_start_main_impl",
						"__libc_start_main_alias_2",
						"start_thread",
						"clone",
						"__clone",
						"clone3",
						"__clone3",
						NULL };
	size_t n = stack->count;

	/* a stripped program's _start has no name */
	if (n > 2 && !stack->frames[n - 1]->function &&
	    one_of(stack->frames[n - 2]->function, starters))
		n--;
	while (n > 1 && one_of(stack->frames[n - 1]->function, starters))
		n--;
	return n;
}

/* Not of the program itself. */
static int
is_foreign(const struct frame *f)
{
	return f->is_std || !f->module || strstr(f->module, ".so") != NULL ||
	       f->module[0] == '[';
}

size_t
stack_own_frame(const struct stack *stack)
{
	size_t n = stack_frames_worth_showing(stack);

	for (size_t i = 0; i < n; i++)
		if (!is_foreign(stack->frames[i]))
			return i;
	return SIZE_MAX;
}
