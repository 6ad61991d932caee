/*
 * flamegraph.c - the command `flamegraph`: all stacks as one SVG picture,
 * callees below their callers, as wide as what they allocated.  It can be
 * looked at with anything that shows SVG; in a browser, the script in
 * web/flame.js adds search, zoom and the keyboard.
 *
 * The script knows the frames by their order (callers first), by the numbers
 * of their <rect> and by the first line of their <title>, the name.
 */
#include "assets.h"
#include "flame.h"
#include "text.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	NODES_MAX = 8000,
	WIDTH = 1200,
	ROW = 18,
	TOP = 64,    /* above the frames: title, tools, details */
	BOTTOM = 30, /* below them: what is left out */
	MARGIN = 10
};
#define CHARACTER 7.23 /* width of one, in the font of the frames */
#define NARROW	  0.2  /* frames below that width are not drawn */

struct picture {
	const struct settings *settings;
	const struct recording *recording;
	struct calltree *tree;
	unsigned char *chosen;
	enum cost cost;
	double scale; /* width of one byte or allocation */
	uint32_t deepest, left_out;
	FILE *out;
};

/* Text for an element; two code points that XML refuses become '?'. */
static void
xml_text(const char *s, size_t bytes, FILE *out)
{
	for (size_t n; bytes; s += n, bytes -= n) {
		uint32_t code;
		n = text_decode(s, bytes, &code);
		if (code == '<' || code == '&' || code == '>')
			fprintf(out, "&#%u;", (unsigned)code);
		else if (code == 0xfffe || code == 0xffff || code == UINT32_MAX)
			fputc('?', out);
		else
			fwrite(s, 1, n, out);
	}
}

/* ---- colours: as those of the HTML page -------------------------------- */

static uint32_t
hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h ^ h >> 15;
}

/* The program's own code is orange, each library has a hue; the shade depends
 * on the function's name. */
static void
print_colour(const char *name, const char *module, FILE *out)
{
	unsigned shade = hash(name) % 12, hue = 24;

	if (!module) {
		fputs("#cdd3dc", out);
		return;
	}
	if (strstr(module, ".so") || module[0] == '[')
		hue = 150 + hash(module) % 160;
	fprintf(out, "hsl(%u,72%%,%u%%)", hue + shade % 5 * 3, 72 + shade);
}

/* ---- frames ----------------------------------------------------------- */

static const char *
amount(const struct picture *p, char *buf, size_t bytes, uint64_t n)
{
	return cost_is_bytes(p->cost) ? message_bytes(buf, bytes, n)
				      : message_number(buf, bytes, n);
}

/* As much of a name as fits; its length in bytes, 0: nothing fits. */
static size_t
fitting(const char *name, double width, int *cut)
{
	long room = (long)((width - 6) / CHARACTER);
	size_t length = strlen(name), n = 0;
	uint32_t code;

	*cut = text_columns(name) > (size_t)(room > 0 ? room : 0);
	if (!*cut)
		return length;
	for (long i = 2; i < room && n < length; i++)
		n += text_decode(name + n, length - n, &code);
	return room < 3 ? 0 : n;
}

static void
print_frame(struct picture *p, double x, uint32_t depth, const char *name,
	    const char *module, uint64_t cost)
{
	double width = (double)cost * p->scale;
	unsigned y = TOP + depth * ROW;
	char number[32], share[UNITS_BYTES];
	int cut;
	size_t shown = fitting(name, width, &cut);

	fputs("<g class=\"f\"><title>", p->out);
	xml_text(name, strlen(name), p->out);
	fputc('\n', p->out);
	if (module) {
		xml_text(module, strlen(module), p->out);
		fputc('\n', p->out);
	}
	fprintf(p->out,
		"%s, %s</title><rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" "
		"height=\"%u\" fill=\"",
		amount(p, number, sizeof number, cost),
		units_share(share, cost, p->tree->node[0].all[p->cost]), x, y,
		width, (unsigned)ROW - 1);
	print_colour(name, module, p->out);
	fprintf(p->out, "\"/><text x=\"%.2f\" y=\"%u\">", x + 3, y + 13);
	xml_text(name, shown, p->out);
	fprintf(p->out, "%s</text></g>\n", cut && shown ? ".." : "");
	if (depth > p->deepest)
		p->deepest = depth;
}

static void
print_node(struct picture *p, uint32_t node, double x, uint32_t depth)
{
	const struct call_node *n = &p->tree->node[node];
	char *module = n->frame && n->frame->module
			   ? text_printable(text_basename(n->frame->module))
			   : NULL;
	uint32_t *child, smaller = 0;
	size_t count = calltree_children(p->tree, node, p->cost, &child);
	uint64_t rest = 0;

	print_frame(p, x, depth, n->name, module, n->all[p->cost]);
	free(module);
	for (size_t i = 0; i < count; i++) {
		uint64_t cost = p->tree->node[child[i]].all[p->cost];
		double width = (double)cost * p->scale;
		if (p->chosen[child[i]] && width >= NARROW) {
			print_node(p, child[i], x, depth + 1);
			x += width;
		} else {
			rest += cost;
			smaller++;
		}
	}
	free(child);
	p->left_out += smaller;
	if (smaller && (double)rest * p->scale >= NARROW) {
		char *name = text_format("%u smaller", smaller);
		print_frame(p, x, depth + 1, name, NULL, rest);
		free(name);
	}
}

/* ---- the picture ------------------------------------------------------ */

static void
print_title(const struct picture *p)
{
	const struct recording *r = p->recording;
	char number[32];
	char *name = r->process_count ? process_name(&r->processes[0])
				      : text_printable(r->path);

	fputs("<text class=\"title\" x=\"10\" y=\"24\">", p->out);
	xml_text(name, strlen(name), p->out);
	if (r->process_count > 1)
		fprintf(p->out, " and %zu more", r->process_count - 1);
	fprintf(p->out, ": %s %s</text>\n",
		amount(p, number, sizeof number, p->tree->node[0].all[p->cost]),
		cost_titles[p->cost]);
	fprintf(p->out,
		"<text id=\"details\" x=\"10\" y=\"48\">from %u stacks%s%s"
		"</text>\n",
		p->tree->stacks,
		p->settings->bottom_up ? ", callers of malloc first" : "",
		r->problem_count ? "; the recording is incomplete" : "");
	free(name);
}

static void
print_style(const struct picture *p)
{
	fputs("<style>\n"
	      "text { font: 12px monospace; fill: #14181f; }\n"
	      ".title { font: bold 17px sans-serif; }\n"
	      "#details, .note { fill: #3d4653; }\n"
	      ".back { fill: #fff; } svg { background: #fff; }\n"
	      ".f text { pointer-events: none; }\n"
	      ".f:hover rect, .here rect { stroke: #14181f; stroke-width: 1.5; "
	      "}\n"
	      ".faded { opacity: .55; }\n"
	      ".hit rect { fill: #e879f9; }\n"
	      "svg:focus { outline: none; }\n"
	      "#tools { font: 13px sans-serif; text-align: right; }\n"
	      "@media (prefers-color-scheme: dark) {\n"
	      ".back { fill: #12161c; } svg { background: #12161c; }\n"
	      ".title { fill: #e4e9f0; }\n"
	      "#details, .note { fill: #b4becc; }\n"
	      ".f:hover rect, .here rect { stroke: #fff; }\n"
	      "}\n</style>\n",
	      p->out);
}

/* The frames come first, since only then is known how deep they go. */
static void
print_picture(struct picture *p)
{
	char *frames = NULL;
	size_t bytes = 0;
	FILE *out = p->out;
	uint64_t all = p->tree->node[0].all[p->cost];
	char number[32];

	p->out = open_memstream(&frames, &bytes);
	if (!p->out)
		die(EXIT_UNREADABLE, "out of memory");
	if (all) {
		p->scale = (WIDTH - 2 * MARGIN) / (double)all;
		print_node(p, 0, MARGIN, 0);
	}
	if (fclose(p->out) != 0)
		die(EXIT_UNREADABLE, "out of memory");
	p->out = out;
	unsigned height = TOP + (p->deepest + 1) * ROW + BOTTOM;
	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" "
		"height=\"%u\" viewBox=\"0 0 %u %u\" tabindex=\"0\">\n",
		(unsigned)WIDTH, height, (unsigned)WIDTH, height);
	print_style(p);
	fputs("<rect class=\"back\" width=\"100%\" height=\"100%\"/>\n", out);
	print_title(p);
	fputs("<foreignObject id=\"tools\" x=\"790\" y=\"6\" width=\"400\" "
	      "height=\"32\" visibility=\"hidden\"><div "
	      "xmlns=\"http://www.w3.org/1999/xhtml\"><input id=\"search\" "
	      "type=\"search\" placeholder=\"search\" aria-label=\"search\"/> "
	      "<button id=\"reset\" type=\"button\">Reset zoom</button></div>"
	      "</foreignObject>\n",
	      out);
	fwrite(frames, 1, bytes, out);
	if (p->left_out)
		fprintf(out,
			"<text class=\"note\" x=\"10\" y=\"%u\">%s branches "
			"are too narrow to be drawn one by one</text>\n",
			height - 10,
			message_number(number, sizeof number, p->left_out));
	fputs("<script><![CDATA[\n", out);
	asset_write(flame_script, flame_script_end, out);
	fputs("]]></script>\n</svg>\n", out);
	free(frames);
}

int
flamegraph_main(const struct settings *settings, int argc, char **argv)
{
	const char *path = settings_report("flamegraph", argc, argv);
	struct picture p = { .settings = settings,
			     .cost = (enum cost)settings->cost };
	struct output out;

	if (!path)
		return EXIT_USAGE;
	if (!settings->output && isatty(STDOUT_FILENO)) {
		message("flamegraph: into which file? Try: zleaks flamegraph "
			"-o flames.svg %s",
			path);
		return EXIT_USAGE;
	}
	struct recording *r = recording_open(path, settings);
	struct stacks *stacks = stacks_new(r);
	stacks_without_fingerprints(stacks);
	p.recording = r;
	p.tree = calltree_read(r, stacks, settings, settings->bottom_up);
	p.chosen = flame_choose(p.tree, 1u << p.cost, NODES_MAX);
	if (output_open(&out, settings->output) != 0)
		return EXIT_USAGE;
	p.out = out.file;
	print_picture(&p);
	int status = page_close(&out, r);
	free(p.chosen);
	calltree_free(p.tree);
	stacks_free(stacks);
	recording_close(r);
	return status;
}
