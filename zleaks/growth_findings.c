/*
 * growth_findings.c - what grows and who is behind it, in words: curves, and
 * the rounds from mark to mark.  Called by growth_text.c.
 */
#include "growth_page.h"
#include "text.h"
#include "units.h"

#include <inttypes.h>
#include <stdlib.h>

enum { TOP_SHOWN = 3, ROUNDS_SHOWN = 5, FINDINGS_SHOWN = 5, FRAMES_SHOWN = 12 };

/* ---- who is behind it ------------------------------------------------- */

/* "size class 64, zone x" or "thread main" */
static void
print_key(const struct page *page, const struct curve *c)
{
	FILE *out = page->out;
	char m[32];

	if (page->growth->settings->by == BY_THREAD) {
		char *name = growth_thread_name(page->growth, c);
		fprintf(out, "thread %s", name);
		free(name);
		return;
	}
	if (c->size_class != UNKNOWN)
		fprintf(
		    out, "size class %s, ",
		    message_number(m, sizeof m, count_shown(c->size_class)));
	fprintf(out, "zone %s", c->zone ? c->zone : "?");
}

/* "97 to 112 bytes a block, " */
static void
print_class_range(const struct curve *c, FILE *out)
{
	int64_t k = c->size_class;
	char m[32], n[32];

	if (k == UNKNOWN || k > 8 << 20)
		return;
	int64_t low = k - (k <= 1008 ? 16 : k <= 32 << 10 ? 512 : 32 << 10) + 1;
	fprintf(out, "%s to %s bytes a block, ",
		message_number(m, sizeof m, count_shown(low)),
		message_number(n, sizeof n, count_shown(k)));
}

static void
print_top_stack(const struct page *page, const struct curve *c,
		const struct top_stack *t)
{
	static const char several[] =
	    ", by its curve: blocks of several sizes, not all of this class";
	static const char *const how[] = { "", ", by its curve", several };
	double share = (double)whole(t->gained) / c->trend.held;
	char n[32], m[32];
	FILE *out = page->out;

	fprintf(out, "  +%s since the warm-up",
		message_bytes(n, sizeof n, count_shown(t->gained)));
	if (c->trend.held > 0 && t->known != BY_CURVE_OF_SIZES)
		fprintf(out, " (%.0f %% of it)",
			share > 1 ? 100.0 : 100 * share);
	fputs(how[t->known], out);
	if (t->blocks)
		fprintf(out, ", %s in %s blocks alive at the end",
			message_bytes(n, sizeof n, count_shown(t->bytes)),
			message_number(m, sizeof m, count_shown(t->blocks)));
	fputs(", from\n", out);
	stack_print_inner(stacks_get(page->growth->stacks, t->stack_id),
			  &page->style, "    ", FRAMES_SHOWN, out);
}

static int64_t
most_bytes(const struct curve *c)
{
	int64_t most = 0;

	for (size_t i = 0; i < c->point_count; i++)
		if (c->points[i].bytes > most)
			most = c->points[i].bytes;
	return most;
}

static void
print_behind(const struct page *page, const struct curve *c)
{
	char rate[UNITS_BYTES], a[32], b[32], n[32];
	FILE *out = page->out;

	fprintf(out, "%sgrowing%s  ", page->style.red, page->style.off);
	print_key(page, c);
	fprintf(out, ": %s, confidence %s\n",
		units_rate(rate, c->trend.bytes_per_second),
		trend_confidences[c->trend.confidence]);
	fputs("  ", out);
	print_class_range(c, out);
	fprintf(out, "%s at most, %s in %s blocks at the end\n",
		message_bytes(a, sizeof a, count_shown(most_bytes(c))),
		message_bytes(b, sizeof b, count_shown(c->last.bytes)),
		message_number(n, sizeof n, count_shown(c->last.blocks)));
	if (c->top_count == 0)
		fputs("  by whom is not known; try --by=stack\n", out);
	for (size_t i = 0; i < c->top_count && i < TOP_SHOWN; i++)
		print_top_stack(page, c, &c->top[i]);
	fputc('\n', out);
}

/* ---- from mark to mark ------------------------------------------------ */

static void
print_rounds_stacks(const struct page *page, const struct rounds *r)
{
	for (size_t i = 0; i < r->top_count && i < TOP_SHOWN; i++) {
		const struct top_stack *t = &r->top[i];
		fprintf(page->out, "  %+.2f blocks, %+.1f bytes each%s, from\n",
			(double)t->late_blocks / r->blocks_steps,
			(double)t->late_bytes / r->blocks_steps,
			r->by_curves ? ", by samples" : "");
		stack_print_inner(stacks_get(page->growth->stacks, t->stack_id),
				  &page->style, "    ", FRAMES_SHOWN,
				  page->out);
	}
}

static void
print_rounds(const struct page *page, const struct rounds *r)
{
	const struct style *style = &page->style;
	int grows = r->trend.verdict == TREND_GROWING;
	FILE *out = page->out;
	char n[32], m[32];

	fprintf(out,
		"%sper mark%s  \"%s\": %+.2f blocks and %+.1f bytes each, ",
		grows ? style->red : style->bold, style->off, r->label,
		r->blocks, r->bytes);
	fprintf(out, "sd %.3g and %.3g, over the last %s of %s; ", r->blocks_sd,
		r->bytes_sd, message_number(n, sizeof n, r->steps),
		message_number(m, sizeof m, r->marks));
	if (r->trend.verdict == TREND_TOO_SHORT)
		fputs("too few to say whether it grows\n", out);
	else
		fprintf(out, "%sgrowing, confidence %s\n", grows ? "" : "not ",
			trend_confidences[r->trend.confidence]);
	print_rounds_stacks(page, r);
	fputc('\n', out);
}

void
growth_print_rounds(const struct page *page, const struct clock *clock)
{
	const struct growth *g = page->growth;
	size_t shown = 0, left = 0;

	for (size_t i = 0; i < g->rounds_count; i++) {
		if (g->rounds[i].clock != clock)
			continue;
		if (shown++ < ROUNDS_SHOWN)
			print_rounds(page, &g->rounds[i]);
		else
			left++;
	}
	if (left)
		fprintf(page->out, "%zu more labels of marks in --json\n\n",
			left);
}

/* ---- all that grows --------------------------------------------------- */

static void
print_stack(const struct page *page, const struct curve *c)
{
	const struct stack *stack =
	    stacks_get(page->growth->stacks, c->stack_id);
	char n[UNITS_BYTES], rate[UNITS_BYTES];

	fprintf(
	    page->out,
	    "%sgrowing%s  %s bytes, %s, confidence %s; fingerprint %016" PRIx64
	    "\n",
	    page->style.red, page->style.off, units_change(n, curve_gain(c)),
	    units_rate(rate, c->trend.bytes_per_second),
	    trend_confidences[c->trend.confidence], stack->fingerprint);
	stack_print_inner(stack, &page->style, "  ", FRAMES_SHOWN, page->out);
	fputc('\n', page->out);
}

void
growth_print_findings(const struct page *page, size_t at, size_t end)
{
	const struct growth *g = page->growth;
	size_t shown = 0, left = 0;

	for (size_t i = at; i < end; i++) {
		const struct curve *c = &g->curves[i];
		if (c->trend.verdict != TREND_GROWING)
			continue;
		if (shown++ >= FINDINGS_SHOWN)
			left++;
		else if (g->settings->by == BY_STACK)
			print_stack(page, c);
		else
			print_behind(page, c);
	}
	if (left)
		fprintf(page->out, "%zu more that grow are in the table%s\n\n",
			left,
			g->settings->by == BY_CLASS
			    ? "; --by=stack adds up what one stack does to "
			      "many classes"
			    : "");
}
