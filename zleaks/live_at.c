/* live_at.c - see live_at.h.  Used by calltree.c. */
#include "live_at.h"

#include "moment.h"
#include "text.h"

#include <stdlib.h>

enum { NONE = -1 }; /* no sample so early */

struct live_at {
	const struct recording *recording;
	sqlite3_stmt *value;
	int since; /* --from was given */
	/* the last sample at or before each moment, one per process */
	int64_t *from, *to;
};

static int64_t
sample_at(const struct recording *r, const struct process *p, double t)
{
	sqlite3_stmt *st = recording_sql(
	    r,
	    "SELECT max(sample) FROM sample WHERE process_id = ? AND t <= ?");
	int64_t n = NONE;

	sqlite3_bind_int64(st, 1, p->process_id);
	sqlite3_bind_double(st, 2, t);
	if (recording_step(r, st) &&
	    sqlite3_column_type(st, 0) == SQLITE_INTEGER)
		n = column_int(st, 0);
	sqlite3_finalize(st);
	return n;
}

struct live_at *
live_at_new(const struct recording *r, const struct settings *s)
{
	struct live_at *l = text_alloc(sizeof *l);

	l->recording = r;
	l->since = s->from != NULL;
	l->from = text_alloc(r->process_count * sizeof *l->from);
	l->to = text_alloc(r->process_count * sizeof *l->to);
	for (size_t i = 0; i < r->process_count; i++) {
		const struct process *p = &r->processes[i];
		struct span span = moment_span(r, p, s);
		int placed = span.from <= span.to;
		l->from[i] = placed ? sample_at(r, p, span.from) : NONE;
		l->to[i] = placed ? sample_at(r, p, span.to) : NONE;
	}
	l->value = recording_sql(r, "SELECT live_bytes FROM stack_sample"
				    " WHERE stack_id = ? AND sample <= ?"
				    " ORDER BY sample DESC LIMIT 1");
	return l;
}

void
live_at_free(struct live_at *l)
{
	if (!l)
		return;
	sqlite3_finalize(l->value);
	free(l->from);
	free(l->to);
	free(l);
}

static uint64_t
value_at(struct live_at *l, int64_t stack_id, int64_t sample)
{
	uint64_t bytes = 0;

	if (sample == NONE)
		return 0;
	sqlite3_bind_int64(l->value, 1, stack_id);
	sqlite3_bind_int64(l->value, 2, sample);
	if (recording_step(l->recording, l->value))
		bytes = count_shown(column_int(l->value, 0));
	sqlite3_reset(l->value);
	return bytes;
}

uint64_t
live_at_gain(struct live_at *l, const struct process *p, int64_t stack_id)
{
	size_t i = (size_t)(p - l->recording->processes);
	uint64_t to = value_at(l, stack_id, l->to[i]);
	uint64_t from = l->since ? value_at(l, stack_id, l->from[i]) : 0;

	return to > from ? to - from : 0;
}
