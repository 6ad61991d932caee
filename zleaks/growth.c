/*
 * growth.c - the command `growth`: the curves of live memory and which of
 * them grow.  trend.c has the rule, growth_sums.c makes the curves of zones and
 * threads, growth_memory.c those of the whole process, rounds.c what grows from
 * mark to mark, top.c finds who is behind it, growth_text.c and growth_json.c
 * print.
 *
 * The recorder stores a row only when something changed, so a value holds
 * until the next row; before its first row a curve is 0.
 */
#include "growth.h"

#include "moment.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOP_DEFAULT = 20 };

const char *const by_names[] = { "class", "zone", "stack", "thread" };

int64_t
curve_gain(const struct curve *c)
{
	return c->last.bytes - c->first.bytes; /* both are >= 0 */
}

/* ---- clocks ----------------------------------------------------------- */

static void
load_clock(struct growth *g, struct clock *c)
{
	const struct recording *r = g->recording;
	sqlite3_stmt *st = recording_sql(
	    r, "SELECT sample, t, live_blocks, live_bytes FROM sample"
	       " WHERE process_id = ? ORDER BY sample");
	struct span span = moment_span(r, c->process, g->settings);
	size_t room = 0;

	c->before = UNKNOWN;
	c->after = INT64_MAX;
	sqlite3_bind_int64(st, 1, c->process->process_id);
	while (recording_step(r, st)) {
		double t = column_real(st, 1);
		if (t < span.from) {
			c->before = column_int(st, 0);
			continue;
		}
		if (t > span.to) {
			c->after = column_int(st, 0);
			break;
		}
		if (c->count && !(t >= c->times[c->count - 1]))
			continue; /* time does not run backwards */
		if (c->count == room) {
			room = room ? room * 2 : 64;
			c->numbers =
			    text_grow(c->numbers, room, sizeof *c->numbers);
			c->times = text_grow(c->times, room, sizeof *c->times);
			c->live = text_grow(c->live, room, sizeof *c->live);
		}
		c->numbers[c->count] = column_int(st, 0);
		c->times[c->count] = isfinite(t) ? t : 0;
		if (column_int(st, 3) != UNKNOWN)
			c->live[c->live_count++] =
			    (struct point){ c->count, whole(column_int(st, 2)),
					    whole(column_int(st, 3)) };
		c->count++;
	}
	sqlite3_finalize(st);
	c->warm_up = trend_warm_up(c->times, c->count);
	trend_grid(&c->grid, c->times, c->count);
	c->trend = trend_judge(c->live, c->live_count, &c->grid);
}

/* Position of a sample; a number that is not there belongs to the one before
 * it, and what held before --from to the first.  SIZE_MAX before the first
 * sample of all, and behind --to. */
static size_t
clock_position(const struct clock *c, int64_t number)
{
	size_t low = 0, high = c->count;

	if (number >= c->after || !c->count)
		return SIZE_MAX;
	if (c->before != UNKNOWN && number < c->numbers[0])
		return 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (c->numbers[middle] <= number)
			low = middle + 1;
		else
			high = middle;
	}
	return low - 1; /* 0 - 1 is SIZE_MAX */
}

const struct clock *
growth_clock(const struct growth *g, int64_t process_id)
{
	const struct process *p = recording_process(g->recording, process_id);
	return p ? &g->clocks[p - g->recording->processes] : NULL;
}

/* ---- curves ----------------------------------------------------------- */

size_t
growth_position(const struct clock *c, int64_t number)
{
	return clock_position(c, number);
}

void
curve_point(struct curve *c, size_t at, int64_t blocks, int64_t bytes)
{
	if (c->point_count && c->points[c->point_count - 1].at == at)
		c->point_count--; /* two rows of one sample: the later */
	if (c->point_count == c->point_room) {
		c->point_room = c->point_room ? c->point_room * 2 : 8;
		c->points =
		    text_grow(c->points, c->point_room, sizeof *c->points);
	}
	c->points[c->point_count++] =
	    (struct point){ at, whole(blocks), whole(bytes) };
}

void
curve_free(struct curve *c)
{
	free(c->points);
	free(c->zone);
}

static int
curve_passes(struct growth *g, struct curve *c)
{
	const struct settings *s = g->settings;

	if (c->point_count == 0)
		return 0;
	if (count_shown(c->last.bytes) < g->min_bytes &&
	    count_shown(curve_gain(c)) < g->min_bytes)
		return 0;
	return !regexfilter_active(&s->filter) ||
	       stack_passes(stacks_get(g->stacks, c->stack_id), &s->filter);
}

void
growth_keep(struct growth *g, struct curve *c)
{
	const struct clock *clock = c->clock;
	const struct point *p;

	if (clock && clock->count) {
		p = trend_at(c->points, c->point_count, 0);
		c->first = p ? *p : (struct point){ 0, 0, 0 };
		p = trend_at(c->points, c->point_count, clock->count - 1);
		c->last = p ? *p : (struct point){ 0, 0, 0 };
		c->trend = trend_judge(c->points, c->point_count, &clock->grid);
		if (g->settings->by == BY_THREAD)
			growth_doubt_survivors(&c->trend);
		if (curve_passes(g, c)) {
			if (g->curve_count == g->curve_room) {
				g->curve_room =
				    g->curve_room ? g->curve_room * 2 : 64;
				g->curves = text_grow(g->curves, g->curve_room,
						      sizeof *g->curves);
			}
			g->curves[g->curve_count++] = *c;
			g->growing += c->trend.verdict == TREND_GROWING;
			*c = (struct curve){ 0 };
		}
	}
	curve_free(c);
	*c = (struct curve){ 0 };
}

static int
same_key(const struct curve *a, const struct curve *b)
{
	return a->clock == b->clock && a->zone_id == b->zone_id &&
	       a->size_class == b->size_class && a->stack_id == b->stack_id;
}

static void
load_curves(struct growth *g, const char *sql)
{
	sqlite3_stmt *st = recording_sql(g->recording, sql);
	struct curve now = { 0 };

	while (recording_step(g->recording, st)) {
		struct curve row = { .clock =
					 growth_clock(g, column_int(st, 0)),
				     .zone_id = column_int(st, 1),
				     .size_class = column_int(st, 2),
				     .stack_id = column_int(st, 3),
				     .thread_id = UNKNOWN };
		if (!row.clock)
			continue;
		if (!same_key(&now, &row)) {
			growth_keep(g, &now);
			now = row;
			now.zone = column_text(st, 7);
		}
		size_t at = clock_position(row.clock, column_int(st, 4));
		if (at != SIZE_MAX)
			curve_point(&now, at, column_int(st, 5),
				    column_int(st, 6));
	}
	growth_keep(g, &now);
	sqlite3_finalize(st);
}

static void
load(struct growth *g)
{
	enum by by = g->settings->by;

	if (by == BY_THREAD) {
		growth_threads(g);
		return;
	}
	if (by == BY_STACK) {
		load_curves(g, "SELECT process_id, NULL, NULL, stack_id,"
			       " sample, s.live_blocks, s.live_bytes, NULL"
			       " FROM stack_sample s"
			       " JOIN stack_info i USING (stack_id)"
			       " ORDER BY stack_id, sample");
		return;
	}
	if (by == BY_ZONE)
		g->min_bytes = 0; /* --min-bytes is a bound for zones */
	load_curves(g, "SELECT c.process_id, c.zone_id, size_class, NULL,"
		       " sample, live_blocks, live_bytes, z.name"
		       " FROM class_sample c LEFT JOIN zone_info z"
		       " ON z.process_id = c.process_id"
		       " AND z.zone_id = c.zone_id"
		       " ORDER BY c.process_id, c.zone_id, size_class, sample");
	g->min_bytes = g->settings->min_bytes;
	if (by == BY_ZONE)
		growth_zones(g);
}

/* ---- order and --top -------------------------------------------------- */

static enum sort sort_key; /* qsort has no argument for it */

static double
weight(const struct curve *c)
{
	switch (sort_key) {
	case SORT_BYTES:
		return fabs((double)curve_gain(c));
	case SORT_BLOCKS:
		return fabs((double)c->last.blocks - (double)c->first.blocks);
	default:
		return fabs(c->trend.bytes_per_second);
	}
}

/* Within a process those that grow come first. */
static int
compare_curves(const void *pa, const void *pb)
{
	const struct curve *a = pa, *b = pb;
	int ga = a->trend.verdict == TREND_GROWING;
	int gb = b->trend.verdict == TREND_GROWING;

	if (a->clock != b->clock)
		return a->clock < b->clock ? -1 : 1;
	if (ga != gb)
		return gb - ga;
	double wa = weight(a), wb = weight(b);
	if (wa != wb)
		return wa < wb ? 1 : -1;
	if (a->last.bytes != b->last.bytes)
		return a->last.bytes < b->last.bytes ? 1 : -1;
	return (a->size_class > b->size_class) -
	       (a->size_class < b->size_class);
}

static void
sort_and_cut(struct growth *g)
{
	long top = g->settings->top;
	size_t kept = 0, of_process = 0;

	if (top < 0)
		top = g->settings->json ? 0 : TOP_DEFAULT;
	sort_key = g->settings->sort;
	if (g->curve_count)
		qsort(g->curves, g->curve_count, sizeof *g->curves,
		      compare_curves);
	for (size_t i = 0; i < g->curve_count; i++) {
		struct curve c = g->curves[i];
		if (i && c.clock != g->curves[i - 1].clock)
			of_process = 0;
		if (top && of_process++ >= (size_t)top) {
			curve_free(&c);
			g->left_out++;
		} else {
			g->curves[kept++] = c;
		}
	}
	g->curve_count = kept;
}

static int
check_settings(const struct settings *s)
{
	if (regexfilter_active(&s->filter) && s->by != BY_STACK)
		message("growth: --focus and --ignore choose stacks: use them "
			"with --by=stack");
	else if (s->sort == SORT_AGE)
		message("--sort: growth knows rate, bytes and blocks");
	else
		return 0;
	return -1;
}

void
growth_find(struct growth *g)
{
	size_t processes = g->recording->process_count;

	g->min_bytes = g->settings->min_bytes;
	g->clocks = text_alloc(processes * sizeof *g->clocks);
	for (size_t i = 0; i < processes; i++) {
		g->clocks[i].process = &g->recording->processes[i];
		load_clock(g, &g->clocks[i]);
		growth_memory(g, &g->clocks[i]);
	}
	load(g);
	sort_and_cut(g);
	growth_rounds(g);
	growth_top_stacks(g);
}

void
growth_free(struct growth *g)
{
	for (size_t i = 0; i < g->curve_count; i++)
		curve_free(&g->curves[i]);
	free(g->curves);
	growth_rounds_free(g);
	for (size_t i = 0; i < g->recording->process_count; i++) {
		free(g->clocks[i].numbers);
		free(g->clocks[i].times);
		free(g->clocks[i].live);
		free(g->clocks[i].rss);
		free(g->clocks[i].mapped);
	}
	free(g->clocks);
}

/* Writes the page; the exit status. */
static int
print(const struct growth *g)
{
	struct output out;

	if (output_open(&out, g->settings->output) != 0)
		return EXIT_USAGE;
	if (g->settings->json)
		growth_json(g, out.file);
	else
		growth_text(g, out.file);
	return page_close(&out, g->recording);
}

int
growth_main(const struct settings *settings, int argc, char **argv)
{
	struct growth g = { .settings = settings };
	const char *path = settings_report("growth", argc, argv);

	if (!path || check_settings(settings) != 0)
		return EXIT_USAGE;
	g.recording = recording_open(path, settings);
	g.stacks = stacks_new(g.recording);
	growth_find(&g);
	int status = print(&g);
	growth_free(&g);
	stacks_free(g.stacks);
	recording_close(g.recording);
	return status;
}
