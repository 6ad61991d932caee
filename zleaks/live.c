/*
 * live.c - the command `top`: reads what is alive as of the last samples.
 * live_text.c prints it, live_screen.c keeps it on a terminal.
 *
 * The recorder commits once a second; a round is one read-only open of the
 * growing report, closed again at once, so that the recorder is never kept
 * from finishing it.  Totals of stacks stand in their samples while the
 * program runs.
 */
#include "live.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { TOP_DEFAULT = 20, NONE = -1 };

/* ---- processes -------------------------------------------------------- */

static void
read_last(struct live *l, size_t i)
{
	struct live_process *q = &l->process[i];
	sqlite3_stmt *st = recording_sql(
	    l->recording, "SELECT t, live_blocks, live_bytes, rss_bytes"
			  " FROM sample WHERE process_id = ?"
			  " ORDER BY sample DESC LIMIT 1");

	q->t = NAN;
	q->blocks = q->bytes = q->rss = UNKNOWN;
	sqlite3_bind_int64(st, 1, l->recording->processes[i].process_id);
	if (recording_step(l->recording, st)) {
		q->t = column_real(st, 0);
		q->blocks = column_int(st, 1);
		q->bytes = column_int(st, 2);
		q->rss = column_int(st, 3);
	}
	sqlite3_finalize(st);
}

/* The sample that the last one is compared to: the last one before the
 * window, else the first of all. */
static void
read_then(struct live *l, size_t i)
{
	struct live_process *q = &l->process[i];
	sqlite3_stmt *st = recording_sql(
	    l->recording,
	    "SELECT sample, t, live_bytes FROM sample WHERE process_id = ?1"
	    " AND sample >= coalesce((SELECT max(sample) FROM sample"
	    "  WHERE process_id = ?1 AND t <= ?2), 0) ORDER BY sample LIMIT 1");

	q->then = q->rate = NAN;
	q->then_sample = NONE;
	sqlite3_bind_int64(st, 1, l->recording->processes[i].process_id);
	sqlite3_bind_double(st, 2, q->t - LIVE_WINDOW);
	if (recording_step(l->recording, st) && column_real(st, 1) < q->t) {
		q->then_sample = column_int(st, 0);
		q->then = column_real(st, 1);
		q->rate = ((double)count_shown(q->bytes) -
			   (double)count_shown(column_int(st, 2))) /
			  (q->t - q->then);
	}
	sqlite3_finalize(st);
}

static void
read_processes(struct live *l)
{
	const struct recording *r = l->recording;

	l->process = text_alloc(r->process_count * sizeof *l->process);
	for (size_t i = 0; i < r->process_count; i++)
		l->running |= isnan(r->processes[i].ended);
	for (size_t i = 0; i < r->process_count; i++) {
		l->process[i].shown =
		    !l->running || isnan(r->processes[i].ended);
		if (!l->process[i].shown)
			continue;
		read_last(l, i);
		read_then(l, i);
	}
}

/* ---- rows ------------------------------------------------------------- */

static const char *
rows_sql(enum by by)
{
	switch (by) {
	case BY_CLASS:
		return "SELECT process_id, NULL, zone_id, size_class,"
		       " max(sample), live_blocks, live_bytes"
		       " FROM class_sample"
		       " GROUP BY process_id, zone_id, size_class";
	case BY_ZONE:
		return "SELECT process_id, NULL, zone_id, NULL, 0,"
		       " sum(live_blocks), sum(live_bytes) FROM"
		       " (SELECT process_id, zone_id, max(sample), live_blocks,"
		       "  live_bytes FROM class_sample"
		       "  GROUP BY process_id, zone_id, size_class)"
		       " GROUP BY process_id, zone_id";
	default:
		return "SELECT process_id, s.stack_id, NULL, NULL,"
		       " max(sample), s.live_blocks, s.live_bytes"
		       " FROM stack_sample s JOIN stack_info USING (stack_id)"
		       " GROUP BY s.stack_id";
	}
}

/* What a row held at sample ?4 or before. */
static const char *
then_sql(enum by by)
{
	switch (by) {
	case BY_CLASS:
		return "SELECT live_bytes FROM class_sample"
		       " WHERE process_id = ?1 AND zone_id = ?2"
		       " AND size_class = ?3 AND sample <= ?4"
		       " ORDER BY sample DESC LIMIT 1";
	case BY_ZONE:
		return "SELECT sum(live_bytes) FROM (SELECT max(sample),"
		       " live_bytes FROM class_sample WHERE process_id = ?1"
		       " AND zone_id = ?2 AND sample <= ?4"
		       " GROUP BY size_class)";
	default:
		return "SELECT live_bytes FROM stack_sample"
		       " WHERE stack_id = ?1 AND sample <= ?4"
		       " ORDER BY sample DESC LIMIT 1";
	}
}

static double
rate_of(const struct live *l, sqlite3_stmt *then, const struct live_row *row)
{
	const struct live_process *q = &l->process[row->process];
	double before = 0;

	if (q->then_sample == NONE)
		return NAN;
	sqlite3_bind_int64(
	    then, 1,
	    row->stack_id != UNKNOWN
		? row->stack_id
		: l->recording->processes[row->process].process_id);
	sqlite3_bind_int64(then, 2, row->zone_id);
	sqlite3_bind_int64(then, 3, row->size_class);
	sqlite3_bind_int64(then, 4, q->then_sample);
	if (recording_step(l->recording, then))
		before = (double)count_shown(column_int(then, 0));
	sqlite3_reset(then);
	return ((double)row->bytes - before) / (q->t - q->then);
}

static int
passes(struct live *l, const struct live_row *row)
{
	const struct regexfilter *f = &l->settings->filter;

	if (count_shown(row->bytes) < l->settings->min_bytes)
		return 0;
	return !regexfilter_active(f) || row->stack_id == UNKNOWN ||
	       stack_passes(stacks_get(l->stacks, row->stack_id), f);
}

static void
read_rows(struct live *l)
{
	const struct recording *r = l->recording;
	sqlite3_stmt *st = recording_sql(r, rows_sql(l->view.by));
	sqlite3_stmt *then = recording_sql(r, then_sql(l->view.by));

	while (recording_step(r, st)) {
		const struct process *p =
		    recording_process(r, column_int(st, 0));
		if (!p || !l->process[p - r->processes].shown)
			continue;
		struct live_row row = {
			.process = (size_t)(p - r->processes),
			.stack_id = column_int(st, 1),
			.zone_id = column_int(st, 2),
			.size_class = column_int(st, 3),
			.blocks = (int64_t)count_shown(column_int(st, 5)),
			.bytes = (int64_t)count_shown(column_int(st, 6))
		};
		if (!passes(l, &row))
			continue;
		row.rate = rate_of(l, then, &row);
		if (!row.blocks && !(fabs(row.rate) > 0))
			continue;
		if (l->count == l->room) {
			l->room = l->room ? 2 * l->room : 256;
			l->row = text_grow(l->row, l->room, sizeof *l->row);
		}
		l->row[l->count++] = row;
	}
	sqlite3_finalize(st);
	sqlite3_finalize(then);
}

static enum sort sort_key; /* qsort has no argument for it */

static int
compare(const void *pa, const void *pb)
{
	const struct live_row *a = pa, *b = pb;
	double ra = isnan(a->rate) ? 0 : a->rate;
	double rb = isnan(b->rate) ? 0 : b->rate;

	if (sort_key == SORT_RATE && ra != rb)
		return ra < rb ? 1 : -1;
	if (sort_key == SORT_BLOCKS && a->blocks != b->blocks)
		return a->blocks < b->blocks ? 1 : -1;
	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? 1 : -1;
	if (a->stack_id != b->stack_id)
		return a->stack_id > b->stack_id ? 1 : -1;
	return (a->size_class > b->size_class) -
	       (a->size_class < b->size_class);
}

struct live *
live_read(const char *path, const struct settings *settings,
	  const struct live_view *view)
{
	struct live *l = text_alloc(sizeof *l);

	l->settings = settings;
	l->view = *view;
	l->recording = recording_open(path, settings);
	l->stacks = stacks_new(l->recording);
	stacks_without_fingerprints(l->stacks);
	read_processes(l);
	read_rows(l);
	sort_key = view->sort;
	if (l->count)
		qsort(l->row, l->count, sizeof *l->row, compare);
	l->all = l->count;
	if (view->rows && l->count > view->rows)
		l->count = view->rows;
	return l;
}

void
live_free(struct live *l)
{
	stacks_free(l->stacks);
	recording_close(l->recording);
	free(l->process);
	free(l->row);
	free(l);
}

/* ---- the command ------------------------------------------------------ */

/* One round, for pipes and files. */
static int
print_once(const char *path, const struct settings *s,
	   const struct live_view *view)
{
	struct live *l = live_read(path, s, view);
	struct output out;

	if (output_open(&out, s->output) != 0)
		return EXIT_USAGE;
	if (s->json)
		live_json(l, out.file);
	else
		live_text(l, out.file);
	live_free(l);
	return output_close(&out) != 0 ? EXIT_UNREADABLE : EXIT_CLEAN;
}

int
top_main(const struct settings *s, int argc, char **argv)
{
	const char *path = settings_report("top", argc, argv);
	struct live_view view = { .sort = s->sort ? s->sort : SORT_BYTES,
				  .by = s->by_given ? s->by : BY_STACK };

	if (!path)
		return EXIT_USAGE;
	if (view.by == BY_THREAD || view.sort == SORT_AGE) {
		message(view.by == BY_THREAD
			    ? "top: there is --by=stack, class and zone"
			    : "--sort: top knows bytes, blocks and rate");
		return EXIT_USAGE;
	}
	if (!s->json && !s->output && isatty(STDIN_FILENO) &&
	    isatty(STDOUT_FILENO)) {
		view.rows = s->top > 0 ? (size_t)s->top : LIVE_ROWS_MAX;
		int status = live_screen(path, s, &view);
		if (status >= 0)
			return status;
	}
	view.rows = s->top >= 0 ? (size_t)s->top : s->json ? 0 : TOP_DEFAULT;
	return print_once(path, s, &view);
}
