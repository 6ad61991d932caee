/*
 * moment.h - moments of a recording as --from and --to name them.
 *
 *   12.5, 90s, 10m   so long after the process's recording began
 *   -10s             so long before its end
 *   LABEL            when the program set that mark; of several of that name
 *                    --from means the first and --to the last
 *   LABEL#3          the third of them
 *   mark:LABEL       the same, for a label that reads like a time
 *
 * A mark of another process of the report is the same moment in this one.
 * Used by the commands that look at a part of a recording.
 */
#ifndef ZLEAKS_MOMENT_H
#define ZLEAKS_MOMENT_H

#include "zleaks.h"

/* Seconds since the process's recording began; -INFINITY and INFINITY where
 * the option was not given, so that from <= t <= to always holds then.  Empty
 * (from > to) when the moment cannot be placed in this process. */
struct span {
	double from, to;
};

/*
 * The span that --from and --to name in one process.  A label that no process
 * has, an end before its begin, or a word that is neither ends the program
 * with status 2 and one line that names the marks there are.
 */
struct span moment_span(const struct recording *, const struct process *,
			const struct settings *);

/* Was any of the two given? */
int moment_given(const struct settings *);

static inline int
span_holds(const struct span *s, double t)
{
	return t >= s->from && t <= s->to;
}

/* "from 1.500 s to 12.0 s", "from the mark..": for the head of a page; "" when
 * none was given.  The caller's to free. */
char *moment_words(const struct settings *);

#endif
