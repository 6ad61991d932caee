/*
 * page_text.h - lines that several text pages have.
 */
#ifndef ZLEAKS_PAGE_TEXT_H
#define ZLEAKS_PAGE_TEXT_H

#include "table.h"
#include "zleaks.h"

/* The process in two lines: its command; pid, how long it ran, how it ended.
 * The second ends with `more`, which may be NULL. */
void page_process(const struct process *, const struct style *,
		  const char *more, FILE *);

/* Cuts printable text in place, so that it ends in ".." and fits; 0 columns:
 * anything does. */
void page_cut(char *text, size_t columns);

/* Text of whole lines, which are broken behind commas and semicolons where the
 * terminal has fewer columns; what follows stands behind the indent. */
void page_wrapped(const char *text, const struct style *, const char *indent,
		  FILE *);

/* One line of printable text behind the indent; where it has more columns
 * (0: as many as there are), a line for each part that begins with `between`,
 * which begins with a blank, and each cut to fit the terminal. */
void page_parts(const char *text, const char *between, size_t columns,
		const struct style *, const char *indent, FILE *);

/* "1 thread", "2 threads", "3 size classes" */
void page_count(FILE *, unsigned long long n, const char *thing);

/* A cell with a count or with bytes; "?" when it is not known. */
void page_number_cell(struct table *, int64_t n);
void page_bytes_cell(struct table *, int64_t n);

/* "12 more not shown (-n 0 shows all)", nothing for 0. */
void page_left_out(size_t n, FILE *);

#endif
