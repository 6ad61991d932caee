/*
 * recording.c - an open report: its processes and what is missing in it.
 *
 * Relies on schema/report.h to open and check the file.  All commands but
 * `query` read the tables rather than the public views where a view would
 * join what the command does not need; the two live in one tree.
 *
 * Everything is read in one transaction, so that a report that is still being
 * written reads the same from the first row to the last.
 */
#include "zleaks.h"

#include "message.h"
#include "report.h"
#include "text.h"
#include "units.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	WAIT_STEPS = 200, /* for a recorder that is about to finish */
	WAIT_STEP_MS = 50,
	PROCESSES_MAX = 1 << 20,
	VALUE_MAX_BYTES = 16 << 20 /* of one field of the report */
};

/* ---- reading ---------------------------------------------------------- */

void
recording_fail(const struct recording *r)
{
	die(EXIT_UNREADABLE, "%s: %s", r->path, sqlite3_errmsg(r->db));
}

sqlite3_stmt *
recording_sql(const struct recording *r, const char *sql)
{
	sqlite3_stmt *st;

	if (sqlite3_prepare_v2(r->db, sql, -1, &st, NULL) != SQLITE_OK)
		recording_fail(r);
	return st;
}

int
recording_step(const struct recording *r, sqlite3_stmt *st)
{
	int got = sqlite3_step(st);

	if (got != SQLITE_ROW && got != SQLITE_DONE)
		recording_fail(r);
	return got == SQLITE_ROW;
}

int
recording_has(const struct recording *r, const char *table, const char *column)
{
	return sqlite3_table_column_metadata(r->db, NULL, table, column, NULL,
					     NULL, NULL, NULL,
					     NULL) == SQLITE_OK;
}

int64_t
column_int(sqlite3_stmt *st, int column)
{
	switch (sqlite3_column_type(st, column)) {
	case SQLITE_INTEGER:
	case SQLITE_FLOAT:
		return sqlite3_column_int64(st, column);
	default:
		return UNKNOWN;
	}
}

double
column_real(sqlite3_stmt *st, int column)
{
	switch (sqlite3_column_type(st, column)) {
	case SQLITE_INTEGER:
	case SQLITE_FLOAT:
		return sqlite3_column_double(st, column);
	default:
		return NAN;
	}
}

char *
column_text(sqlite3_stmt *st, int column)
{
	const char *s = (const char *)sqlite3_column_text(st, column);
	return s ? text_copy(s) : NULL;
}

int64_t
count_add(int64_t a, int64_t b)
{
	int64_t sum;

	if (a < 0 || b < 0)
		return a < 0 ? (b < 0 ? a : b) : a;
	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

unsigned long long
count_shown(int64_t n)
{
	return n < 0 ? 0 : (unsigned long long)n;
}

/* ---- waiting for the recorder ----------------------------------------- */

struct progress {
	int finished, recorder_alive, all_ended;
	int64_t recorder;
};

static int
alive(int64_t pid)
{
	if (pid <= 0 || pid > INT32_MAX)
		return 0;
	return kill((pid_t)pid, 0) == 0 || errno == EPERM;
}

static struct progress
progress(const struct recording *r)
{
	struct progress p = { 0, 0, 1, UNKNOWN };
	sqlite3_stmt *st = recording_sql(
	    r, "SELECT (SELECT value FROM meta WHERE key = 'state'),"
	       " (SELECT value FROM meta WHERE key = 'recorder_pid')");

	if (recording_step(r, st)) {
		const char *state = (const char *)sqlite3_column_text(st, 0);
		p.finished = state && !strcmp(state, "finished");
		p.recorder = sqlite3_column_int64(st, 1);
	}
	sqlite3_finalize(st);
	p.recorder_alive = alive(p.recorder);
	st = recording_sql(r,
			   "SELECT pid FROM process_info WHERE ended IS NULL");
	while (p.all_ended && recording_step(r, st))
		p.all_ended = !alive(sqlite3_column_int64(st, 0));
	sqlite3_finalize(st);
	return p;
}

/* A program that has just ended leaves its recorder a moment of work: its
 * last rows are worth waiting for. */
static struct progress
wait_for_recorder(const struct recording *r)
{
	struct progress p = progress(r);
	const struct timespec step = { 0, WAIT_STEP_MS * 1000000L };

	for (int i = 0; i < WAIT_STEPS; i++) {
		if (p.finished || !p.recorder_alive || !p.all_ended)
			break;
		nanosleep(&step, NULL);
		p = progress(r);
	}
	return p;
}

/* ---- processes -------------------------------------------------------- */

static void
read_process(struct process *p, sqlite3_stmt *st)
{
	int64_t *const whole[] = { &p->process_id,
				   &p->pid,
				   &p->parent_pid,
				   &p->exit_code,
				   &p->signal,
				   &p->allocations,
				   &p->frees,
				   &p->bytes_allocated,
				   &p->live_blocks,
				   &p->live_bytes,
				   &p->peak_bytes,
				   &p->lost_events,
				   &p->frames_cut,
				   &p->scan_threads,
				   &p->scan_threads_missed,
				   &p->threads,
				   &p->judged_blocks };
	double *const real[] = { &p->started,	   &p->ended,	&p->scan_t,
				 &p->scan_seconds, &p->first_t, &p->last_t };
	int column = 0;

	for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
		*whole[i] = column_int(st, column++);
	for (size_t i = 0; i < sizeof real / sizeof *real; i++)
		*real[i] = column_real(st, column++);
	p->command = column_text(st, column++);
	p->exe = column_text(st, column++);
	p->recording = column_text(st, column);
}

static void
read_processes(struct recording *r, int64_t pid)
{
	sqlite3_stmt *st = recording_sql(
	    r, "SELECT process_id, pid, parent_pid, exit_code, signal,"
	       " allocations, frees, bytes_allocated, live_blocks, live_bytes,"
	       " peak_bytes, lost_events, frames_cut, scan_threads,"
	       " scan_threads_missed,"
	       " (SELECT count(*) FROM thread_info t"
	       "  WHERE t.process_id = p.process_id),"
	       " (SELECT sum(blocks) FROM leak_stack l"
	       "  WHERE l.process_id = p.process_id),"
	       " started, ended, scan_t, scan_seconds,"
	       " (SELECT t FROM sample s WHERE s.process_id = p.process_id"
	       "  ORDER BY sample LIMIT 1),"
	       " (SELECT t FROM sample s WHERE s.process_id = p.process_id"
	       "  ORDER BY sample DESC LIMIT 1),"
	       " command, exe, recording"
	       " FROM process_info p WHERE ?1 = 0 OR pid = ?1"
	       " ORDER BY process_id");
	size_t room = 0;

	sqlite3_bind_int64(st, 1, pid);
	while (r->process_count < PROCESSES_MAX && recording_step(r, st)) {
		if (r->process_count == room) {
			room = room ? room * 2 : 16;
			r->processes =
			    text_grow(r->processes, room, sizeof *r->processes);
		}
		read_process(&r->processes[r->process_count++], st);
	}
	sqlite3_finalize(st);
}

int
page_close(struct output *out, const struct recording *r)
{
	if (output_close(out) != 0)
		return EXIT_UNREADABLE;
	return r->problem_count ? EXIT_UNREADABLE : EXIT_CLEAN;
}

const struct process *
recording_process(const struct recording *r, int64_t id)
{
	size_t low = 0, high = r->process_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (r->processes[middle].process_id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < r->process_count && r->processes[low].process_id == id
		   ? &r->processes[low]
		   : NULL;
}

/* ---- what is missing -------------------------------------------------- */

/* A program that runs has the kinds of a moment, if any. */
static void
still_running(struct recording *r, const struct process *q)
{
	char text[UNITS_BYTES], n[32];
	uint64_t live = count_shown(q->live_blocks);
	uint64_t judged = count_shown(q->judged_blocks);
	uint64_t young = live > judged ? live - judged : 0;

	if (isnan(q->scan_t))
		problem_add(r, q,
			    "still running, no leak scan so far: kinds are not "
			    "known (zrecord --scan-every)");
	else if (q->live_blocks == UNKNOWN || q->judged_blocks == UNKNOWN ||
		 !young)
		problem_add(r, q,
			    "still running: kinds are of the leak scan "
			    "at %s",
			    units_time(text, q->scan_t));
	else
		problem_add(r, q,
			    "still running: kinds are of the leak scan at %s; "
			    "%s block%s came since",
			    units_time(text, q->scan_t),
			    message_number(n, sizeof n, young),
			    young == 1 ? "" : "s");
}

static void
find_problems(struct recording *r, const struct progress *p)
{
	if (!p->finished && p->recorder_alive)
		problem_add(r, NULL,
			    "still recording: figures are of this moment");
	else if (!p->finished)
		problem_add(r, NULL,
			    "the recorder (pid %lld) ended before it had "
			    "finished the report",
			    (long long)p->recorder);
	if (r->process_count == 0)
		problem_add(r, NULL, "no process was recorded");
	for (size_t i = 0; i < r->process_count; i++) {
		const struct process *q = &r->processes[i];
		if (!q->recording || !*q->recording)
			problem_add(r, q, "state of the recording unknown");
		else if (!p->finished && p->recorder_alive && isnan(q->ended) &&
			 process_unfinished(q))
			still_running(r, q);
		else if (!process_complete(q) && !process_replaced(q))
			problem_add(r, q, "%s", q->recording);
		else if (q->lost_events > 0)
			problem_add(r, q, "%lld events were lost",
				    (long long)q->lost_events);
	}
}

/* How many distinct places in the code have a function's name. */
static void
count_places(struct recording *r)
{
	sqlite3_stmt *st = recording_sql(
	    r, "SELECT count(*), count(function) FROM location"
	       " WHERE module_id IS NOT NULL OR function IS NULL");

	if (recording_step(r, st)) {
		r->places = (uint64_t)sqlite3_column_int64(st, 0);
		r->places_resolved = (uint64_t)sqlite3_column_int64(st, 1);
	}
	sqlite3_finalize(st);
}

/* A report made with zrecord --sample holds estimates. */
static void
read_sample(struct recording *r)
{
	sqlite3_stmt *st = recording_sql(
	    r, "SELECT value FROM meta WHERE key = 'sample_bytes'");

	r->sample_bytes = recording_step(r, st) ? column_int(st, 0) : UNKNOWN;
	sqlite3_finalize(st);
}

struct recording *
recording_open(const char *path, const struct settings *s)
{
	struct recording *r = text_alloc(sizeof *r);

	struct report_error error;
	r->path = path;
	r->db = report_open(path, &error);
	if (!r->db)
		die(EXIT_UNREADABLE, "%s: %s", path, error.why);
	sqlite3_limit(r->db, SQLITE_LIMIT_LENGTH, VALUE_MAX_BYTES);
	struct progress p = wait_for_recorder(r);
	if (sqlite3_exec(r->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		recording_fail(r);
	p = progress(r); /* once more, inside the transaction */
	read_processes(r, s->pid);
	if (s->pid && r->process_count == 0)
		die(EXIT_USAGE, "--pid: no process %lld in %s",
		    (long long)s->pid, path);
	find_problems(r, &p);
	count_places(r);
	read_sample(r);
	return r;
}

void
recording_close(struct recording *r)
{
	for (size_t i = 0; i < r->process_count; i++) {
		free(r->processes[i].command);
		free(r->processes[i].exe);
		free(r->processes[i].recording);
	}
	free(r->processes);
	problems_free(r);
	sqlite3_close_v2(r->db);
	free(r);
}
