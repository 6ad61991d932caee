/*
 * leaks_text.h - what the files of the leak report's text page share.
 */
#ifndef ZLEAKS_LEAKS_TEXT_H
#define ZLEAKS_LEAKS_TEXT_H

#include "leaks.h"

struct page {
	const struct leaks *leaks;
	struct style style;
	FILE *out;
	long number; /* of the last group */
	int in_list; /* of one-line processes */

	/* begin_wrap */
	FILE *unwrapped;
	char *text;
	size_t text_bytes;
};

/* "1,234 bytes in 5 blocks" */
void page_amount(FILE *out, int64_t bytes, int64_t blocks);

/* Suppressions, the sum of several processes, what fails, what to do next, and
 * a line for grep. */
void leaks_end(const struct page *);

#endif
