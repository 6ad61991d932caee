/*
 * report_files.c - schema/report: what it says of every kind of file, that
 * nothing foreign is overwritten, and that a finished report is one file.
 */
#include "report.h"
#include "unit/tools_check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
put(const char *path, const void *bytes, size_t n)
{
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(bytes, 1, n, f) != n || fclose(f) != 0)
		perror(path);
}

/* Opening must fail in this way and say this. */
static void
bad(const char *path, enum report_problem wanted, const char *words)
{
	struct report_error e;
	sqlite3 *db = report_open(path, &e);
	check(!db && e.problem == wanted && strstr(e.why, words) &&
		  !strchr(e.why, '\n'),
	      path, db ? "opened" : e.why);
	sqlite3_close(db);
}

static char bytes[1 << 20];

static size_t
get(const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;
	if (f)
		fclose(f);
	return n;
}

static void
make(const char *path)
{
	struct report_error e;
	sqlite3 *db = report_create(path, &e);
	check(db != NULL, "create", e.why);
	if (!db)
		exit(1);
	sqlite3_exec(db,
		     "INSERT INTO process_info (pid,recording) "
		     "VALUES (7,'complete')",
		     NULL, NULL, NULL);
	/* seen by another connection while it is written */
	sqlite3 *reader = report_open(path, &e);
	check(reader != NULL, "open while recording", e.why);
	sqlite3_close(reader);
	check(report_finish(db) == 0, "finish", "failed");
	check(access("r.db-wal", F_OK) != 0 && access("r.db-shm", F_OK) != 0,
	      "one file", "log left behind");
}

static void
foreign_files(void)
{
	static const char text[] = "2026-01-01 hello\nworld\n";
	static const char noise[200] = { 1, 2, 3 };
	struct report_error e;
	sqlite3 *db = NULL;
	bad("missing", REPORT_MISSING, "no such file");
	put("empty", "", 0);
	bad("empty", REPORT_EMPTY, "empty file");
	put("text", text, sizeof text - 1);
	bad("text", REPORT_FOREIGN, "not a report (text, no zmalloc header)");
	put("noise", noise, sizeof noise);
	bad("noise", REPORT_FOREIGN, "no zmalloc header");
	bad(".", REPORT_UNREADABLE, "directory");
	bad("/dev/null", REPORT_UNREADABLE, "not a regular file");
	sqlite3_open("other.db", &db);
	sqlite3_exec(db, "CREATE TABLE t (x)", NULL, NULL, NULL);
	sqlite3_close(db);
	bad("other.db", REPORT_FOREIGN, "an SQLite file");
	/* and none of them is overwritten */
	check(!report_create("text", &e) && get("text") == sizeof text - 1,
	      "text stays", e.why);
	check(!report_create("other.db", &e) && e.problem == REPORT_FOREIGN,
	      "SQLite file stays", e.why);
	check(!report_create("empty", &e), "empty file stays", "created");
	check(!report_create("no/such/folder", &e) &&
		  e.problem == REPORT_UNWRITABLE,
	      "no folder", e.why);
	check(!report_create(".", &e), "folder", "created");
}

static void
damaged_reports(void)
{
	size_t n = get("r.db");
	put("truncated", bytes, n - 1000);
	bad("truncated", REPORT_BROKEN, "truncated");
	put("short", bytes, 50);
	bad("short", REPORT_BROKEN, "truncated");
	put("page", bytes, 4096);
	bad("page", REPORT_BROKEN, "truncated");
	bytes[63] = 3;
	put("newer", bytes, n);
	bad("newer", REPORT_NEWER, "version 3");
	bytes[63] = 1;
	put("older", bytes, n);
	bad("older", REPORT_BROKEN, "version 1");
	bytes[63] = 2;
	memset(bytes + 4000, 0x5a, n - 4000 - 4096);
	memset(bytes + 100, 0x5a, 20);
	put("malformed", bytes, n);
	bad("malformed", REPORT_BROKEN, "malformed");
	/* a header alone, over another schema */
	sqlite3 *db = NULL;
	sqlite3_open("hollow", &db);
	sqlite3_exec(db,
		     "PRAGMA application_id=0x7a6d6c63; PRAGMA user_version=2;"
		     "CREATE TABLE t (x)",
		     NULL, NULL, NULL);
	sqlite3_close(db);
	bad("hollow", REPORT_BROKEN, "no such table");
}

static void
kept_reports(void)
{
	struct report_error e;
	sqlite3 *db = report_create("r.db", &e);
	struct stat st;
	check(db != NULL, "create again", e.why);
	check(stat("r.db.old", &st) == 0, "kept as .old", "missing");
	/* The recorder dies: its log belongs to the file and goes along. */
	sqlite3_exec(db, "CREATE TABLE later (x)", NULL, NULL, NULL);
	get("r.db");
	size_t n = get("r.db-wal");
	check(n > 0, "there is a log", "none");
	put("dead.db-wal", bytes, n);
	n = get("r.db");
	put("dead.db", bytes, n);
	check(report_finish(db) == 0, "finish again", "failed");
	db = report_create("dead.db", &e);
	check(db && access("dead.db.old-wal", F_OK) != 0, "dead recorder",
	      e.why);
	report_finish(db);
	db = NULL;
	sqlite3_open("dead.db.old", &db);
	check(sqlite3_exec(db, "SELECT * FROM later", NULL, NULL, NULL) == 0,
	      "its log was kept", sqlite3_errmsg(db));
	sqlite3_close(db);
	put("r.db.old", "mine", 4);
	check(!report_create("r.db", &e) && get("r.db.old") == 4,
	      "foreign .old stays", e.why);
}

/* Names that mean something in a URI. */
static void
odd_names(void)
{
	static const char *const names[] = { "a?mode=rw", "b%41#c", "-x", "ü" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct report_error e;
		report_finish(report_create(names[i], &e));
		sqlite3 *db = report_open(names[i], &e);
		check(db != NULL, names[i], e.why);
		sqlite3_close(db);
	}
}

int
main(void)
{
	char folder[] = "/tmp/report.XXXXXX", command[100];
	if (!mkdtemp(folder) || chdir(folder) != 0)
		return 1;
	make("r.db");
	foreign_files();
	damaged_reports();
	kept_reports();
	odd_names();
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command) != 0 || failures != 0;
}
