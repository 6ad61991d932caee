/*
 * diff_text.c - the page of `diff` as text: what is compared, totals, leaks
 * with their stacks, then tables of live memory, and a line for grep.
 */
#include "diff.h"

#include "page_text.h"
#include "table.h"
#include "text.h"
#include "units.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum { LEAKS_SHOWN = 20, ROWS_SHOWN = 10 };

struct page {
	const struct diff *diff;
	struct style style;
	FILE *out;
};

static size_t
most(const struct page *page, size_t by_default)
{
	long top = page->diff->settings->top;

	return top < 0 ? by_default : top == 0 ? SIZE_MAX : (size_t)top;
}

/* ---- what is compared ------------------------------------------------- */

/* "old.db  ./shop, 2026-11-24 10:55:01, ran 2.1 s, exit 0" */
static void
print_side(const struct page *page, int side)
{
	const struct recording *r = diff_recording(page->diff, side);
	char *name = diff_side_name(page->diff, side), end[80];
	char stamp[32] = "", ran[UNITS_BYTES];
	FILE *out = page->out;

	fprintf(out, "%s  %s%s%s", side == OLD ? "old" : "new",
		page->style.bold, name, page->style.off);
	free(name);
	if (r->process_count && !page->diff->moments) {
		const struct process *p = &r->processes[0];
		char *line = process_line(p);
		time_t started = (time_t)p->started;
		struct tm tm;
		if (p->started > 0 && p->started < 1e11 &&
		    localtime_r(&started, &tm))
			strftime(stamp, sizeof stamp, ", %Y-%m-%d %H:%M:%S",
				 &tm);
		fprintf(out, "  %.60s%s, ran %s, %s", line, stamp,
			units_time(ran, process_duration(p)),
			process_end(p, end, sizeof end));
		free(line);
		if (r->process_count > 1)
			fprintf(out, ", and %zu more processes",
				r->process_count - 1);
	}
	fputc('\n', out);
}

static void
print_problems(const struct page *page)
{
	const struct diff *d = page->diff;

	problems_print(diff_recording(d, OLD), &page->style, page->out);
	if (!d->moments)
		problems_print(diff_recording(d, NEW), &page->style, page->out);
}

/* ---- totals ----------------------------------------------------------- */

static void
amount_cell(struct table *t, int64_t n)
{
	char digits[32];

	table_cell(t, n == UNKNOWN ? "?"
				   : message_number(digits, sizeof digits,
						    count_shown(n)));
}

static void
total_row(struct table *t, const char *name, int64_t old, int64_t new)
{
	char text[UNITS_BYTES];

	if (old == UNKNOWN && new == UNKNOWN)
		return;
	table_cell(t, name);
	amount_cell(t, old);
	amount_cell(t, new);
	table_cell(t, old == UNKNOWN || new == UNKNOWN
			  ? ""
			  : units_change(text, new - old));
}

static void
print_totals(const struct page *page)
{
	static const struct table_column columns[] = {
		{ "", 0 }, { "old", 1 }, { "new", 1 }, { "change", 1 }
	};
	const struct totals *a = &page->diff->totals[OLD];
	const struct totals *b = &page->diff->totals[NEW];
	struct table *t = table_new(columns, 4, "  ");

	total_row(t, "allocations", a->allocations, b->allocations);
	total_row(t, "frees", a->frees, b->frees);
	total_row(t, "bytes allocated", a->bytes_allocated, b->bytes_allocated);
	total_row(t, "peak bytes", a->peak_bytes, b->peak_bytes);
	total_row(t, "live blocks", a->live_blocks, b->live_blocks);
	total_row(t, "live bytes", a->live_bytes, b->live_bytes);
	for (int k = KIND_COUNT - 1; !page->diff->moments && k >= 0; k--) {
		const struct tally *o = &page->diff->leaks[OLD].total.kinds[k];
		const struct tally *n = &page->diff->leaks[NEW].total.kinds[k];
		char *name = text_format("%s bytes", kind_names[k]);
		if (o->bytes > 0 || n->bytes > 0)
			total_row(t, name, o->bytes, n->bytes);
		free(name);
	}
	table_flush(t, page->out);
	table_free(t);
	fputc('\n', page->out);
}

/* The program's own function and its place, or whatever there is; the caller's
 * to free. */
static char *
stack_place(const struct stack *stack)
{
	size_t own = stack_own_frame(stack);

	if (own == SIZE_MAX && stack->count == 0)
		return text_copy("?");
	const struct frame *f = stack->frames[own == SIZE_MAX ? 0 : own];
	char *name = frame_short_name(f), *place = frame_place(f);
	char *both = text_format("%s  %s", name, place);
	free(name);
	free(place);
	return both;
}

/* ---- leaks ------------------------------------------------------------ */

static void
print_leak(const struct page *page, const struct change *c)
{
	static const char *const words[VERDICTS] = { "NEW", "GROWN", "SHRUNK",
						     "GONE", "" };
	enum verdict v = change_verdict(c);
	const struct style *style = &page->style;
	char bytes[UNITS_BYTES], blocks[UNITS_BYTES], a[32], b[32];
	FILE *out = page->out;

	fprintf(out, "%s%-6s%s  %s  %s%s bytes, %s blocks%s",
		v <= GROWN ? style->red : style->green, words[v], style->off,
		kind_names[c->kind], style->bold,
		units_change(bytes, change_bytes(c)),
		units_change(blocks, change_blocks(c)), style->off);
	if (v == GROWN || v == SHRUNK) {
		fprintf(
		    out, "  (%s bytes in %s",
		    message_number(a, sizeof a, count_shown(c->bytes[OLD])),
		    message_number(b, sizeof b, count_shown(c->blocks[OLD])));
		fprintf(
		    out, " -> %s in %s)",
		    message_number(a, sizeof a, count_shown(c->bytes[NEW])),
		    message_number(b, sizeof b, count_shown(c->blocks[NEW])));
	}
	if (c->was_kind >= 0)
		fprintf(out, "  (was %s)", kind_names[c->was_kind]);
	fprintf(out, "\n        %sfingerprint %016" PRIx64 "%s\n", style->dim,
		c->fingerprint, style->off);
	if (v <= GROWN) {
		stack_print(c->stack, style, "      ", out);
	} else { /* its place will do */
		char *place = stack_place(c->stack);
		fprintf(out, "        %s\n", place);
		free(place);
	}
	fputc('\n', out);
}

static void
print_leaks(const struct page *page)
{
	const struct changes *c = &page->diff->leak;
	size_t n = most(page, LEAKS_SHOWN);

	for (size_t i = 0; i < c->count && i < n; i++)
		print_leak(page, &c->list[i]);
	if (c->count > n) {
		page_left_out(c->count - n, page->out);
		fputc('\n', page->out);
	}
}

/* ---- live memory ------------------------------------------------------ */

static void
change_cells(struct table *t, const struct change *c)
{
	char text[UNITS_BYTES];

	table_cell(t, units_change(text, change_bytes(c)));
	amount_cell(t, c->bytes[OLD]);
	amount_cell(t, c->bytes[NEW]);
	table_cell(t, units_change(text, change_blocks(c)));
}

static void
print_table(const struct page *page, const char *title, const struct changes *c)
{
	const struct table_column columns[] = { { "change", 1 },
						{ "old bytes", 1 },
						{ "new bytes", 1 },
						{ "blocks", 1 },
						{ title, 0 } };
	size_t n = most(page, ROWS_SHOWN);

	if (!c->count)
		return;
	struct table *t = table_new(columns, 5, "  ");
	for (size_t i = 0; i < c->count && i < n; i++) {
		const struct change *x = &c->list[i];
		char *place = x->stack ? stack_place(x->stack) : NULL;
		change_cells(t, x);
		if (place)
			table_cell(t, place);
		else
			table_cellf(t, "%lld in zone %s",
				    (long long)x->size_class, x->zone);
		free(place);
	}
	table_flush(t, page->out);
	table_free(t);
	if (c->count > n) {
		fputs("  ", page->out);
		page_left_out(c->count - n, page->out);
	}
	fputc('\n', page->out);
}

/* Plain digits: scripts read this line. */
static void
print_last_line(const struct page *page)
{
	const struct diff *d = page->diff;
	struct found f = diff_found(d);

	fputs("SUMMARY: zleaks diff:", page->out);
	for (int v = 0; v < VERDICTS; v++)
		fprintf(page->out, "%s %zu %s", v ? "," : "", d->verdicts[v],
			verdict_names[v]);
	for (int k = KIND_COUNT - 1, n = 0; k >= 0; k--)
		if (f.blocks[k])
			fprintf(page->out, "%s %s +%llu bytes in +%llu blocks",
				n++ ? "," : ":", kind_names[k],
				(unsigned long long)f.bytes[k],
				(unsigned long long)f.blocks[k]);
	fputc('\n', page->out);
}

void
diff_text(const struct diff *d, FILE *out)
{
	struct page page = { d, style_for(d->settings, out), out };

	print_problems(&page);
	if (d->moments) {
		const struct recording *r = diff_recording(d, OLD);
		for (size_t i = 0; i < r->process_count; i++)
			page_process(&r->processes[i], &page.style, NULL, out);
		fputc('\n', out);
	}
	print_side(&page, OLD);
	print_side(&page, NEW);
	fputc('\n', out);
	print_totals(&page);
	print_leaks(&page);
	print_table(&page,
		    d->moments ? "live, by stack" : "live at the end, by stack",
		    &d->stack);
	print_table(&page,
		    d->moments ? "live, by size class"
			       : "live at the end, by size class",
		    &d->size_class);
	print_last_line(&page);
}
