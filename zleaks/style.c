/*
 * style.c - colour and spark lines of zleaks's text pages.  Colour only where
 * a person sees it: on a terminal, without NO_COLOR (no-color.org), unless
 * --color says otherwise.
 */
#include "options.h"
#include "text.h"
#include "zleaks.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Columns of a terminal, or what COLUMNS asks for; 0: any number. */
static size_t
columns_of(FILE *out)
{
	struct winsize size;
	const char *wish = getenv("COLUMNS");
	long n;

	if (!isatty(fileno(out)))
		return 0;
	if (wish && option_number(wish, 40, 1000, &n) == 0)
		return (size_t)n;
	if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col < 40)
		return size.ws_col ? 40 : 0;
	return size.ws_col;
}

struct style
style_for(const struct settings *s, FILE *out)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	int colour = s->color == COLOR_ALWAYS;

	if (s->color == COLOR_AUTO)
		colour = isatty(fileno(out)) && !(no_color && *no_color) &&
			 term && strcmp(term, "dumb") != 0;
	struct style style = { "",
			       "",
			       "",
			       "",
			       "",
			       "",
			       text_locale_is_utf8(),
			       columns_of(out),
			       s->top == 0 };
	if (colour) {
		style.bold = "\033[1m";
		style.red = "\033[1;31m";
		style.yellow = "\033[33m";
		style.green = "\033[32m";
		style.dim = "\033[2m";
		style.off = "\033[0m";
	}
	return style;
}

char *
style_spark(const struct style *style, const double *values, size_t n)
{
	static const char *const blocks[] = { "▁", "▂", "▃", "▄",
					      "▅", "▆", "▇", "█" };
	static const char *const ascii[] = { "_", ".", ":", "-",
					     "=", "+", "*", "#" };
	const char *const *mark = style->utf8 ? blocks : ascii;
	double least = 0, most = 0;
	char *line = text_alloc(n * 4 + 1);

	for (size_t i = 0; i < n; i++) {
		least = i == 0 || values[i] < least ? values[i] : least;
		most = i == 0 || values[i] > most ? values[i] : most;
	}
	/* From zero, unless the curve only moves far above it. */
	if (least < most / 2)
		least = 0;
	char *at = line;
	for (size_t i = 0; i < n; i++) {
		double part =
		    most > least ? (values[i] - least) / (most - least) : 0;
		at = stpcpy(at, mark[(int)(part * 7.0 + 0.5)]);
	}
	return line;
}
