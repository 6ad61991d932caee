/*
 * writer.c - see writer.h.
 */
#include "writer.h"
#include "blocks.h"
#include "message.h"
#include "report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const char *const sql_of[ROW_KINDS] = {
#define ROW(name, sql) sql,
#include "rows.h"
#undef ROW
};

double
seconds_now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void
fail(struct writer *w, int code)
{
	if (w->failed)
		return;
	w->failed = code;
	snprintf(w->why, sizeof w->why, "%s", report_reason(w->db, code));
	/* SQLite may have rolled back by itself. */
	if (!sqlite3_get_autocommit(w->db))
		sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
	w->begun = 0;
}

void
writer_open(struct writer *w, const char *path)
{
	struct report_error error;
	*w = (struct writer){ .path = path };
	/* SQLite is used from one thread: no locks, no statistics */
	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	w->db = report_create(path, &error);
	if (!w->db)
		die(EXIT_TROUBLE, "%s: %s", path, error.why);
	if (blocks_table(w) != SQLITE_OK)
		die(EXIT_TROUBLE, "out of memory");
	for (int i = 0; i < ROW_KINDS; i++) {
		int code = sqlite3_prepare_v3(w->db, sql_of[i], -1,
					      SQLITE_PREPARE_PERSISTENT,
					      &w->stmt[i], NULL);
		if (code != SQLITE_OK)
			die(EXIT_TROUBLE, "%s: %s", path,
			    sqlite3_errmsg(w->db));
	}
	w->committed = seconds_now();
}

sqlite3_stmt *
writer_begin_row(struct writer *w, enum row kind)
{
	if (w->failed)
		return NULL;
	if (!w->begun) {
		int code =
		    sqlite3_exec(w->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
		if (code != SQLITE_OK) {
			fail(w, code);
			return NULL;
		}
		w->begun = 1;
	}
	return w->stmt[kind];
}

void
writer_end_row(struct writer *w, sqlite3_stmt *s)
{
	int code = sqlite3_step(s);
	sqlite3_reset(s);
	/* numbers from a damaged segment must not end the whole recording */
	if ((code & 0xff) == SQLITE_CONSTRAINT)
		w->refused++;
	else if (code != SQLITE_DONE && code != SQLITE_ROW)
		fail(w, code);
}

int64_t
writer_row(struct writer *w, enum row kind, const char *types, ...)
{
	va_list args;
	sqlite3_stmt *s = writer_begin_row(w, kind);
	if (!s)
		return 0;
	va_start(args, types);
	for (int i = 1; types[i - 1]; i++) {
		int64_t n;
		double d;
		switch (types[i - 1]) {
		case 'i':
			n = va_arg(args, int64_t);
			if (n == NO_INTEGER)
				sqlite3_bind_null(s, i);
			else
				sqlite3_bind_int64(s, i, n);
			break;
		case 'd':
			d = va_arg(args, double);
			/* SQLite stores NaN as NULL */
			sqlite3_bind_double(s, i, d);
			break;
		default:
			sqlite3_bind_text(s, i, va_arg(args, const char *), -1,
					  SQLITE_STATIC);
			break;
		}
	}
	va_end(args);
	writer_end_row(w, s);
	return w->failed ? 0 : sqlite3_last_insert_rowid(w->db);
}

void
writer_commit(struct writer *w, double max_age)
{
	double now = seconds_now();
	if (w->failed || !w->begun || now - w->committed < max_age)
		return;
	int code = sqlite3_exec(w->db, "COMMIT", NULL, NULL, NULL);
	if (code != SQLITE_OK) {
		fail(w, code);
		return;
	}
	w->begun = 0;
	w->committed = now;
}

/* What can still be said in a report that could not be written to its end:
 * these few rows fit where the rolled-back ones were. */
static void
confess(struct writer *w)
{
	char *sql = sqlite3_mprintf(
	    "UPDATE process_info SET recording=%Q WHERE ended IS NULL", w->why);
	if (sql)
		sqlite3_exec(w->db, sql, NULL, NULL, NULL);
	sqlite3_free(sql);
}

/* Gives pages back that thinning left empty, if they are many. */
static void
shrink(struct writer *w)
{
	int64_t n[2] = { 0 };
	static const char *const sql[] = { "PRAGMA freelist_count",
					   "PRAGMA page_count" };
	for (int i = 0; i < 2; i++) {
		sqlite3_stmt *s;
		if (sqlite3_prepare_v2(w->db, sql[i], -1, &s, NULL) !=
		    SQLITE_OK)
			return;
		if (sqlite3_step(s) == SQLITE_ROW)
			n[i] = sqlite3_column_int64(s, 0);
		sqlite3_finalize(s);
	}
	/* best effort: without it the file is only larger */
	if (n[0] * 16 > n[1])
		sqlite3_exec(w->db, "VACUUM", NULL, NULL, NULL);
}

int
writer_close(struct writer *w)
{
	writer_commit(w, 0);
	if (w->thinned && !w->failed)
		shrink(w);
	if (w->failed)
		confess(w);
	for (int i = 0; i < ROW_KINDS; i++)
		sqlite3_finalize(w->stmt[i]);
	/* the reason has to be asked for before the connection goes */
	int code = report_finish(w->db);
	w->db = NULL;
	if (code != SQLITE_OK && !w->failed) {
		w->failed = code;
		snprintf(w->why, sizeof w->why, "%s",
			 report_reason(NULL, code));
	}
	return w->failed ? -1 : 0;
}

void
writer_discard(struct writer *w)
{
	const char *path = w->path;
	writer_close(w);
	unlink(path);
}
