/*
 * classes_text.c - size classes, slack and fragmentation as a page.
 */
#include "classes.h"
#include "page_text.h"
#include "table.h"
#include "text.h"
#include "units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STACKS_SHOWN = 3 };
#define WORTH_NAMING 0.01 /* of all that is kept or slack */

struct page {
	const struct classes *classes;
	struct style style;
	FILE *out;
};

static void
share_cell(struct table *t, int64_t part, int64_t whole)
{
	char text[UNITS_BYTES];

	table_cell(
	    t, part == UNKNOWN || whole == UNKNOWN || whole == 0
		   ? ""
		   : units_share(text, count_shown(part), count_shown(whole)));
}

static void
title(const struct page *p, const char *text)
{
	fprintf(p->out, "%s%s%s", p->style.bold, text, p->style.off);
}

/* ---- resident memory -------------------------------------------------- */

static void
print_memory(const struct page *p, const struct part *part)
{
	static const struct table_column columns[] = {
		{ NULL, 0 }, { NULL, 1 }, { NULL, 1 }, { NULL, 0 }
	};
	const struct process *process = part->process;
	char time[UNITS_BYTES];
	int64_t rss = UNKNOWN;

	title(p, "Where the resident memory was");
	if (!p->classes->has_regions || part->memory_count == 0) {
		fprintf(p->out, ": not known, %s\n\n",
			p->classes->has_regions
			    ? "the process ended before it was looked at"
			    : "the report is of an older zrecord");
		return;
	}
	fprintf(p->out, ", %s after the begin",
		units_time(time, part->memory_t));
	if (process->last_t >= part->memory_t)
		fprintf(p->out, " (%s before the %s)",
			units_time(time, process->last_t - part->memory_t),
			part->unfinished ? "last sample" : "end");
	fputs("\n\n", p->out);
	for (size_t i = 0; i < part->memory_count; i++)
		if (!strcmp(part->memory[i].name, "rss"))
			rss = part->memory[i].bytes;
	struct table *t = table_new(columns, 4, "  ");
	for (size_t i = 0; i < part->memory_count; i++) {
		const struct memory_part *m = &part->memory[i];
		table_cell(t, m->name);
		page_bytes_cell(t, m->bytes);
		share_cell(t, m->bytes, rss);
		table_cell(t, m->bytes == UNKNOWN
				  ? "not known: counted as anonymous"
				  : m->what);
	}
	table_flush(t, p->out);
	table_free(t);
	fputc('\n', p->out);
}

/* ---- stacks ----------------------------------------------------------- */

/* The stacks with most of something, as long as they are worth a line. */
static void
print_stacks(const struct page *p, const struct sum *stack, size_t count,
	     const char *what, const char *unit)
{
	const struct settings *s = p->classes->settings;
	size_t most = s->top > 0 ? (size_t)s->top : STACKS_SHOWN;
	double all = 0;

	for (size_t i = 0; i < count; i++)
		all += (double)stack[i].bytes;
	for (size_t i = 0; i < count && (s->top == 0 || i < most); i++) {
		char n[32], m[32];
		if ((double)stack[i].bytes < WORTH_NAMING * all)
			break;
		fprintf(
		    p->out, "  %s %s by %s block",
		    message_bytes(n, sizeof n, count_shown(stack[i].bytes)),
		    what,
		    message_number(m, sizeof m, count_shown(stack[i].blocks)));
		fputs(stack[i].blocks == 1 ? "" : "s", p->out);
		if (unit) {
			fputs(" on ", p->out);
			page_count(p->out, count_shown(stack[i].more), unit);
		} else {
			fprintf(p->out, " that asked for %s",
				message_bytes(n, sizeof n,
					      count_shown(stack[i].more)));
		}
		fputs(", from\n", p->out);
		stack_print(stacks_get(p->classes->stacks, stack[i].b),
			    &p->style, "  ", p->out);
	}
	if (count)
		fputc('\n', p->out);
}

/* ---- size classes ----------------------------------------------------- */

static void
class_cells(struct table *t, const char *zone, const char *class,
	    int64_t blocks, int64_t asked, int64_t usable)
{
	table_cell(t, zone);
	table_cell(t, class);
	page_number_cell(t, blocks);
	page_bytes_cell(t, asked);
	page_bytes_cell(t, usable);
	page_bytes_cell(t, usable - asked);
	share_cell(t, usable - asked, usable);
}

static void
print_classes(const struct page *p, const struct part *part)
{
	static const struct table_column columns[] = {
		{ "zone", 0 },	    { "class", 1 }, { "blocks", 1 },
		{ "asked for", 1 }, { "held", 1 },  { "slack", 1 },
		{ "of held", 1 }
	};
	struct table *t;
	char n[32];

	title(p, part->unfinished ? "Live blocks, by size class"
				  : "Live blocks at the end, by size class");
	if (part->row_count == 0) {
		fputs(": none\n\n", p->out);
		return;
	}
	fputs("\n\n", p->out);
	t = table_new(columns, 7, "  ");
	for (size_t i = 0; i < part->row_count; i++) {
		const struct class_row *r = &part->row[i];
		class_cells(
		    t, r->zone,
		    message_number(n, sizeof n, count_shown(r->size_class)),
		    r->blocks, r->asked, r->usable);
	}
	if (part->row_count + part->left_out > 1)
		class_cells(t, "all", "", part->blocks, part->asked,
			    part->usable);
	table_flush(t, p->out);
	table_free(t);
	page_left_out(part->left_out, p->out);
	fputc('\n', p->out);
	print_stacks(p, part->slack, part->slack_count, "of slack", NULL);
}

/* ---- regions ---------------------------------------------------------- */

static void
print_tiers(const struct page *p, const struct part *part)
{
	static const struct table_column columns[] = {
		{ "zone", 0 },	   { "tier", 0 },
		{ "regions", 1 },  { "address space", 1 },
		{ "resident", 1 }, { "live blocks", 1 },
		{ "held", 1 },	   { "of resident", 1 }
	};

	if (!part->tier_count)
		return;
	title(p, "Regions at the end");
	fputs("\n\n", p->out);
	struct table *t = table_new(columns, 8, "  ");
	for (size_t i = 0; i < part->tier_count; i++) {
		const struct tier_row *r = &part->tier[i];
		table_cell(t, r->zone);
		table_cell(t, tier_names[r->tier]);
		page_number_cell(t, r->regions);
		page_bytes_cell(t, r->bytes);
		page_bytes_cell(t, r->resident);
		page_number_cell(t, r->live_blocks);
		page_bytes_cell(t, r->usable);
		/* regions that came after the look have blocks but no known
		 * pages; blocks that were never touched have none at all */
		share_cell(t, r->usable,
			   r->resident_regions == r->regions &&
				   r->usable <= r->resident
			       ? r->resident
			       : UNKNOWN);
	}
	table_flush(t, p->out);
	table_free(t);
	fputc('\n', p->out);
}

static void
print_pins(const struct page *p, const struct pins *pins, const char *unit)
{
	char n[32], m[32], k[32];

	if (!pins->all)
		return;
	fprintf(p->out, "%s%s with live blocks%s: ", p->style.bold,
		unit[0] == 'p' ? "Pages" : "Regions", p->style.off);
	fprintf(p->out, "%s, %s", message_number(n, sizeof n, pins->all),
		message_bytes(m, sizeof m, pins->bytes));
	if (!pins->thin) {
		fputs("; none is less than a quarter full\n\n", p->out);
		return;
	}
	fprintf(p->out,
		"; %s less than a quarter full: %s kept by %s block%s\n\n",
		message_number(n, sizeof n, pins->thin),
		message_bytes(m, sizeof m, pins->kept),
		message_number(k, sizeof k, pins->blocks),
		pins->blocks == 1 ? "" : "s");
	print_stacks(p, pins->stack, pins->stack_count, "kept", unit);
}

/* ---- the page --------------------------------------------------------- */

static void
print_part(const struct page *p, const struct part *part)
{
	page_process(part->process, &p->style, NULL, p->out);
	if (p->classes->recording->sample_bytes != UNKNOWN)
		fputs("sampled: sums are estimates; pages and regions show "
		      "only the blocks that were recorded\n",
		      p->out);
	if (part->unfinished)
		fputs("not finished: size classes are those of the last "
		      "sample; stacks, regions\nand pages are written at the "
		      "end of the process\n",
		      p->out);
	fputc('\n', p->out);
	if (!part->unfinished || part->memory_count)
		print_memory(p, part);
	print_classes(p, part);
	print_tiers(p, part);
	print_pins(p, &part->pages, "page");
	print_pins(p, &part->regions, "region");
}

void
classes_text(const struct classes *c, FILE *out)
{
	struct page p = { c, style_for(c->settings, out), out };
	const struct recording *r = c->recording;
	int64_t blocks = 0, asked = 0, usable = 0;
	uint64_t kept = 0;
	char n[32], m[32], k[32], l[32];

	problems_print(r, &p.style, out);
	for (size_t i = 0; i < r->process_count; i++) {
		const struct part *part = &c->part[i];
		print_part(&p, part);
		blocks = count_add(blocks, part->blocks);
		asked = count_add(asked, part->asked);
		usable = count_add(usable, part->usable);
		kept += part->pages.kept;
	}
	fprintf(out,
		"SUMMARY: zleaks classes: %s live in %s blocks, %s of slack, "
		"%s kept on nearly empty pages\n",
		message_bytes(n, sizeof n, count_shown(asked)),
		message_number(m, sizeof m, count_shown(blocks)),
		message_bytes(k, sizeof k, count_shown(usable - asked)),
		message_bytes(l, sizeof l, kept));
}
