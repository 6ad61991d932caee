/* regexfilter.c - see regexfilter.h. */
#include "regexfilter.h"

#include "message.h"

#include <stddef.h>

static int
compile(regex_t *re, int *has, const char *option, const char *expression)
{
	if (*has)
		regfree(re);
	int error = regcomp(re, expression, REG_EXTENDED | REG_NOSUB);
	*has = error == 0;
	if (error == 0)
		return 0;
	char why[128];
	regerror(error, re, why, sizeof why);
	message("%s: '%s': %s", option, expression, why);
	return -1;
}

int
regexfilter_focus(struct regexfilter *f, const char *expression)
{
	return compile(&f->focus, &f->has_focus, "--focus", expression);
}

int
regexfilter_ignore(struct regexfilter *f, const char *expression)
{
	return compile(&f->ignore, &f->has_ignore, "--ignore", expression);
}

int
regexfilter_active(const struct regexfilter *f)
{
	return f->has_focus || f->has_ignore;
}

static int
matches(const regex_t *re, int has, const char *text)
{
	return has && text && regexec(re, text, 0, NULL, 0) == 0;
}

int
regexfilter_focuses(const struct regexfilter *f, const char *text)
{
	return matches(&f->focus, f->has_focus, text);
}

int
regexfilter_ignores(const struct regexfilter *f, const char *text)
{
	return matches(&f->ignore, f->has_ignore, text);
}

void
regexfilter_free(struct regexfilter *f)
{
	if (f->has_focus)
		regfree(&f->focus);
	if (f->has_ignore)
		regfree(&f->ignore);
	f->has_focus = f->has_ignore = 0;
}
