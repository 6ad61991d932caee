/*
 * stack_text.c - a stack as lines of text, for people: shorter than what is
 * recorded where length hides the point.  Template arguments of very long
 * names are left out, and of a run of frames inside C++'s standard library
 * only the outermost is shown, the one that the program called.  JSON and SQL
 * have everything.
 */
#include "stack.h"

#include "text.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
	NAME_COLUMNS = 80,  /* longer ones lose template arguments */
	ALIGN_COLUMNS = 44, /* places stand in a column up to here */
	NAME_LEAST = 24,    /* what a place leaves of a narrow line */
	CYCLE_MAX = 8,	    /* frames of a recursion that is told as one */
	FRAMES_ALL = 40,    /* so many are shown at all; of more .. */
	FRAMES_INNER = 20,  /* .. so many next to the allocation */
	FRAMES_OUTER = 8    /* .. and to main */
};

static const char *root; /* without a slash at its end; "": the top */

void
path_root(const char *folder)
{
	static char real[PATH_MAX];

	/* it need not exist here: the report may come from elsewhere */
	if (!realpath(folder, real))
		snprintf(real, sizeof real, "%s", folder);
	for (size_t n = strlen(real); n > 0 && real[n - 1] == '/';)
		real[--n] = 0;
	root = real;
}

const char *
path_from_root(const char *path)
{
	if (!root)
		path_root(".");
	size_t n = strlen(root);
	return n > 0 && !strncmp(path, root, n) && path[n] == '/' && path[n + 1]
		   ? path + n + 1
		   : path;
}

/* A copy without "./" parts and double slashes, which compilers leave in. */
static char *
tidy_path(const char *path)
{
	char *tidy = text_alloc(strlen(path) + 1), *out = tidy;

	for (const char *p = path; *p; p++) {
		int begins = p == path || p[-1] == '/';
		if (begins && p[0] == '.' && p[1] == '/')
			p++;
		else if (*p != '/' || p == path || p[-1] != '/')
			*out++ = *p;
	}
	return tidy;
}

char *
frame_place(const struct frame *f)
{
	char *place, *shown;

	if (f->file && f->line > 0) {
		char *path = tidy_path(path_from_root(f->file));
		place = text_format("%s:%lld", path, (long long)f->line);
		free(path);
	} else if (f->module && f->offset != UNKNOWN)
		place = text_format("%s+0x%llx", text_basename(f->module),
				    (unsigned long long)f->offset);
	else
		place = text_copy(f->module ? text_basename(f->module) : "");
	shown = text_printable(place);
	free(place);
	return shown;
}

/* Is this '<' or '>' part of an operator's name or of "->"? */
static int
is_operator_sign(const char *name, const char *at)
{
	while (at > name && (at[-1] == '<' || at[-1] == '>' || at[-1] == '-'))
		at--;
	return (at - name >= 8 && !strncmp(at - 8, "operator", 8)) ||
	       (at > name && at[-1] == '-');
}

/* "std::map<int, std::less<int> >::at()" becomes "std::map<..>::at()"; the
 * caller's to free. */
static char *
without_template_arguments(const char *name)
{
	char *shorter = text_alloc(strlen(name) * 2 + 1); /* "<>": "<..>" */
	char *out = shorter;
	int depth = 0;

	for (const char *in = name; *in; in++) {
		int sign =
		    (*in == '<' || *in == '>') && !is_operator_sign(name, in);
		if (sign && *in == '>' && depth > 0 && --depth == 0)
			out = stpcpy(out, "..");
		if (depth == 0)
			*out++ = *in;
		if (sign && *in == '<')
			depth++;
	}
	return shorter;
}

char *
frame_short_name(const struct frame *f)
{
	if (!f->function || strlen(f->function) <= NAME_COLUMNS)
		return text_printable(f->function);
	char *name = without_template_arguments(qualified_name(f->function));
	char *shown = text_printable(name);
	free(name);
	return shown;
}

/* ---- lines that fit ---------------------------------------------------- */

/* "(..)" in place of the parameters, where that is shorter. */
static char *
without_parameters(const char *name)
{
	size_t own, keep;
	const char *at = own_name(name, &own);
	const char *open = strchr(at + own, '(');

	if (!open || strlen(open) < 5)
		return text_copy(name);
	keep = (size_t)(open - name);
	return text_format("%.*s(..)", keep > INT_MAX ? 0 : (int)keep, name);
}

/* The end of a text, behind "..": file names and functions end with what
 * tells them apart.  A character that is cut through goes as a whole. */
static char *
cut_front(char *text, size_t columns)
{
	const char *from = text;

	if (text_columns(text) <= columns)
		return text;
	while (*from && text_columns(from) + 2 > columns)
		do
			from++;
		while ((*from & 0xc0) == 0x80);
	char *cut = text_format("..%s", from);
	free(text);
	return cut;
}

/* In at most so many columns, if it has that many at all: without template
 * arguments, then without parameters, then without what stands in front. */
static char *
fitted_name(const struct frame *f, size_t columns)
{
	char *name = frame_short_name(f);

	if (text_columns(name) <= columns)
		return name;
	char *args = without_template_arguments(name);
	free(name);
	if (text_columns(args) <= columns)
		return args;
	name = without_parameters(args);
	free(args);
	return cut_front(name, columns);
}

struct line {
	char *name, *place;
	const char *inlined;
	char inside[32]; /* "(+3 inside)" */
};

/* width: of the name and all behind it; 0: any. */
static struct line
line_of(const struct frame *f, size_t inside, size_t width)
{
	struct line line = { .place = frame_place(f),
			     .inlined = f->inlined ? " (inlined)" : "" };

	if (inside)
		snprintf(line.inside, sizeof line.inside, " (+%zu inside)",
			 inside);
	if (!width) {
		line.name = frame_short_name(f);
		return line;
	}
	size_t fixed = strlen(line.inlined) + strlen(line.inside) + 2;
	size_t room = width > fixed ? width - fixed : 0;
	line.name = fitted_name(f, SIZE_MAX);
	size_t most = text_columns(line.name);
	free(line.name);
	/* of other people's files the name will do */
	if (f->is_std && most + text_columns(line.place) > room) {
		char *base = text_copy(text_basename(line.place));
		free(line.place);
		line.place = base;
	}
	/* a long place leaves the name a part of the line */
	size_t least = most < NAME_LEAST ? most : NAME_LEAST;
	size_t for_place = room > least ? room - least : 0;
	line.place = cut_front(line.place, for_place > 12 ? for_place : 12);
	size_t taken = text_columns(line.place);
	line.name = fitted_name(f, room > taken ? room - taken : least);
	return line;
}

static void
free_line(struct line *line)
{
	free(line->name);
	free(line->place);
}

/* Number of frames, from i on, that are inside the standard library and
 * called by it: they stand for one line. */
static size_t
folded(const struct stack *stack, size_t i, size_t n)
{
	size_t end = i;

	while (end + 1 < n && stack->frames[end]->is_std &&
	       stack->frames[end + 1]->is_std)
		end++;
	return end - i;
}

struct printer {
	const struct stack *stack;
	const struct style *style;
	const char *indent;
	FILE *out;
	size_t n, own; /* frames worth showing, the reader's own */
	size_t width;  /* of a line behind the indent and its mark; 0: any */
	size_t align;  /* columns of names that places stand behind */
};

static size_t
name_width(const struct printer *p)
{
	size_t align = p->width > 120 ? p->width / 2 : ALIGN_COLUMNS;
	size_t width = 0;

	for (size_t i = 0; i < p->n; i++) {
		size_t inside = folded(p->stack, i, p->n);
		i += inside;
		struct line line =
		    line_of(p->stack->frames[i], inside, p->width);
		size_t columns = text_columns(line.name);
		if (columns > width && columns <= align)
			width = columns;
		free_line(&line);
	}
	return width;
}

/* What its blocks are, as far as they tell. */
static void
print_type(const struct printer *p)
{
	static const char behind[] = " objects";
	struct frame f = { .function = p->stack->type };
	size_t columns = SIZE_MAX, taken = sizeof behind;

	if (!p->stack->type)
		return;
	if (p->width)
		columns = p->width > taken ? p->width - taken : 1;
	char *type = fitted_name(&f, columns);
	fprintf(p->out, "%s  %s%s%s%s\n", p->indent, p->style->dim, type,
		behind, p->style->off);
	free(type);
}

/* Prints frame i, or the run inside the library that it begins; returns the
 * last frame that this line stands for. */
static size_t
print_frame(const struct printer *p, size_t i)
{
	size_t inside = folded(p->stack, i, p->n);
	const struct style *style = p->style;

	i += inside;
	struct line line = line_of(p->stack->frames[i], inside, p->width);
	size_t columns = text_columns(line.name);
	size_t rest = text_columns(line.place) + strlen(line.inlined) +
		      strlen(line.inside) + 2;
	size_t gap = columns < p->align ? p->align - columns : 0;
	int mine = i == p->own;
	if (p->width && columns + gap + rest > p->width)
		gap = columns + rest < p->width ? p->width - columns - rest : 0;
	fprintf(p->out, "%s%s %s%s%s", p->indent, mine && i ? ">" : " ",
		mine ? style->bold : "", line.name, mine ? style->off : "");
	if (*line.place)
		fprintf(p->out, "%*s  %s", (int)gap, "", line.place);
	fprintf(p->out, "%s%s\n", line.inlined, line.inside);
	free_line(&line);
	return i;
}

/* How often the `period` frames from i on come again right behind. */
static size_t
repeats(const struct printer *p, size_t i, size_t period)
{
	struct frame *const *f = p->stack->frames;
	size_t times = 0;

	for (size_t at = i; at + 2 * period <= p->n; at += period, times++)
		if (memcmp(&f[at], &f[at + period], period * sizeof *f) != 0)
			break;
	return times;
}

/* Recursion: prints the frames that come again once; the frame behind all of
 * them, or i when they do not come again so often that it is worth a line. */
static size_t
print_recursion(const struct printer *p, size_t i)
{
	for (size_t period = 1; period <= CYCLE_MAX; period++) {
		size_t times = repeats(p, i, period), end = i + period;
		if (times * period < 3)
			continue;
		for (size_t j = i; j < end; j++)
			j = print_frame(p, j);
		fprintf(p->out, "%s    %s.. %s%zu more time%s%s\n", p->indent,
			p->style->dim, period == 1 ? "" : "these frames ",
			times, times == 1 ? "" : "s", p->style->off);
		return end + times * period;
	}
	return i;
}

static void
print_frames(struct printer *p, size_t most)
{
	const struct style *style = p->style;
	size_t all = stack_frames_worth_showing(p->stack), lines = 0;

	p->own = stack_own_frame(p->stack);
	if (p->own != SIZE_MAX && p->own < 3 * most && most <= p->own)
		most = p->own + 1;
	/* one more takes no more room than saying so */
	p->n = all > 0 && all - 1 > most ? most : all;
	p->align = name_width(p);
	for (size_t i = 0; i < p->n; lines++) {
		if (!style->whole && p->n - i > FRAMES_ALL - FRAMES_INNER &&
		    lines >= FRAMES_INNER) {
			size_t left_out = p->n - i - FRAMES_OUTER;
			fprintf(p->out,
				"%s    %s.. %zu frames (-n 0 shows all)%s\n",
				p->indent, style->dim, left_out, style->off);
			i += left_out;
			lines = 0;
		}
		size_t behind = style->whole ? i : print_recursion(p, i);
		i = behind > i ? behind : print_frame(p, i) + 1;
	}
	if (p->n < all)
		fprintf(p->out, "%s  .. %zu more frames\n", p->indent,
			all - p->n);
	if (p->stack->count == 0)
		fprintf(p->out, "%s  (no stack was recorded)\n", p->indent);
}

void
stack_print(const struct stack *stack, const struct style *style,
	    const char *indent, FILE *out)
{
	stack_print_inner(stack, style, indent, SIZE_MAX, out);
}

void
stack_print_inner(const struct stack *stack, const struct style *style,
		  const char *indent, size_t most, FILE *out)
{
	struct printer p = {
		.stack = stack, .style = style, .indent = indent, .out = out
	};

	if (style->columns)
		p.width = style->columns - strlen(indent) - 2;
	print_type(&p);
	print_frames(&p, most);
}
