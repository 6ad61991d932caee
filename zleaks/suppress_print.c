/*
 * suppress_print.c - the command `suppress`: entries for the leaks of a report,
 * ready for a suppression file, in LeakSanitizer's form or Valgrind's.
 *
 * LeakSanitizer's form has one pattern for one function, so that an entry may
 * match more leaks than the one it was made for: what an entry made before
 * matches gets none of its own.
 */
#include "leaks.h"

#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum {
	/* Valgrind keeps 12 by itself, and an entry must not be longer */
	VALGRIND_FRAMES = 11,
	WRAPPER_CALLERS = 4,
	CALLERS_SHOWN = 4
};

struct printer {
	struct leaks *leaks;
	struct suppressions made;   /* LeakSanitizer's form */
	const struct group **first; /* that each of `made` was made for */
	struct call *calls;
	struct callee *callees;
	FILE *out;
};

/* ---- LeakSanitizer's form --------------------------------------------- */

/* "^take_order$"; "^Shop::lines(" of a C++ name, template arguments as '*'. */
static char *
function_pattern(const char *name)
{
	char *pattern = text_alloc(strlen(name) + 3), *out = pattern;
	int depth = 0;

	*out++ = '^';
	for (const char *p = name; *p; p++) {
		int opens = *p == '<' && strncmp(p - (p > name), "<<", 2) != 0;
		if (*p == '$' && depth == 0)
			return pattern; /* LeakSanitizer reads no further */
		if (opens && depth++ == 0)
			out = stpcpy(out, "<*");
		if (*p == '>' && depth > 0 && p[-1] != '-')
			depth--;
		if (depth == 0 && *p == ' ' &&
		    !strstr(pattern, "operator")) { /* a return type */
			out = pattern;
			*out = 0;
			continue;
		}
		if (depth == 0)
			*out++ = *p;
		if (depth == 0 && *p == '(' && out > pattern + 2 &&
		    strncmp(p, "(anonymous namespace)", 21) != 0)
			return pattern;
	}
	if (*pattern == '^')
		*out++ = '$';
	return pattern;
}

/* ---- wrappers of malloc ------------------------------------------------ */

struct call {	     /* a function and one that calls it, in some stack */
	char *names; /* "function\ncaller" */
	UT_hash_handle hh;
};

struct callee {
	char *name;
	unsigned callers; /* different ones */
	UT_hash_handle hh;
};

static void
note_call(struct printer *p, const char *function, const char *caller)
{
	char *names = text_format("%s\n%s", function, caller);
	struct call *call;
	struct callee *callee;

	HASH_FIND_STR(p->calls, names, call);
	if (call) {
		free(names);
		return;
	}
	call = text_alloc(sizeof *call);
	call->names = names;
	HASH_ADD_KEYPTR(hh, p->calls, names, strlen(names), call);
	HASH_FIND_STR(p->callees, function, callee);
	if (!callee) {
		callee = text_alloc(sizeof *callee);
		callee->name = text_copy(function);
		HASH_ADD_KEYPTR(hh, p->callees, callee->name,
				strlen(callee->name), callee);
	}
	callee->callers++;
}

/* Who calls whom in the stacks of these leaks. */
static void
note_calls(struct printer *p, const struct group *g)
{
	const struct stack *stack = g->stack;
	size_t n = stack_frames_worth_showing(stack);

	for (size_t i = 0; i + 1 < n; i++)
		if (stack->frames[i]->function &&
		    stack->frames[i + 1]->function)
			note_call(p, stack->frames[i]->function,
				  stack->frames[i + 1]->function);
}

static void
forget_calls(struct printer *p)
{
	struct call *call, *next_call;
	struct callee *callee, *next_callee;

	HASH_ITER(hh, p->calls, call, next_call)
	{
		HASH_DEL(p->calls, call);
		free(call->names);
		free(call);
	}
	HASH_ITER(hh, p->callees, callee, next_callee)
	{
		HASH_DEL(p->callees, callee);
		free(callee->name);
		free(callee);
	}
}

/* An entry for a wrapper of malloc would take every leak away. */
static int
is_wrapper(const struct printer *p, const char *function)
{
	static const char *const parts[] = { "malloc", "calloc", "realloc",
					     "strdup" };
	struct callee *callee;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (strstr(function, parts[i]))
			return 1;
	HASH_FIND_STR(p->callees, function, callee);
	return callee && callee->callers >= WRAPPER_CALLERS;
}

/* The function that the entry is made for: of the program itself where there
 * is one, no wrapper, and not main where there is another. */
static const struct frame *
telling_frame(const struct printer *p, const struct stack *stack)
{
	size_t n = stack_frames_worth_showing(stack);
	size_t own = stack_own_frame(stack);
	const struct frame *found = NULL;

	for (size_t i = own == SIZE_MAX ? 0 : own; i < n; i++) {
		const struct frame *f = stack->frames[i];
		if (!f->function || *f->function == '<')
			continue;
		if (found && !strcmp(f->function, "main"))
			break;
		found = f;
		if (!is_wrapper(p, f->function))
			break;
	}
	return found;
}

/* A pattern that matches the stack by a function, or else by a module; NULL:
 * nothing of it has a name. */
static char *
stack_pattern(const struct printer *p, const struct stack *stack)
{
	const struct frame *f = telling_frame(p, stack);

	if (f) {
		char *pattern = function_pattern(f->function);
		if (pattern[1] && suppression_matches(pattern, f->function))
			return pattern;
		free(pattern);
	}
	for (size_t i = 0; i < stack->count; i++)
		if (stack->frames[i]->module)
			return text_copy(
			    text_basename(stack->frames[i]->module));
	return NULL;
}

/* "add_line < take_order < serve" */
static void
print_callers(const struct stack *stack, FILE *out)
{
	size_t n = stack_frames_worth_showing(stack);

	for (size_t i = 0; i < n && i < CALLERS_SHOWN; i++) {
		const char *name = stack->frames[i]->function;
		char *shown =
		    name ? text_printable(name) : frame_place(stack->frames[i]);
		fprintf(out, "%s%s", i ? " < " : "#   ", shown);
		free(shown);
	}
	fputs(n > CALLERS_SHOWN ? " < ..\n" : "\n", out);
}

static void
print_lsan_entry(const struct printer *p, size_t i)
{
	const struct suppression *s = &p->made.list[i];
	const struct group *g = p->first[i];

	fprintf(p->out, "# %s: %llu bytes in %llu blocks", kind_names[g->kind],
		count_shown(s->bytes), count_shown(s->blocks));
	if (s->groups > 1)
		fprintf(p->out, " by %lld stacks", (long long)s->groups);
	fprintf(p->out, "; fingerprint %016" PRIx64 "\n",
		g->stack->fingerprint);
	print_callers(g->stack, p->out);
	if (p->leaks->settings->limits)
		fprintf(p->out, "# zleaks: max-bytes=%llu max-blocks=%llu\n",
			count_shown(s->bytes), count_shown(s->blocks));
	fprintf(p->out, "leak:%s\n", s->pattern);
}

static void
add_lsan(struct printer *p, const struct group *g)
{
	struct suppressions *s = &p->made;
	struct suppression *by = suppressions_match(s, g->stack, g->kind, 0);

	if (!by) {
		char *pattern = stack_pattern(p, g->stack);
		if (!pattern) {
			fprintf(p->out,
				"# no entry for %llu bytes: nothing on their "
				"stack has a name\n",
				count_shown(group_bytes(g)));
			return;
		}
		message_clean(pattern);
		s->list = text_grow(s->list, s->count + 1, sizeof *s->list);
		p->first = text_grow(p->first, s->count + 1, sizeof *p->first);
		p->first[s->count] = g;
		by = &s->list[s->count++];
		*by = (struct suppression){ .pattern = pattern };
	}
	by->groups++;
	by->blocks = count_add(by->blocks, group_blocks(g));
	by->bytes = count_add(by->bytes, group_bytes(g));
}

/* ---- Valgrind's form -------------------------------------------------- */

static const char *
valgrind_maker(const struct group *g)
{
	static const char *const names[] = { NULL,	"malloc", "calloc",
					     "realloc", NULL,	  "_Znw*",
					     "_Zna*" };
	int64_t made_by = g->makers.count == 1 ? g->makers.value[0] : 0;

	if (g->makers.more || made_by < 0 ||
	    made_by >= (int64_t)(sizeof names / sizeof *names) ||
	    !names[made_by])
		return "*";
	return names[made_by];
}

static void
print_valgrind_frame(const struct frame *f, FILE *out)
{
	char *text;

	if (f->function && *f->function != '<') {
		text = valgrind_function(f);
		message_clean(text);
		fprintf(out, "   fun:%s\n", text);
	} else if (f->module) {
		text = text_copy(text_basename(f->module));
		char *version = strstr(text, ".so.");
		if (version)
			strcpy(version, ".so*");
		message_clean(text);
		fprintf(out, "   obj:*/%s\n", text);
	} else {
		text = NULL;
		fputs("   ...\n", out);
	}
	free(text);
}

static void
print_valgrind_entry(struct printer *p, const struct group *g)
{
	size_t n = stack_frames_worth_showing(g->stack);

	if (p->leaks->settings->limits)
		fprintf(p->out, "# zleaks: max-bytes=%llu max-blocks=%llu\n",
			count_shown(group_bytes(g)),
			count_shown(group_blocks(g)));
	fprintf(p->out,
		"{\n   zleaks:%016" PRIx64 " %llu bytes in %llu blocks\n"
		"   Memcheck:Leak\n",
		g->stack->fingerprint, count_shown(group_bytes(g)),
		count_shown(group_blocks(g)));
	if (g->kind != KIND_UNSCANNED)
		fprintf(p->out, "   match-leak-kinds: %s\n",
			kind_names[g->kind]);
	fprintf(p->out, "   fun:%s\n", valgrind_maker(g));
	for (size_t i = 0; i < n && i < VALGRIND_FRAMES; i++) {
		const struct frame *f = g->stack->frames[i];
		/* which of its insides C++'s library inlines says nothing */
		if (!f->is_std || !f->inlined)
			print_valgrind_frame(f, p->out);
		else if (i == 0 || !g->stack->frames[i - 1]->is_std ||
			 !g->stack->frames[i - 1]->inlined)
			fputs("   ...\n", p->out);
	}
	fputs("}\n", p->out);
}

/* ---- the command ------------------------------------------------------ */

static void
each_shown(struct printer *p, void (*f)(struct printer *, const struct group *))
{
	const struct leaks *l = p->leaks;

	for (size_t i = 0; i < l->recording->process_count; i++)
		for (size_t j = 0; j < l->sections[i].shown_count; j++)
			f(p, l->sections[i].shown[j]);
}

static void
print_all(struct printer *p, int valgrind)
{
	fprintf(p->out,
		"# From zleaks suppress; for zleaks --suppressions and %s\n",
		valgrind ? "valgrind --suppressions"
			 : "LSAN_OPTIONS=suppressions=FILE");
	if (valgrind) {
		each_shown(p, print_valgrind_entry);
		return;
	}
	each_shown(p, note_calls);
	each_shown(p, add_lsan);
	for (size_t i = 0; i < p->made.count; i++)
		print_lsan_entry(p, i);
	forget_calls(p);
}

int
suppress_main(const struct settings *settings, int argc, char **argv)
{
	static const char *const formats[] = { "lsan", "valgrind", NULL };
	const char *path = settings_report("suppress", argc, argv);
	int format = settings_format(settings, formats);
	struct leaks l;
	struct printer p = { .leaks = &l };
	struct output out;

	if (!path || format == FORMAT_BAD)
		return EXIT_USAGE;
	leaks_open(&l, settings, path, LEAKS_ALL);
	if (output_open(&out, settings->output) != 0)
		return EXIT_USAGE;
	p.out = out.file;
	print_all(&p, format == 1);
	int status = recording_warn(l.recording);
	if (output_close(&out) != 0)
		status = EXIT_UNREADABLE;
	suppressions_free(&p.made);
	free(p.first);
	leaks_close(&l);
	return status;
}
