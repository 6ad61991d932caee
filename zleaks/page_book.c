/*
 * page_book.c - texts, frames and stacks of an HTML page, each once: what
 * refers to them does so by number, which keeps a page of thousands of stacks
 * small.  See html.h.
 */
#include "html.h"

#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct entry { /* of one of the three tables */
	union {
		char *text;
		const struct frame *frame;
		int64_t stack_id;
	} key;
	json_int_t number;
	UT_hash_handle hh;
};

struct book {
	struct stacks *stacks;
	struct entry *texts, *frames, *stacks_seen;
	json_t *text_list, *frame_list, *stack_list;
};

struct book *
book_new(struct stacks *stacks)
{
	struct book *b = text_alloc(sizeof *b);

	b->stacks = stacks;
	b->text_list = json_checked(json_array());
	b->frame_list = json_checked(json_array());
	b->stack_list = json_checked(json_array());
	return b;
}

static void
free_entries(struct entry *all, int with_text)
{
	struct entry *e, *next;

	HASH_ITER(hh, all, e, next)
	{
		HASH_DEL(all, e);
		if (with_text)
			free(e->key.text);
		free(e);
	}
}

void
book_free(struct book *b)
{
	free_entries(b->texts, 1);
	free_entries(b->frames, 0);
	free_entries(b->stacks_seen, 0);
	json_decref(b->text_list);
	json_decref(b->frame_list);
	json_decref(b->stack_list);
	free(b);
}

static struct entry *
entry_new(json_t *list, json_t *what)
{
	struct entry *e = text_alloc(sizeof *e);

	e->number = (json_int_t)json_array_size(list);
	json_array_append_new(list, what);
	return e;
}

json_t *
book_text(struct book *b, const char *text)
{
	struct entry *e;

	if (!text)
		return json_null();
	char *shown = text_printable(text);
	HASH_FIND_STR(b->texts, shown, e);
	if (e) {
		free(shown);
	} else {
		e = entry_new(b->text_list, json_text(shown));
		e->key.text = shown;
		HASH_ADD_KEYPTR(hh, b->texts, shown, strlen(shown), e);
	}
	return json_checked(json_integer(e->number));
}

static json_t *
frame_number(struct book *b, const struct frame *f)
{
	struct entry *e;

	HASH_FIND_PTR(b->frames, &f, e);
	if (!e) {
		json_t *row = json_checked(
		    json_pack("[o, o, o, o, o, i]", book_text(b, f->function),
			      book_text(b, f->file), page_json_int(f->line),
			      book_text(b, f->module), page_json_int(f->offset),
			      f->inlined ? 1 : 0));
		e = entry_new(b->frame_list, row);
		e->key.frame = f;
		HASH_ADD_PTR(b->frames, key.frame, e);
	}
	return json_checked(json_integer(e->number));
}

static json_t *
stack_row(struct book *b, int64_t stack_id)
{
	const struct stack *stack = stacks_get(b->stacks, stack_id);
	size_t own = stack_own_frame(stack);
	json_t *frames = json_checked(json_array());
	char fingerprint[24];

	snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64,
		 stack_fingerprint(stack));
	for (size_t i = 0; i < stack->count; i++)
		json_array_append_new(frames,
				      frame_number(b, stack->frames[i]));
	return json_checked(json_pack(
	    "[o, s, I, I, o]", page_json_int(stack_id), fingerprint,
	    (json_int_t)stack_frames_worth_showing(stack),
	    own == SIZE_MAX ? (json_int_t)-1 : (json_int_t)own, frames));
}

json_t *
book_stack(struct book *b, int64_t stack_id)
{
	struct entry *e;

	HASH_FIND(hh, b->stacks_seen, &stack_id, sizeof stack_id, e);
	if (!e) {
		e = entry_new(b->stack_list, stack_row(b, stack_id));
		e->key.stack_id = stack_id;
		HASH_ADD(hh, b->stacks_seen, key.stack_id, sizeof stack_id, e);
	}
	return json_checked(json_integer(e->number));
}

void
book_write(struct book *b, struct json_out *o)
{
	json_out_member(o, "texts", json_incref(b->text_list));
	json_out_member(o, "frames", json_incref(b->frame_list));
	json_out_member(o, "stacks", json_incref(b->stack_list));
}
