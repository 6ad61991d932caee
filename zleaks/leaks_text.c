/*
 * leaks_text.c - the leak report as a page: what is missing, then for each
 * process a verdict by kind and its groups.  leaks_end.c has the end of it.
 */
#include "leaks_text.h"

#include "page_text.h"
#include "text.h"
#include "units.h"

#include "table.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- header of a process ---------------------------------------------- */

/* ", 2 threads": nothing when it is not known or none. */
static void
print_count(FILE *out, int64_t n, const char *what)
{
	char digits[32];

	if (n > 0)
		fprintf(out, ", %s %s%s",
			message_number(digits, sizeof digits, count_shown(n)),
			what, n == 1 ? "" : "s");
}

static void
print_bytes(FILE *out, const char *what, int64_t n)
{
	char bytes[32];

	if (n != UNKNOWN)
		fprintf(out, ", %s %s", what,
			message_bytes(bytes, sizeof bytes, count_shown(n)));
}

static void
print_process(const struct page *page, const struct process *p)
{
	const struct recording *r = page->leaks->recording;
	char *line = process_line(p), end[80], text[UNITS_BYTES];
	FILE *out = page->out;

	page_cut(line, page->style.columns);
	fprintf(out, "%s%s%s\n", page->style.bold, line, page->style.off);
	fprintf(out, "pid %lld, ran %s, %s", (long long)p->pid,
		units_time(text, process_duration(p)),
		process_end(p, end, sizeof end));
	print_count(out, p->threads, "thread");
	fprintf(out, "; recording %s\n",
		process_complete(p) ? "complete" : "incomplete");
	if (p->allocations == UNKNOWN || r->places == 0) {
		fputc('\n', out);
		free(line);
		return;
	}
	fprintf(out, "frames resolved %s",
		units_share(text, r->places_resolved, r->places));
	print_count(out, p->allocations, "allocation");
	print_bytes(out, "peak", p->peak_bytes);
	print_bytes(out, process_unfinished(p) ? "live now" : "live at the end",
		    p->live_bytes);
	print_bytes(out, "all estimated from one allocation in",
		    r->sample_bytes);
	if (p->scan_threads_missed > 0)
		fprintf(out, ", threads that the scan missed: %lld",
			(long long)p->scan_threads_missed);
	if (p->frames_cut > 0)
		fprintf(out, ", stacks cut at the depth limit: %lld",
			(long long)p->frames_cut);
	fputs("\n\n", out);
	free(line);
}

/* ---- verdict by kind -------------------------------------------------- */

static void
summary_row(struct table *t, const struct page *page, const char *name,
	    const struct tally *tally, const char *note, const char *paint)
{
	char n[32];

	if (tally->blocks > 0 && *paint)
		table_paint(t, paint, page->style.off);
	table_cell(t, name);
	table_cell(t, message_number(n, sizeof n, count_shown(tally->bytes)));
	table_cell(t, message_number(n, sizeof n, count_shown(tally->blocks)));
	table_cell(t, message_number(n, sizeof n, count_shown(tally->sites)));
	table_cell(t, tally->blocks > 0 ? note : "");
}

static void
print_summary(const struct page *page, const struct section *s)
{
	static const struct table_column columns[] = { { "", 0 },
						       { "bytes", 1 },
						       { "blocks", 1 },
						       { "stacks", 1 },
						       { "", 0 } };
	const char *const notes[KIND_COUNT] = {
		"live when it ended without a scan",
		process_unfinished(s->process) ? "still in use"
					       : "still in use at the end",
		"only the inside of a block is pointed to",
		"lost together with definite ones",
		"nothing points to them any more"
	};
	const char *const paint[KIND_COUNT] = { page->style.yellow, "",
						page->style.yellow,
						page->style.red,
						page->style.red };
	struct table *t = table_new(columns, 5, "  ");

	/* no scan: then nothing is known of the other kinds, not even 0 */
	int scanned =
	    process_complete(s->process) ||
	    (s->kinds[KIND_UNSCANNED].blocks == 0 &&
	     !(process_unfinished(s->process) && isnan(s->process->scan_t)));
	for (int k = KIND_COUNT - 1; k >= 0; k--)
		if (k == KIND_UNSCANNED ? s->kinds[k].blocks > 0
					: scanned || s->kinds[k].blocks > 0)
			summary_row(t, page, kind_names[k], &s->kinds[k],
				    notes[k], paint[k]);
	if (s->late.blocks > 0)
		summary_row(t, page, kind_names[KIND_UNSCANNED], &s->late,
			    "allocated after the scan, by threads that ran on",
			    "");
	if (page->leaks->settings->suppressions)
		summary_row(t, page, "suppressed", &s->suppressed,
			    "left out, with what hangs on them", "");
	table_flush(t, page->out);
	table_free(t);
	fputc('\n', page->out);
}

/* ---- groups ----------------------------------------------------------- */

/* "malloc, " when one function made them all. */
static void
print_maker(const struct page *page, const struct group *g)
{
	const struct recording *r = page->leaks->recording;

	if (g->makers.count != 1 || g->makers.more)
		return;
	sqlite3_stmt *st =
	    recording_sql(r, "SELECT name FROM made_by WHERE made_by = ?");
	sqlite3_bind_int64(st, 1, g->makers.value[0]);
	if (recording_step(r, st)) {
		char *name = column_text(st, 0), *clean = text_printable(name);
		fprintf(page->out, "%s, ", clean);
		free(name);
		free(clean);
	}
	sqlite3_finalize(st);
}

static void
print_type(const struct page *page, const struct group *g)
{
	const char *type = leaks_type(page->leaks, g);

	if (type && !g->stack->type) /* else it stands above the frames */
		fprintf(page->out, "%s, ", type);
}

static void
print_sizes(const struct group *g, FILE *out)
{
	char n[32], m[32];

	if (g->seen_blocks == 0)
		return;
	message_number(n, sizeof n, count_shown(g->size_min));
	message_number(m, sizeof m, count_shown(g->size_max));
	if (g->size_min == g->size_max && g->seen_blocks > 1)
		fprintf(out, "%s bytes each, ", n);
	else if (g->size_min != g->size_max)
		fprintf(out, "%s to %s bytes each, ", n, m);
	if (g->classes.count == 0)
		return;
	fprintf(out, "size class%s", g->classes.count > 1 ? "es" : "");
	for (unsigned i = 0; i < g->classes.count; i++)
		fprintf(out, "%s %s", i ? "," : "",
			message_number(n, sizeof n,
				       count_shown(g->classes.value[i])));
	fputs(g->classes.more ? " and more; " : "; ", out);
}

/* "main", "worker (tid 12)" or "thread 3"; the caller's to free */
static char *
thread_name(const struct page *page, const struct process *p, int64_t id)
{
	const struct recording *r = page->leaks->recording;
	sqlite3_stmt *st =
	    recording_sql(r, "SELECT name, tid FROM thread_info"
			     " WHERE process_id = ? AND thread_id = ?");
	char *shown = NULL;

	sqlite3_bind_int64(st, 1, p->process_id);
	sqlite3_bind_int64(st, 2, id);
	if (recording_step(r, st)) {
		int64_t tid = column_int(st, 1);
		char *name = column_text(st, 0), *clean = text_printable(name);
		if (tid == p->pid && tid != UNKNOWN)
			shown = text_copy("main");
		else if (tid != UNKNOWN)
			shown = text_format("%s (tid %lld)",
					    name && *name ? clean : "?",
					    (long long)tid);
		free(name);
		free(clean);
	}
	sqlite3_finalize(st);
	return shown ? shown : text_format("%lld", (long long)id);
}

static void
print_threads(const struct page *page, const struct group *g)
{
	const struct distinct *d = &g->threads;

	if (d->count == 1) {
		char *name = thread_name(page, g->process, d->value[0]);
		fprintf(page->out, "thread %s; ", name);
		free(name);
	} else if (d->count > 1) {
		fprintf(page->out, "%u%s threads; ", d->count,
			d->more ? " or more" : "");
	}
}

static void
print_times(const struct group *g, FILE *out)
{
	char first[UNITS_BYTES], last[UNITS_BYTES];

	if (isnan(g->first))
		return;
	units_time(first, g->first);
	units_time(last, g->last);
	if (!strcmp(first, last))
		fprintf(out, "allocated at %s; ", first);
	else
		fprintf(out, "allocated %s to %s; ", first, last);
}

/* What is printed until end_wrap is broken into lines that fit. */
static FILE *
begin_wrap(struct page *page, const char *before)
{
	fputs(before, page->out);
	page->unwrapped = page->out;
	page->out = open_memstream(&page->text, &page->text_bytes);
	if (!page->out)
		die(EXIT_UNREADABLE, "out of memory");
	return page->out;
}

static void
end_wrap(struct page *page, const char *indent)
{
	if (fclose(page->out) != 0)
		die(EXIT_UNREADABLE, "out of memory");
	page->out = page->unwrapped;
	page_wrapped(page->text, &page->style, indent, page->out);
	free(page->text);
	page->text = NULL;
}

static void
print_group(struct page *page, const struct group *g)
{
	const struct style *style = &page->style;
	const char *paint = g->kind == KIND_DEFINITE	? style->red
			    : g->kind == KIND_REACHABLE ? ""
							: style->yellow;
	FILE *out = page->out;

	fprintf(out, "#%ld  %s%s%s  %s", ++page->number, paint,
		kind_names[g->kind], style->off, style->bold);
	page_amount(out, group_bytes(g), group_blocks(g));
	fputs(style->off, out);
	if (g->indirect_blocks > 0) {
		char n[32], m[32], k[32];
		fprintf(
		    out, "  (%s direct in %s + %s indirect in %s)",
		    message_number(n, sizeof n, count_shown(g->bytes)),
		    message_number(m, sizeof m, count_shown(g->blocks)),
		    message_number(k, sizeof k, count_shown(g->indirect_bytes)),
		    message_number((char[32]){ 0 }, 32,
				   count_shown(g->indirect_blocks)));
	}
	fputs(style->dim, begin_wrap(page, "\n"));
	fputs("    ", page->out);
	print_maker(page, g);
	print_type(page, g);
	print_sizes(g, page->out);
	print_threads(page, g);
	print_times(g, page->out);
	fprintf(page->out, "fingerprint %016" PRIx64 "%s\n",
		g->stack->fingerprint, style->off);
	end_wrap(page, "    ");
	leaks_print_loss(page->leaks, g, style, "    ", page->out);
	stack_print(g->stack, style, "    ", out);
	fputc('\n', out);
}

/* ---- a process -------------------------------------------------------- */

/* Of many processes, those that leak nothing get one line; and so do those
 * that went on as another program, unless their blocks were asked for. */
static int
fits_one_line(const struct page *page, const struct section *s)
{
	const struct leaks *l = page->leaks;
	const struct tally *k = s->kinds;

	if (l->recording->process_count < 2 || k[KIND_DEFINITE].blocks ||
	    k[KIND_INDIRECT].blocks || k[KIND_POSSIBLE].blocks)
		return 0;
	if (k[KIND_UNSCANNED].blocks || !process_complete(s->process))
		return !l->settings->kinds && s->process->signal <= 0;
	return s->shown_count == 0;
}

static void
print_one_line(struct page *page, const struct section *s)
{
	int complete = process_complete(s->process);
	const struct tally *rest =
	    &s->kinds[complete ? KIND_REACHABLE : KIND_UNSCANNED];
	char *name = process_name(s->process), end[80];

	fprintf(page->out, "%s%s%s (pid %lld): %s%s%s, ", page->style.bold,
		name, page->style.off, (long long)s->process->pid,
		complete ? page->style.green : page->style.yellow,
		complete ? "no leaks" : "not scanned", page->style.off);
	page_amount(page->out, rest->bytes, rest->blocks);
	fprintf(page->out, " %s, %s\n", complete ? "reachable" : "alive",
		process_end(s->process, end, sizeof end));
	page->in_list = 1;
	free(name);
}

/* A blank line behind one-line processes. */
static void
end_list(struct page *page)
{
	if (page->in_list)
		fputc('\n', page->out);
	page->in_list = 0;
}

static void
print_section(struct page *page, const struct section *s)
{
	if (fits_one_line(page, s)) {
		print_one_line(page, s);
		return;
	}
	end_list(page);
	begin_wrap(page, "");
	print_process(page, s->process);
	end_wrap(page, "  ");
	if (s->process->live_blocks == UNKNOWN && !section_leaks(s) &&
	    !s->kinds[KIND_REACHABLE].blocks)
		return; /* nothing was recorded: there is nothing to count */
	print_summary(page, s);
	for (size_t i = 0; i < s->shown_count; i++)
		print_group(page, s->shown[i]);
	if (s->left_out.sites) {
		fprintf(page->out, "%lld more group%s not shown: ",
			(long long)s->left_out.sites,
			s->left_out.sites == 1 ? "" : "s");
		page_amount(page->out, s->left_out.bytes, s->left_out.blocks);
		fputs(" (-n 0 shows all)\n\n", page->out);
	}
}

void
leaks_text(struct leaks *l, FILE *out)
{
	struct page page = { .leaks = l,
			     .style = style_for(l->settings, out),
			     .out = out };

	problems_print(l->recording, &page.style, out);
	for (size_t i = 0; i < l->recording->process_count; i++)
		print_section(&page, &l->sections[i]);
	end_list(&page);
	leaks_end(&page);
}
