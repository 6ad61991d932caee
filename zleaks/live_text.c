/*
 * live_text.c - what is alive now as lines of text, which live_screen.c shows
 * too, and as JSON.
 */
#include "live.h"
#include "page_json.h"
#include "table.h"
#include "text.h"
#include "units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHAIN = 3, CHAIN_COLUMNS = 150, HEADS = 4 /* processes named */ };

/* "alloc_line < take_order < serve": the program's own functions from the
 * innermost on.  The caller's to free. */
static char *
chain(const struct stack *stack)
{
	size_t n = stack_frames_worth_showing(stack);
	size_t own = stack_own_frame(stack), used = 0;
	char *line = text_alloc(CHAIN * 64 + 8);

	if (!stack->count) {
		strcpy(line, "(its frames are not in the report yet)");
		return line;
	}
	for (size_t i = own == SIZE_MAX ? 0 : own; i < n && i < own + CHAIN;
	     i++) {
		char *place = frame_place(stack->frames[i]);
		char *name = stack->frames[i]->function
				 ? text_printable(stack->frames[i]->function)
				 : text_copy(place);
		used += (size_t)snprintf(line + used, 64, "%s%.56s",
					 used ? " < " : "", name);
		used = strnlen(line, CHAIN * 64);
		free(name);
		free(place);
		if (own == SIZE_MAX && i + 1 == CHAIN)
			break;
	}
	return line;
}

static const struct live_process *
process_of(const struct live *l, size_t i)
{
	return &l->process[i];
}

size_t
live_head_lines(const struct live *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->recording->process_count; i++)
		n += l->process[i].shown;
	return (n > HEADS ? HEADS + 1 : n) + 2; /* an empty line, titles */
}

static void
head(const struct live *l, FILE *out)
{
	const struct recording *r = l->recording;
	size_t shown = 0;

	for (size_t i = 0; i < r->process_count; i++) {
		const struct live_process *q = process_of(l, i);
		char bytes[32], blocks[32], rss[32], rate[UNITS_BYTES];
		char time[UNITS_BYTES], end[80];
		if (!q->shown || shown++ >= HEADS)
			continue;
		char *name = process_name(&r->processes[i]);
		fprintf(out, "%s (pid %lld), %s", name,
			(long long)r->processes[i].pid,
			isnan(r->processes[i].ended)
			    ? "running"
			    : process_end(&r->processes[i], end, sizeof end));
		free(name);
		fprintf(
		    out, ", at %s: %s live in %s blocks, %s",
		    units_time(time, q->t),
		    message_bytes(bytes, sizeof bytes, count_shown(q->bytes)),
		    message_number(blocks, sizeof blocks,
				   count_shown(q->blocks)),
		    units_rate(rate, q->rate));
		if (q->rss != UNKNOWN)
			fprintf(out, ", RSS %s",
				message_bytes(rss, sizeof rss,
					      count_shown(q->rss)));
		fputc('\n', out);
	}
	if (shown > HEADS)
		fprintf(out, "and %zu more processes\n", shown - HEADS);
	fputc('\n', out);
}

static char *
zone_name(const struct live *l, const struct live_row *row)
{
	sqlite3_stmt *st = recording_sql(
	    l->recording, "SELECT name FROM zone_info"
			  " WHERE process_id = ? AND zone_id = ?");
	char *name = NULL;

	sqlite3_bind_int64(st, 1,
			   l->recording->processes[row->process].process_id);
	sqlite3_bind_int64(st, 2, row->zone_id);
	if (recording_step(l->recording, st))
		name = column_text(st, 0);
	sqlite3_finalize(st);
	return name;
}

static void
key_cells(const struct live *l, struct table *t, const struct live_row *row)
{
	char n[32];

	if (l->view.by == BY_STACK) {
		char *line = chain(stacks_get(l->stacks, row->stack_id));
		table_cell(t, line);
		free(line);
		return;
	}
	char *zone = zone_name(l, row);
	table_cell(t, zone);
	free(zone);
	if (l->view.by == BY_CLASS)
		table_cell(t, message_number(n, sizeof n,
					     count_shown(row->size_class)));
}

void
live_text(const struct live *l, FILE *out)
{
	static const struct table_column stack[] = { { "live bytes", 1 },
						     { "rate", 1 },
						     { "blocks", 1 },
						     { "pid", 1 },
						     { "allocated by", 0 } };
	static const struct table_column class[] = {
		{ "live bytes", 1 }, { "rate", 1 }, { "blocks", 1 },
		{ "pid", 1 },	     { "zone", 0 }, { "class", 1 }
	};
	struct table *t =
	    l->view.by == BY_STACK
		? table_new(stack, 5, "")
		: table_new(class, l->view.by == BY_CLASS ? 6 : 5, "");

	head(l, out);
	for (size_t i = 0; i < l->count; i++) {
		const struct live_row *row = &l->row[i];
		char n[32], rate[UNITS_BYTES];
		table_cell(
		    t, message_number(n, sizeof n, count_shown(row->bytes)));
		table_cell(t, units_rate(rate, row->rate));
		table_cell(
		    t, message_number(n, sizeof n, count_shown(row->blocks)));
		table_cellf(
		    t, "%lld",
		    (long long)l->recording->processes[row->process].pid);
		key_cells(l, t, row);
	}
	table_flush(t, out);
	table_free(t);
	if (l->all > l->count)
		fprintf(out, "%zu more not shown\n", l->all - l->count);
}

/* ---- JSON ------------------------------------------------------------- */

static json_t *
row_json(const struct live *l, const struct live_row *row)
{
	json_t *j = json_checked(
	    json_pack("{s:I, s:I, s:I, s:o}", "pid",
		      (json_int_t)l->recording->processes[row->process].pid,
		      "live_blocks", (json_int_t)row->blocks, "live_bytes",
		      (json_int_t)row->bytes, "bytes_per_second",
		      json_number_or_null(row->rate)));

	if (l->view.by == BY_STACK) {
		json_object_set_new(j, "stack_id",
				    page_json_int(row->stack_id));
		json_object_set_new(
		    j, "stack",
		    stack_json(stacks_get(l->stacks, row->stack_id)));
		return j;
	}
	char *zone = zone_name(l, row);
	json_object_set_new(j, "zone", json_text(zone));
	free(zone);
	if (l->view.by == BY_CLASS)
		json_object_set_new(j, "size_class",
				    page_json_int(row->size_class));
	return j;
}

void
live_json(const struct live *l, FILE *out)
{
	struct json_out o;

	json_out_begin(&o, out);
	json_out_member(&o, "format", json_string("zleaks/1"));
	page_json_problems(&o, l->recording);
	json_out_member(&o, "running", json_boolean(l->running));
	json_out_array(&o, "processes");
	for (size_t i = 0; i < l->recording->process_count; i++) {
		const struct live_process *q = &l->process[i];
		if (!q->shown)
			continue;
		json_out_element(
		    &o, json_checked(json_pack(
			    "{s:I, s:o, s:o, s:o, s:o, s:o}", "pid",
			    (json_int_t)l->recording->processes[i].pid, "t",
			    json_number_or_null(q->t), "live_blocks",
			    page_json_int(q->blocks), "live_bytes",
			    page_json_int(q->bytes), "rss_bytes",
			    page_json_int(q->rss), "bytes_per_second",
			    json_number_or_null(q->rate))));
	}
	json_out_array_end(&o);
	json_out_array(&o, "rows");
	for (size_t i = 0; i < l->count; i++)
		json_out_element(&o, row_json(l, &l->row[i]));
	json_out_array_end(&o);
	json_out_end(&o);
}
