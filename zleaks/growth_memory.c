/*
 * growth_memory.c - the process's memory over time as the kernel sees it, and
 * how much of its growth the live heap explains.  Called by growth.c.
 */
#include "growth.h"

#include "text.h"

#include <math.h>

enum { LEAST_GAIN = 1 << 20 }; /* bytes of RSS that are worth explaining */

static void
append(struct point **points, size_t *count, size_t at, int64_t bytes)
{
	if (bytes < 0)
		return; /* not known then */
	if ((*count & (*count - 1)) == 0)
		*points = text_grow(*points, *count ? 2 * *count : 1,
				    sizeof **points);
	(*points)[(*count)++] = (struct point){ at, 0, bytes };
}

void
growth_memory(struct growth *g, struct clock *c)
{
	sqlite3_stmt *st = recording_sql(
	    g->recording, "SELECT sample, rss_bytes, mapped_bytes FROM sample"
			  " WHERE process_id = ? ORDER BY sample");

	sqlite3_bind_int64(st, 1, c->process->process_id);
	while (recording_step(g->recording, st)) {
		size_t at = growth_position(c, column_int(st, 0));
		if (at >= c->count)
			continue;
		append(&c->rss, &c->rss_count, at, column_int(st, 1));
		append(&c->mapped, &c->mapped_count, at, column_int(st, 2));
	}
	sqlite3_finalize(st);
}

static int64_t
live_at(const struct clock *c, size_t at)
{
	const struct point *p = trend_at(c->live, c->live_count, at);
	return p ? p->bytes : 0;
}

struct explained
growth_explained(const struct clock *c)
{
	struct explained e = { .share = NAN };

	if (c->rss_count < 2)
		return e;
	const struct point *last = &c->rss[c->rss_count - 1];
	const struct point *first = trend_at(c->rss, c->rss_count, c->warm_up);
	if (!first)
		first = c->rss;
	e.rss = last->bytes - first->bytes;
	e.live = live_at(c, last->at) - live_at(c, first->at);
	if (e.rss >= LEAST_GAIN && e.rss >= first->bytes / 20)
		e.share = e.live > 0 ? (double)e.live / (double)e.rss : 0;
	return e;
}
