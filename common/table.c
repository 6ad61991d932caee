/* table.c - see table.h.  Relies on text.h; called by zleaks's pages. */
#include "table.h"

#include "text.h"

#include <stdarg.h>
#include <stdlib.h>

struct cell {
	char *text;
	size_t columns;
	const char *begin, *end; /* colour, or NULL */
};

struct column {
	char *title;
	int right;
	size_t width;
};

struct table {
	struct column *columns;
	size_t column_count;
	struct cell *cells; /* row by row */
	size_t used, room;
	const char *indent;
	const char *begin, *end; /* of the next cell */
	int titles;		 /* still to be printed */
};

struct table *
table_new(const struct table_column *columns, size_t n, const char *indent)
{
	struct table *t = text_alloc(sizeof *t);

	t->columns = text_alloc(n * sizeof *t->columns);
	t->column_count = n;
	t->indent = indent ? indent : "";
	for (size_t i = 0; i < n; i++) {
		struct column *c = &t->columns[i];
		c->title =
		    text_printable(columns[i].title ? columns[i].title : "");
		c->right = columns[i].right;
		c->width = text_columns(c->title);
		t->titles |= columns[i].title != NULL;
	}
	return t;
}

static void
drop_rows(struct table *t)
{
	for (size_t i = 0; i < t->used; i++)
		free(t->cells[i].text);
	t->used = 0;
}

void
table_free(struct table *t)
{
	if (!t)
		return;
	drop_rows(t);
	for (size_t i = 0; i < t->column_count; i++)
		free(t->columns[i].title);
	free(t->columns);
	free(t->cells);
	free(t);
}

void
table_cell(struct table *t, const char *text)
{
	if (t->used == t->room) {
		t->room = t->room ? t->room * 2 : 64;
		t->cells = text_grow(t->cells, t->room, sizeof *t->cells);
	}
	struct column *column = &t->columns[t->used % t->column_count];
	struct cell *cell = &t->cells[t->used++];
	cell->text = text_printable(text ? text : "");
	cell->columns = text_columns(cell->text);
	cell->begin = t->begin;
	cell->end = t->end;
	t->begin = t->end = NULL;
	if (cell->columns > column->width)
		column->width = cell->columns;
}

void
table_cellf(struct table *t, const char *format, ...)
{
	char *text;
	va_list args;

	va_start(args, format);
	int n = vasprintf(&text, format, args);
	va_end(args);
	table_cell(t, n < 0 ? "?" : text);
	if (n >= 0)
		free(text);
}

void
table_paint(struct table *t, const char *begin, const char *end)
{
	t->begin = begin;
	t->end = end;
}

size_t
table_rows(const struct table *t)
{
	return t->used / t->column_count;
}

/* Blanks are owed until the next text comes: none at the end of a line. */
static int
print_cell(const struct table *t, size_t i, const struct cell *cell, int owed,
	   FILE *out)
{
	const struct column *column = &t->columns[i];
	int gap =
	    (int)(column->width > cell->columns ? column->width - cell->columns
						: 0);

	if (column->right)
		owed += gap;
	if (cell->columns) {
		fprintf(out, "%*s%s%s%s", owed, "",
			cell->begin ? cell->begin : "", cell->text,
			cell->end ? cell->end : "");
		owed = 0;
	}
	if (i + 1 == t->column_count)
		fputc('\n', out);
	return owed + (column->right ? 0 : gap) + 2;
}

static void
print_titles(struct table *t, FILE *out)
{
	int owed = 0;

	fputs(t->indent, out);
	for (size_t i = 0; i < t->column_count; i++) {
		char *title = t->columns[i].title;
		struct cell cell = { title, text_columns(title), NULL, NULL };
		owed = print_cell(t, i, &cell, owed, out);
	}
	t->titles = 0;
}

void
table_flush(struct table *t, FILE *out)
{
	size_t complete = table_rows(t) * t->column_count;
	int owed = 0;

	if (t->titles)
		print_titles(t, out);
	for (size_t i = 0; i < complete; i++) {
		size_t column = i % t->column_count;
		if (column == 0) {
			fputs(t->indent, out);
			owed = 0;
		}
		owed = print_cell(t, column, &t->cells[i], owed, out);
	}
	drop_rows(t);
}
