/*
 * events.h - the history of a report: its events in order, and what they say
 * of each allocation.  Used by the commands `history` and `query`.
 */
#ifndef ZLEAKS_EVENTS_H
#define ZLEAKS_EVENTS_H

#include "history.h"

#include <sqlite3.h>

/* Events of one process after the other. */
struct events;

/* 1 when the report has a history. */
int events_there(sqlite3 *);
/* process_id 0: of all.  NULL: db has the error, or no memory. */
struct events *events_open(sqlite3 *, int64_t process_id);
/* 1: *v and *process_id are set, 0: no more, -1: SQLite's error. */
int events_next(struct events *, struct history_event *v, int64_t *process_id);
void events_close(struct events *);

/* An allocation with the free that ended it. */
struct owner {
	struct history_event made;
	struct history_event freed; /* kind 0: it was not */
	int64_t process_id;
};

struct owners;

struct owners *owners_open(sqlite3 *, int64_t process_id);
/* In the order of their frees, the live ones of a process at its end; as
 * events_next. */
int owners_next(struct owners *, struct owner *);
unsigned owners_broken(const struct owners *);
void owners_close(struct owners *);

/* The call that an event stands for: "malloc", "new[]", "free", .. */
const char *event_call(const struct history_event *);
static inline double
event_seconds(const struct history_event *v)
{
	return (double)v->time * (HISTORY_UNIT_NS * 1e-9);
}

/* Makes the tables `event` and `allocation` in the connection, and has `block`
 * show freed blocks too.  0 or SQLite's code. */
int event_tables(sqlite3 *);

#endif
