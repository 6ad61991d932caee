/*
 * roots.c - the command `roots`: which global, thread's stack or mapping keeps
 * how much memory alive.
 *
 * What a root retains is what would be lost if it went: the blocks to which
 * every chain of pointers begins there.  zrecord has found that out for each
 * scan; a row of root_scan stands where it changed.  What several roots hold
 * together belongs to none of them and is a sum of its own.
 */
#include "holder.h"
#include "page_json.h"
#include "table.h"
#include "units.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOP_DEFAULT = 20 };

struct share {
	int64_t blocks, bytes;
};

struct root {
	int64_t root_id, direct;
	struct share first, last; /* at the first and the last scan */
};

/* The scans of one process. */
struct scans {
	int64_t count, exact, first_scan, last_scan;
	double first_t, last_t;
	struct share held, shared, shared_first;
};

struct page {
	const struct settings *settings;
	struct recording *recording;
	struct stacks *stacks;
	struct holders *holders;
	struct output out;
	struct style style;
	struct json_out json;
};

/* ---- reading ---------------------------------------------------------- */

static void
read_scans(const struct page *p, int64_t process_id, struct scans *s)
{
	sqlite3_stmt *st = recording_sql(
	    p->recording,
	    "SELECT scan, t, exact, held_blocks, held_bytes, shared_blocks,"
	    " shared_bytes FROM scan_info WHERE process_id = ?1 ORDER BY scan");

	memset(s, 0, sizeof *s);
	s->first_t = s->last_t = NAN;
	sqlite3_bind_int64(st, 1, process_id);
	while (recording_step(p->recording, st)) {
		s->last_scan = column_int(st, 0);
		s->last_t = column_real(st, 1);
		s->exact = column_int(st, 2);
		s->held =
		    (struct share){ column_int(st, 3), column_int(st, 4) };
		s->shared =
		    (struct share){ column_int(st, 5), column_int(st, 6) };
		if (s->count++ == 0) {
			s->first_scan = s->last_scan;
			s->first_t = s->last_t;
			s->shared_first = s->shared;
		}
	}
	sqlite3_finalize(st);
}

/* Between two rows a value stays what it was; before the first it is 0. */
static void
note_row(struct root *r, const struct scans *s, sqlite3_stmt *st)
{
	struct share now = { column_int(st, 2), column_int(st, 3) };

	if (column_int(st, 1) <= s->first_scan)
		r->first = now;
	r->last = now;
	r->direct = column_int(st, 4);
}

static struct root *
read_roots(const struct page *p, int64_t process_id, const struct scans *s,
	   size_t *n)
{
	sqlite3_stmt *st = recording_sql(
	    p->recording,
	    "SELECT x.root_id, x.scan, x.blocks, x.bytes, x.direct_blocks"
	    " FROM root_scan x JOIN root_info USING (root_id)"
	    " WHERE process_id = ?1 ORDER BY root_id, scan");
	struct root *roots = NULL;
	size_t room = 0;

	*n = 0;
	sqlite3_bind_int64(st, 1, process_id);
	while (recording_step(p->recording, st)) {
		int64_t id = column_int(st, 0);
		if (*n == 0 || roots[*n - 1].root_id != id) {
			if (*n == room) {
				room = room ? room * 2 : 64;
				roots = text_grow(roots, room, sizeof *roots);
			}
			roots[(*n)++] = (struct root){ .root_id = id };
		}
		note_row(&roots[*n - 1], s, st);
	}
	sqlite3_finalize(st);
	return roots;
}

static int
by_bytes(const void *pa, const void *pb)
{
	const struct root *a = pa, *b = pb;

	if (a->last.bytes != b->last.bytes)
		return a->last.bytes > b->last.bytes ? -1 : 1;
	return (a->root_id > b->root_id) - (a->root_id < b->root_id);
}

/* Those that retain enough, the largest first. */
static size_t
choose(const struct page *p, struct root *roots, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		const struct root *r = &roots[i];
		if (count_shown(r->last.blocks) > 0 &&
		    count_shown(r->last.bytes) >= p->settings->min_bytes)
			roots[kept++] = *r;
	}
	if (kept)
		qsort(roots, kept, sizeof *roots, by_bytes);
	return kept;
}

static double
rate(const struct scans *s, const struct share *first, const struct share *last)
{
	return (double)(last->bytes - first->bytes) / (s->last_t - s->first_t);
}

static int
has_growth(const struct scans *s)
{
	return s->count > 1 && s->last_t > s->first_t;
}

/* ---- text ------------------------------------------------------------- */

static void
print_row(const struct page *p, const struct scans *s, struct table *t,
	  const struct share *first, const struct share *last, const char *name)
{
	char n[32], u[UNITS_BYTES];

	table_cell(t, message_number(n, sizeof n, count_shown(last->bytes)));
	table_cell(t, message_number(n, sizeof n, count_shown(last->blocks)));
	if (has_growth(s)) {
		double r = rate(s, first, last);
		if (r > 0)
			table_paint(t, p->style.red, p->style.off);
		table_cell(t, units_rate(u, r));
		table_cell(t, units_change(u, last->blocks - first->blocks));
	}
	table_cell(t, name);
}

static void
print_head(const struct page *p, const struct process *process,
	   const struct scans *s)
{
	FILE *out = p->out.file;
	char *name = process_name(process), t[UNITS_BYTES], u[UNITS_BYTES];
	char n[32], m[32];

	fprintf(out, "%s%s%s, pid %lld: ", p->style.bold, name, p->style.off,
		(long long)process->pid);
	free(name);
	if (s->count == 0) {
		fputs("no scan\n\n", out);
		return;
	}
	fprintf(out, "%s bytes in %s blocks held at %s",
		message_number(n, sizeof n, count_shown(s->held.bytes)),
		message_number(m, sizeof m, count_shown(s->held.blocks)),
		units_time(t, s->last_t));
	if (s->count > 1)
		fprintf(out, ", growth since %s (%lld scans)",
			units_time(u, s->first_t), (long long)s->count);
	fputc('\n', out);
	if (s->exact != 1)
		fputs("  not all pointers were kept: a block that has several "
		      "holders may be counted\n  under one of them alone\n",
		      out);
}

static void
print_process(const struct page *p, const struct process *process)
{
	static const struct table_column still[] = { { "retains bytes", 1 },
						     { "blocks", 1 },
						     { "root", 0 } };
	static const struct table_column moving[] = { { "retains bytes", 1 },
						      { "blocks", 1 },
						      { "bytes/s", 1 },
						      { "blocks", 1 },
						      { "root", 0 } };
	struct scans s;
	size_t n;
	long top = p->settings->top < 0 ? TOP_DEFAULT : p->settings->top;

	read_scans(p, process->process_id, &s);
	print_head(p, process, &s);
	if (s.count == 0)
		return;
	struct root *roots = read_roots(p, process->process_id, &s, &n);
	struct table *t = has_growth(&s) ? table_new(moving, 5, "  ")
					 : table_new(still, 3, "  ");
	size_t kept = choose(p, roots, n);
	size_t shown = top && kept > (size_t)top ? (size_t)top : kept;
	for (size_t i = 0; i < shown; i++) {
		char *name = holders_root_text(p->holders, roots[i].root_id);
		print_row(p, &s, t, &roots[i].first, &roots[i].last, name);
		free(name);
	}
	if (s.shared.blocks > 0)
		print_row(p, &s, t, &s.shared_first, &s.shared,
			  "held by several roots, by no one alone");
	table_flush(t, p->out.file);
	table_free(t);
	if (shown < kept)
		fprintf(p->out.file, "  %zu more roots not shown (-n 0: all)\n",
			kept - shown);
	fputc('\n', p->out.file);
	free(roots);
}

/* ---- JSON ------------------------------------------------------------- */

static void
add_share(json_t *j, const struct scans *s, const struct share *first,
	  const struct share *last)
{
	json_object_set_new(j, "blocks", page_json_int(last->blocks));
	json_object_set_new(j, "bytes", page_json_int(last->bytes));
	json_object_set_new(j, "first_blocks", page_json_int(first->blocks));
	json_object_set_new(j, "first_bytes", page_json_int(first->bytes));
	json_object_set_new(
	    j, "bytes_per_second",
	    json_number_or_null(has_growth(s) ? rate(s, first, last) : NAN));
}

static json_t *
roots_json(const struct page *p, int64_t process_id, const struct scans *s)
{
	json_t *list = json_checked(json_array());
	size_t n;
	struct root *roots = read_roots(p, process_id, s, &n);
	size_t kept = choose(p, roots, n);
	long top = p->settings->top;

	if (top > 0 && kept > (size_t)top)
		kept = (size_t)top;
	for (size_t i = 0; i < kept; i++) {
		json_t *j = json_checked(json_object());
		char *name = holders_root_text(p->holders, roots[i].root_id);
		json_object_set_new(j, "name", json_text(name));
		holders_root_json(p->holders, roots[i].root_id, j);
		add_share(j, s, &roots[i].first, &roots[i].last);
		json_object_set_new(j, "direct_blocks",
				    page_json_int(roots[i].direct));
		json_array_append_new(list, j);
		free(name);
	}
	free(roots);
	return list;
}

static json_t *
process_json(const struct page *p, const struct process *process)
{
	struct scans s;
	json_t *j = json_checked(json_object()), *shared = NULL;

	read_scans(p, process->process_id, &s);
	json_object_set_new(j, "pid", page_json_int(process->pid));
	json_object_set_new(j, "command", process_command(process));
	json_object_set_new(j, "scans", json_integer((json_int_t)s.count));
	json_object_set_new(j, "exact", json_boolean(s.exact == 1));
	json_object_set_new(j, "first_t", json_number_or_null(s.first_t));
	json_object_set_new(j, "t", json_number_or_null(s.last_t));
	json_object_set_new(j, "held_blocks", page_json_int(s.held.blocks));
	json_object_set_new(j, "held_bytes", page_json_int(s.held.bytes));
	shared = json_checked(json_object());
	add_share(shared, &s, &s.shared_first, &s.shared);
	json_object_set_new(j, "shared", shared);
	json_object_set_new(j, "roots", roots_json(p, process->process_id, &s));
	return j;
}

/* ---- the command ------------------------------------------------------ */

static void
print(struct page *p)
{
	const struct recording *r = p->recording;

	if (!p->settings->json) {
		problems_print(r, &p->style, p->out.file);
		for (size_t i = 0; i < r->process_count; i++)
			print_process(p, &r->processes[i]);
		return;
	}
	json_out_begin(&p->json, p->out.file);
	json_out_member(&p->json, "format", json_string("zleaks/1"));
	page_json_problems(&p->json, r);
	json_out_array(&p->json, "processes");
	for (size_t i = 0; i < r->process_count; i++)
		json_out_element(&p->json, process_json(p, &r->processes[i]));
	json_out_array_end(&p->json);
	json_out_end(&p->json);
}

int
roots_main(const struct settings *settings, int argc, char **argv)
{
	struct page p = { .settings = settings };
	const char *path = settings_report("roots", argc, argv);

	if (!path)
		return EXIT_USAGE;
	p.recording = recording_open(path, settings);
	if (!holders_there(p.recording)) {
		message("%s: an older zrecord wrote it, without who holds what",
			path);
		recording_close(p.recording);
		return EXIT_UNREADABLE;
	}
	p.stacks = stacks_new(p.recording);
	p.holders = holders_new(p.recording, p.stacks);
	if (output_open(&p.out, settings->output) != 0)
		return EXIT_USAGE;
	p.style = style_for(settings, p.out.file);
	print(&p);
	int status = page_close(&p.out, p.recording);
	holders_free(p.holders);
	stacks_free(p.stacks);
	recording_close(p.recording);
	return status;
}
