/*
 * growth_text.c - growth as a page: for each process its curve as a whole, a
 * table of curves, and for those that grow who is behind them.
 */
#include "growth.h"
#include "moment.h"
#include "table.h"
#include "text.h"
#include "units.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOP_SHOWN = 3 };

struct page {
	const struct growth *growth;
	struct style style;
	FILE *out;
	int in_list; /* of one-line processes */
};

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

/* ---- a process -------------------------------------------------------- */

static void
print_process(const struct page *page, const struct clock *c)
{
	char *line = process_line(c->process), end[80];
	char time[UNITS_BYTES], rate[UNITS_BYTES], a[32], b[32];

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
	if (c->live_count) {
		const struct point *last = &c->live[c->live_count - 1];
		char *curve = spark(page, c, c->live, c->live_count);
		fprintf(
		    page->out, "all zones  %s  %s -> %s, ", curve,
		    message_bytes(a, sizeof a, count_shown(c->live[0].bytes)),
		    message_bytes(b, sizeof b, count_shown(last->bytes)));
		if (c->trend.verdict == TREND_GROWING)
			fprintf(page->out, "growing %s\n",
				units_rate(rate, c->trend.bytes_per_second));
		else
			fputs(c->trend.verdict == TREND_STEADY
				  ? "not growing\n"
				  : "too short to say whether it grows\n",
			      page->out);
		free(curve);
	}
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
	if (page->growth->settings->by == BY_STACK)
		stack_cell(page, t, c);
	free(curve);
}

static struct table *
new_table(enum by by)
{
	static const struct table_column columns[] = {
		{ "zone", 0 },	  { "class", 1 },	{ "blocks from", 1 },
		{ "to", 1 },	  { "bytes from", 1 },	{ "to", 1 },
		{ "change", 1 },  { "rate", 1 },	{ "curve", 0 },
		{ "growing", 0 }, { "allocated by", 0 }
	};
	struct table_column used[11];
	size_t n = 0;

	for (size_t i = 0; i < 11; i++) {
		if ((i == 0 && by == BY_STACK) || (i == 1 && by != BY_CLASS) ||
		    (i == 10 && by != BY_STACK))
			continue;
		used[n++] = columns[i];
	}
	return table_new(used, n, "  ");
}

/* ---- who is behind it ------------------------------------------------- */

static void
print_behind(const struct page *page, const struct curve *c)
{
	const struct growth *g = page->growth;
	char n[UNITS_BYTES], m[32], rate[UNITS_BYTES];
	FILE *out = page->out;

	fprintf(out, "%sgrowing%s  zone %s", page->style.red, page->style.off,
		c->zone ? c->zone : "?");
	if (c->size_class != UNKNOWN)
		fprintf(
		    out, ", size class %s",
		    message_number(m, sizeof m, count_shown(c->size_class)));
	fprintf(out, ": %s bytes, %s\n", units_change(n, curve_gain(c)),
		units_rate(rate, c->trend.bytes_per_second));
	if (c->top_count == 0)
		fputs("  none of it was alive at the end; try --by=stack\n",
		      out);
	for (size_t i = 0; i < c->top_count && i < TOP_SHOWN; i++) {
		const struct top_stack *t = &c->top[i];
		fprintf(out, "  %s bytes in %s blocks alive at the end, from\n",
			message_number(n, 32, count_shown(t->bytes)),
			message_number(m, sizeof m, count_shown(t->blocks)));
		stack_print(stacks_get(g->stacks, t->stack_id), &page->style,
			    "  ", out);
	}
	fputc('\n', out);
}

static void
print_stack(const struct page *page, const struct curve *c)
{
	const struct stack *stack =
	    stacks_get(page->growth->stacks, c->stack_id);
	char n[UNITS_BYTES], rate[UNITS_BYTES];

	fprintf(
	    page->out,
	    "%sgrowing%s  %s bytes, %s; fingerprint %016" PRIx64 "\n",
	    page->style.red, page->style.off, units_change(n, curve_gain(c)),
	    units_rate(rate, c->trend.bytes_per_second), stack->fingerprint);
	stack_print(stack, &page->style, "  ", page->out);
	fputc('\n', page->out);
}

/* ---- the page --------------------------------------------------------- */

static size_t
print_section(struct page *page, const struct clock *clock, size_t at)
{
	const struct growth *g = page->growth;
	size_t end = at;
	int grows = 0;

	while (end < g->curve_count && g->curves[end].clock == clock)
		grows |= g->curves[end++].trend.verdict == TREND_GROWING;
	if (g->recording->process_count > 1 && !grows) {
		print_one_line(page, clock);
		return end;
	}
	end_list(page);
	print_process(page, clock);
	if (end > at) {
		struct table *t = new_table(g->settings->by);
		for (size_t i = at; i < end; i++)
			row(page, t, &g->curves[i]);
		table_flush(t, page->out);
		table_free(t);
		fputc('\n', page->out);
	}
	for (size_t i = at; i < end; i++) {
		const struct curve *c = &g->curves[i];
		if (c->trend.verdict != TREND_GROWING)
			continue;
		if (g->settings->by == BY_STACK)
			print_stack(page, c);
		else
			print_behind(page, c);
	}
	return end;
}

void
growth_text(const struct growth *g, FILE *out)
{
	static const char *const things[] = { "size class", "zone", "stack" };
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
