/*
 * growth_memory.c - the process's memory over time as the kernel sees it, and
 * how much of its growth the live heap explains.  Called by growth.c.
 */
#include "growth.h"

#include "text.h"

#include <math.h>

enum {
	LEAST_GAIN = 1 << 20, /* bytes of RSS that are worth explaining */
	TAG_BYTES = 16	      /* what the recorder keeps of a live block */
};

static void
append(struct point **points, size_t *count, size_t at, int64_t bytes)
{
	if (bytes < 0)
		return; /* not known then */
	if (*count && (*points)[*count - 1].at == at) {
		/* of what --from leaves out, the last */
		(*points)[*count - 1].bytes = bytes;
		return;
	}
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

static const struct point *
live_at(const struct clock *c, size_t at)
{
	static const struct point none = { 0, 0, 0 };
	const struct point *p = trend_at(c->live, c->live_count, at);
	return p ? p : &none;
}

/* What all blocks could hold beyond what was asked for, at that sample.  Large
 * ones take pages, not the power of two that names their class. */
static int64_t
slack_at(const struct growth *g, const struct clock *c, size_t at)
{
	sqlite3_stmt *st = recording_sql(
	    g->recording,
	    "SELECT sum(size_class * live_blocks - live_bytes) FROM"
	    " (SELECT size_class, live_blocks, live_bytes, max(sample)"
	    "  FROM class_sample WHERE process_id = ? AND sample <= ?"
	    "  AND size_class <= 8388608 GROUP BY zone_id, size_class)");
	int64_t slack = 0;

	sqlite3_bind_int64(st, 1, c->process->process_id);
	sqlite3_bind_int64(st, 2, c->numbers[at]);
	if (recording_step(g->recording, st))
		slack = whole(column_int(st, 0));
	sqlite3_finalize(st);
	return slack;
}

struct explained
growth_explained(const struct growth *g, const struct clock *c)
{
	struct explained e = { .share = NAN };

	if (c->rss_count < 2)
		return e;
	e.trend = trend_judge(c->rss, c->rss_count, &c->grid);
	/* at the end much is freed, and RSS is not known any more */
	size_t to = c->grid.windows ? c->grid.to - 1 : c->count - 1;
	const struct point *first = trend_at(c->rss, c->rss_count, c->warm_up);
	const struct point *last = trend_at(c->rss, c->rss_count, to);
	if (!first)
		first = c->rss;
	if (!last || last->at <= first->at)
		return e;
	const struct point *from = live_at(c, first->at),
			   *till = live_at(c, last->at);
	e.rss = last->bytes - first->bytes;
	e.live = till->bytes - from->bytes;
	e.tags = (till->blocks - from->blocks) * TAG_BYTES;
	if (e.rss < LEAST_GAIN || e.rss < first->bytes / 20)
		return e;
	e.slack = slack_at(g, c, last->at) - slack_at(g, c, first->at);
	e.share = e.live > 0 ? (double)e.live / (double)e.rss : 0;
	return e;
}
