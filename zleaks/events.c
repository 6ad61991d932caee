/*
 * events.c - see events.h.
 *
 * A chunk is decoded as a whole, into an array.  Allocations wait for their
 * free in a table of open addressing: a history has many more events than a
 * list or a tree could take in.
 */
#include "events.h"

#include <stdlib.h>
#include <string.h>

struct events {
	sqlite3_stmt *st;
	int64_t process_id;
	struct history_event *event; /* [HISTORY_CHUNK] */
	uint32_t count, next;
	unsigned broken;
};

int
events_there(sqlite3 *db)
{
	sqlite3_stmt *st;
	int there = 0;

	if (sqlite3_prepare_v2(db, "SELECT 1 FROM history LIMIT 1", -1, &st,
			       NULL) == SQLITE_OK)
		there = sqlite3_step(st) == SQLITE_ROW;
	sqlite3_finalize(st);
	return there;
}

struct events *
events_open(sqlite3 *db, int64_t process_id)
{
	struct events *e = calloc(1, sizeof *e);

	if (e)
		e->event = malloc(HISTORY_CHUNK * sizeof *e->event);
	if (!e || !e->event ||
	    sqlite3_prepare_v2(db,
			       "SELECT process_id, chunk FROM history"
			       " WHERE ?1 = 0 OR process_id = ?1"
			       " ORDER BY process_id, rowid",
			       -1, &e->st, NULL) != SQLITE_OK) {
		events_close(e);
		return NULL;
	}
	sqlite3_bind_int64(e->st, 1, process_id);
	return e;
}

void
events_close(struct events *e)
{
	if (!e)
		return;
	sqlite3_finalize(e->st);
	free(e->event);
	free(e);
}

static int
keep(const struct history_event *v, void *ctx)
{
	struct events *e = ctx;

	if (e->count == HISTORY_CHUNK)
		return 1;
	e->event[e->count++] = *v;
	return 0;
}

static int
next_chunk(struct events *e)
{
	int got = sqlite3_step(e->st);

	if (got != SQLITE_ROW)
		return got == SQLITE_DONE ? 0 : -1;
	e->process_id = sqlite3_column_int64(e->st, 0);
	e->count = e->next = 0;
	const void *blob = sqlite3_column_blob(e->st, 1);
	int bytes = sqlite3_column_bytes(e->st, 1);
	if (history_decode(blob, (size_t)bytes, keep, e) != 0)
		e->broken++;
	return 1;
}

int
events_next(struct events *e, struct history_event *v, int64_t *process_id)
{
	while (e->next == e->count) {
		int got = next_chunk(e);
		if (got <= 0)
			return got;
	}
	*v = e->event[e->next++];
	*process_id = e->process_id;
	return 1;
}

const char *
event_call(const struct history_event *v)
{
	static const char *const allocation[] = { "other",    "malloc",
						  "calloc",   "realloc",
						  "memalign", "new",
						  "new[]",    "malloc_zone" };

	if (v->kind >= HISTORY_ALLOC && v->kind < HISTORY_KINDS)
		return allocation[v->kind - HISTORY_ALLOC];
	return v->kind == HISTORY_FREE ? "free" : "freed by realloc";
}

/* ---- owners ----------------------------------------------------------- */

struct owners {
	struct events *events;
	int64_t process_id;
	struct history_event *slot; /* kind 0: empty */
	size_t mask, used;
	/* at the end of a process: what was never freed is given, then the
	 * next process's first event is taken */
	int ending, done, held;
	size_t rest; /* slots that were looked at */
	struct history_event ahead;
	int64_t ahead_id;
};

struct owners *
owners_open(sqlite3 *db, int64_t process_id)
{
	struct owners *o = calloc(1, sizeof *o);

	if (!o)
		return NULL;
	o->mask = (1 << 16) - 1;
	o->slot = calloc(o->mask + 1, sizeof *o->slot);
	o->events = events_open(db, process_id);
	if (o->slot && o->events)
		return o;
	owners_close(o);
	return NULL;
}

void
owners_close(struct owners *o)
{
	if (!o)
		return;
	events_close(o->events);
	free(o->slot);
	free(o);
}

unsigned
owners_broken(const struct owners *o)
{
	return o->events->broken;
}

static size_t
place(const struct owners *o, uint64_t address)
{
	return (size_t)((address >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20) &
	       o->mask;
}

static struct history_event *
find(struct owners *o, uint64_t address)
{
	size_t i = place(o, address);

	while (o->slot[i].kind && o->slot[i].address != address)
		i = (i + 1) & o->mask;
	return &o->slot[i];
}

static int
grow(struct owners *o)
{
	struct history_event *old = o->slot;
	size_t n = o->mask + 1;

	o->slot = calloc(2 * n, sizeof *o->slot);
	if (!o->slot) {
		o->slot = old;
		return -1;
	}
	o->mask = 2 * n - 1;
	for (size_t i = 0; i < n; i++)
		if (old[i].kind)
			*find(o, old[i].address) = old[i];
	free(old);
	return 0;
}

/* Closes the gap, so that what was placed behind it is found again. */
static void
take_out(struct owners *o, struct history_event *s)
{
	size_t gap = (size_t)(s - o->slot), i = gap;

	o->used--;
	for (;;) {
		i = (i + 1) & o->mask;
		if (!o->slot[i].kind)
			break;
		size_t home = place(o, o->slot[i].address);
		if (((i - home) & o->mask) < ((i - gap) & o->mask))
			continue;
		o->slot[gap] = o->slot[i];
		gap = i;
	}
	o->slot[gap].kind = 0;
}

/* 1: *out is complete.  An event for a block that is not known, or known
 * already, lost its partner: events were lost. */
static int
take(struct owners *o, const struct history_event *v, struct owner *out)
{
	struct history_event *s = find(o, v->address);

	if (v->kind >= HISTORY_ALLOC) {
		o->used += !s->kind;
		*s = *v;
		if (o->used > o->mask - o->mask / 4)
			grow(o);
		return 0;
	}
	if (!s->kind)
		return 0;
	*out = (struct owner){ *s, *v, o->process_id };
	take_out(o, s);
	return 1;
}

/* 1: one that was never freed; 0: none any more. */
static int
left_over(struct owners *o, struct owner *out)
{
	for (; o->rest <= o->mask; o->rest++) {
		struct history_event *s = &o->slot[o->rest];
		if (!s->kind)
			continue;
		*out =
		    (struct owner){ .made = *s, .process_id = o->process_id };
		s->kind = 0;
		return 1;
	}
	o->used = o->rest = 0;
	o->ending = 0;
	o->process_id = o->ahead_id;
	return 0;
}

/* The next event, or ending is set. */
static int
look(struct owners *o)
{
	int got = events_next(o->events, &o->ahead, &o->ahead_id);

	o->done = got == 0;
	o->ending = o->done || (got > 0 && o->ahead_id != o->process_id);
	o->held = got > 0;
	return got < 0 ? -1 : 0;
}

int
owners_next(struct owners *o, struct owner *out)
{
	for (;;) {
		if (o->ending && left_over(o, out))
			return 1;
		if (o->held) {
			o->held = 0;
			if (take(o, &o->ahead, out))
				return 1;
		}
		if (o->done)
			return 0;
		if (look(o) != 0)
			return -1;
	}
}
