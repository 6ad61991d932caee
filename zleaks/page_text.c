/* page_text.c - see page_text.h. */
#include "page_text.h"

#include "text.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>

void
page_process(const struct process *p, const struct style *style,
	     const char *more, FILE *out)
{
	char *line = process_line(p), end[80], time[UNITS_BYTES];

	fprintf(out, "%s%s%s\n", style->bold, line, style->off);
	fprintf(out, "pid %lld, ran %s, %s%s%s\n", (long long)p->pid,
		units_time(time, process_duration(p)),
		process_end(p, end, sizeof end), more ? ", " : "",
		more ? more : "");
	free(line);
}

void
page_count(FILE *out, unsigned long long n, const char *thing)
{
	char number[32];
	size_t end = strlen(thing);

	fprintf(out, "%s %s%s", message_number(number, sizeof number, n), thing,
		n == 1			       ? ""
		: end && thing[end - 1] == 's' ? "es"
					       : "s");
}

void
page_cut(char *text, size_t columns)
{
	size_t n = strlen(text);

	if (!columns || text_columns(text) <= columns)
		return;
	do {
		do
			n--;
		while (n > 0 && (text[n] & 0xc0) == 0x80);
		text[n] = 0;
	} while (n > 0 && text_columns(text) + 2 > columns);
	if (columns > 2) /* two bytes at least have gone */
		strcpy(text + n, "..");
}

/* Columns of n bytes of text, in which colours take none. */
static size_t
shown_columns(const char *text, size_t n)
{
	char *plain = text_alloc(n + 1), *out = plain;

	for (size_t i = 0; i < n; i++) {
		while (i < n && text[i] == '\033')
			i += strcspn(text + i, "m") + 1;
		if (i < n)
			*out++ = text[i];
	}
	size_t columns = text_columns(plain);
	free(plain);
	return columns;
}

/* Bytes of the line that fit, up to a blank behind a comma or semicolon; all
 * of it when there is none. */
static size_t
fitting(const char *line, size_t n, size_t columns)
{
	size_t best = n;

	if (shown_columns(line, n) <= columns)
		return n;
	for (size_t i = 1; i < n; i++) {
		if (line[i] != ' ' ||
		    (line[i - 1] != ',' && line[i - 1] != ';'))
			continue;
		if (best != n && shown_columns(line, i) > columns)
			break;
		best = i;
	}
	return best;
}

void
page_wrapped(const char *text, const struct style *style, const char *indent,
	     FILE *out)
{
	while (*text) {
		size_t n = strcspn(text, "\n"), columns = style->columns;
		while (columns && n) {
			size_t part = fitting(text, n, columns);
			if (part == n)
				break;
			fprintf(out, "%.*s\n%s", (int)part, text, indent);
			text += part + 1;
			n -= part + 1;
			columns = style->columns - strlen(indent);
		}
		fprintf(out, "%.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

void
page_parts(const char *text, const char *between, size_t columns,
	   const struct style *style, const char *indent, FILE *out)
{
	const char *deeper = "";

	if (!columns || strlen(indent) + text_columns(text) <= columns) {
		fprintf(out, "%s%s\n", indent, text);
		return;
	}
	for (const char *next; text; text = next) {
		next = strstr(text + 1, between);
		char *part = text_format(
		    "%s%s%.*s", indent, deeper,
		    next ? (int)(next - text) : (int)strlen(text), text);
		page_cut(part, style->columns);
		fprintf(out, "%s\n", part);
		free(part);
		if (next)
			next++; /* the blank */
		deeper = "  ";
	}
}

void
page_left_out(size_t n, FILE *out)
{
	if (n)
		fprintf(out, "%zu more not shown (-n 0 shows all)\n", n);
}

void
page_number_cell(struct table *t, int64_t n)
{
	char text[32];

	table_cell(t, n == UNKNOWN
			  ? "?"
			  : message_number(text, sizeof text, count_shown(n)));
}

void
page_bytes_cell(struct table *t, int64_t n)
{
	char text[32];

	table_cell(t, n == UNKNOWN
			  ? "?"
			  : message_bytes(text, sizeof text, count_shown(n)));
}
