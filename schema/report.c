/*
 * report.c - see report.h.
 *
 * A file is judged by its first 100 bytes before SQLite sees it: SQLite would
 * take an empty file for an empty database, and says "file is not a database"
 * to all others.  Header fields: https://www.sqlite.org/fileformat.html
 */
#include "report.h"
#include "schema_sql.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_BYTES = 100, SETTLE_TRIES = 40, SETTLE_US = 50000 };

static enum report_problem problem(struct report_error *, enum report_problem,
				   const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum report_problem
problem(struct report_error *error, enum report_problem p, const char *format,
	...)
{
	va_list args;
	va_start(args, format);
	error->problem = p;
	vsnprintf(error->why, sizeof error->why, format, args);
	va_end(args);
	return p;
}

static uint32_t
big_endian(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static int
is_text(const unsigned char *p, ssize_t n)
{
	for (ssize_t i = 0; i < n; i++)
		if (p[i] == 0 ||
		    (p[i] < 0x20 && !strchr("\t\n\v\f\r\033", p[i])))
			return 0;
	return 1;
}

/* Pages that the header promises against bytes that the file has. */
static int
is_truncated(const unsigned char *h, off_t size)
{
	uint32_t page = (uint32_t)h[16] << 8 | h[17];
	uint32_t pages = big_endian(h + 28);
	int counted = big_endian(h + 24) == big_endian(h + 92);
	if (page == 1)
		page = 65536;
	if (page < 512 || (page & (page - 1)))
		return 1;
	return counted && (uint64_t)size < (uint64_t)page * pages;
}

static enum report_problem
judge(const unsigned char *h, ssize_t n, off_t size, struct report_error *error)
{
	static const char magic[16] = "SQLite format 3";
	size_t have = (size_t)n < sizeof magic ? (size_t)n : sizeof magic;
	if (memcmp(h, magic, have) != 0)
		return problem(error, REPORT_FOREIGN,
			       "not a report (%s, no zmalloc header)",
			       is_text(h, n) ? "text" : "unknown data");
	if (n < HEADER_BYTES)
		return problem(error, REPORT_BROKEN,
			       "truncated: only %lld bytes are left",
			       (long long)size);
	if (big_endian(h + 68) != REPORT_APPLICATION)
		return problem(error, REPORT_FOREIGN,
			       "not a report (an SQLite file without zmalloc "
			       "header)");
	uint32_t version = big_endian(h + 60);
	if (version > REPORT_VERSION)
		return problem(error, REPORT_NEWER,
			       "report of version %u, but this program knows "
			       "only %d: use a newer zleaks",
			       version, REPORT_VERSION);
	if (version < REPORT_OLDEST)
		return problem(error, REPORT_BROKEN,
			       "report of version %u, made before there were "
			       "releases: record it again",
			       version);
	if (is_truncated(h, size))
		return problem(error, REPORT_BROKEN,
			       "truncated: the report is longer than this file "
			       "of %lld bytes",
			       (long long)size);
	return REPORT_OK;
}

enum report_problem
report_look(const char *path, struct report_error *error)
{
	struct stat st;
	*error = (struct report_error){ 0 };
	/* O_NONBLOCK: a FIFO must not hang us */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return problem(
		    error, errno == ENOENT ? REPORT_MISSING : REPORT_UNREADABLE,
		    errno == ENOENT ? "no such file" : "cannot be read: %s",
		    strerror(errno));
	enum report_problem p;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		p = problem(error, REPORT_UNREADABLE, "%s",
			    S_ISDIR(st.st_mode) ? "is a directory"
						: "not a regular file");
	} else if (st.st_size == 0) {
		p = problem(error, REPORT_EMPTY,
			    "empty file: no report, or that of a recorder that "
			    "was killed before it had written anything");
	} else {
		unsigned char h[HEADER_BYTES] = { 0 };
		ssize_t n = pread(fd, h, sizeof h, 0);
		p = n <= 0 ? problem(error, REPORT_UNREADABLE,
				     "cannot be read: %s",
				     n ? strerror(errno) : "no data")
			   : judge(h, n, st.st_size, error);
	}
	close(fd);
	return p;
}

const char *
report_reason(sqlite3 *db, int code)
{
	switch (code & 0xff) {
	case SQLITE_FULL:
		return "disk full";
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return "malformed: the file is damaged";
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return "in use by another program";
	case SQLITE_PERM:
	case SQLITE_READONLY:
		return "cannot be written";
	case SQLITE_IOERR: {
		int os = db ? sqlite3_system_errno(db) : 0;
		if (os == ENOSPC || os == EDQUOT)
			return "disk full";
		return os == EFBIG ? "file size limit reached" : "I/O error";
	}
	default:
		return db ? sqlite3_errmsg(db) : sqlite3_errstr(code);
	}
}

/* Is there anything in the write-ahead log that belongs to this file? */
static int
has_log(const char *path)
{
	struct stat st;
	char *log = sqlite3_mprintf("%s-wal", path);
	int yes = log && stat(log, &st) == 0 && st.st_size > 0;
	sqlite3_free(log);
	return yes;
}

/* The file name as a URI: '?', '#' and '%' have a meaning there. */
static char *
uri_of(const char *path, const char *tail)
{
	char *uri = malloc(strlen(path) * 3 + strlen(tail) + 8);
	if (!uri)
		return NULL;
	char *out = stpcpy(uri, "file:");
	for (; *path; path++)
		if (strchr("%?#", *path))
			out += sprintf(out, "%%%02X", (unsigned char)*path);
		else
			*out++ = *path;
	strcpy(out, tail);
	return uri;
}

/* Distrust what is in the file: views and triggers may be anybody's. */
static void
distrust(sqlite3 *db)
{
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)0);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)0);
	sqlite3_exec(db,
		     "PRAGMA query_only=ON; PRAGMA cell_size_check=ON;"
		     "PRAGMA temp_store=MEMORY",
		     NULL, NULL, NULL);
	sqlite3_busy_timeout(db, 5000);
}

/* Reads the schema and touches each public view. */
static int
probe(sqlite3 *db)
{
	static const char *const views[] = {
		"process",	   "block",	      "leak_by_stack",
		"growth_by_class", "growth_by_stack", "stack_total",
		"stack_frame",	   "process_sample",  "mark",
		"thread",	   "module"
	};
	for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
		char sql[80];
		sqlite3_stmt *s = NULL;
		snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" LIMIT 1",
			 views[i]);
		int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
		if (rc == SQLITE_OK)
			rc = sqlite3_step(s);
		sqlite3_finalize(s);
		if (rc != SQLITE_ROW && rc != SQLITE_DONE)
			return rc;
	}
	return SQLITE_OK;
}

/* One attempt to open; *code says how it went. */
static sqlite3 *
attempt(const char *path, const char *tail, int *code)
{
	sqlite3 *db = NULL;
	char *uri = uri_of(path, tail);
	if (!uri) {
		*code = SQLITE_NOMEM;
		return NULL;
	}
	*code = sqlite3_open_v2(
	    uri, &db,
	    SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
	free(uri);
	if (*code == SQLITE_OK) {
		distrust(db);
		*code = probe(db);
	}
	return db;
}

static enum report_problem
probe_problem(sqlite3 *db, int code, struct report_error *error)
{
	if (code == SQLITE_ERROR)
		/* "no such table: .." of an SQLite file with our header */
		return problem(error, REPORT_BROKEN, "malformed: %s",
			       sqlite3_errmsg(db));
	const char *why = report_reason(db, code);
	if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
		return problem(error, REPORT_BUSY, "%s", why);
	if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		return problem(error, REPORT_BROKEN, "%s", why);
	return problem(error, REPORT_UNREADABLE, "cannot be read: %s", why);
}

sqlite3 *
report_open(const char *path, struct report_error *error)
{
	enum report_problem p = report_look(path, error);
	/* A report that begins right now is still in its log. */
	if (p != REPORT_OK && !(p == REPORT_EMPTY && has_log(path)))
		return NULL;
	int code;
	sqlite3 *db = attempt(path, "?mode=ro", &code);
	if ((code == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_READONLY) &&
	    !has_log(path)) {
		/* WAL mode asks for a -shm file; without a log none is
		 * needed, and on read-only media nobody writes. */
		sqlite3_close_v2(db);
		db = attempt(path, "?immutable=1", &code);
	}
	if (code == SQLITE_OK)
		return db;
	probe_problem(db, code, error);
	sqlite3_close_v2(db);
	return NULL;
}

/* ---- creating --------------------------------------------------------- */

static int
exec(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* Brings a report whose recorder died back into one file, before it is
 * renamed: its log would be left behind under the old name. */
static enum report_problem
settle(const char *path, struct report_error *error)
{
	sqlite3 *db = NULL;
	if (!has_log(path))
		return REPORT_OK;
	int code = sqlite3_open_v2(
	    path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code == SQLITE_OK) {
		sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)0);
		/* somebody may just be reading; no busy handler is asked here
		 */
		for (int i = 0; i < SETTLE_TRIES; i++) {
			code = exec(db, "PRAGMA journal_mode=DELETE");
			if (code != SQLITE_BUSY)
				break;
			usleep(SETTLE_US);
		}
	}
	enum report_problem p = REPORT_OK;
	if (code == SQLITE_BUSY)
		p = problem(error, REPORT_BUSY,
			    "another program has this report open");
	else if (code != SQLITE_OK)
		p = problem(error, REPORT_UNWRITABLE,
			    "the existing report cannot be kept: %s",
			    report_reason(db, code));
	sqlite3_close(db);
	return p;
}

static enum report_problem
keep_old(const char *path, struct report_error *error)
{
	struct report_error look;
	enum report_problem p = report_look(path, &look);
	if (p == REPORT_MISSING)
		return REPORT_OK;
	if (p != REPORT_OK && p != REPORT_NEWER && p != REPORT_BROKEN)
		return problem(error, p, "exists and is not overwritten: %s",
			       look.why);
	if (p == REPORT_OK && settle(path, error) != REPORT_OK)
		return error->problem;
	char *old = sqlite3_mprintf("%s.old", path);
	if (!old)
		return problem(error, REPORT_UNWRITABLE, "out of memory");
	/* The name .old may be taken by something that is no report. */
	struct report_error there;
	p = report_look(old, &there);
	if (p == REPORT_FOREIGN || p == REPORT_UNREADABLE)
		problem(error, REPORT_UNWRITABLE,
			"the existing report cannot be kept: its .old "
			"exists and is no report");
	else if (rename(path, old) != 0)
		problem(error, REPORT_UNWRITABLE,
			"the existing report cannot be renamed to .old: %s",
			strerror(errno));
	sqlite3_free(old);
	return error->problem;
}

/* Claims the name: O_EXCL, so that nothing is overwritten in a race. */
static enum report_problem
claim(const char *path, struct report_error *error)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return problem(error, REPORT_UNWRITABLE,
			       "cannot be created: %s", strerror(errno));
	close(fd);
	return REPORT_OK;
}

static int
fill(sqlite3 *db)
{
	char sql[160];
	snprintf(sql, sizeof sql,
		 "PRAGMA application_id=%d; PRAGMA user_version=%d",
		 REPORT_APPLICATION, REPORT_VERSION);
	/* The name is ours since claim, so a crash may lose what it likes;
	 * power failures are not what a report has to survive. */
	int code = exec(db, "PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY;"
			    "PRAGMA cache_size=-16384; BEGIN");
	if (code == SQLITE_OK)
		code = exec(db, sql);
	if (code == SQLITE_OK)
		code = exec(db, schema_tables_sql);
	if (code == SQLITE_OK)
		code = exec(db, schema_views_sql);
	if (code == SQLITE_OK)
		code = exec(db, "COMMIT");
	/* After the schema: so the file itself is a report from the start.
	 * File systems without shared memory keep a rollback journal. */
	if (code == SQLITE_OK)
		code = exec(db, "PRAGMA journal_mode=WAL");
	return code;
}

sqlite3 *
report_create(const char *path, struct report_error *error)
{
	*error = (struct report_error){ 0 };
	if (keep_old(path, error) != REPORT_OK)
		return NULL;
	if (claim(path, error) != REPORT_OK)
		return NULL;
	sqlite3 *db = NULL;
	int code = sqlite3_open_v2(
	    path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code == SQLITE_OK)
		code = fill(db);
	if (code == SQLITE_OK) {
		sqlite3_busy_timeout(db, 5000);
		return db;
	}
	problem(error, REPORT_UNWRITABLE, "cannot be written: %s",
		report_reason(db, code));
	sqlite3_close(db);
	unlink(path);
	return NULL;
}

/*
 * A full disk: SQLite cannot even leave WAL mode, which takes a journal.  When
 * the log is empty, the file is whole in itself, and the two bytes that call
 * it a WAL file can be changed in place.
 */
static void
leave_wal(const char *path)
{
	static const char rollback[2] = { 1, 1 };
	char *log = sqlite3_mprintf("%s-wal", path);
	char *shm = sqlite3_mprintf("%s-shm", path);
	int fd = has_log(path) ? -1 : open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && log && shm) {
		if (pwrite(fd, rollback, sizeof rollback, 18) == 2) {
			unlink(shm);
			unlink(log);
		}
	}
	if (fd >= 0)
		close(fd);
	sqlite3_free(log);
	sqlite3_free(shm);
}

int
report_finish(sqlite3 *db)
{
	/* A reader may hold the file: then it stays in WAL mode, which any
	 * SQLite reads as well. */
	sqlite3_busy_timeout(db, 200);
	const char *name = sqlite3_db_filename(db, "main");
	char *path = name ? strdup(name) : NULL;
	int code = exec(db, "PRAGMA wal_checkpoint(TRUNCATE)");
	int mode = exec(db, "PRAGMA journal_mode=DELETE");
	int busy = mode == SQLITE_BUSY || mode == SQLITE_LOCKED;
	if (code == SQLITE_OK && !busy)
		code = mode;
	int closed = sqlite3_close(db);
	if (closed == SQLITE_OK && mode != SQLITE_OK && !busy && path)
		leave_wal(path);
	free(path);
	return code != SQLITE_OK ? code : closed;
}
