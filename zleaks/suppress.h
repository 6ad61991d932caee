/*
 * suppress.h - suppression files in LeakSanitizer's form: lines
 * "leak:PATTERN", matched against function, source file and module of every
 * frame; '*' stands for anything, '^' and '$' tie the pattern to the begin
 * and end, '#' begins a comment.  Used by the command `leaks`.
 */
#ifndef ZLEAKS_SUPPRESS_H
#define ZLEAKS_SUPPRESS_H

#include "stack.h"

struct suppression {
	char *pattern;
	int64_t blocks, bytes, groups; /* that it took away */
};

struct suppressions {
	struct suppression *list;
	size_t count;
};

/* Reads the file; ends the program with status 2 when it cannot be read or
 * holds something else.  path NULL: no suppressions. */
void suppressions_read(struct suppressions *, const char *path);
void suppressions_free(struct suppressions *);

/* The first one that matches any frame, or NULL. */
struct suppression *suppressions_match(const struct suppressions *,
				       const struct stack *);

/* The rule for one pattern and one text. */
int suppression_matches(const char *pattern, const char *text);

#endif
