/*
 * query.c - the command `query`: any SQL question about a report, answered as
 * aligned columns, JSON or CSV.
 *
 * The report is opened read-only and an authorizer lets nothing through but
 * reading: no ATTACH (which could open or create other files), no PRAGMA that
 * sets something, no temporary objects.
 */
#include "csv.h"
#include "events.h"
#include "json.h"
#include "report.h"
#include "table.h"
#include "text.h"
#include "zleaks.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	BATCH_ROWS = 1000,     /* that share column widths */
	BLOB_SHOWN_BYTES = 64, /* the rest is only counted */
	VALUE_MAX_BYTES = 16 << 20
};

struct query {
	const struct settings *settings;
	struct output out;
	struct json_out json;
	struct table *table;
	int results; /* statements that gave columns, so far */
};

/* PRAGMAs that only tell something. */
static int
pragma_reads(const char *name)
{
	static const char *const known[] = {
		"application_id", "user_version",    "table_info",
		"table_xinfo",	  "table_list",	     "index_list",
		"index_info",	  "integrity_check", "quick_check",
		"page_count",	  "page_size",	     "compile_options",
		"database_list",  "function_list",   NULL
	};

	for (const char *const *k = known; name && *k; k++)
		if (!sqlite3_stricmp(name, *k))
			return 1;
	return 0;
}

static int
authorize(void *unused, int action, const char *a, const char *b, const char *c,
	  const char *d)
{
	(void)unused, (void)c, (void)d;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_RECURSIVE:
	case SQLITE_TRANSACTION:
		return SQLITE_OK;
	case SQLITE_FUNCTION:
		return b && !sqlite3_stricmp(b, "load_extension") ? SQLITE_DENY
								  : SQLITE_OK;
	case SQLITE_PRAGMA:
		return pragma_reads(a) && (!b || strcasestr(a, "_info") ||
					   strcasestr(a, "_list") ||
					   strcasestr(a, "_check"))
			   ? SQLITE_OK
			   : SQLITE_DENY;
	default:
		return SQLITE_DENY;
	}
}

/* ---- one value -------------------------------------------------------- */

/* x'0a0b..' of a BLOB; the caller's to free. */
static char *
blob_text(sqlite3_stmt *st, int column)
{
	const unsigned char *p = sqlite3_column_blob(st, column);
	int bytes = sqlite3_column_bytes(st, column);
	int shown = bytes < BLOB_SHOWN_BYTES ? bytes : BLOB_SHOWN_BYTES;
	char *text = text_alloc((size_t)shown * 2 + 48);
	char *at = stpcpy(text, "x'");

	for (int i = 0; i < shown; i++)
		at += sprintf(at, "%02x", p[i]);
	sprintf(at, shown < bytes ? "'.. (%d bytes)" : "'", bytes);
	return text;
}

static json_t *
value_json(sqlite3_stmt *st, int column)
{
	char *text;
	json_t *j;

	switch (sqlite3_column_type(st, column)) {
	case SQLITE_INTEGER:
		return json_integer(sqlite3_column_int64(st, column));
	case SQLITE_FLOAT:
		return json_number_or_null(sqlite3_column_double(st, column));
	case SQLITE_NULL:
		return json_null();
	case SQLITE_BLOB:
		text = blob_text(st, column);
		j = json_text(text);
		free(text);
		return j;
	default:
		/* text first: asking for it may change the length */
		text = (char *)sqlite3_column_text(st, column);
		return json_text_bytes(
		    text ? text : "", (size_t)sqlite3_column_bytes(st, column));
	}
}

/* As text; NULL for NULL.  The caller's to free. */
static char *
value_text(sqlite3_stmt *st, int column)
{
	switch (sqlite3_column_type(st, column)) {
	case SQLITE_NULL:
		return NULL;
	case SQLITE_BLOB:
		return blob_text(st, column);
	default:
		return column_text(st, column);
	}
}

/* ---- rows ------------------------------------------------------------- */

static void
json_row(struct query *q, sqlite3_stmt *st)
{
	json_t *row = json_checked(json_object());

	for (int i = 0; i < sqlite3_column_count(st); i++) {
		json_t *name = json_text(sqlite3_column_name(st, i));
		json_object_set_new(row, json_string_value(name),
				    json_checked(value_json(st, i)));
		json_decref(name);
	}
	json_out_element(&q->json, row);
}

static void
row(struct query *q, sqlite3_stmt *st)
{
	if (q->settings->json) {
		json_row(q, st);
		return;
	}
	for (int i = 0; i < sqlite3_column_count(st); i++) {
		char *text = value_text(st, i);
		if (q->settings->csv)
			csv_field(q->out.file, text, i == 0);
		else
			table_cell(q->table, text);
		free(text);
	}
	if (q->settings->csv)
		csv_end_line(q->out.file);
	else if (table_rows(q->table) == BATCH_ROWS)
		table_flush(q->table, q->out.file);
}

/* Numbers to the right: told by the first row, for SQL has no types here. */
static void
begin_table(struct query *q, sqlite3_stmt *st)
{
	int n = sqlite3_column_count(st);
	struct table_column *columns = text_alloc((size_t)n * sizeof *columns);

	for (int i = 0; i < n; i++) {
		int type = sqlite3_column_type(st, i);
		columns[i].title = sqlite3_column_name(st, i);
		columns[i].right =
		    type == SQLITE_INTEGER || type == SQLITE_FLOAT;
	}
	q->table = table_new(columns, (size_t)n, NULL);
	free(columns);
}

static void
begin_json(struct query *q)
{
	json_out_begin(&q->json, q->out.file);
	json_out_member(&q->json, "format", json_string("zleaks/1"));
	json_out_array(&q->json, "rows");
}

static void
begin_result(struct query *q, sqlite3_stmt *st)
{
	int first = q->results++ == 0;

	if (q->settings->json) {
		if (first)
			begin_json(q);
		return;
	}
	if (!first)
		fputc('\n', q->out.file);
	if (!q->settings->csv) {
		begin_table(q, st);
		return;
	}
	for (int i = 0; i < sqlite3_column_count(st); i++)
		csv_field(q->out.file, sqlite3_column_name(st, i), i == 0);
	csv_end_line(q->out.file);
}

static void
end_result(struct query *q)
{
	if (q->table)
		table_flush(q->table, q->out.file);
	table_free(q->table);
	q->table = NULL;
}

/* ---- statements ------------------------------------------------------- */

/* The question is at fault, unless the file is. */
static int
complain(const char *path, sqlite3 *db, int code)
{
	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_IOERR:
	case SQLITE_BUSY:
		message("%s: %s", path, report_reason(db, code));
		return EXIT_UNREADABLE;
	case SQLITE_AUTH:
	case SQLITE_READONLY:
		message("query: not allowed: a report is only read (%s)",
			sqlite3_errmsg(db));
		return EXIT_USAGE;
	default:
		message("query: %s", sqlite3_errmsg(db));
		return EXIT_USAGE;
	}
}

static int
run_statement(struct query *q, sqlite3_stmt *st)
{
	int got = sqlite3_step(st);

	if (got != SQLITE_ROW && got != SQLITE_DONE)
		return got;
	if (sqlite3_column_count(st) == 0)
		return SQLITE_OK;
	begin_result(q, st);
	for (; got == SQLITE_ROW; got = sqlite3_step(st))
		row(q, st);
	end_result(q);
	return got == SQLITE_DONE ? SQLITE_OK : got;
}

static int
run_all(struct query *q, sqlite3 *db, const char *sql)
{
	int code = SQLITE_OK;

	while (code == SQLITE_OK && *sql) {
		sqlite3_stmt *st;
		code = sqlite3_prepare_v2(db, sql, -1, &st, &sql);
		if (code == SQLITE_OK && st)
			code = run_statement(q, st);
		/* reports the step's error again: db keeps its message */
		sqlite3_finalize(st);
	}
	return code;
}

static int
is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

/* Which of the two words is the report; -1 with a message. */
static int
find_report(int argc, char **argv)
{
	if (argc != 2) {
		message("query: %s. Try: zleaks query report.db 'SELECT * "
			"FROM process'",
			argc < 2 ? "needs a report and SQL"
				 : "more than a report and one SQL text");
		return -1;
	}
	if (is_file(argv[0]) || !is_file(argv[1]))
		return is_file(argv[0]) || !strpbrk(argv[0], " \n\t") ? 0 : 1;
	return 1;
}

int
query_main(const struct settings *settings, int argc, char **argv)
{
	struct query q = { .settings = settings };
	struct report_error error;
	int which = find_report(argc, argv);

	if (which < 0)
		return EXIT_USAGE;
	if (settings_one_format("query", settings) != 0)
		return EXIT_USAGE;
	const char *path = argv[which], *sql = argv[!which];
	sqlite3 *db = report_open(path, &error);
	if (!db) {
		message("%s: %s", path, error.why);
		return EXIT_UNREADABLE;
	}
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_MAX_BYTES);
	sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
	int code = event_tables(db);
	if (code != SQLITE_OK)
		return complain(path, db, code);
	sqlite3_set_authorizer(db, authorize, NULL);
	if (output_open(&q.out, settings->output) != 0)
		return EXIT_USAGE;
	code = run_all(&q, db, sql);
	if (code != SQLITE_OK) {
		int status = complain(path, db, code);
		fflush(q.out.file);
		exit(status); /* a file that was begun is removed */
	}
	if (settings->json) {
		if (!q.results)
			begin_json(&q);
		json_out_array_end(&q.json);
		json_out_end(&q.json);
	}
	sqlite3_close_v2(db);
	return output_close(&q.out) != 0 ? EXIT_UNREADABLE : EXIT_CLEAN;
}
