/*
 * html_time.c - what the HTML page shows over time: the memory of each process
 * with marks, and the curves of its size classes.
 *
 * A curve with more samples than a chart has room for is thinned: of each
 * stretch of equal length the samples with most and least live memory stay, so
 * that no peak is lost.
 */
#include "html.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>

json_t *
html_time(double t)
{
	return json_number_or_null(round(t * 1e6) / 1e6);
}

/* ---- the process's own curve ------------------------------------------ */

struct moment {
	double t;
	int64_t live, rss, mapped, blocks;
};

static struct moment *
read_moments(const struct html *h, const struct process *p, size_t *n)
{
	struct moment *list = NULL;
	size_t room = 0;
	sqlite3_stmt *st = recording_sql(
	    h->recording, "SELECT t, live_bytes, rss_bytes, mapped_bytes,"
			  " live_blocks FROM sample WHERE process_id = ?"
			  " ORDER BY sample");

	*n = 0;
	sqlite3_bind_int64(st, 1, p->process_id);
	while (recording_step(h->recording, st)) {
		double t = column_real(st, 0);
		if (!isfinite(t) || (*n && t < list[*n - 1].t))
			continue; /* time does not run backwards */
		if (*n == room) {
			room = room ? 2 * room : 256;
			list = text_grow(list, room, sizeof *list);
		}
		list[(*n)++] =
		    (struct moment){ t, column_int(st, 1), column_int(st, 2),
				     column_int(st, 3), column_int(st, 4) };
	}
	sqlite3_finalize(st);
	return list;
}

/* Keeps most and least live memory of each stretch; the new count. */
static size_t
thin(struct moment *list, size_t n)
{
	size_t stretches = HTML_SAMPLES / 2 - 1, kept = 1;

	if (n <= HTML_SAMPLES)
		return n;
	for (size_t s = 0; s < stretches; s++) {
		size_t from = 1 + (n - 2) * s / stretches;
		size_t to = 1 + (n - 2) * (s + 1) / stretches;
		size_t low = from, high = from;
		for (size_t i = from; i < to; i++) {
			if (list[i].live < list[low].live)
				low = i;
			if (list[i].live > list[high].live)
				high = i;
		}
		struct moment a = list[low < high ? low : high];
		struct moment b = list[low < high ? high : low];
		list[kept++] = a;
		if (low != high)
			list[kept++] = b;
	}
	list[kept++] = list[n - 1];
	return kept;
}

static json_t *
moments_json(const struct html *h, const struct process *p)
{
	json_t *t = json_checked(json_array());
	json_t *live = json_checked(json_array());
	json_t *rss = json_checked(json_array());
	json_t *mapped = json_checked(json_array());
	json_t *blocks = json_checked(json_array());
	size_t all;
	struct moment *list = read_moments(h, p, &all);
	size_t n = thin(list, all);

	for (size_t i = 0; i < n; i++) {
		json_array_append_new(t, html_time(list[i].t));
		json_array_append_new(live, page_json_int(list[i].live));
		json_array_append_new(rss, page_json_int(list[i].rss));
		json_array_append_new(mapped, page_json_int(list[i].mapped));
		json_array_append_new(blocks, page_json_int(list[i].blocks));
	}
	free(list);
	return json_checked(json_pack(
	    "{s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "process",
	    html_process(h, p), "samples", (json_int_t)all, "t", t, "live",
	    live, "rss", rss, "mapped", mapped, "blocks", blocks));
}

static int
by_peak(const void *pa, const void *pb)
{
	const struct process *a = *(const struct process *const *)pa;
	const struct process *b = *(const struct process *const *)pb;

	if (a->peak_bytes != b->peak_bytes)
		return a->peak_bytes < b->peak_bytes ? 1 : -1;
	return a < b ? -1 : 1;
}

/* "marks": [[process, time, label]]; of a process that has too many for a
 * chart only their number, in "marks_left_out": [[process, marks]]. */
static void
write_marks(struct html *h)
{
	sqlite3_stmt *st = recording_sql(
	    h->recording, "SELECT process_id, t, label,"
			  " count(*) OVER (PARTITION BY process_id)"
			  " FROM mark_info ORDER BY process_id, t");
	json_t *left_out = json_checked(json_array());
	const struct process *last = NULL;

	json_out_array(&h->out, "marks");
	while (recording_step(h->recording, st)) {
		const struct process *p =
		    recording_process(h->recording, column_int(st, 0));
		int64_t n = column_int(st, 3);
		if (!p)
			continue;
		if (n > HTML_MARKS) {
			if (p != last)
				json_array_append_new(
				    left_out,
				    json_pack("[o, I]", html_process(h, p),
					      (json_int_t)n));
			last = p;
			continue;
		}
		const char *label = (const char *)sqlite3_column_text(st, 2);
		json_out_element(&h->out,
				 json_pack("[o, o, o]", html_process(h, p),
					   html_time(column_real(st, 1)),
					   book_text(h->book, label)));
	}
	sqlite3_finalize(st);
	json_out_array_end(&h->out);
	json_out_member(&h->out, "marks_left_out", left_out);
}

void
html_timelines(struct html *h)
{
	const struct recording *r = h->recording;
	size_t n = r->process_count;
	const struct process **order = text_alloc(n * sizeof *order);

	for (size_t i = 0; i < n; i++)
		order[i] = &r->processes[i];
	if (n)
		qsort(order, n, sizeof *order, by_peak);
	json_out_array(&h->out, "timelines");
	h->shown = text_alloc(n);
	for (size_t i = 0; i < n && i < HTML_TIMELINES; i++) {
		h->shown[order[i] - r->processes] = 1;
		json_out_element(&h->out, moments_json(h, order[i]));
	}
	json_out_array_end(&h->out);
	free(order);
	write_marks(h);
}

/* ---- size classes ----------------------------------------------------- */

/* Sample of a clock at which grid point i stands. */
static size_t
grid_sample(const struct clock *c, size_t i, size_t points)
{
	return points < 2 ? 0 : i * (c->count - 1) / (points - 1);
}

/* So many that all curves together stay small. */
static size_t
grid_points(const struct html *h, const struct clock *c)
{
	size_t curves = h->growth.curve_count;
	size_t room = curves ? HTML_VALUES / curves : HTML_GRID;

	if (room > HTML_GRID)
		room = HTML_GRID;
	if (room < HTML_GRID_LEAST)
		room = HTML_GRID_LEAST;
	return c->count < room ? c->count : room;
}

static json_t *
grid_json(const struct html *h, const struct clock *c)
{
	json_t *list = json_checked(json_array());
	size_t n = grid_points(h, c);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
		    list, html_time(c->times[grid_sample(c, i, n)]));
	return list;
}

/* [[stack, blocks and bytes alive at the end, bytes gained]] */
static json_t *
tops_json(const struct html *h, const struct curve *c)
{
	json_t *list = json_checked(json_array());

	for (size_t i = 0; i < c->top_count; i++) {
		const struct top_stack *t = &c->top[i];
		json_array_append_new(
		    list, json_checked(json_pack(
			      "[o, I, I, o]", book_stack(h->book, t->stack_id),
			      (json_int_t)t->blocks, (json_int_t)t->bytes,
			      page_json_int(t->gained))));
	}
	return list;
}

/* Members "growing" and "confidence", as in `zleaks growth --json`. */
static void
add_verdict(json_t *row, const struct trend *t)
{
	const char *sure = trend_confidences[t->confidence];

	json_object_set_new(row, "growing",
			    t->verdict == TREND_TOO_SHORT
				? json_null()
				: json_boolean(t->verdict == TREND_GROWING));
	json_object_set_new(row, "confidence", json_text(sure));
}

/* A size class's curve names zone, class and who is behind it, a stack's the
 * stack. */
static json_t *
curve_json(const struct html *h, const struct curve *c)
{
	json_t *bytes = json_checked(json_array());
	size_t n = grid_points(h, c->clock);

	for (size_t i = 0; i < n; i++) {
		const struct point *p = trend_at(c->points, c->point_count,
						 grid_sample(c->clock, i, n));
		json_array_append_new(
		    bytes, json_integer((json_int_t)(p ? p->bytes : 0)));
	}
	json_t *row = json_checked(json_pack(
	    "{s:o, s:I, s:I, s:I, s:I, s:o, s:o}", "process",
	    html_process(h, c->clock->process), "first_blocks",
	    (json_int_t)c->first.blocks, "last_blocks",
	    (json_int_t)c->last.blocks, "first_bytes",
	    (json_int_t)c->first.bytes, "last_bytes", (json_int_t)c->last.bytes,
	    "bytes_per_second", json_number_or_null(c->trend.bytes_per_second),
	    "bytes", bytes));
	add_verdict(row, &c->trend);
	if (c->stack_id != UNKNOWN) {
		json_object_set_new(row, "stack",
				    book_stack(h->book, c->stack_id));
		return row;
	}
	json_object_set_new(row, "zone", book_text(h->book, c->zone));
	json_object_set_new(row, "size_class", page_json_int(c->size_class));
	json_object_set_new(row, "top", tops_json(h, c));
	return row;
}

/* What grows from mark to mark: its top has blocks and bytes per mark. */
static void
write_rounds(struct html *h, const struct growth *g)
{
	json_out_array(&h->out, "rounds");
	for (size_t i = 0; i < g->rounds_count; i++) {
		const struct rounds *r = &g->rounds[i];
		json_t *top = json_checked(json_array());
		for (size_t j = 0; j < r->top_count; j++)
			json_array_append_new(
			    top, json_checked(json_pack(
				     "[o, o, o]",
				     book_stack(h->book, r->top[j].stack_id),
				     json_number_or_null(
					 (double)r->top[j].late_blocks /
					 r->blocks_steps),
				     json_number_or_null(
					 (double)r->top[j].late_bytes /
					 r->blocks_steps))));
		json_t *row = json_checked(json_pack(
		    "{s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "process",
		    html_process(h, r->clock->process), "label",
		    book_text(h->book, r->label), "marks", (json_int_t)r->marks,
		    "steps", (json_int_t)r->steps, "blocks",
		    json_number_or_null(r->blocks), "bytes",
		    json_number_or_null(r->bytes), "blocks_sd",
		    json_number_or_null(r->blocks_sd), "bytes_sd",
		    json_number_or_null(r->bytes_sd), "top", top));
		add_verdict(row, &r->trend);
		json_out_element(&h->out, row);
	}
	json_out_array_end(&h->out);
}

/* The curves of those processes that have a timeline; how many do not. */
static size_t
write_curves(struct html *h, const struct growth *g, const char *key)
{
	size_t left_out = g->left_out;

	json_out_array(&h->out, key);
	for (size_t i = 0; i < g->curve_count; i++) {
		const struct process *p = g->curves[i].clock->process;
		if (h->shown[p - h->recording->processes])
			json_out_element(&h->out, curve_json(h, &g->curves[i]));
		else
			left_out++;
	}
	json_out_array_end(&h->out);
	return left_out;
}

void
html_growth(struct html *h)
{
	const struct growth *g = &h->growth;

	json_out_array(&h->out, "grids");
	for (size_t i = 0; i < h->recording->process_count; i++)
		if (g->clocks[i].count && h->shown[i])
			json_out_element(
			    &h->out,
			    json_pack("{s:o, s:I, s:o}", "process",
				      html_process(h, g->clocks[i].process),
				      "samples", (json_int_t)g->clocks[i].count,
				      "t", grid_json(h, &g->clocks[i])));
	json_out_array_end(&h->out);
	size_t left_out = write_curves(h, g, "growth");
	write_rounds(h, g);
	write_curves(h, &h->growth_by_stack, "growth_by_stack");
	json_out_member(&h->out, "growing",
			json_integer((json_int_t)g->growing));
	json_out_member(&h->out, "growth_left_out",
			json_integer((json_int_t)left_out));
	json_out_member(&h->out, "growing_stacks",
			json_integer((json_int_t)h->growth_by_stack.growing));
}
