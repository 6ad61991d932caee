/*
 * holder.c - see holder.h.
 */
#include "holder.h"
#include "page_json.h"

#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { LINKS_MAX = 64, SHOWN_LINKS = 12 };

struct root {
	int64_t root_id;
	char *kind, *module, *symbol, *thread; /* printable; NULL: unknown */
	int64_t thread_id, address, bytes;
	UT_hash_handle hh;
};

struct type {
	int64_t type_id;
	char *name; /* printable */
	UT_hash_handle hh;
};

struct holders {
	const struct recording *recording;
	struct stacks *stacks;
	struct root *roots;
	struct type *types;
	sqlite3_stmt *root, *type, *path;
};

int
holders_there(const struct recording *r)
{
	return recording_has(r, "block_info", "holder");
}

struct holders *
holders_new(const struct recording *r, struct stacks *stacks)
{
	struct holders *h = text_alloc(sizeof *h);

	h->recording = r;
	h->stacks = stacks;
	h->root = recording_sql(
	    r, "SELECT r.kind, m.path, r.symbol, r.thread_id, t.name, r.tid,"
	       " p.pid, r.address, r.bytes FROM root_info r"
	       " LEFT JOIN module_info m USING (module_id)"
	       " LEFT JOIN process_info p ON p.process_id = r.process_id"
	       " LEFT JOIN thread_info t ON t.process_id = r.process_id"
	       "  AND t.thread_id = r.thread_id WHERE root_id = ?1");
	h->type =
	    recording_sql(r, "SELECT name FROM type_info WHERE type_id = ?1");
	h->path = recording_sql(r, "SELECT json_extract(e.value, '$.root'),"
				   " json_extract(e.value, '$.stack'),"
				   " json_extract(e.value, '$.type'),"
				   " json_extract(e.value, '$.offset'),"
				   " json_extract(e.value, '$.times')"
				   " FROM holder_path p, json_each(p.steps) e"
				   " WHERE path_id = ?1 ORDER BY e.key");
	return h;
}

void
holders_free(struct holders *h)
{
	struct root *r, *next_root;
	struct type *t, *next_type;

	if (!h)
		return;
	HASH_ITER(hh, h->roots, r, next_root)
	{
		HASH_DEL(h->roots, r);
		free(r->kind);
		free(r->module);
		free(r->symbol);
		free(r->thread);
		free(r);
	}
	HASH_ITER(hh, h->types, t, next_type)
	{
		HASH_DEL(h->types, t);
		free(t->name);
		free(t);
	}
	sqlite3_finalize(h->root);
	sqlite3_finalize(h->type);
	sqlite3_finalize(h->path);
	free(h);
}

/* ---- names ------------------------------------------------------------ */

static char *
printable_column(sqlite3_stmt *st, int column)
{
	const char *s = (const char *)sqlite3_column_text(st, column);

	return s ? text_printable(s) : NULL;
}

/* "main", "worker (tid 12)"; NULL when the thread is not known. */
static char *
thread_label(sqlite3_stmt *st)
{
	int64_t tid = column_int(st, 5);
	char *name = printable_column(st, 4), *label = NULL;

	if (tid != UNKNOWN && tid == column_int(st, 6))
		label = text_copy("main");
	else if (tid != UNKNOWN && name)
		label = text_format("%s (tid %" PRId64 ")", name, tid);
	else if (tid != UNKNOWN)
		label = text_format("%" PRId64, tid);
	free(name);
	return label;
}

static const struct root *
root_get(struct holders *h, int64_t id)
{
	sqlite3_stmt *st = h->root;
	struct root *r;

	HASH_FIND(hh, h->roots, &id, sizeof id, r);
	if (r)
		return r;
	r = text_alloc(sizeof *r);
	r->root_id = id;
	r->thread_id = r->address = r->bytes = UNKNOWN;
	sqlite3_bind_int64(st, 1, id);
	if (recording_step(h->recording, st)) {
		r->kind = printable_column(st, 0);
		r->module = printable_column(st, 1);
		r->symbol = printable_column(st, 2);
		r->thread_id = column_int(st, 3);
		r->thread = thread_label(st);
		r->address = column_int(st, 7);
		r->bytes = column_int(st, 8);
	}
	sqlite3_reset(st);
	HASH_ADD(hh, h->roots, root_id, sizeof r->root_id, r);
	return r;
}

const char *
holders_type(struct holders *h, int64_t id)
{
	struct type *t;

	if (id == UNKNOWN)
		return NULL;
	HASH_FIND(hh, h->types, &id, sizeof id, t);
	if (!t) {
		t = text_alloc(sizeof *t);
		t->type_id = id;
		sqlite3_bind_int64(h->type, 1, id);
		if (recording_step(h->recording, h->type))
			t->name = printable_column(h->type, 0);
		sqlite3_reset(h->type);
		HASH_ADD(hh, h->types, type_id, sizeof t->type_id, t);
	}
	return t->name;
}

/* "+0x18"; nothing where there is none. */
static const char *
hex_offset(char buf[32], int64_t offset)
{
	buf[0] = 0;
	if (offset > 0)
		snprintf(buf, 32, "+0x%" PRIx64, (uint64_t)offset);
	return buf;
}

static char *
root_text(const struct root *r, int64_t offset)
{
	const char *kind = r->kind ? r->kind : "";
	const char *thread = r->thread ? r->thread : "not known";
	const char *module = r->module ? text_basename(r->module) : "?";
	char at[32], size[32];

	hex_offset(at, offset);
	if (!strcmp(kind, "data"))
		return r->symbol ? text_format("%s%s (data of %s)", r->symbol,
					       at, module)
				 : text_format("%s%s (data)", module, at);
	if (!strcmp(kind, "tls"))
		return text_format("%s%s (thread-local of %s, thread %s)",
				   r->symbol ? r->symbol : module, at, module,
				   thread);
	if (!strcmp(kind, "stack"))
		return text_format("stack of thread %s%s%s", thread,
				   *at ? " " : "", at);
	if (!strcmp(kind, "registers"))
		return text_format("registers of thread %s", thread);
	if (!strcmp(kind, "thread"))
		return text_format("what libc keeps of thread %s%s%s", thread,
				   *at ? " " : "", at);
	if (!strcmp(kind, "heap"))
		return text_format("memory from brk%s", at);
	message_bytes(size, sizeof size, count_shown(r->bytes));
	return text_format("mapping of %s at 0x%" PRIx64 "%s", size,
			   (uint64_t)r->address, at);
}

char *
holders_root_text(struct holders *h, int64_t root_id)
{
	return root_text(root_get(h, root_id), UNKNOWN);
}

/* The frame that a reader looks for; NULL without a stack. */
static const struct frame *
site(struct holders *h, int64_t stack_id)
{
	if (stack_id == UNKNOWN)
		return NULL;
	const struct stack *s = stacks_get(h->stacks, stack_id);
	size_t own = stack_own_frame(s);

	if (s->count == 0)
		return NULL;
	return s->frames[own < s->count ? own : 0];
}

/* "session.c:41", "libfoo.so+0x12" */
static char *
site_text(const struct frame *f)
{
	if (f->file && f->line > 0) {
		char *file = text_printable(text_basename(f->file));
		char *text = text_format("%s:%" PRId64, file, f->line);
		free(file);
		return text;
	}
	return frame_place(f);
}

char *
holders_block_text(struct holders *h, int64_t stack_id, int64_t type_id)
{
	const char *type = holders_type(h, type_id);
	const struct frame *f = site(h, stack_id);

	if (!f)
		return text_copy(type ? type : "a block");
	char *place = site_text(f), *name, *text;
	name = type ? text_copy(type) : text_printable(f->function);
	text = *place ? text_format("%s (%s)", name, place) : text_copy(name);
	free(place);
	free(name);
	return text;
}

/* ---- chains ----------------------------------------------------------- */

static char *
link_text(struct holders *h, const struct holder_link *l)
{
	char *name, *text, times[40] = "", at[40] = "";

	if (l->root_id != UNKNOWN) {
		name = root_text(root_get(h, l->root_id), l->offset);
	} else if (l->times == 0) {
		name = text_copy("...");
	} else {
		name = holders_block_text(h, l->stack_id, l->type_id);
		if (l->offset != UNKNOWN)
			snprintf(at, sizeof at, " +%" PRId64, l->offset);
	}
	if (l->times > 1)
		snprintf(times, sizeof times, " (%" PRId64 " in a row)",
			 l->times);
	text = text_format(
	    "%s%s%s%s", name, at, times,
	    l->offset == UNKNOWN ? " -> (blocks that are not recorded)" : "");
	free(name);
	return text;
}

char *
holders_text(struct holders *h, const struct holder_link *links, size_t n)
{
	char *text = text_copy("");

	for (size_t i = 0; i < n; i++) {
		/* of a long chain both ends are shown */
		if (n > SHOWN_LINKS && i == SHOWN_LINKS / 2) {
			size_t skip = n - SHOWN_LINKS;
			char *more =
			    text_format("%s -> (%zu more)", text, skip);
			free(text);
			text = more;
			i += skip;
		}
		char *link = link_text(h, &links[i]);
		char *longer =
		    text_format("%s%s%s", text, i ? " -> " : "", link);
		free(text);
		free(link);
		text = longer;
	}
	return text;
}

static void
set_text(json_t *j, const char *key, const char *text)
{
	json_object_set_new(j, key, json_text(text));
}

void
holders_root_json(struct holders *h, int64_t root_id, json_t *j)
{
	const struct root *r = root_get(h, root_id);

	json_object_set_new(j, "root_id", page_json_int(root_id));
	set_text(j, "kind", r->kind);
	set_text(j, "symbol", r->symbol);
	set_text(j, "module", r->module);
	json_object_set_new(j, "thread", page_json_int(r->thread_id));
	set_text(j, "thread_name", r->thread);
	json_object_set_new(j, "address", page_json_int(r->address));
}

json_t *
holders_json(struct holders *h, const struct holder_link *links, size_t n)
{
	json_t *list = json_checked(json_array());

	for (size_t i = 0; i < n; i++) {
		const struct holder_link *l = &links[i];
		char *text = link_text(h, l);
		json_t *j = json_checked(json_object());
		set_text(j, "text", text);
		json_object_set_new(j, "offset", page_json_int(l->offset));
		if (l->root_id != UNKNOWN) {
			holders_root_json(h, l->root_id, j);
		} else {
			const struct frame *f = site(h, l->stack_id);
			json_object_set_new(j, "stack_id",
					    page_json_int(l->stack_id));
			set_text(j, "type", holders_type(h, l->type_id));
			set_text(j, "function", f ? f->function : NULL);
			set_text(j, "file", f ? f->file : NULL);
			json_object_set_new(
			    j, "line", page_json_int(f ? f->line : UNKNOWN));
			json_object_set_new(j, "times",
					    page_json_int(l->times));
		}
		json_array_append_new(list, j);
		free(text);
	}
	return list;
}

struct holder_link *
holders_path(struct holders *h, int64_t path_id, size_t *n)
{
	struct holder_link *links = text_alloc(LINKS_MAX * sizeof *links);
	sqlite3_stmt *st = h->path;

	*n = 0;
	sqlite3_bind_int64(st, 1, path_id);
	while (*n < LINKS_MAX && recording_step(h->recording, st)) {
		struct holder_link *l = &links[(*n)++];
		l->root_id = column_int(st, 0);
		l->stack_id = column_int(st, 1);
		l->type_id = column_int(st, 2);
		l->offset = column_int(st, 3);
		l->times = column_int(st, 4);
	}
	sqlite3_reset(st);
	return links;
}
