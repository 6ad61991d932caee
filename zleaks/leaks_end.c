/*
 * leaks_end.c - the end of the leak report's text page: suppressions, the sum
 * of several processes, which rule of --fail-on is broken, what to do next, and
 * a line for grep.
 */
#include "leaks_text.h"

#include "table.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *
plural(int64_t n)
{
	return n == 1 ? "" : "s";
}

void
page_amount(FILE *out, int64_t bytes, int64_t blocks)
{
	char a[32], b[32];

	fprintf(out, "%s byte%s in %s block%s",
		message_number(a, sizeof a, count_shown(bytes)), plural(bytes),
		message_number(b, sizeof b, count_shown(blocks)),
		plural(blocks));
}

/* ---- suppressions ------------------------------------------------------ */

/* "leak:open_*", or the name of a Valgrind entry; the caller's to free. */
static char *
suppression_name(const struct suppression *s)
{
	char *pattern = text_printable(s->pattern);
	char *name = text_format("%s%s", s->frames ? "" : "leak:", pattern);

	free(pattern);
	return name;
}

static void
print_limits(const struct suppression *s, FILE *out)
{
	char n[32];

	fputs(": more than", out);
	if (count_shown(s->bytes) > s->max_bytes)
		fprintf(out, " max-bytes=%s",
			message_number(n, sizeof n, s->max_bytes));
	if (count_shown(s->blocks) > s->max_blocks)
		fprintf(out, " max-blocks=%s",
			message_number(n, sizeof n, s->max_blocks));
	fputs(", not suppressed", out);
}

static void
print_suppressions(const struct page *page)
{
	const struct suppressions *s = &page->leaks->suppressions;
	FILE *out = page->out;

	if (!s->count)
		return;
	fputs("Suppressions\n", out);
	for (size_t i = 0; i < s->count; i++) {
		const struct suppression *u = &s->list[i];
		int over = suppression_over(u);
		char *name = suppression_name(u);
		fprintf(out, "  %s  %s", name,
			over	    ? page->style.red
			: u->groups ? ""
				    : page->style.yellow);
		if (u->groups)
			page_amount(out, u->bytes, u->blocks);
		else
			fprintf(out, "unused (line %d)", u->line);
		if (over)
			print_limits(u, out);
		fprintf(out, "%s\n", page->style.off);
		free(name);
	}
	fputc('\n', out);
}

/* ---- all processes ----------------------------------------------------- */

/* Of several processes that leak: the sum. */
static void
print_total(const struct page *page)
{
	static const struct table_column columns[] = { { "all processes", 0 },
						       { "bytes", 1 },
						       { "blocks", 1 } };
	const struct leaks *l = page->leaks;
	size_t leaking = 0;
	char n[32];

	for (size_t i = 0; i < l->recording->process_count; i++)
		leaking += (size_t)section_leaks(&l->sections[i]);
	if (leaking < 2)
		return;
	struct table *t = table_new(columns, 3, "  ");
	for (int k = KIND_COUNT - 1; k >= 0; k--) {
		const struct tally *sum = &l->total.kinds[k];
		if (k == KIND_UNSCANNED && sum->blocks <= 0)
			continue;
		table_cell(t, kind_names[k]);
		table_cell(
		    t, message_number(n, sizeof n, count_shown(sum->bytes)));
		table_cell(
		    t, message_number(n, sizeof n, count_shown(sum->blocks)));
	}
	table_flush(t, page->out);
	table_free(t);
	fputc('\n', page->out);
}

/* ---- what fails, what is next ------------------------------------------ */

/* A rule that allows nothing needs no words: its leaks are above. */
static void
print_broken_rule(const struct page *page)
{
	const struct failon *f = &page->leaks->settings->fail_on;
	struct found found = leaks_found(page->leaks);
	int kind = failon_broken(f, found.blocks, found.bytes);
	char words[200];

	if (kind < 0 || f->rule[kind].limit == 0)
		return;
	fprintf(page->out, "%sFailed:%s %s\n\n", page->style.red,
		page->style.off,
		failon_words(f, kind, found.blocks, found.bytes, words,
			     sizeof words));
}

static void
add_hint(struct table *t, const struct page *page, const char *arguments,
	 const char *what)
{
	char *report = text_quoted(page->leaks->recording->path);

	table_cellf(t, "%s %s %s", program_invocation_name, arguments, report);
	table_cell(t, what);
	free(report);
}

static const struct group *
first_shown(const struct leaks *l)
{
	for (size_t i = 0; i < l->recording->process_count; i++)
		if (l->sections[i].shown_count)
			return l->sections[i].shown[0];
	return NULL;
}

/* At most three commands that lead on from here. */
static void
print_next(const struct page *page)
{
	static const struct table_column columns[] = { { NULL, 0 },
						       { NULL, 0 } };
	const struct leaks *l = page->leaks;
	const struct tally *k = l->total.kinds;
	const struct group *g = first_shown(l);
	struct table *t = table_new(columns, 2, "  ");
	char n[48];

	if (l->recording->problem_count)
		add_hint(t, page, "doctor",
			 "what is missing, and what to do about it");
	if (g && g->kind != KIND_UNSCANNED && command_known("why")) {
		char *why = text_format("why %lld", (long long)g->stack_id);
		add_hint(t, page, why, "who holds the blocks of #1, or did");
		free(why);
	}
	if (k[KIND_REACHABLE].blocks > 0 &&
	    k[KIND_REACHABLE].bytes >= k[KIND_DEFINITE].bytes &&
	    !(l->listed_kinds >> KIND_REACHABLE & 1)) {
		char *held = text_format(
		    "the %s that are still in use",
		    message_bytes(n, sizeof n,
				  count_shown(k[KIND_REACHABLE].bytes)));
		add_hint(t, page, "--kinds=reachable", held);
		free(held);
	}
	if (!l->recording->problem_count)
		add_hint(t, page, "growth", "what grew while it ran");
	if (table_rows(t)) {
		fprintf(page->out, "%sNext%s\n", page->style.bold,
			page->style.off);
		table_flush(t, page->out);
		fputc('\n', page->out);
	}
	table_free(t);
}

/* ---- the last line ----------------------------------------------------- */

static int
is_narrowed(const struct settings *s)
{
	return s->thread || s->min_bytes || s->pid ||
	       regexfilter_active(&s->filter);
}

/* Plain digits: scripts read this line. */
static void
print_last_line(const struct page *page)
{
	const struct leaks *l = page->leaks;
	const struct tally *k = l->total.kinds;
	const char *verdict = "no leaks";

	if (k[KIND_DEFINITE].blocks || k[KIND_INDIRECT].blocks)
		verdict = "leaks";
	else if (section_leaks(&l->total))
		verdict = "possible leaks";
	if (l->recording->problem_count)
		verdict = "incomplete recording";
	fprintf(page->out, "SUMMARY: zleaks: %s", verdict);
	for (int i = KIND_COUNT - 1; i >= 0; i--)
		if (i != KIND_UNSCANNED || k[i].blocks)
			fprintf(page->out, "%s %s %llu bytes in %llu blocks",
				i == KIND_COUNT - 1 ? ":" : ",", kind_names[i],
				count_shown(k[i].bytes),
				count_shown(k[i].blocks));
	if (l->total.suppressed.blocks)
		fprintf(page->out, ", suppressed %llu bytes in %llu blocks",
			count_shown(l->total.suppressed.bytes),
			count_shown(l->total.suppressed.blocks));
	fputs(is_narrowed(l->settings) ? " (of what the options leave)\n"
				       : "\n",
	      page->out);
}

void
leaks_end(const struct page *page)
{
	print_suppressions(page);
	print_total(page);
	print_broken_rule(page);
	print_next(page);
	print_last_line(page);
}
