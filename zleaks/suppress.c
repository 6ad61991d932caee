/* suppress.c - see suppress.h. */
#include "suppress.h"

#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SUPPRESSIONS_MAX = 100000 };

/* Does the text, from its begin, match the pattern up to the pattern's end?
 * The only state of a search with '*' is where the last star stood. */
static int
matches_here(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	for (;;) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (!*pattern) {
			return 1;
		} else if (*pattern == '$' && !pattern[1] && !*text) {
			return 1;
		} else if (*text && *pattern == *text) {
			pattern++;
			text++;
		} else if (star && *retry) {
			pattern = star;
			text = ++retry;
		} else {
			return 0;
		}
	}
}

int
suppression_matches(const char *pattern, const char *text)
{
	if (!text)
		return 0;
	if (*pattern == '^')
		return matches_here(pattern + 1, text);
	/* a star of its own in front, for which no copy is needed */
	for (;; text++) {
		if (matches_here(pattern, text))
			return 1;
		if (!*text)
			return 0;
	}
}

struct suppression *
suppressions_match(const struct suppressions *s, const struct stack *stack)
{
	for (size_t i = 0; i < s->count; i++)
		for (size_t j = 0; j < stack->count; j++) {
			const char *pattern = s->list[i].pattern;
			const struct frame *f = stack->frames[j];
			if (suppression_matches(pattern, f->function) ||
			    suppression_matches(pattern, f->file) ||
			    suppression_matches(pattern, f->module))
				return &s->list[i];
		}
	return NULL;
}

static void
add(struct suppressions *s, const char *path, int number, char *line)
{
	char *end = line + strlen(line);

	while (end > line && isspace((unsigned char)end[-1]))
		*--end = 0;
	while (isspace((unsigned char)*line))
		line++;
	if (!*line || *line == '#')
		return;
	if (strncmp(line, "leak:", 5) != 0 || !line[5])
		die(EXIT_USAGE, "%s:%d: '%s' is not of the form leak:PATTERN",
		    path, number, line);
	if (s->count == SUPPRESSIONS_MAX)
		die(EXIT_USAGE, "%s: more than %d suppressions", path,
		    SUPPRESSIONS_MAX);
	s->list = text_grow(s->list, s->count + 1, sizeof *s->list);
	s->list[s->count++] =
	    (struct suppression){ text_copy(line + 5), 0, 0, 0 };
}

void
suppressions_read(struct suppressions *s, const char *path)
{
	char *line = NULL;
	size_t room = 0;
	int number = 0;

	*s = (struct suppressions){ 0 };
	if (!path)
		return;
	FILE *f = fopen(path, "re");
	if (!f)
		die(EXIT_USAGE, "--suppressions: %s: %s", path,
		    strerror(errno));
	while (getline(&line, &room, f) >= 0)
		add(s, path, ++number, line);
	if (ferror(f))
		die(EXIT_USAGE, "--suppressions: %s: %s", path,
		    strerror(errno));
	free(line);
	fclose(f);
}

void
suppressions_free(struct suppressions *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->list[i].pattern);
	free(s->list);
}
