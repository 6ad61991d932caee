/*
 * doctor.c - the command `doctor`: what is missing in a report, one line each
 * with a count and what to do about it.
 *
 * A finding is serious when figures are missing; what costs only names or the
 * resolution of curves is a note and does not make the exit status 3.
 */
#include "zleaks.h"

#include "page_json.h"
#include "report.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { NOTE, SERIOUS };

struct doctor {
	const struct recording *r;
	FILE *out;	       /* text */
	struct json_out *json; /* or this */
	int serious;
};

static void
finding(struct doctor *d, int serious, const char *id, int64_t count,
	const char *what, const char *advice)
{
	d->serious |= serious;
	if (!d->json) {
		fprintf(d->out, "%s: %lld %s: %s\n",
			serious ? "incomplete" : "note", (long long)count, what,
			advice);
		return;
	}
	json_out_element(
	    d->json,
	    json_checked(json_pack("{s:s, s:s, s:I, s:o, s:s}", "finding", id,
				   "severity", serious ? "incomplete" : "note",
				   "count", (json_int_t)count, "what",
				   json_text(what), "advice", advice)));
}

/* One number; 0 for NULL. */
static int64_t
count_of(const struct doctor *d, const char *sql, const char *text)
{
	sqlite3_stmt *st = recording_sql(d->r, sql);
	int64_t n = 0;

	if (text)
		sqlite3_bind_text(st, 1, text, -1, SQLITE_STATIC);
	if (recording_step(d->r, st))
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

static const char *
advice_for(const char *problem)
{
	static const struct {
		const char *part, *advice;
	} known[] = {
		{ "still recording", "look again when the program has ended" },
		{ "recorder",
		  "what was committed before is here: record again" },
		{ "nothing recorded",
		  "see zrecord(1), WHAT CANNOT BE RECORDED" },
		{ "killed by signal",
		  "its blocks are here, but not judged: let it exit" },
		{ "_exit", "its blocks are here, but not judged: let it exit" },
		{ "still ran", "wait for its children, or stop them, before "
			       "the command ends" },
		{ "--duration", "record without --duration" },
		{ "switched off", "leave recording on until the exit" },
		{ "events lost", "give it more memory (ulimit -v, cgroup)" },
		{ "threads did not stop", "record again" },
		{ "no unwinder", "install libunwind" },
		{ "disk full", "make room, or record with --max-size" },
	};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strstr(problem, known[i].part))
			return known[i].advice;
	return "record again";
}

/* Processes with the same problem share a line. */
static void
look_at_processes(struct doctor *d)
{
	const struct recording *r = d->r;
	int64_t replaced = 0;

	for (size_t i = 0; i < r->problem_count; i++) {
		const struct problem *p = &r->problems[i];
		int64_t same = 0;
		size_t first = r->problem_count;
		for (size_t j = r->problem_count; j-- > 0;)
			if (!strcmp(r->problems[j].what, p->what)) {
				same++;
				first = j;
			}
		if (first != i)
			continue;
		char *what = text_format("%s: %s",
					 !p->process ? "report"
					 : same == 1 ? "process"
						     : "processes",
					 p->what);
		finding(d, SERIOUS, p->process ? "process" : "report", same,
			what, advice_for(p->what));
		free(what);
	}
	for (size_t i = 0; i < r->process_count; i++)
		replaced += process_replaced(&r->processes[i]);
	if (replaced)
		finding(d, NOTE, "exec", replaced,
			"processes went on as another program before a leak "
			"scan",
			"the next row of the same pid goes on");
}

static void
look_at_stacks(struct doctor *d)
{
	static const char by_root[] =
	    "SELECT count(*) FROM stack_info WHERE json_valid(frames)"
	    " AND json_extract(frames, '$[#-1]') IN"
	    " (SELECT location_id FROM location WHERE function = ?1)";
	int64_t n = count_of(
	    d, "SELECT sum(max(frames_cut, 0)) FROM process_info", NULL);
	if (n)
		finding(d, SERIOUS, "cut_stacks", n,
			"stacks were cut at the depth limit",
			"record with a greater --depth");
	n = count_of(d, by_root, REPORT_FRAMES_UNKNOWN);
	if (n)
		finding(d, SERIOUS, "early_ends", n,
			"stacks end early: no unwind information for a frame",
			"build that code with "
			"-fasynchronous-unwind-tables");
	n = count_of(d, by_root, REPORT_FRAMES_EARLY);
	if (n)
		finding(d, NOTE, "before_unwinder", n,
			"stacks have one frame: from before the unwinder was "
			"loaded",
			"nothing to do");
	n = count_of(d, "SELECT count(*) FROM stack_info WHERE frames IS NULL",
		     NULL);
	if (n)
		finding(d, SERIOUS, "no_frames", n, "stacks have no frames",
			"the recorder did not come to write them");
}

static void
look_at_names(struct doctor *d)
{
	sqlite3_stmt *st = recording_sql(
	    d->r, "SELECT coalesce(path, ''), count(*), sum(count(*)) OVER ()"
		  " FROM location LEFT JOIN module_info USING (module_id)"
		  " WHERE function IS NULL GROUP BY module_id"
		  " ORDER BY 2 DESC, 1 LIMIT 1");
	if (recording_step(d->r, st)) {
		const char *path = (const char *)sqlite3_column_text(st, 0);
		char *shown =
		    text_printable(path && *path ? path : "no module");
		char *what = text_format(
		    "places in the code have no name, %lld of them in %s",
		    (long long)sqlite3_column_int64(st, 1), shown);
		finding(d, NOTE, "unresolved", sqlite3_column_int64(st, 2),
			what, "install debug symbols, or build with -g");
		free(what);
		free(shown);
	}
	sqlite3_finalize(st);
}

/* Reports from before doctor have no such column. */
static void
look_at_allocators(struct doctor *d)
{
	if (!count_of(d,
		      "SELECT count(*) FROM pragma_table_info("
		      "'module_info') WHERE name = 'allocator'",
		      NULL))
		return;
	sqlite3_stmt *st = recording_sql(
	    d->r, "SELECT path, allocator, allocator <> 'malloc' OR path IN"
		  " (SELECT exe FROM process_info) FROM module_info"
		  " WHERE allocator IS NOT NULL ORDER BY module_id");
	/* a library's plain malloc is replaced by ours, a program's is not */
	while (recording_step(d->r, st)) {
		char *path =
		    text_printable((const char *)sqlite3_column_text(st, 0));
		char *name =
		    text_printable((const char *)sqlite3_column_text(st, 1));
		char *what = text_format(
		    "module brings its own allocator (%s): %s", name, path);
		if (sqlite3_column_int(st, 2))
			finding(d, SERIOUS, "allocator", 1, what,
				"blocks of that one are not recorded: build it "
				"without, or switch it off");
		else
			finding(d, NOTE, "allocator", 1, what,
				"libzmalloc takes its place but for calls "
				"inside that module");
		free(what);
		free(name);
		free(path);
	}
	sqlite3_finalize(st);
}

static void
look_at_counts(struct doctor *d)
{
	static const char meta[] =
	    "SELECT value FROM meta WHERE key = ?1 AND typeof(value)"
	    " = 'integer'";
	int64_t n = count_of(
	    d, "SELECT sum(max(lost_events, 0)) FROM process_info", NULL);
	if (n)
		finding(d, SERIOUS, "lost_events", n, "events were lost",
			"give the program more memory (ulimit -v, cgroup)");
	n = count_of(
	    d, "SELECT sum(max(scan_threads_missed, 0)) FROM process_info",
	    NULL);
	if (n)
		finding(d, SERIOUS, "threads_missed", n,
			"threads did not stop for a leak scan",
			"what only they point to may be called lost");
	n = recording_has(d->r, "scan_info", "exact")
		? count_of(d, "SELECT sum(1 - exact) FROM scan_info", NULL)
		: 0;
	if (n)
		finding(d, NOTE, "graph", n,
			"leak scans had no room for all pointers",
			"what has several holders may be counted under one");
	n = count_of(d, meta, "thinned_rows");
	if (n)
		finding(d, NOTE, "thinned", n,
			"growth rows were left out to keep the report small",
			"give a greater --max-size or a longer --interval");
	n = count_of(d, meta, "over_size");
	if (n)
		finding(
		    d, NOTE, "over_size", n,
		    "bytes more than --max-size: live blocks and totals are "
		    "always kept",
		    "give a greater --max-size");
}

static void
look(struct doctor *d)
{
	look_at_processes(d);
	look_at_counts(d);
	look_at_stacks(d);
	look_at_names(d);
	look_at_allocators(d);
}

int
doctor_main(const struct settings *settings, int argc, char **argv)
{
	struct output out;
	struct json_out json;
	const char *path = settings_report("doctor", argc, argv);

	if (!path)
		return EXIT_USAGE;
	struct recording *r = recording_open(path, settings);
	if (output_open(&out, settings->output) != 0)
		return EXIT_USAGE;
	struct doctor d = { .r = r, .out = out.file };
	if (settings->json) {
		d.json = &json;
		json_out_begin(&json, out.file);
		json_out_member(&json, "format",
				json_checked(json_string("zleaks/1")));
		json_out_array(&json, "findings");
	}
	look(&d);
	if (settings->json) {
		json_out_array_end(&json);
		json_out_member(&json, "complete", json_boolean(!d.serious));
		json_out_end(&json);
	}
	if (output_close(&out) != 0)
		return EXIT_UNREADABLE;
	recording_close(r);
	return d.serious ? EXIT_UNREADABLE : EXIT_CLEAN;
}
