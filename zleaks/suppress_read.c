/*
 * suppress_read.c - reads suppression files; see suppress.h for what they may
 * hold.  Whatever else is in one ends the program with a line that names the
 * file's line: a suppression that silently does nothing is worse than none.
 */
#include "suppress.h"

#include "options.h"
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SUPPRESSIONS_MAX = 100000, FRAMES_MAX = 500, LINE_BYTES_MAX = 64 << 10 };

struct reader {
	struct suppressions *to;
	const char *path;
	FILE *file;
	char *line; /* without white space around it */
	char *buffer;
	size_t room;
	int number;
	uint64_t max_blocks, max_bytes; /* for the next entry */
	int limited;			/* the line that said so, or 0 */
	char *name;			/* of the entry that is being read */
};

static void bad(const struct reader *, int number, const char *why,
		const char *what) __attribute__((noreturn));

static void
bad(const struct reader *r, int number, const char *why, const char *what)
{
	char *shown = what ? text_printable(what) : NULL;

	if (shown && strlen(shown) > 60)
		strcpy(shown + 57, "...");
	die(EXIT_USAGE, "%s:%d: %s%s%s%s", r->path, number, shown ? "'" : "",
	    shown ? shown : "", shown ? "' " : "", why);
}

/* The next line; 0 at the end. */
static int
next_line(struct reader *r)
{
	errno = 0;
	ssize_t n = getline(&r->buffer, &r->room, r->file);
	if (n < 0) {
		if (ferror(r->file) || errno == ENOMEM)
			die(EXIT_USAGE, "--suppressions: %s: %s", r->path,
			    strerror(errno));
		return 0;
	}
	r->number++;
	if (n > LINE_BYTES_MAX)
		bad(r, r->number, "the line is too long for a suppression",
		    NULL);
	if (memchr(r->buffer, 0, (size_t)n))
		bad(r, r->number, "a NUL byte: no suppression file", NULL);
	while (n > 0 && isspace((unsigned char)r->buffer[n - 1]))
		r->buffer[--n] = 0;
	r->line = r->buffer;
	while (isspace((unsigned char)*r->line))
		r->line++;
	return 1;
}

static struct suppression *
add(struct reader *r, const char *pattern)
{
	struct suppressions *s = r->to;

	if (s->count == SUPPRESSIONS_MAX)
		bad(r, r->number, "more suppressions than can be read", NULL);
	/* room for a power of two */
	if ((s->count & (s->count - 1)) == 0)
		s->list = text_grow(s->list, s->count ? s->count * 2 : 1,
				    sizeof *s->list);
	struct suppression *new = &s->list[s->count++];
	*new = (struct suppression){ .pattern = text_copy(pattern),
				     .kinds = (1u << KIND_COUNT) - 1,
				     .line = r->number,
				     .max_blocks = r->max_blocks,
				     .max_bytes = r->max_bytes };
	r->max_blocks = r->max_bytes = UINT64_MAX;
	r->limited = 0;
	return new;
}

/* ---- "# zleaks: max-bytes=64K max-blocks=10" --------------------------- */

static void
read_limits(struct reader *r, char *words)
{
	char *word, *rest = words;

	while ((word = strsep(&rest, " \t")) != NULL) {
		uint64_t n;
		long blocks;
		if (!*word)
			continue;
		if (!strncmp(word, "max-bytes=", 10) &&
		    option_bytes(word + 10, &n) == 0)
			r->max_bytes = n;
		else if (!strncmp(word, "max-blocks=", 11) &&
			 option_number(word + 11, 0, INT64_MAX, &blocks) == 0)
			r->max_blocks = (uint64_t)blocks;
		else
			bad(r, r->number,
			    "is no limit: max-bytes=SIZE or max-blocks=N",
			    word);
		r->limited = r->number;
	}
}

/* A comment; 1 when the line is one. */
static int
read_comment(struct reader *r)
{
	char *text = r->line;

	if (*text != '#')
		return 0;
	while (*text == '#' || *text == ' ' || *text == '\t')
		text++;
	if (!strncmp(text, "zleaks:", 7))
		read_limits(r, text + 7);
	return 1;
}

/* ---- Valgrind's entries ----------------------------------------------- */

/* The next line of an entry that is neither empty nor a comment. */
static void
entry_line(struct reader *r, int begin)
{
	do {
		if (!next_line(r))
			bad(r, begin, "the entry has no '}'", NULL);
	} while (!*r->line || *r->line == '#');
}

/* "Memcheck:Leak", also among several tools. */
static int
is_leak_entry(const char *type)
{
	const char *colon = strrchr(type, ':');
	size_t n = strlen("Memcheck");

	if (!colon || strcmp(colon + 1, "Leak") != 0)
		return 0;
	for (; type < colon; type += strcspn(type, ",:") + 1)
		if (strcspn(type, ",:") == n && !strncmp(type, "Memcheck", n))
			return 1;
	return 0;
}

/* "match-leak-kinds: definite,possible" */
static unsigned
read_kinds(struct reader *r, char *list)
{
	char *word, *rest = list;
	unsigned kinds = 0;

	while ((word = strsep(&rest, ", \t")) != NULL) {
		int k = 0;
		if (!*word)
			continue;
		if (!strcmp(word, "all")) {
			kinds |= (1u << KIND_COUNT) - 1;
			continue;
		}
		if (!strcmp(word, "none"))
			continue;
		while (k < KIND_COUNT && strcmp(word, kind_names[k]) != 0)
			k++;
		if (k == KIND_COUNT)
			bad(r, r->number, "is no kind of leak", word);
		kinds |= 1u << k;
	}
	return kinds;
}

static void
add_frame(struct reader *r, struct suppression *s)
{
	if (s->frame_count == FRAMES_MAX)
		bad(r, r->number, "too many frames in one entry", NULL);
	s->frames = text_grow(s->frames, s->frame_count + 1, sizeof *s->frames);
	if (valgrind_frame(&s->frames[s->frame_count], r->line) != 0)
		bad(r, r->number, "is not of the form fun:, obj:, src: or ...",
		    r->line);
	s->frame_count++;
}

/* Behind '{': name, type, kinds, frames, '}'. */
static void
read_entry(struct reader *r)
{
	int begin = r->number;

	entry_line(r, begin);
	if (!strcmp(r->line, "}"))
		bad(r, r->number, "an entry without a name", NULL);
	free(r->name);
	r->name = text_copy(r->line);
	entry_line(r, begin);
	if (!strchr(r->line, ':'))
		bad(r, r->number, "is not of the form TOOL:KIND", r->line);
	if (!is_leak_entry(r->line)) {
		while (strcmp(r->line, "}") != 0)
			entry_line(r, begin);
		r->max_blocks = r->max_bytes = UINT64_MAX;
		r->limited = 0;
		return;
	}
	struct suppression *s = add(r, r->name);
	for (;;) {
		entry_line(r, begin);
		if (!strcmp(r->line, "}"))
			break;
		if (!s->frame_count &&
		    !strncmp(r->line, "match-leak-kinds:", 17))
			s->kinds = read_kinds(r, r->line + 17);
		else
			add_frame(r, s);
	}
	if (!s->frame_count)
		bad(r, begin, "an entry without frames", NULL);
	r->to->by_maker = 1;
}

/* ---- the file --------------------------------------------------------- */

static void
read_line(struct reader *r)
{
	if (!*r->line || read_comment(r))
		return;
	if (!strcmp(r->line, "{"))
		read_entry(r);
	else if (!strncmp(r->line, "leak:", 5) && r->line[5])
		add(r, r->line + 5);
	else
		bad(r, r->number,
		    "is neither leak:PATTERN nor the '{' of a Valgrind entry",
		    r->line);
}

void
suppressions_read(struct suppressions *s, const char *path)
{
	struct reader r = { .to = s,
			    .path = path,
			    .max_blocks = UINT64_MAX,
			    .max_bytes = UINT64_MAX };

	*s = (struct suppressions){ 0 };
	if (!path)
		return;
	r.file = fopen(path, "re");
	if (!r.file)
		die(EXIT_USAGE, "--suppressions: %s: %s", path,
		    strerror(errno));
	while (next_line(&r))
		read_line(&r);
	if (r.limited)
		bad(&r, r.limited, "a limit without an entry behind it", NULL);
	free(r.buffer);
	free(r.name);
	fclose(r.file);
}
