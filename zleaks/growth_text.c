/*
 * growth_text.c - growth as a page: for each process its curve as a whole, a
 * table of curves, and for those that grow who is behind them.
 */
#include "growth.h"
#include "growth_page.h"
#include "moment.h"
#include "table.h"
#include "text.h"
#include "units.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *
spark(const struct page *page, const struct clock *clock,
      const struct point *points, size_t n)
{
	double values[CURVE_COLUMNS];
	size_t columns =
	    clock->count < CURVE_COLUMNS ? clock->count : CURVE_COLUMNS;

	for (size_t i = 0; i < columns; i++) {
		size_t at =
		    columns > 1 ? (clock->count - 1) * i / (columns - 1) : 0;
		const struct point *p = trend_at(points, n, at);
		values[i] = p ? (double)p->bytes : 0;
	}
	return style_spark(&page->style, values, columns);
}

static const char *
verdict_word(const struct trend *t)
{
	return t->verdict == TREND_GROWING  ? "yes"
	       : t->verdict == TREND_STEADY ? "no"
					    : "too short";
}

/* "growing +3 KiB/s (confidence high)" */
static void
print_verdict(const struct trend *t, FILE *out)
{
	char rate[UNITS_BYTES];

	if (t->verdict == TREND_TOO_SHORT) {
		fputs("too short to say whether it grows", out);
		return;
	}
	if (t->verdict == TREND_GROWING)
		fprintf(out, "growing %s",
			units_rate(rate, t->bytes_per_second));
	else
		fputs("not growing", out);
	fprintf(out, " (confidence %s)", trend_confidences[t->confidence]);
}

/* ---- a process -------------------------------------------------------- */

/* "live heap  ....  12 KiB -> 3 MiB" */
static void
print_curve(const struct page *page, const struct clock *c, const char *name,
	    const struct point *points, size_t n)
{
	char a[32], b[32];

	if (n == 0)
		return;
	char *curve = spark(page, c, points, n);
	fprintf(page->out, "%s  %s  %s -> %s", name, curve,
		message_bytes(a, sizeof a, count_shown(points[0].bytes)),
		message_bytes(b, sizeof b, count_shown(points[n - 1].bytes)));
	free(curve);
}

/* A part of the growth as a share of it, when it is one. */
static void
print_share(int64_t part, int64_t all, const char *what, FILE *out)
{
	double share = (double)part / (double)all;

	if (share >= 0.01)
		fprintf(out, ", %s %.0f %%", what, 100 * share);
}

/* What of the process's growth the live heap is. */
static void
print_explained(const struct page *page, const struct clock *c)
{
	struct explained e = growth_explained(page->growth, c);
	FILE *out = page->out;
	char a[32], b[32];

	if (c->rss_count == 0)
		return;
	fputs(", ", out);
	print_verdict(&e.trend, out);
	if (c->mapped_count)
		fprintf(
		    out, "\nmapped by the heap: %s -> %s\n",
		    message_bytes(a, sizeof a, count_shown(c->mapped[0].bytes)),
		    message_bytes(
			b, sizeof b,
			count_shown(c->mapped[c->mapped_count - 1].bytes)));
	if (isnan(e.share))
		return;
	fprintf(out,
		"Of RSS's growth since the warm-up, %s, the live heap "
		"explains %.0f %%",
		message_bytes(a, sizeof a, count_shown(e.rss)),
		e.share > 1 ? 100.0 : 100 * e.share);
	print_share(e.slack, e.rss, "rounding up to size classes", out);
	print_share(e.tags, e.rss, "the recorder's 16 bytes a block", out);
	fputc('\n', out);
	if (e.trend.verdict == TREND_GROWING &&
	    (double)(e.live + e.slack + e.tags) < (double)e.rss / 2)
		fputs("The rest is free memory in the heap, or did not come "
		      "from malloc (mmap, an allocator\nof the program's own "
		      "such as python's: PYTHONMALLOC=malloc shows it)\n",
		      out);
}

static void
print_process(const struct page *page, const struct clock *c)
{
	char *line = process_line(c->process), end[80];
	char time[UNITS_BYTES];

	fprintf(page->out, "%s%s%s\n", page->style.bold, line, page->style.off);
	fprintf(page->out, "pid %lld, ran %s, %s, %zu sample%s",
		(long long)c->process->pid,
		units_time(time, process_duration(c->process)),
		process_end(c->process, end, sizeof end), c->count,
		c->count == 1 ? "" : "s");
	if (moment_given(page->growth->settings) && c->count)
		fprintf(page->out, " from %.3f s to %.3f s", c->times[0],
			c->times[c->count - 1]);
	fputc('\n', page->out);
	free(line);
	print_curve(page, c, "live heap", c->live, c->live_count);
	if (c->live_count) {
		fputs(", ", page->out);
		print_verdict(&c->trend, page->out);
		fputc('\n', page->out);
	}
	print_curve(page, c, "RSS      ", c->rss, c->rss_count);
	print_explained(page, c);
	fputc('\n', page->out);
}

/* Of many processes, those in which nothing grows; --pid shows one whole. */
static void
print_one_line(struct page *page, const struct clock *c)
{
	char *name = process_name(c->process), bytes[32];

	fprintf(page->out, "%s%s%s (pid %lld): %s", page->style.bold, name,
		page->style.off, (long long)c->process->pid,
		c->trend.verdict == TREND_TOO_SHORT
		    ? "too short to say whether it grows"
		    : "nothing grows");
	if (c->live_count)
		fprintf(page->out, ", %s at the end",
			message_bytes(
			    bytes, sizeof bytes,
			    count_shown(c->live[c->live_count - 1].bytes)));
	fputc('\n', page->out);
	page->in_list = 1;
	free(name);
}

/* A blank line behind one-line processes. */
static void
end_list(struct page *page)
{
	if (page->in_list)
		fputc('\n', page->out);
	page->in_list = 0;
}

/* ---- the table -------------------------------------------------------- */

/* Where a stack's row is named by one line: its own code's function. */
static void
stack_cell(const struct page *page, struct table *t, const struct curve *c)
{
	const struct stack *stack =
	    stacks_get(page->growth->stacks, c->stack_id);
	size_t own = stack_own_frame(stack);

	if (stack->count == 0) {
		table_cell(t, "(no stack)");
		return;
	}
	const struct frame *f = stack->frames[own == SIZE_MAX ? 0 : own];
	char *place = frame_place(f), *name = text_printable(f->function);
	table_cellf(t, "%.60s  %.60s", name, place);
	free(name);
	free(place);
}

static void
key_cells(const struct page *page, struct table *t, const struct curve *c)
{
	char n[32];

	switch (page->growth->settings->by) {
	case BY_STACK:
		return; /* the widest column, at the end */
	case BY_CLASS:
		table_cell(t, c->zone);
		table_cell(
		    t, message_number(n, sizeof n, count_shown(c->size_class)));
		return;
	case BY_THREAD: {
		char *name = growth_thread_name(page->growth, c);
		table_cellf(t, "%.60s", name);
		free(name);
		return;
	}
	default:
		table_cell(t, c->zone);
	}
}

static void
row(const struct page *page, struct table *t, const struct curve *c)
{
	int growing = c->trend.verdict == TREND_GROWING;
	char *curve = spark(page, c->clock, c->points, c->point_count);
	char n[UNITS_BYTES];

	key_cells(page, t, c);
	table_cell(t,
		   message_number(n, sizeof n, count_shown(c->first.blocks)));
	table_cell(t, message_number(n, sizeof n, count_shown(c->last.blocks)));
	table_cell(t, message_number(n, sizeof n, count_shown(c->first.bytes)));
	table_cell(t, message_number(n, sizeof n, count_shown(c->last.bytes)));
	table_cell(t, units_change(n, curve_gain(c)));
	table_cell(t, units_rate(n, c->trend.bytes_per_second));
	table_cell(t, curve);
	if (growing)
		table_paint(t, page->style.red, page->style.off);
	table_cell(t, verdict_word(&c->trend));
	table_cell(t, c->trend.confidence == TREND_NOT_SAID
			  ? ""
			  : trend_confidences[c->trend.confidence]);
	if (page->growth->settings->by == BY_STACK)
		stack_cell(page, t, c);
	free(curve);
}

static struct table *
new_table(enum by by)
{
	static const struct {
		struct table_column column;
		unsigned by; /* bits 1 << by; 0: all */
	} columns[] = { { { "zone", 0 }, 1 << BY_CLASS | 1 << BY_ZONE },
			{ { "class", 1 }, 1 << BY_CLASS },
			{ { "thread", 0 }, 1 << BY_THREAD },
			{ { "blocks from", 1 }, 0 },
			{ { "to", 1 }, 0 },
			{ { "bytes from", 1 }, 0 },
			{ { "to", 1 }, 0 },
			{ { "change", 1 }, 0 },
			{ { "rate", 1 }, 0 },
			{ { "curve", 0 }, 0 },
			{ { "growing", 0 }, 0 },
			{ { "confidence", 0 }, 0 },
			{ { "allocated by", 0 }, 1 << BY_STACK } };
	struct table_column used[sizeof columns / sizeof *columns];
	size_t n = 0;

	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
		if (!columns[i].by || columns[i].by >> by & 1)
			used[n++] = columns[i].column;
	return table_new(used, n, "  ");
}

/* ---- the page --------------------------------------------------------- */

static void
print_table(const struct page *page, size_t at, size_t end)
{
	struct table *t = new_table(page->growth->settings->by);

	for (size_t i = at; i < end; i++)
		row(page, t, &page->growth->curves[i]);
	if (end > at) {
		table_flush(t, page->out);
		fputc('\n', page->out);
	}
	table_free(t);
}

static size_t
print_section(struct page *page, const struct clock *clock, size_t at)
{
	const struct growth *g = page->growth;
	size_t end = at;
	int grows = 0;

	while (end < g->curve_count && g->curves[end].clock == clock)
		grows |= g->curves[end++].trend.verdict == TREND_GROWING;
	for (size_t i = 0; i < g->rounds_count; i++)
		grows |= g->rounds[i].clock == clock;
	if (g->recording->process_count > 1 && !grows) {
		print_one_line(page, clock);
		return end;
	}
	end_list(page);
	print_process(page, clock);
	growth_print_rounds(page, clock);
	growth_print_findings(page, at, end);
	print_table(page, at, end);
	return end;
}

void
growth_text(const struct growth *g, FILE *out)
{
	static const char *const things[] = { "size class", "zone", "stack",
					      "thread" };
	struct page page = { g, style_for(g->settings, out), out, 0 };
	const struct recording *r = g->recording;
	size_t at = 0, all = g->curve_count + g->left_out;

	problems_print(r, &page.style, out);
	for (size_t i = 0; i < r->process_count; i++)
		at = print_section(&page, &g->clocks[i], at);
	end_list(&page);
	if (g->left_out)
		fprintf(out, "%zu more not shown (-n 0 shows all)\n",
			g->left_out);
	const char *thing = things[g->settings->by];
	fprintf(out, "SUMMARY: zleaks growth: %zu of %zu %s%s grow%s\n",
		g->growing, all, thing,
		all == 1			  ? ""
		: thing[strlen(thing) - 1] == 's' ? "es"
						  : "s",
		g->growing == 1 ? "s" : "");
}
