/*
 * html.h - the command `html`: what its files share.  html.c writes the page,
 * page_book.c the tables of texts and stacks that all parts refer to, html_*.c
 * a part of the data each.  The script in web/ reads it; the names of members
 * are explained where they are written.
 *
 * The data is JSON in a <script> element; <, > and & are written as escapes,
 * so that nothing in it can end that element, and all texts are printable.
 */
#ifndef ZLEAKS_HTML_H
#define ZLEAKS_HTML_H

#include "flame.h"
#include "growth.h"
#include "leaks.h"
#include "page_json.h"

/* What a page holds at most; the rest is counted. */
enum {
	HTML_LEAKS = 1000,	/* groups of each process and kind; --top */
	HTML_LEAKS_ALL = 10000, /* less when there are many processes */
	HTML_LEAKS_LEAST = 10,
	HTML_STACKS = 2000,	/* rows; --top */
	HTML_FUNCTIONS = 1000,	/* rows */
	HTML_NODES = 15000,	/* of the flame graph */
	HTML_CURVES = 120,	/* size classes of each process */
	HTML_STACK_CURVES = 25, /* stacks of each process */
	HTML_GRID = 500,	/* values of each of these curves */
	HTML_VALUES = 60000,	/* less when there are many curves */
	HTML_GRID_LEAST = 40,
	HTML_SAMPLES = 4000, /* of a process's own curve */
	HTML_TIMELINES = 40, /* processes with curves */
	HTML_MARKS = 40,     /* of each process */
	HTML_THREADS = 1000,
	HTML_ROOTS = 500
};

struct book;

struct html {
	const struct settings *settings;
	struct recording *recording;
	struct stacks *stacks;
	struct leaks leaks;
	struct growth growth, growth_by_stack;
	struct book *book;
	struct json_out out;
	unsigned char *shown; /* per process: it has curves in the page */
};

/* ---- page_book.c: every text and stack once, by number */

struct book *book_new(struct stacks *);
void book_free(struct book *);
/* null for NULL */
json_t *book_text(struct book *, const char *);
json_t *book_stack(struct book *, int64_t stack_id);
/* Members "texts", "frames" ([function, file, line, module, offset, inlined])
 * and "stacks" ([id, fingerprint, frames worth showing, own frame or -1,
 * frames]). */
void book_write(struct book *, struct json_out *);

/* ---- members of the data */

/* A process's number in "processes" */
json_t *html_process(const struct html *, const struct process *);
void html_leaks(struct html *);
void html_roots(struct html *);
void html_timelines(struct html *); /* "timelines", "marks" */
void html_growth(struct html *);
/* "flame", "functions", "stack_rows" and what they leave out */
void html_trees(struct html *);

/* Seconds to the microsecond; null when unknown */
json_t *html_time(double);

#endif
