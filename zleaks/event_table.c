/*
 * event_table.c - the history as tables of SQL, for the command `query`:
 *
 *   event       a row for each allocation and free, in order
 *   allocation  a row for each allocation, with the free that ended it
 *
 * and `block` with the freed ones.  Virtual tables without any state but a
 * cursor's; a condition `process_id = N` is used, all others are SQLite's.
 */
#include "events.h"

#include <stdlib.h>
#include <string.h>

struct table {
	sqlite3_vtab base;
	sqlite3 *db;
	int pairs; /* 1: allocation, 0: event */
};

struct cursor {
	sqlite3_vtab_cursor base;
	struct events *events;
	struct owners *owners;
	struct owner row; /* of an event, made alone */
	int got;
	sqlite3_int64 rowid;
};

static const char event_columns[] =
    "CREATE TABLE x (process_id INTEGER, t REAL, thread_id INTEGER, call TEXT,"
    " address INTEGER, size INTEGER, stack_id INTEGER)";
static const char allocation_columns[] =
    "CREATE TABLE x (process_id INTEGER, address INTEGER, size INTEGER,"
    " stack_id INTEGER, thread_id INTEGER, allocated_at REAL, made_by TEXT,"
    " freed_at REAL, free_stack_id INTEGER, free_thread_id INTEGER,"
    " freed_by TEXT)";

static int
connect(sqlite3 *db, void *pairs, int argc, const char *const *argv,
	sqlite3_vtab **out, char **error)
{
	struct table *t = calloc(1, sizeof *t);

	(void)argc, (void)argv, (void)error;
	if (!t)
		return SQLITE_NOMEM;
	t->db = db;
	t->pairs = pairs != NULL;
	*out = &t->base;
	sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
	return sqlite3_declare_vtab(db, t->pairs ? allocation_columns
						 : event_columns);
}

static int
disconnect(sqlite3_vtab *table)
{
	free(table);
	return SQLITE_OK;
}

/* idxNum 1: process_id is given. */
static int
best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	(void)table;
	info->estimatedCost = 1e9;
	for (int i = 0; i < info->nConstraint; i++) {
		const struct sqlite3_index_constraint *c =
		    &info->aConstraint[i];
		if (!c->usable || c->iColumn != 0 ||
		    c->op != SQLITE_INDEX_CONSTRAINT_EQ)
			continue;
		info->aConstraintUsage[i].argvIndex = 1;
		info->idxNum = 1;
		info->estimatedCost = 1e8;
		break;
	}
	return SQLITE_OK;
}

static int
open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
	struct cursor *c = calloc(1, sizeof *c);

	(void)table;
	if (!c)
		return SQLITE_NOMEM;
	*out = &c->base;
	return SQLITE_OK;
}

static void
stop(struct cursor *c)
{
	events_close(c->events);
	owners_close(c->owners);
	c->events = NULL;
	c->owners = NULL;
}

static int
close_cursor(sqlite3_vtab_cursor *cursor)
{
	stop((struct cursor *)cursor);
	free(cursor);
	return SQLITE_OK;
}

static int
next(sqlite3_vtab_cursor *cursor)
{
	struct cursor *c = (struct cursor *)cursor;

	c->row.freed.kind = 0;
	c->got = c->owners
		     ? owners_next(c->owners, &c->row)
		     : events_next(c->events, &c->row.made, &c->row.process_id);
	c->rowid++;
	return c->got < 0 ? SQLITE_ERROR : SQLITE_OK;
}

static int
filter(sqlite3_vtab_cursor *cursor, int given, const char *unused, int argc,
       sqlite3_value **argv)
{
	struct cursor *c = (struct cursor *)cursor;
	struct table *t = (struct table *)cursor->pVtab;
	/* 0 would be all; no process has -1 */
	int64_t id = given && argc ? sqlite3_value_int64(argv[0]) : 0;

	(void)unused;
	if (given && id == 0)
		id = -1;
	stop(c);
	c->got = 0;
	if (!events_there(t->db))
		return SQLITE_OK;
	if (t->pairs)
		c->owners = owners_open(t->db, id);
	else
		c->events = events_open(t->db, id);
	if (!c->owners && !c->events)
		return SQLITE_ERROR;
	c->rowid = 0;
	return next(cursor);
}

static int
at_end(sqlite3_vtab_cursor *cursor)
{
	return ((struct cursor *)cursor)->got <= 0;
}

/* What is not known is NULL. */
static void
give_id(sqlite3_context *to, uint64_t id)
{
	if (id)
		sqlite3_result_int64(to, (sqlite3_int64)id);
}

static void
event_column(sqlite3_context *to, const struct history_event *v, int i)
{
	switch (i) {
	case 1:
		sqlite3_result_double(to, event_seconds(v));
		break;
	case 2:
		give_id(to, v->thread);
		break;
	case 3:
		sqlite3_result_text(to, event_call(v), -1, SQLITE_STATIC);
		break;
	case 4:
		sqlite3_result_int64(to, (sqlite3_int64)v->address);
		break;
	case 5:
		if (v->kind >= HISTORY_ALLOC)
			sqlite3_result_int64(to, (sqlite3_int64)v->size);
		break;
	default:
		give_id(to, v->stack);
	}
}

/* In the order of allocation_columns: the columns of an event, by number. */
static void
allocation_column(sqlite3_context *to, const struct owner *o, int i)
{
	static const signed char of_made[] = { -1, 4, 5, 6, 2, 1, 3 };
	static const signed char of_freed[] = { 1, 6, 2, 3 };

	if (i < 7)
		event_column(to, &o->made, of_made[i]);
	else if (o->freed.kind)
		event_column(to, &o->freed, of_freed[i - 7]);
}

static int
column(sqlite3_vtab_cursor *cursor, sqlite3_context *to, int i)
{
	const struct cursor *c = (struct cursor *)cursor;

	if (i == 0)
		sqlite3_result_int64(to, c->row.process_id);
	else if (c->owners)
		allocation_column(to, &c->row, i);
	else
		event_column(to, &c->row.made, i);
	return SQLITE_OK;
}

static int
rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *id)
{
	*id = ((struct cursor *)cursor)->rowid;
	return SQLITE_OK;
}

/* No xCreate: the tables are there by their names, and cannot be made. */
static const sqlite3_module module = {
	.xConnect = connect,
	.xBestIndex = best_index,
	.xDisconnect = disconnect,
	.xOpen = open_cursor,
	.xClose = close_cursor,
	.xFilter = filter,
	.xNext = next,
	.xEof = at_end,
	.xColumn = column,
	.xRowid = rowid,
};

/* Has the view block the columns type, held_at and lost_at? */
static int
has_types(sqlite3 *db)
{
	sqlite3_stmt *st;
	int code = sqlite3_prepare_v2(
	    db, "SELECT type, held_at, lost_at FROM block", -1, &st, NULL);

	sqlite3_finalize(st);
	return code == SQLITE_OK;
}

int
event_tables(sqlite3 *db)
{
	static char pairs;
	int code = sqlite3_create_module(db, "event", &module, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_create_module(db, "allocation", &module, &pairs);
	/* used once: the authorizer of later would not let them be declared */
	if (code == SQLITE_OK)
		code =
		    sqlite3_exec(db, "SELECT 1 FROM event, allocation LIMIT 0",
				 NULL, NULL, NULL);
	if (code != SQLITE_OK || !events_there(db))
		return code;
	/* a view of this connection alone: nothing is written to the file */
	char *sql = sqlite3_mprintf(
	    "PRAGMA query_only = 0; CREATE TEMP VIEW block AS SELECT * FROM "
	    "main.block UNION ALL"
	    " SELECT process_id, address, size, NULL, NULL, NULL, stack_id,"
	    " thread_id, allocated_at, freed_at, NULL, made_by, 1%s"
	    " FROM allocation WHERE freed_at IS NOT NULL;"
	    "PRAGMA query_only = 1",
	    has_types(db) ? ", NULL, NULL, NULL" : "");
	code = sql ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
	sqlite3_free(sql);
	return code;
}
