/*
 * table.h - aligned columns of text.
 *
 * Cells are copied and made printable (text.h).  Rows are kept until
 * table_flush, so that columns fit their widest cell; a caller with very many
 * rows flushes now and then, and columns only ever get wider.  Used by zleaks.
 */
#ifndef COMMON_TABLE_H
#define COMMON_TABLE_H

#include <stddef.h>
#include <stdio.h>

struct table_column {
	const char *title;
	int right; /* aligned to the right: numbers */
};

struct table;

/* A table with n columns; without titles when no column has one. */
struct table *table_new(const struct table_column *, size_t n,
			const char *indent);
void table_free(struct table *);

/* Next cell of the current row; NULL is an empty cell.  The row ends by
 * itself with its last cell. */
void table_cell(struct table *, const char *text);
void table_cellf(struct table *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Text that begins and ends colour around the next cell: not counted in its
 * width; both must be literals. */
void table_paint(struct table *, const char *begin, const char *end);

/* Complete rows that are waiting. */
size_t table_rows(const struct table *);

/* Prints the waiting rows, before the first ones the titles. */
void table_flush(struct table *, FILE *);

#endif
