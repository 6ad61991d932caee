/*
 * moment.c - see moment.h.  Relies on the tables mark_info and sample.
 */
#include "moment.h"

#include "options.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MARKS_NAMED = 8 }; /* in a message */

/* ---- marks ------------------------------------------------------------ */

/* "LABEL#3" is split into the label and 3; 0: no number. */
static long
split_number(char *label)
{
	char *hash = strrchr(label, '#');
	long n;

	if (!hash || hash == label ||
	    option_number(hash + 1, 1, INT32_MAX, &n) != 0)
		return 0;
	*hash = 0;
	return n;
}

/* The nth mark of that label (0: the first, or the last) in a process; UNKNOWN
 * as process: in the first one that has it.  Returns 0 when there is none. */
static int
find_mark(const struct recording *r, int64_t process_id, const char *label,
	  long n, int last, double *t, int64_t *owner)
{
	sqlite3_stmt *st = recording_sql(
	    r, last && n == 0
		   ? "SELECT t, process_id FROM mark_info WHERE label = ?1"
		     " AND (?2 IS NULL OR process_id = ?2)"
		     " ORDER BY process_id, t DESC LIMIT 1"
		   : "SELECT t, process_id FROM mark_info WHERE label = ?1"
		     " AND (?2 IS NULL OR process_id = ?2)"
		     " ORDER BY process_id, t LIMIT 1 OFFSET ?3");
	int found;

	sqlite3_bind_text(st, 1, label, -1, SQLITE_STATIC);
	if (process_id != UNKNOWN)
		sqlite3_bind_int64(st, 2, process_id);
	sqlite3_bind_int64(st, 3, n > 0 ? n - 1 : 0);
	found = recording_step(r, st);
	if (found) {
		*t = column_real(st, 0);
		*owner = column_int(st, 1);
	}
	sqlite3_finalize(st);
	return found && isfinite(*t);
}

/* Unix time of a process's begin. */
static double
begin_of(const struct recording *r, int64_t process_id)
{
	sqlite3_stmt *st = recording_sql(
	    r, "SELECT started FROM process_info WHERE process_id = ?");
	double t = NAN;

	sqlite3_bind_int64(st, 1, process_id);
	if (recording_step(r, st))
		t = column_real(st, 0);
	sqlite3_finalize(st);
	return t;
}

static void
no_mark(const struct recording *r, const char *option, const char *text)
{
	char names[400] = "";
	size_t used = 0;
	int n = 0;
	sqlite3_stmt *st = recording_sql(
	    r, "SELECT label FROM mark_info GROUP BY label ORDER BY min(t)");

	while (recording_step(r, st)) {
		char *label =
		    text_printable((const char *)sqlite3_column_text(st, 0));
		if (n++ < MARKS_NAMED &&
		    used + strlen(label) + 8 < sizeof names)
			used += (size_t)sprintf(names + used, "%s%s",
						used ? ", " : "", label);
		free(label);
	}
	sqlite3_finalize(st);
	if (n == 0)
		die(EXIT_USAGE,
		    "--%s: '%s' is no time, and the report has no marks",
		    option, text);
	die(EXIT_USAGE, "--%s: neither a time nor a mark: '%s'; marks: %s%s",
	    option, text, names, n > MARKS_NAMED ? ", .." : "");
}

/* In this process, else in any. */
static int
find_near(const struct recording *r, const struct process *p, const char *label,
	  long n, int last, double *t, int64_t *owner)
{
	return find_mark(r, p->process_id, label, n, last, t, owner) ||
	       find_mark(r, UNKNOWN, label, n, last, t, owner);
}

/* The mark's time in process p: of its own, or at the same moment. */
static double
mark_time(const struct recording *r, const struct process *p,
	  const char *option, const char *text, int last)
{
	char *label = text_copy(!strncmp(text, "mark:", 5) ? text + 5 : text);
	int64_t owner = UNKNOWN;
	double t = NAN;
	long n;
	int found = find_near(r, p, label, 0, last, &t, &owner);

	if (!found && (n = split_number(label)) > 0)
		found = find_near(r, p, label, n, last, &t, &owner);
	free(label);
	if (!found)
		no_mark(r, option, text);
	if (owner == p->process_id)
		return t;
	return t + begin_of(r, owner) - p->started;
}

/* ---- times ------------------------------------------------------------ */

/* One moment; `last`: of several marks the last one.  NAN when the report's
 * mark cannot be placed in this process.  Bad words end the program. */
static double
find(const struct recording *r, const struct process *p, const char *option,
     const char *text, int last)
{
	double t;

	if (option_time(text, &t) == 0)
		return t;
	if (text[0] == '-' && option_time(text + 1, &t) == 0)
		return isfinite(p->last_t) ? fmax(p->last_t - t, 0) : NAN;
	return mark_time(r, p, option, text, last);
}

struct span
moment_span(const struct recording *r, const struct process *p,
	    const struct settings *s)
{
	struct span span = { -INFINITY, INFINITY };

	if (s->from)
		span.from = find(r, p, "from", s->from, 0);
	if (s->to)
		span.to = find(r, p, "to", s->to, 1);
	if (span.from > span.to)
		die(EXIT_USAGE, "--to: %.3f s lies before --from, %.3f s",
		    span.to, span.from);
	if (isnan(span.from) || isnan(span.to))
		span = (struct span){ INFINITY, -INFINITY };
	return span;
}

int
moment_given(const struct settings *s)
{
	return s->from || s->to;
}

char *
moment_words(const struct settings *s)
{
	char *from = s->from ? text_printable(s->from) : NULL;
	char *to = s->to ? text_printable(s->to) : NULL;
	char *words =
	    text_format("%s%s%s%s%s", from ? "from " : "", from ? from : "",
			from && to ? " " : "", to ? "to " : "", to ? to : "");

	free(from);
	free(to);
	return words;
}
