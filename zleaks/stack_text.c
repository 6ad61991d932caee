/*
 * stack_text.c - a stack as lines of text, for people: shorter than what is
 * recorded where length hides the point.  Template arguments of very long
 * names are left out, and of a run of frames inside C++'s standard library
 * only the outermost is shown, the one that the program called.  JSON and SQL
 * have everything.
 */
#include "stack.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	NAME_COLUMNS = 80, /* longer ones lose their template arguments */
	ALIGN_COLUMNS = 44 /* places stand in a column up to here */
};

/* The path as seen from the working directory, where it lies below it. */
static const char *
from_here(const char *path)
{
	static char here[4096];
	static size_t n;

	if (!n) {
		if (!getcwd(here, sizeof here))
			here[0] = 0;
		n = strlen(here) + 1;
	}
	return n > 2 && !strncmp(path, here, n - 1) && path[n - 1] == '/'
		   ? path + n
		   : path;
}

char *
frame_place(const struct frame *f)
{
	char *place, *shown;

	if (f->file && f->line > 0)
		place = text_format("%s:%lld", from_here(f->file),
				    (long long)f->line);
	else if (f->module && f->offset != UNKNOWN)
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

/* The name as the page shows it; the caller's to free. */
static char *
shown_name(const struct frame *f)
{
	if (!f->function || strlen(f->function) <= NAME_COLUMNS)
		return text_printable(f->function);
	char *name = without_template_arguments(f->function);
	char *shown = text_printable(name);
	free(name);
	return shown;
}

/* Number of frames, from i on, that are inside the standard library and
 * called by it: they stand for one line. */
static size_t
folded(const struct stack *stack, size_t i, size_t n)
{
	size_t end = i;

	while (end + 1 < n && frame_is_std(stack->frames[end]) &&
	       frame_is_std(stack->frames[end + 1]))
		end++;
	return end - i;
}

static size_t
name_width(const struct stack *stack, size_t n)
{
	size_t width = 0;

	for (size_t i = 0; i < n; i++) {
		i += folded(stack, i, n);
		char *name = shown_name(stack->frames[i]);
		size_t columns = text_columns(name);
		if (columns > width && columns <= ALIGN_COLUMNS)
			width = columns;
		free(name);
	}
	return width;
}

/* What its blocks are, as far as they tell. */
static void
print_type(const struct stack *stack, const struct style *style,
	   const char *indent, FILE *out)
{
	char *type = stack->type ? text_printable(stack->type) : NULL;

	if (type)
		fprintf(out, "%s  %s%s objects%s\n", indent, style->dim, type,
			style->off);
	free(type);
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
	size_t all = stack_frames_worth_showing(stack);
	size_t own = stack_own_frame(stack);

	if (own != SIZE_MAX && own < 3 * most && most <= own)
		most = own + 1;
	/* one more takes no more room than saying so */
	size_t n = all - 1 > most && all > 0 ? most : all;
	size_t width = name_width(stack, n);

	print_type(stack, style, indent, out);
	for (size_t i = 0; i < n; i++) {
		size_t inside = folded(stack, i, n);
		i += inside;
		const struct frame *f = stack->frames[i];
		char *name = shown_name(f), *place = frame_place(f);
		size_t columns = text_columns(name);
		int gap = columns < width ? (int)(width - columns) : 0;
		int mine = i == own;
		fprintf(out, "%s%s %s%s%s", indent, mine && i ? ">" : " ",
			mine ? style->bold : "", name, mine ? style->off : "");
		if (*place)
			fprintf(out, "%*s  %s", gap, "", place);
		fputs(f->inlined ? " (inlined)" : "", out);
		if (inside)
			fprintf(out, " (+%zu inside)", inside);
		fputc('\n', out);
		free(name);
		free(place);
	}
	if (n < all)
		fprintf(out, "%s  .. %zu more frames\n", indent, all - n);
	if (stack->count == 0)
		fprintf(out, "%s  (no stack was recorded)\n", indent);
}
