/*
 * threads_json.c - threads as JSON and CSV.
 */
#include "csv.h"
#include "page_json.h"
#include "text.h"
#include "threads.h"

#include <math.h>

enum { STACKS_LISTED = 5 };

static json_t *
stacks_json(const struct threads *s, const struct thread *t)
{
	json_t *list = json_checked(json_array());

	for (size_t i = 0; i < t->top_count && i < STACKS_LISTED; i++) {
		const struct sum *sum = &t->top[i];
		json_t *j = json_checked(json_pack(
		    "{s:I, s:I}", "live_blocks", (json_int_t)sum->blocks,
		    "live_bytes", (json_int_t)sum->bytes));
		page_json_stack(j, sum->b, stacks_get(s->stacks, sum->b));
		json_array_append_new(list, j);
	}
	return list;
}

static json_t *
thread_json(const struct threads *s, const struct thread *t)
{
	int main = t->tid != UNKNOWN && t->tid == t->process->pid;

	return json_checked(json_pack(
	    "{s:I, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I,"
	    " s:o}",
	    "pid", (json_int_t)t->process->pid, "thread_id",
	    page_json_int(t->thread_id), "tid", page_json_int(t->tid), "name",
	    json_text(t->name), "main", main, "started",
	    json_number_or_null(t->started), "ended",
	    json_number_or_null(t->ended), "allocations",
	    page_json_int(t->allocations), "frees", page_json_int(t->frees),
	    "bytes", page_json_int(t->bytes), "live_blocks",
	    page_json_int(t->live_blocks), "live_bytes",
	    page_json_int(t->live_bytes), "live_stacks",
	    (json_int_t)t->top_count, "top_stacks", stacks_json(s, t)));
}

void
threads_json(const struct threads *s, FILE *out)
{
	struct json_out o;

	json_out_begin(&o, out);
	json_out_member(&o, "format", json_string("zleaks/1"));
	page_json_problems(&o, s->recording);
	json_out_array(&o, "threads");
	for (size_t i = 0; i < s->count; i++)
		json_out_element(&o, thread_json(s, &s->thread[i]));
	json_out_array_end(&o);
	json_out_end(&o);
}

void
threads_csv(const struct threads *s, FILE *out)
{
	fputs("pid,thread_id,tid,name,started,ended,allocations,frees,bytes,"
	      "live_blocks,live_bytes\r\n",
	      out);
	for (size_t i = 0; i < s->count; i++) {
		const struct thread *t = &s->thread[i];
		csv_int(out, t->process->pid, 1);
		csv_int(out, t->thread_id, 0);
		csv_int(out, t->tid, 0);
		csv_field(out, t->name, 0);
		csv_real(out, t->started, 0);
		csv_real(out, t->ended, 0);
		csv_int(out, t->allocations, 0);
		csv_int(out, t->frees, 0);
		csv_int(out, t->bytes, 0);
		csv_int(out, t->live_blocks, 0);
		csv_int(out, t->live_bytes, 0);
		csv_end_line(out);
	}
}
