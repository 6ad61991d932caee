/*
 * growth_page.h - the page of the command `growth`, between growth_text.c and
 * growth_findings.c.
 */
#ifndef ZLEAKS_GROWTH_PAGE_H
#define ZLEAKS_GROWTH_PAGE_H

#include "growth.h"

struct page {
	const struct growth *growth;
	struct style style;
	FILE *out;
	int in_list; /* of one-line processes */
};

/* What grows of curves from .. to-1, and who is behind it. */
void growth_print_findings(const struct page *, size_t from, size_t to);

/* What grows from mark to mark. */
void growth_print_rounds(const struct page *, const struct clock *);

#endif
