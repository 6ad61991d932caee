/*
 * stacks.c - the command `stacks`: who allocates, as a tree from main to the
 * callers of malloc, or the other way round.
 *
 * Small branches are left out and counted.  Where a function has one callee
 * that costs as much, the callee stands below it without a new indent.
 */
#include "calltree.h"
#include "moment.h"
#include "page_json.h"
#include "text.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 400 };
#define SMALL 0.01 /* of all: branches below are left out */

struct page {
	const struct settings *settings;
	struct recording *recording;
	struct calltree *tree;
	struct output out;
	struct style style;
	enum cost cost;
	uint64_t least; /* cost of the smallest branch that is shown */
	char indent[DEPTH_MAX * 4 + 8];
};

static uint64_t
cost_of(const struct page *p, uint32_t node)
{
	return p->tree->node[node].all[p->cost];
}

/* ---- text ------------------------------------------------------------- */

static void
print_amount(const struct page *p, uint64_t n, FILE *out)
{
	char text[32], share[UNITS_BYTES];

	if (cost_is_bytes(p->cost))
		message_bytes(text, sizeof text, n);
	else
		message_number(text, sizeof text, n);
	units_share(share, n, cost_of(p, 0));
	fprintf(out, "%12s  %6s  ", text, share);
}

static void
print_line(struct page *p, uint32_t node, const char *branch)
{
	const struct call_node *n = &p->tree->node[node];
	FILE *out = p->out.file;
	char *place = frame_place(n->frame);

	if (!n->frame->function)
		*place = 0; /* the name says it */

	print_amount(p, n->all[p->cost], out);
	fprintf(out, "%s%s%s%s%s%s", p->style.dim, p->indent, branch,
		p->style.off, n->name, *place ? "  " : "");
	fprintf(out, "%s%s%s\n", p->style.dim, place, p->style.off);
	free(place);
}

static void
print_rest(struct page *p, size_t count, uint64_t cost, const char *branch)
{
	if (!count)
		return;
	print_amount(p, cost, p->out.file);
	fprintf(p->out.file, "%s%s%s(%zu smaller)%s\n", p->style.dim, p->indent,
		branch, count, p->style.off);
}

static void print_below(struct page *, uint32_t node, unsigned depth);

/* One of several callees. */
static void
print_branch(struct page *p, uint32_t node, unsigned depth, int last)
{
	int utf8 = p->style.utf8;
	size_t n = strlen(p->indent);

	print_line(p, node, last ? (utf8 ? "└ " : "` ") : utf8 ? "├ " : "+ ");
	strcpy(p->indent + n, last ? "  " : utf8 ? "│ " : "| ");
	print_below(p, node, depth + 1);
	p->indent[n] = 0;
}

/* The callees of a node. */
static void
print_below(struct page *p, uint32_t node, unsigned depth)
{
	uint32_t *child;
	size_t n = calltree_children(p->tree, node, p->cost, &child);
	uint64_t rest = 0;
	size_t shown = 0;

	while (shown < n && cost_of(p, child[shown]) >= p->least)
		shown++;
	if (depth >= DEPTH_MAX)
		shown = 0;
	for (size_t i = shown; i < n; i++)
		rest += cost_of(p, child[i]);
	if (n == 1 && shown == 1 && node &&
	    cost_of(p, *child) == cost_of(p, node)) {
		print_line(p, *child, "");
		print_below(p, *child, depth + 1);
	} else {
		for (size_t i = 0; i < shown; i++)
			print_branch(p, child[i], depth, i + 1 == n);
		print_rest(p, n - shown, rest, p->style.utf8 ? "└ " : "` ");
	}
	free(child);
}

static void
print_page(struct page *p)
{
	char all[32];

	problems_print(p->recording, &p->style, p->out.file);
	if (cost_is_bytes(p->cost))
		message_bytes(all, sizeof all, cost_of(p, 0));
	else
		message_number(all, sizeof all, cost_of(p, 0));
	fprintf(p->out.file, "%s%s%s", p->style.bold,
		p->settings->from ? "live bytes gained" : cost_titles[p->cost],
		p->style.off);
	if (moment_given(p->settings)) {
		char *words = moment_words(p->settings);
		fprintf(p->out.file, " %s", p->settings->from ? words : "at ");
		if (!p->settings->from)
			fputs(words + strlen("to "), p->out.file);
		free(words);
	}
	fprintf(p->out.file, ": %s, from %u stacks; %s\n\n", all,
		p->tree->stacks,
		p->settings->bottom_up ? "callers of malloc first"
				       : "callees below their callers");
	print_below(p, 0, 0);
}

/* ---- JSON ------------------------------------------------------------- */

static json_t *
node_json(const struct page *p, uint32_t node, unsigned depth)
{
	const struct call_node *n = &p->tree->node[node];
	json_t *list = json_checked(json_array());
	uint32_t *child;
	size_t count = calltree_children(p->tree, node, p->cost, &child);

	for (size_t i = 0; i < count && depth < DEPTH_MAX; i++)
		if (cost_of(p, child[i]) >= p->least)
			json_array_append_new(
			    list, node_json(p, child[i], depth + 1));
	free(child);
	return json_checked(
	    json_pack("{s:o, s:I, s:I, s:o}", "function", json_text(n->name),
		      "cost", (json_int_t)n->all[p->cost], "self",
		      (json_int_t)n->self[p->cost], "children", list));
}

static void
json_page(const struct page *p)
{
	struct json_out o;

	json_out_begin(&o, p->out.file);
	json_out_member(&o, "format", json_string("zleaks/1"));
	page_json_problems(&o, p->recording);
	json_out_member(&o, "cost", json_string(cost_names[p->cost]));
	json_out_member(&o, "bottom_up", json_boolean(p->settings->bottom_up));
	json_out_member(&o, "tree", node_json(p, 0, 0));
	json_out_end(&o);
}

/* ---- the command ------------------------------------------------------ */

int
stacks_main(const struct settings *settings, int argc, char **argv)
{
	const char *path = settings_report("stacks", argc, argv);
	struct page p = { .settings = settings,
			  .cost = (enum cost)settings->cost };

	if (!path)
		return EXIT_USAGE;
	if (moment_given(settings) && p.cost != COST_LIVE) {
		message("stacks: over time only live bytes are known: --from "
			"and --to go with --cost=live");
		return EXIT_USAGE;
	}
	p.recording = recording_open(path, settings);
	struct stacks *stacks = stacks_new(p.recording);
	stacks_without_fingerprints(stacks);
	p.tree =
	    calltree_read(p.recording, stacks, settings, settings->bottom_up);
	p.least = settings->min_bytes;
	if (!p.least && !settings->json)
		p.least = (uint64_t)((double)cost_of(&p, 0) * SMALL);
	if (output_open(&p.out, settings->output) != 0)
		return EXIT_USAGE;
	p.style = style_for(settings, p.out.file);
	if (settings->json)
		json_page(&p);
	else
		print_page(&p);
	int status = page_close(&p.out, p.recording);
	calltree_free(p.tree);
	stacks_free(stacks);
	recording_close(p.recording);
	return status;
}
