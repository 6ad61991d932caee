/*
 * settings.c - the options of zleaks: one table, from which the command line
 * is read and --help printed, and what each option means.
 */
#include "calltree.h"
#include "options.h"
#include "zleaks.h"

#include <stdlib.h>
#include <string.h>

enum {
	OPT_JSON = 256,
	OPT_CSV,
	OPT_KINDS,
	OPT_SORT,
	OPT_TOP,
	OPT_MIN_BYTES,
	OPT_FOCUS,
	OPT_IGNORE,
	OPT_THREAD,
	OPT_PID,
	OPT_SUPPRESSIONS,
	OPT_FAIL_ON,
	OPT_BY,
	OPT_COST,
	OPT_BOTTOM_UP,
	OPT_FORMAT,
	OPT_COLOR,
	OPT_OUTPUT,
	OPT_HELP,
	OPT_VERSION
};

enum {
	FOR_PAGES = FOR_LEAKS | FOR_GROWTH,
	FOR_TREES = FOR_STACKS | FOR_EXPORT,
	FOR_HOLDERS = FOR_WHY | FOR_ROOTS
};

static const struct option_def option_table[] = {
	{ OPT_JSON, 0, "json", NULL, "JSON instead of text", 0 },
	{ OPT_CSV, 0, "csv", NULL, "comma-separated values instead of text",
	  FOR_QUERY },
	{ OPT_BY, 0, "by", "KEY", "a row per class (default), zone, stack, thread",
	  FOR_GROWTH },
	{ OPT_COST, 0, "cost", "KEY",
	  "live (default), peak, total, count, temporary or leaked",
	  FOR_TREES },
	{ OPT_BOTTOM_UP, 0, "bottom-up", NULL,
	  "from the callers of malloc up to main", FOR_STACKS },
	{ OPT_FORMAT, 0, "format", "FORMAT",
	  "folded, pprof, speedscope, massif, csv or json", FOR_EXPORT },
	{ OPT_KINDS, 0, "kinds", "LIST",
	  "kinds of leak to list, or all (see below)", FOR_LEAKS },
	{ OPT_SORT, 0, "sort", "KEY",
	  "bytes, blocks, and age (leaks) or rate (growth)", FOR_PAGES },
	{ OPT_TOP, 'n', "top", "N",
	  "list N per process, 0: all; default 20, JSON all",
	  FOR_PAGES | FOR_HISTORY | FOR_HOLDERS },
	{ OPT_MIN_BYTES, 0, "min-bytes", "SIZE",
	  "only what holds or gained at least SIZE (64K, 1M)",
	  FOR_PAGES | FOR_STACKS | FOR_ROOTS },
	{ OPT_FOCUS, 0, "focus", "RE",
	  "only stacks whose function, file or module matches",
	  FOR_PAGES | FOR_TREES },
	{ OPT_IGNORE, 0, "ignore", "RE",
	  "no stacks whose function, file or module matches",
	  FOR_PAGES | FOR_TREES },
	{ OPT_THREAD, 0, "thread", "NAME",
	  "only what that thread allocated: name, number, main", FOR_LEAKS },
	{ OPT_PID, 0, "pid", "PID", "only that process",
	  FOR_PAGES | FOR_HISTORY | FOR_TREES | FOR_HOLDERS },
	{ OPT_SUPPRESSIONS, 0, "suppressions", "FILE",
	  "leave out known leaks: lines of leak:PATTERN", FOR_LEAKS },
	{ OPT_FAIL_ON, 0, "fail-on", "KIND",
	  "exit with 1 on this kind or a surer one, or none", FOR_LEAKS },
	{ OPT_COLOR, 0, "color", "[WHEN]", "auto (default), always or never",
	  FOR_PAGES | FOR_HISTORY | FOR_TREES | FOR_HOLDERS },
	{ OPT_OUTPUT, 'o', "output", "FILE",
	  "write FILE, replaced only when all is written", 0 },
	{ OPT_HELP, 'h', "help", NULL, "what a command does, and its options",
	  0 },
	{ OPT_VERSION, 0, "version", NULL, "the version of zleaks", 0 },
	{ 0, 0, NULL, NULL, NULL, 0 }
};

const char *const kind_names[KIND_COUNT + 1] = { "unscanned", "reachable",
						 "possible",  "indirect",
						 "definite",  NULL };

/* Index of a word in a NULL-terminated list, or -1 with a message. */
static int
choose(const char *option, const char *value, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(value, words[i]))
			return i;
	const char *near = option_nearest(value, words);
	if (near)
		message("--%s: unknown '%s': did you mean %s?", option, value,
			near);
	else
		message("--%s: unknown '%s': see zleaks --help", option, value);
	return -1;
}

/* A comma-separated list of kinds as bits; 0 with a message. */
static unsigned
kinds_of(const char *option, const char *list)
{
	unsigned kinds = 0;

	if (!strcmp(list, "all"))
		return (1u << KIND_COUNT) - 1;
	char *copy = strdup(list), *rest = copy, *word;
	if (!copy)
		return 0;
	while ((word = strsep(&rest, ",")) != NULL) {
		int kind = choose(option, word, kind_names);
		if (kind < 0) {
			kinds = 0;
			break;
		}
		kinds |= 1u << kind;
	}
	free(copy);
	return kinds;
}

static int
set_fail_on(struct settings *s, const char *value)
{
	if (!strcmp(value, "none")) {
		s->fail_on = KIND_COUNT;
		return 0;
	}
	unsigned kinds = kinds_of("fail-on", value);
	s->fail_on = kinds ? __builtin_ctz(kinds) : 0;
	return kinds ? 0 : -1;
}

static int
set_choice(struct settings *s, int id, const char *value)
{
	static const char *const sorts[] = { "bytes", "blocks", "age", "rate",
					     NULL };
	static const char *const keys[] = { "class", "zone", "stack", "thread",
					    NULL };
	static const char *const colors[] = { "auto", "always", "never", NULL };
	int n;

	switch (id) {
	case OPT_SORT:
		n = choose("sort", value, sorts);
		s->sort = (enum sort)(n + SORT_BYTES);
		return n < 0 ? -1 : 0;
	case OPT_COST:
		n = choose("cost", value, cost_names);
		s->cost = n;
		return n < 0 ? -1 : 0;
	case OPT_FORMAT:
		n = choose("format", value, export_formats);
		s->format = n;
		return n < 0 ? -1 : 0;
	case OPT_BY:
		n = choose("by", value, keys);
		s->by = (enum by)n;
		return n < 0 ? -1 : 0;
	default:
		n = choose("color", value ? value : "always", colors);
		s->color = (enum color)n;
		return n < 0 ? -1 : 0;
	}
}

static int
set_number(struct settings *s, int id, const char *value)
{
	long n;

	if (id == OPT_MIN_BYTES) {
		if (option_bytes(value, &s->min_bytes) == 0)
			return 0;
		message("--min-bytes: '%s' is not a size", value);
		return -1;
	}
	if (option_number(value, id == OPT_PID, INT32_MAX, &n) != 0) {
		message("--%s: '%s' is not a number in range",
			id == OPT_PID ? "pid" : "top", value);
		return -1;
	}
	if (id == OPT_PID)
		s->pid = n;
	else
		s->top = n;
	return 0;
}

static int
set(struct settings *s, int id, const char *value)
{
	switch (id) {
	case OPT_JSON:
		s->json = 1;
		return 0;
	case OPT_CSV:
		s->csv = 1;
		return 0;
	case OPT_KINDS:
		s->kinds = kinds_of("kinds", value);
		return s->kinds ? 0 : -1;
	case OPT_SORT:
	case OPT_BY:
	case OPT_COST:
	case OPT_FORMAT:
	case OPT_COLOR:
		return set_choice(s, id, value);
	case OPT_TOP:
	case OPT_PID:
	case OPT_MIN_BYTES:
		return set_number(s, id, value);
	case OPT_FOCUS:
		return regexfilter_focus(&s->filter, value);
	case OPT_IGNORE:
		return regexfilter_ignore(&s->filter, value);
	case OPT_BOTTOM_UP:
		s->bottom_up = 1;
		return 0;
	case OPT_THREAD:
		s->thread = value;
		return 0;
	case OPT_SUPPRESSIONS:
		s->suppressions = value;
		return 0;
	case OPT_FAIL_ON:
		return set_fail_on(s, value);
	case OPT_OUTPUT:
		s->output = value;
		return 0;
	case OPT_HELP:
		s->help = 1;
		return 0;
	default:
		s->version = 1;
		return 0;
	}
}

/* The command may stand behind its options, so that which options it has is
 * known only at the end: keep what all those seen have in common. */
static void
note_groups(struct settings *s, int id)
{
	const struct option_def *d = option_table;

	while (d->id != id)
		d++;
	if (d->groups && (s->given & d->groups) != s->given)
		s->odd = d->name;
	if (d->groups)
		s->given &= d->groups;
}

int
settings_parse(struct settings *s, int argc, char **argv)
{
	struct options o = { .defs = option_table, .argc = argc, .argv = argv };
	int id;

	memset(s, 0, sizeof *s);
	s->fail_on = KIND_DEFINITE;
	s->top = -1;
	s->format = -1;
	s->given = ~0u;
	while ((id = options_next(&o)) != OPTIONS_END) {
		if (id == OPTIONS_ERROR || set(s, id, o.value) != 0)
			return -1;
		note_groups(s, id);
	}
	return o.next;
}

void
settings_help(FILE *out, unsigned group)
{
	options_help(out, option_table, group);
}

const char *
settings_report(const char *command, int argc, char **argv)
{
	if (argc == 1)
		return argv[0];
	if (argc == 0)
		message("%s: which report? Try: zleaks %s report.db", command,
			command);
	else
		message("%s: one report at a time, not also '%s'", command,
			argv[1]);
	return NULL;
}
