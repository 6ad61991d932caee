/*
 * suppress_valgrind.c - Valgrind's suppression entries: what their frames
 * match, and C++ names between Valgrind's form, which is mangled, and the
 * report's, which is not.
 *
 * Between the two forms patterns are loose: a part that has no simple
 * counterpart becomes '*'.  Identifiers, their order and what stands between
 * classes and functions are kept.
 */
#include "suppress.h"

#include "text.h"

#include <ctype.h>
#include <libiberty/demangle.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 16 << 10 };

/* '*' and '?' over the whole text; the only state of the search is where the
 * last star stood. */
static int
glob(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	for (;;) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (!*text) {
			return !*pattern;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++retry;
		} else {
			return 0;
		}
	}
}

/* ---- names ------------------------------------------------------------ */

/* An identifier of a mangled name, "4Shop": its text; *end behind it. */
static const char *
identifier(const char *p, size_t *n, const char **end)
{
	char *digits_end;
	unsigned long length = strtoul(p, &digits_end, 10);
	size_t there = strcspn(digits_end, "*?");

	*n = length < there ? length : there;
	*end = digits_end + *n;
	return digits_end;
}

/* "_ZN4Shop5lines*" becomes "Shop::lines*". */
static char *
demangled_pattern(const char *p)
{
	char *plain = text_alloc(strlen(p) * 3 + 8), *out = plain;
	int joined = 0; /* an identifier ends here */

	/* of a template the return type stands in front */
	if (strchr(p, 'I'))
		*out++ = '*';
	p += 2;
	while (*p) {
		if (isdigit((unsigned char)*p)) {
			size_t n;
			const char *name = identifier(p, &n, &p);
			if (joined)
				out = stpcpy(out, "::");
			out = mempcpy(out, name, n);
			joined = n > 0 || joined;
			continue;
		}
		if (!strncmp(p, "St", 2)) {
			out = stpcpy(out, "std");
			joined = 1;
			p += 2;
			continue;
		}
		/* nested names and constant members say no word of their own */
		if (!strchr("NKVLr", *p) || out != plain) {
			if (out == plain || out[-1] != '*')
				*out++ = '*';
			joined = 0;
		}
		p++;
	}
	if (out == plain || out[-1] != '*')
		*out++ = '*';
	*out = 0;
	return plain;
}

/* NULL where the pattern can be compared as it is. */
static char *
plain_pattern(const char *pattern)
{
	if (strncmp(pattern, "_Z", 2) != 0 || strlen(pattern) > NAME_MAX_BYTES)
		return NULL;
	if (strpbrk(pattern, "*?"))
		return demangled_pattern(pattern);
	return cplus_demangle(pattern, DMGL_PARAMS | DMGL_ANSI | DMGL_AUTO);
}

/* Behind a bracket's counterpart; at the end of the text where it has none. */
static const char *
behind(const char *p, char open, char close)
{
	int depth = 0;

	for (; *p; p++) {
		depth += (*p == open) - (*p == close);
		if (!depth)
			return p + 1;
	}
	return p;
}

static int
in_identifier(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' ||
	       (unsigned char)c >= 128;
}

/* One identifier of a demangled name as its mangled form has it. */
static char *
mangle_word(char *out, const char *word, size_t n, const char *before,
	    size_t before_length)
{
	if (out[-1] != '*')
		*out++ = '*';
	if (n == 3 && !strncmp(word, "std", 3))
		return out; /* St, or part of an abbreviation */
	if (n == before_length && before && !strncmp(word, before, n))
		return stpcpy(out, "C*");
	out += sprintf(out, "%zu", n);
	return mempcpy(out, word, n);
}

/* Of an inlined function Valgrind has its own name, see matches_inlined. */
static char *
inlined_function(const char *name)
{
	size_t n;
	const char *own = own_name(name, &n);

	return text_format("%.*s%s", n < NAME_MAX_BYTES ? (int)n : 0, own,
			   strchr(name, '<') ? "*" : "");
}

/* Of a function in the symbol table. */
static char *
mangled_function(const char *name)
{
	static const char nameless[] = "(anonymous namespace)";
	size_t n = strlen(name), before_length = 0;

	if (!name[strcspn(name, "(<: ")] || n > NAME_MAX_BYTES)
		return text_copy(name);
	char *pattern = text_alloc(n * 12 + 32);
	char *begin = stpcpy(pattern, "_Z"), *out = begin;
	const char *before = NULL;
	for (const char *p = name; *p;) {
		if (in_identifier(*p)) {
			const char *word = p;
			while (in_identifier(*p))
				p++;
			n = (size_t)(p - word);
			if (n == 8 && !strncmp(word, "operator", 8))
				break;
			out = mangle_word(out, word, n, before, before_length);
			before = word;
			before_length = n;
		} else if (*p == '<') {
			p = behind(p, '<', '>');
		} else if (*p == '{') {
			p = behind(p, '{', '}');
		} else if (*p == '[') {
			p = behind(p, '[', ']');
		} else if (!strncmp(p, nameless, sizeof nameless - 1)) {
			out = stpcpy(out, "*12_GLOBAL__N_1");
			p += sizeof nameless - 1;
		} else if (*p == '(') {
			break;
		} else if (*p == '~') {
			out = stpcpy(out, "*D");
			break;
		} else {
			if (*p == ' ') { /* that was the return type */
				out = begin;
				before = NULL;
				before_length = 0;
			}
			p++;
		}
	}
	strcpy(out, out[-1] == '*' ? "" : "*");
	return pattern;
}

char *
valgrind_function(const struct frame *f)
{
	const char *name = f->function;

	if (!strncmp(name, "__GI_", 5)) /* see matches_internal */
		return text_format("*%s", name + 5 + strspn(name + 5, "_"));
	return f->inlined ? inlined_function(name) : mangled_function(name);
}

/* ---- entries ---------------------------------------------------------- */

int
valgrind_frame(struct suppressed_frame *f, const char *line)
{
	*f = (struct suppressed_frame){ .by = BY_ANY };
	if (!strcmp(line, "..."))
		return 0;
	if (!strncmp(line, "fun:", 4))
		f->by = BY_FUNCTION;
	else if (!strncmp(line, "obj:", 4))
		f->by = BY_OBJECT;
	else if (!strncmp(line, "src:", 4))
		f->by = BY_SOURCE;
	else
		return -1;
	if (!line[4])
		return -1;
	f->pattern = text_copy(line + 4);
	if (f->by == BY_FUNCTION)
		f->plain = plain_pattern(f->pattern);
	return 0;
}

/* The allocation function itself, which is not in our stacks. */
static int
matches_maker(const struct suppressed_frame *f, unsigned makers)
{
	static const struct {
		int made_by; /* the report's numbers */
		const char *name;
	} names[] = { { 1, "malloc" },
		      { 2, "calloc" },
		      { 3, "realloc" },
		      { 4, "memalign" },
		      { 4, "posix_memalign" },
		      { 4, "aligned_alloc" },
		      { 4, "valloc" },
		      { 5, "_Znwm" },
		      { 5, "_ZnwmRKSt9nothrow_t" },
		      { 5, "_ZnwmSt11align_val_t" },
		      { 5, "_ZnwmSt11align_val_tRKSt9nothrow_t" },
		      { 6, "_Znam" },
		      { 6, "_ZnamRKSt9nothrow_t" },
		      { 6, "_ZnamSt11align_val_t" },
		      { 6, "_ZnamSt11align_val_tRKSt9nothrow_t" } };
	static const char object[] =
	    "/usr/lib/valgrind/vgpreload_memcheck-amd64-linux.so";

	if (f->by == BY_OBJECT)
		return glob(f->pattern, object);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if ((!makers || makers >> names[i].made_by & 1) &&
		    f->by == BY_FUNCTION && glob(f->pattern, names[i].name))
			return 1;
	return 0;
}

/* "FILE" or "FILE:LINE" */
static int
matches_source(const char *pattern, const struct frame *f)
{
	const char *name = f->file ? f->file : "???";
	char *with_line =
	    text_format("%s:%lld", text_basename(name), (long long)f->line);
	int matches = glob(pattern, name) ||
		      glob(pattern, text_basename(name)) ||
		      glob(pattern, with_line);

	free(with_line);
	return matches;
}

/* Of inlined functions Valgrind knows their own names alone, with template
 * arguments in a form of its own: "construct<std::pair<..>, ..>". */
static int
matches_inlined(const char *pattern, const char *function)
{
	char own[256], head[256];
	size_t n, m = strcspn(pattern, "<");
	const char *name = own_name(function, &n);

	if (!strncmp(pattern, "operator", 8))
		m = strlen(pattern);
	if (n >= sizeof own || m >= sizeof head)
		return 0;
	memcpy(own, name, n);
	own[n] = 0;
	memcpy(head, pattern, m);
	head[m] = 0;
	return glob(head, own);
}

/* libc's functions under libc's own names for them: "__GI___strdup". */
static int
matches_internal(const char *pattern, const char *function)
{
	if (strncmp(function, "__GI_", 5) != 0)
		return 0;
	function += 5;
	return glob(pattern, function) ||
	       glob(pattern, function + strspn(function, "_"));
}

static int
matches_function(const struct suppressed_frame *f, const struct frame *frame)
{
	const char *function = frame->function ? frame->function : "???";

	if (f->plain)
		return glob(f->plain, function);
	return glob(f->pattern, function) ||
	       (frame->inlined && matches_inlined(f->pattern, function)) ||
	       matches_internal(f->pattern, function);
}

static int
matches_frame(const struct suppressed_frame *f, const struct frame *frame)
{
	switch (f->by) {
	case BY_FUNCTION:
		return matches_function(f, frame);
	case BY_OBJECT:
		return glob(f->pattern, frame->module ? frame->module : "???");
	default:
		return matches_source(f->pattern, frame);
	}
}

/* Place 0 is the allocation function, place i the stack's frame i - 1. */
int
valgrind_matches(const struct suppression *s, const struct stack *stack,
		 unsigned makers)
{
	size_t any = SIZE_MAX, retry = 0, i = 0, place = 0;

	while (i < s->frame_count) {
		const struct suppressed_frame *f = &s->frames[i];
		if (f->by == BY_ANY) {
			any = ++i;
			retry = place;
			continue;
		}
		if (place <= stack->count &&
		    (place ? matches_frame(f, stack->frames[place - 1])
			   : matches_maker(f, makers))) {
			i++;
			place++;
		} else if (any != SIZE_MAX && retry < stack->count) {
			i = any;
			place = ++retry;
		} else {
			return 0;
		}
	}
	return 1;
}
