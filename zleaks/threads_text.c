/*
 * threads_text.c - threads as a page: a table for each process, and for the
 * threads that hold a part worth naming the stacks that hold most.
 */
#include "page_text.h"
#include "table.h"
#include "text.h"
#include "threads.h"
#include "units.h"

#include <math.h>
#include <stdlib.h>

enum { STACKS_SHOWN = 2, THREADS_SHOWN = 5 };
#define WORTH_NAMING 0.01 /* of the live bytes of the process */

static void
row(struct table *table, const struct thread *t)
{
	char *label = thread_label(t), time[UNITS_BYTES];

	table_cell(table, label);
	if (t->tid == UNKNOWN)
		table_cell(table, "");
	else
		table_cellf(table, "%lld", (long long)t->tid);
	table_cell(table,
		   isnan(t->started) ? "" : units_time(time, t->started));
	table_cell(table, isnan(t->ended) ? "" : units_time(time, t->ended));
	page_number_cell(table, t->allocations);
	page_number_cell(table, t->frees);
	page_bytes_cell(table, t->bytes);
	page_number_cell(table, t->live_blocks);
	page_number_cell(table, t->live_bytes);
	free(label);
}

static void
print_table(const struct threads *s, size_t from, size_t to, FILE *out)
{
	static const struct table_column columns[] = {
		{ "thread", 0 },    { "tid", 1 },	  { "started", 1 },
		{ "ended", 1 },	    { "allocations", 1 }, { "frees", 1 },
		{ "allocated", 1 }, { "live blocks", 1 }, { "live bytes", 1 }
	};
	struct table *t = table_new(columns, 9, "  ");

	for (size_t i = from; i < to; i++)
		row(t, &s->thread[i]);
	table_flush(t, out);
	table_free(t);
	fputc('\n', out);
}

static void
print_stacks(const struct threads *s, const struct style *style,
	     const struct thread *t, FILE *out)
{
	char *label = thread_label(t), n[32], m[32];

	fprintf(out, "%s%s%s", style->bold, label, style->off);
	if (t->tid != UNKNOWN)
		fprintf(out, ", tid %lld", (long long)t->tid);
	fprintf(out, ": %s bytes in %s blocks alive, from ",
		message_number(n, sizeof n, count_shown(t->live_bytes)),
		message_number(m, sizeof m, count_shown(t->live_blocks)));
	page_count(out, t->top_count, "stack");
	fputc('\n', out);
	for (size_t i = 0; i < t->top_count && i < STACKS_SHOWN; i++) {
		const struct sum *sum = &t->top[i];
		fprintf(out, "  %s bytes in %s blocks\n",
			message_number(n, sizeof n, count_shown(sum->bytes)),
			message_number(m, sizeof m, count_shown(sum->blocks)));
		stack_print(stacks_get(s->stacks, sum->b), style, "  ", out);
	}
	fputc('\n', out);
	free(label);
}

static size_t
print_section(const struct threads *s, const struct style *style,
	      const struct process *p, size_t at, FILE *out)
{
	size_t end = at, named = 0;
	double live = 0;

	for (; end < s->count && s->thread[end].process == p; end++)
		live += (double)s->thread[end].live_bytes;
	if (end == at && process_unfinished(p) && !s->settings->thread) {
		page_process(p, style, NULL, out);
		fputs("not finished, and no thread is in the report yet\n\n",
		      out);
	}
	if (end == at)
		return at;
	page_process(p, style, NULL, out);
	if (process_unfinished(p))
		fputs("not finished: live blocks are known at the end of the "
		      "process\n",
		      out);
	if (moment_given(s->settings)) {
		char *words = moment_words(s->settings);
		fprintf(out,
			"live blocks: those allocated %s; allocations and "
			"frees: of all the recording\n",
			words);
		free(words);
	}
	fputc('\n', out);
	print_table(s, at, end, out);
	for (size_t i = at; i < end && named < THREADS_SHOWN; i++) {
		const struct thread *t = &s->thread[i];
		if (t->live_bytes == 0 ||
		    (double)t->live_bytes < WORTH_NAMING * live)
			continue;
		print_stacks(s, style, t, out);
		named++;
	}
	return end;
}

void
threads_text(const struct threads *s, FILE *out)
{
	struct style style = style_for(s->settings, out);
	const struct recording *r = s->recording;
	char n[32], m[32];
	size_t at = 0;

	problems_print(r, &style, out);
	for (size_t i = 0; i < r->process_count; i++)
		at = print_section(s, &style, &r->processes[i], at, out);
	page_left_out(s->left_out, out);
	fputs("SUMMARY: zleaks threads: ", out);
	page_count(out, s->count + s->left_out, "thread");
	fprintf(out, ", %s live bytes in %s blocks\n",
		message_number(n, sizeof n, count_shown(s->live_bytes)),
		message_number(m, sizeof m, count_shown(s->live_blocks)));
}
