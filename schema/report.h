/*
 * report.h - opening, creating, checking and finishing a report file.
 *
 * A report is one SQLite file with application_id REPORT_APPLICATION and
 * user_version REPORT_VERSION; FORMAT.md explains what is in it.  zrecord
 * creates it, zleaks opens it read-only, and both say with the same words what
 * is wrong with a file.  Relies on SQLite alone; not thread-safe.
 */
#ifndef SCHEMA_REPORT_H
#define SCHEMA_REPORT_H

#include <sqlite3.h>

/* What process.recording says until the end. */
#define REPORT_UNFINISHED \
	"not finished: still running, or the recorder was killed"
/*
 * What process.recording says of a program that went on as another one by exec
 * where no scan could come before that: its memory is gone, and the next row
 * with the same pid goes on.  Nothing is missing from the record itself.
 */
#define REPORT_REPLACED "exec'ed another program before a leak scan"

/* Remarks in place of frames, as stack_frame.function has them. */
#define REPORT_FRAMES_CUT     "<frames left out: depth limit>"
#define REPORT_FRAMES_UNKNOWN "<callers unknown: no unwind information>"
#define REPORT_FRAMES_EARLY   "<callers unknown: before the unwinder was loaded>"

#define REPORT_APPLICATION 0x7a6d6c63 /* "zmlc" */
#define REPORT_VERSION	   2
#define REPORT_OLDEST	   2 /* that is still read */

enum report_problem {
	REPORT_OK,
	REPORT_MISSING,	   /* no such file */
	REPORT_EMPTY,	   /* zero bytes */
	REPORT_FOREIGN,	   /* something else: text, another SQLite file */
	REPORT_BROKEN,	   /* a report once; truncated or malformed */
	REPORT_NEWER,	   /* of a version that we do not know */
	REPORT_UNREADABLE, /* permission, directory, device, I/O error */
	REPORT_UNWRITABLE, /* cannot be created or moved aside */
	REPORT_BUSY	   /* another recorder writes it */
};

/* why is one line that completes "FILE: ", for instance "not a report (no
 * zmalloc header)". */
struct report_error {
	enum report_problem problem;
	char why[200];
};

/*
 * Opens a report for reading: also while it is being recorded, and also on
 * media where nothing can be written.  Returns NULL with *error set.  The
 * connection is for queries only and treats the file's schema as untrusted.
 * Close it with sqlite3_close_v2.
 */
sqlite3 *report_open(const char *path, struct report_error *error);

/*
 * Looks at the header of the file only: REPORT_OK when it is a report of any
 * version that we know.
 */
enum report_problem report_look(const char *path, struct report_error *error);

/*
 * Makes a new report and returns a connection in WAL mode.  An existing report
 * of ours is renamed to "PATH.old" (replacing that); any other existing file
 * is an error and stays as it is.  NULL with *error set.
 */
sqlite3 *report_create(const char *path, struct report_error *error);

/*
 * Ends recording: moves everything from the write-ahead log into the file, so
 * that it is complete in itself, and closes the connection in any case.  0, or
 * an SQLite result code: the file and its log together are readable then.
 */
int report_finish(sqlite3 *db);

/* What an SQLite result code means for the user, as words that complete
 * "FILE: ": "disk full", "malformed", .. */
const char *report_reason(sqlite3 *db, int code);

#endif
