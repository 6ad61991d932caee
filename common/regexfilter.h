/*
 * regexfilter.h - "show only what matches this, hide what matches that":
 * POSIX extended expressions, as in --focus and --ignore.  Used by zleaks.
 */
#ifndef COMMON_REGEXFILTER_H
#define COMMON_REGEXFILTER_H

#include <regex.h>

struct regexfilter {
	regex_t focus, ignore;
	int has_focus, has_ignore;
};

/* Sets one half; -1 with a message naming the option when it is no valid
 * expression.  A second call replaces the first. */
int regexfilter_focus(struct regexfilter *, const char *expression);
int regexfilter_ignore(struct regexfilter *, const char *expression);

int regexfilter_active(const struct regexfilter *);
int regexfilter_focuses(const struct regexfilter *, const char *text);
int regexfilter_ignores(const struct regexfilter *, const char *text);

void regexfilter_free(struct regexfilter *);

#endif
