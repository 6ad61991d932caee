/*
 * html.c - the command `html`: one file with the whole report, which needs
 * neither zleaks nor network.  Here is the page around its data; see html.h.
 */
#include "html.h"

#include "assets.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the data's way into the page ------------------------------------- */

/* In JSON, <, > and & stand in texts only, where an escape means the same. */
static ssize_t
write_escaped(void *cookie, const char *data, size_t bytes)
{
	FILE *out = cookie;
	size_t plain = 0;

	for (size_t i = 0; i < bytes; i++) {
		if (data[i] != '<' && data[i] != '>' && data[i] != '&')
			continue;
		fwrite(data + plain, 1, i - plain, out);
		fprintf(out, "\\u%04x", (unsigned)data[i]);
		plain = i + 1;
	}
	fwrite(data + plain, 1, bytes - plain, out);
	return ferror(out) ? 0 : (ssize_t)bytes;
}

static FILE *
open_escaped(FILE *out)
{
	const cookie_io_functions_t calls = { .write = write_escaped };
	FILE *f = fopencookie(out, "w", calls);

	if (!f)
		die(EXIT_UNREADABLE, "out of memory");
	return f;
}

/* ---- processes and threads -------------------------------------------- */

json_t *
html_process(const struct html *h, const struct process *p)
{
	return json_checked(
	    json_integer((json_int_t)(p - h->recording->processes)));
}

static json_t *
shown_text(char *text)
{
	json_t *j = json_text(text);

	free(text);
	return j;
}

/* As in `zleaks --json`, and what the page says in words. */
static json_t *
process_json(const struct process *p, double peak_t)
{
	json_t *j = leaks_process_json(p);
	char end[128];

	json_object_del(j, "command");
	json_object_set_new(j, "name", shown_text(process_name(p)));
	json_object_set_new(j, "line", shown_text(process_line(p)));
	json_object_set_new(j, "end",
			    json_text(process_end(p, end, sizeof end)));
	json_object_set_new(j, "recording",
			    shown_text(text_printable(p->recording)));
	json_object_set_new(j, "peak_t", html_time(peak_t));
	json_t *numbers = json_checked(json_pack(
	    "{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "allocations",
	    page_json_int(p->allocations), "frees", page_json_int(p->frees),
	    "bytes_allocated", page_json_int(p->bytes_allocated), "peak_bytes",
	    page_json_int(p->peak_bytes), "live_blocks",
	    page_json_int(p->live_blocks), "live_bytes",
	    page_json_int(p->live_bytes), "threads",
	    page_json_int(p->threads)));
	json_object_update(j, numbers);
	json_decref(numbers);
	return j;
}

/* The one that was started, or what it went on as by exec. */
static size_t
main_process(const struct recording *r)
{
	size_t at = 0;

	for (size_t i = 1; i < r->process_count; i++)
		if (process_replaced(&r->processes[at]) &&
		    r->processes[i].pid == r->processes[at].pid)
			at = i;
	return at;
}

static void
write_processes(struct html *h)
{
	const struct recording *r = h->recording;
	sqlite3_stmt *st = recording_sql(
	    r, "SELECT peak_t FROM process_info WHERE process_id = ?");

	json_out_array(&h->out, "processes");
	for (size_t i = 0; i < r->process_count; i++) {
		const struct process *p = &r->processes[i];
		sqlite3_bind_int64(st, 1, p->process_id);
		double peak_t =
		    recording_step(r, st) ? column_real(st, 0) : NAN;
		sqlite3_reset(st);
		json_out_element(&h->out, process_json(p, peak_t));
	}
	json_out_array_end(&h->out);
	json_out_member(&h->out, "main_process",
			json_integer((json_int_t)main_process(r)));
	sqlite3_finalize(st);
}

/* [[process, number, tid, name, allocations, frees, bytes]] */
static void
write_threads(struct html *h)
{
	const struct recording *r = h->recording;
	sqlite3_stmt *st = recording_sql(
	    r, "SELECT process_id, thread_id, tid, name, allocations, frees,"
	       " bytes FROM thread_info ORDER BY bytes DESC");
	json_int_t n = 0, left_out = 0;

	json_out_array(&h->out, "threads");
	while (recording_step(r, st)) {
		const struct process *p =
		    recording_process(r, column_int(st, 0));
		if (!p)
			continue;
		if (++n > HTML_THREADS) {
			left_out++;
			continue;
		}
		const char *name = (const char *)sqlite3_column_text(st, 3);
		json_out_element(&h->out,
				 json_pack("[o, o, o, o, o, o, o]",
					   html_process(h, p),
					   page_json_int(column_int(st, 1)),
					   page_json_int(column_int(st, 2)),
					   book_text(h->book, name),
					   page_json_int(column_int(st, 4)),
					   page_json_int(column_int(st, 5)),
					   page_json_int(column_int(st, 6))));
	}
	json_out_array_end(&h->out);
	json_out_member(&h->out, "threads_left_out", json_integer(left_out));
	sqlite3_finalize(st);
}

/* ---- the command ------------------------------------------------------ */

static json_t *
cost_titles_json(void)
{
	json_t *list = json_checked(json_array());

	for (int i = 0; i < COSTS; i++)
		json_array_append_new(
		    list, json_checked(json_pack("[s, s, b]", cost_names[i],
						 cost_titles[i],
						 cost_is_bytes((enum cost)i))));
	return list;
}

static void
write_data(struct html *h, FILE *out)
{
	struct json_out *o = &h->out;
	FILE *escaped = open_escaped(out);

	json_out_begin(o, escaped);
	json_out_member(o, "format", json_string("zleaks-html/1"));
	json_out_member(o, "version", json_string(ZM_VERSION));
	json_out_member(
	    o, "report",
	    shown_text(text_printable(text_basename(h->recording->path))));
	page_json_problems(o, h->recording);
	json_out_member(o, "places",
			json_integer((json_int_t)h->recording->places));
	json_out_member(
	    o, "places_resolved",
	    json_integer((json_int_t)h->recording->places_resolved));
	json_out_member(o, "costs", cost_titles_json());
	write_processes(h);
	html_leaks(h);
	html_roots(h);
	html_timelines(h);
	html_growth(h);
	html_trees(h);
	write_threads(h);
	book_write(h->book, o);
	json_out_end(o);
	if (fclose(escaped) != 0)
		message("out of memory");
}

/* What the commands `leaks` and `growth` find, each with settings of its own.
 */
struct findings {
	struct settings leaks, by_class, by_stack;
};

static void
find_growth(struct growth *g, const struct html *h, struct settings *s,
	    enum by by, long top)
{
	*s = *h->settings;
	s->by = by;
	s->top = top;
	s->min_bytes = 0;
	if (by == BY_CLASS)
		memset(&s->filter, 0, sizeof s->filter);
	*g = (struct growth){ .recording = h->recording,
			      .stacks = h->stacks,
			      .settings = s };
	growth_find(g);
}

/* Fewer of each process when there are many. */
static long
leaks_of_each(const struct recording *r)
{
	size_t n = r->process_count ? r->process_count : 1;
	long most = (long)(HTML_LEAKS_ALL / n);

	return most > HTML_LEAKS	 ? HTML_LEAKS
	       : most < HTML_LEAKS_LEAST ? HTML_LEAKS_LEAST
					 : most;
}

static void
find(struct html *h, struct findings *f)
{
	f->leaks = *h->settings;
	f->leaks.kinds = (1u << KIND_COUNT) - 1;
	if (f->leaks.top < 0)
		f->leaks.top = leaks_of_each(h->recording);
	h->leaks = (struct leaks){ .recording = h->recording,
				   .stacks = h->stacks,
				   .settings = &f->leaks,
				   .top_of_each_kind = 1 };
	leaks_find(&h->leaks);
	find_growth(&h->growth, h, &f->by_class, BY_CLASS, HTML_CURVES);
	find_growth(&h->growth_by_stack, h, &f->by_stack, BY_STACK,
		    HTML_STACK_CURVES);
}

static void
write_page(struct html *h, FILE *out)
{
	asset_write(page_head, page_head_end, out);
	write_data(h, out);
	asset_write(page_tail, page_tail_end, out);
}

static const char *
check(const struct settings *s, int argc, char **argv)
{
	const char *path = settings_report("html", argc, argv);

	if (path && !page_head[0]) {
		message("html: built without the page's libraries: with "
			"network once, run 'make deps' and 'make'");
		return NULL;
	}
	if (path && !s->output && isatty(STDOUT_FILENO)) {
		message("html: into which file? Try: zleaks html -o "
			"report.html %s",
			path);
		return NULL;
	}
	return path;
}

int
html_main(const struct settings *settings, int argc, char **argv)
{
	const char *path = check(settings, argc, argv);
	struct html h = { .settings = settings };
	struct findings findings;
	struct output out;

	if (!path)
		return EXIT_USAGE;
	h.recording = recording_open(path, settings);
	h.stacks = stacks_new(h.recording);
	stacks_without_fingerprints(h.stacks); /* page_book.c makes some */
	h.book = book_new(h.stacks);
	find(&h, &findings);
	if (output_open(&out, settings->output) != 0)
		return EXIT_USAGE;
	write_page(&h, out.file);
	int status = page_close(&out, h.recording);
	free(h.shown);
	leaks_free(&h.leaks);
	growth_free(&h.growth);
	growth_free(&h.growth_by_stack);
	book_free(h.book);
	stacks_free(h.stacks);
	recording_close(h.recording);
	return status;
}
