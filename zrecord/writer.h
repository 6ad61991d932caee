/*
 * writer.h - the rows of the report being written.
 *
 * One connection, one long transaction that is committed at least once a
 * second while rows come in, one prepared statement for each kind of row.
 * The first failure (a full disk) ends all writing: from then on every call
 * does nothing, recording goes on, and writer_close says what happened.
 *
 * Relies on schema/report.h.  One writer per run; not thread-safe.
 */
#ifndef ZRECORD_WRITER_H
#define ZRECORD_WRITER_H

#include <sqlite3.h>
#include <stdint.h>

enum row {
#define ROW(name, sql) ROW_##name,
#include "rows.h"
#undef ROW
	ROW_KINDS
};

struct writer {
	const char *path;
	sqlite3 *db;
	sqlite3_stmt *stmt[ROW_KINDS];
	uint64_t refused;  /* rows that broke a constraint: damaged input */
	uint64_t thinned;  /* rows of growth that were left out */
	struct walk *walk; /* the live blocks that blocks.c writes now */
	int begun;	   /* a transaction is open */
	double committed;  /* monotonic seconds of the last commit */
	int failed;	   /* SQLite result code of the first failure */
	char why[200];
};

#define NO_INTEGER INT64_MIN

/* Opens the report; dies with status 125 and one line when that fails. */
void writer_open(struct writer *, const char *path);

/*
 * Writes a row.  types has a letter per parameter: i int64_t (NO_INTEGER:
 * NULL), d double (NaN: NULL), t const char * (NULL: NULL; has to live until
 * the call returns).  Returns the new rowid, 0 on failure.
 */
int64_t writer_row(struct writer *, enum row, const char *types, ...);

/* For the many rows of one table: binds done by the caller between these. */
sqlite3_stmt *writer_begin_row(struct writer *, enum row);
void writer_end_row(struct writer *, sqlite3_stmt *);

/* Commits when the last commit is older than max_age seconds. */
void writer_commit(struct writer *, double max_age);

/* Closes the report and removes it: nothing was recorded after all. */
void writer_discard(struct writer *);

/* Ends the report: 0, or -1 with w->why set to what completes "FILE: ". */
int writer_close(struct writer *);

/* CLOCK_MONOTONIC in seconds. */
double seconds_now(void);

#endif
