/* suppress.c - see suppress.h. */
#include "suppress.h"

#include <stdlib.h>
#include <string.h>

/*
 * The parts between the stars are looked for one behind the other, each at its
 * first place; that is how LeakSanitizer does it, so that "foo$" does not match
 * "foofoo".  '$' ends a pattern wherever it stands.
 */
int
suppression_matches(const char *pattern, const char *text)
{
	int tied = *pattern == '^', star = 0;

	if (!text || !*text)
		return 0;
	pattern += tied;
	while (*pattern) {
		if (*pattern == '*') {
			pattern++;
			tied = 0;
			star = 1;
			continue;
		}
		if (*pattern == '$')
			return !*text || star;
		size_t n = strcspn(pattern, "*$");
		const char *at = memmem(text, strlen(text), pattern, n);
		if (!*text || !at || (tied && at != text))
			return 0;
		text = at + n;
		pattern += n;
		tied = star = 0;
	}
	return 1;
}

int
suppression_over(const struct suppression *s)
{
	return count_shown(s->blocks) > s->max_blocks ||
	       count_shown(s->bytes) > s->max_bytes;
}

/* The first of LeakSanitizer's entries that matches the text. */
static struct suppression *
match_text(const struct suppressions *s, const char *text)
{
	for (size_t i = 0; i < s->count; i++)
		if (!s->list[i].frames &&
		    suppression_matches(s->list[i].pattern, text))
			return &s->list[i];
	return NULL;
}

struct suppression *
suppressions_match(const struct suppressions *s, const struct stack *stack,
		   int kind, unsigned makers)
{
	struct suppression *found = NULL;

	for (size_t i = 0; i < stack->count && !found; i++) {
		const struct frame *f = stack->frames[i];
		found = match_text(s, f->module);
		if (!found)
			found = match_text(s, f->function);
		if (!found)
			found = match_text(s, f->file);
	}
	for (size_t i = 0; i < s->count && !found; i++)
		if (s->list[i].frames && s->list[i].kinds >> kind & 1 &&
		    valgrind_matches(&s->list[i], stack, makers))
			found = &s->list[i];
	return found;
}

void
suppressions_free(struct suppressions *s)
{
	for (size_t i = 0; i < s->count; i++) {
		for (size_t j = 0; j < s->list[i].frame_count; j++) {
			free(s->list[i].frames[j].pattern);
			free(s->list[i].frames[j].plain);
		}
		free(s->list[i].frames);
		free(s->list[i].pattern);
	}
	free(s->list);
}
