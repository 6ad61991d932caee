/*
 * settings.c - the options of zleaks: one table, from which the command line
 * is read and --help printed, and what each option means.
 */
#include "calltree.h"
#include "options.h"
#include "stack.h"
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
	OPT_FROM,
	OPT_TO,
	OPT_SUPPRESSIONS,
	OPT_FAIL_ON,
	OPT_BY,
	OPT_COST,
	OPT_BOTTOM_UP,
	OPT_FORMAT,
	OPT_LIMITS,
	OPT_SOURCE_ROOT,
	OPT_COLOR,
	OPT_OUTPUT,
	OPT_HELP,
	OPT_VERSION,
	OPT_COMPLETION /* of the build */
};

enum {
	FOR_PAGES = FOR_LEAKS | FOR_GROWTH,
	FOR_FINDINGS = FOR_LEAKS | FOR_DIFF | FOR_SUPPRESS,
	FOR_TREES = FOR_STACKS | FOR_EXPORT | FOR_FLAMEGRAPH,
	FOR_TABLES = FOR_THREADS | FOR_CLASSES,
	FOR_HOLDERS = FOR_WHY | FOR_ROOTS,
	FOR_SPAN = FOR_GROWTH | FOR_STACKS | FOR_THREADS
};

static const struct option_def option_table[] = {
	{ OPT_JSON, 0, "json", NULL, "JSON instead of text", 0 },
	{ OPT_CSV, 0, "csv", NULL, "comma-separated values instead of text",
	  FOR_QUERY | FOR_TABLES },
	{ OPT_BY, 0, "by", "KEY",
	  "a row per class (default), zone, stack (default of top), thread",
	  FOR_GROWTH | FOR_TOP },
	{ OPT_COST, 0, "cost", "KEY",
	  "live (default), peak, total, count, temporary or leaked",
	  FOR_TREES },
	{ OPT_BOTTOM_UP, 0, "bottom-up", NULL,
	  "from the callers of malloc up to main",
	  FOR_STACKS | FOR_FLAMEGRAPH },
	{ OPT_FORMAT, 0, "format", "FORMAT",
	  "folded, pprof, speedscope, massif, csv or json", FOR_EXPORT },
	{ OPT_FORMAT, 0, "format", "FORMAT",
	  "text, json, sarif (code scanning) or junit (tests)", FOR_LEAKS },
	{ OPT_FORMAT, 0, "format", "FORMAT",
	  "lsan (LeakSanitizer's, default) or valgrind", FOR_SUPPRESS },
	{ OPT_LIMITS, 0, "limits", NULL,
	  "entries that allow no more than there is now", FOR_SUPPRESS },
	{ OPT_KINDS, 0, "kinds", "LIST",
	  "kinds of leak to list, or all (see below)", FOR_FINDINGS },
	{ OPT_SORT, 0, "sort", "KEY",
	  "bytes, blocks, and age (leaks, threads) or rate (growth, top)",
	  FOR_PAGES | FOR_TABLES | FOR_TOP },
	{ OPT_TOP, 'n', "top", "N",
	  "list N per process, 0: all; default 20, html 1000, JSON all",
	  FOR_PAGES | FOR_HISTORY | FOR_HOLDERS | FOR_TABLES | FOR_DIFF |
	      FOR_SUPPRESS | FOR_TOP | FOR_HTML },
	{ OPT_MIN_BYTES, 0, "min-bytes", "SIZE",
	  "only what holds or gained at least SIZE (64K, 1M)",
	  FOR_PAGES | FOR_STACKS | FOR_ROOTS | FOR_TABLES | FOR_DIFF |
	      FOR_SUPPRESS | FOR_TOP },
	{ OPT_FOCUS, 0, "focus", "RE",
	  "only stacks whose function, file or module matches",
	  FOR_PAGES | FOR_TREES | FOR_TABLES | FOR_DIFF | FOR_SUPPRESS |
	      FOR_TOP | FOR_HTML },
	{ OPT_IGNORE, 0, "ignore", "RE",
	  "no stacks whose function, file or module matches",
	  FOR_PAGES | FOR_TREES | FOR_TABLES | FOR_DIFF | FOR_SUPPRESS |
	      FOR_TOP | FOR_HTML },
	{ OPT_THREAD, 0, "thread", "NAME",
	  "only what that thread allocated: name, number, main",
	  FOR_LEAKS | FOR_THREADS | FOR_SUPPRESS },
	{ OPT_PID, 0, "pid", "PID", "only that process",
	  FOR_PAGES | FOR_HISTORY | FOR_TREES | FOR_HOLDERS | FOR_TABLES |
	      FOR_SUPPRESS | FOR_TOP | FOR_HTML },
	{ OPT_FROM, 0, "from", "MOMENT",
	  "from then on: seconds, -10s before the end, or a mark's label",
	  FOR_SPAN | FOR_DIFF },
	{ OPT_TO, 0, "to", "MOMENT", "until then", FOR_SPAN | FOR_DIFF },
	{ OPT_SUPPRESSIONS, 0, "suppressions", "FILE",
	  "leave out known leaks: LeakSanitizer's or Valgrind's file",
	  FOR_FINDINGS | FOR_HTML },
	{ OPT_FAIL_ON, 0, "fail-on", "KIND[:N]",
	  "exit with 1 on leaks of this kind or a surer one, see below",
	  FOR_LEAKS | FOR_DIFF },
	{ OPT_SOURCE_ROOT, 0, "source-root", "DIR",
	  "show source files relative to DIR, default: here", 0 },
	{ OPT_COLOR, 0, "color", "[WHEN]", "auto (default), always or never",
	  FOR_PAGES | FOR_HISTORY | FOR_STACKS | FOR_EXPORT | FOR_HOLDERS |
	      FOR_TABLES | FOR_TOP },
	{ OPT_OUTPUT, 'o', "output", "FILE",
	  "write FILE, replaced only when all is written", 0 },
	{ OPT_HELP, 'h', "help", NULL, "what a command does, and its options",
	  0 },
	{ OPT_VERSION, 0, "version", NULL, "the version of zleaks", 0 },
	{ OPT_COMPLETION, 0, "completion", "SHELL", NULL, 0 },
	{ 0, 0, NULL, NULL, NULL, 0 }
};

static const char *const sort_words[] = { "bytes", "blocks", "age", "rate",
					  NULL };
static const char *const by_words[] = { "class", "zone", "stack", "thread",
					NULL };
static const char *const color_words[] = { "auto", "always", "never", NULL };
static const char *const kind_words[] = { "definite",  "possible",  "indirect",
					  "reachable", "unscanned", "all",
					  NULL };
static const char *const fail_words[] = { "definite",  "possible",  "indirect",
					  "reachable", "unscanned", "none",
					  NULL };

/* Of all commands: which of them one knows it says itself. */
static const char *const format_words[] = { "text",	  "json",     "sarif",
					    "junit",	  "folded",   "pprof",
					    "speedscope", "massif",   "csv",
					    "lsan",	  "valgrind", NULL };

/* What shells offer for the argument of an option. */
static const struct completion_words choices[] = {
	{ OPT_KINDS, kind_words, 1 },  { OPT_FAIL_ON, fail_words, 0 },
	{ OPT_SORT, sort_words, 0 },   { OPT_BY, by_words, 0 },
	{ OPT_COST, cost_names, 0 },   { OPT_FORMAT, format_words, 0 },
	{ OPT_COLOR, color_words, 0 }, { 0, NULL, 0 }
};

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
	char why[160];

	if (failon_read(&s->fail_on, value, why, sizeof why) == 0)
		return 0;
	message("--fail-on: %s", why);
	return -1;
}

static int
set_choice(struct settings *s, int id, const char *value)
{
	int n;

	switch (id) {
	case OPT_SORT:
		n = choose("sort", value, sort_words);
		s->sort = (enum sort)(n + SORT_BYTES);
		return n < 0 ? -1 : 0;
	case OPT_COST:
		n = choose("cost", value, cost_names);
		s->cost = n;
		return n < 0 ? -1 : 0;
	case OPT_BY:
		n = choose("by", value, by_words);
		s->by = (enum by)n;
		s->by_given = 1;
		return n < 0 ? -1 : 0;
	default:
		n = choose("color", value ? value : "always", color_words);
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
	case OPT_SOURCE_ROOT:
		path_root(value);
		return 0;
	case OPT_LIMITS:
		s->limits = 1;
		return 0;
	case OPT_FORMAT:
		s->format = value;
		return 0;
	case OPT_THREAD:
		s->thread = value;
		return 0;
	case OPT_FROM:
		s->from = value;
		return 0;
	case OPT_TO:
		s->to = value;
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
	case OPT_COMPLETION:
		s->completion = value;
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
	const char *name = NULL;
	unsigned groups = 0; /* of all rows of the option */

	for (const struct option_def *d = option_table; d->id; d++)
		if (d->id == id) {
			name = d->name;
			groups |= d->groups;
		}
	if (groups && (s->given & groups) != s->given)
		s->odd = name;
	if (groups)
		s->given &= groups;
}

int
settings_parse(struct settings *s, int argc, char **argv)
{
	struct options o = { .defs = option_table, .argc = argc, .argv = argv };
	int id;

	memset(s, 0, sizeof *s);
	s->fail_on.rule[KIND_DEFINITE].unit = FAILON_BLOCKS;
	s->top = -1;
	s->given = ~0u;
	while ((id = options_next(&o)) != OPTIONS_END) {
		if (id == OPTIONS_ERROR || set(s, id, o.value) != 0)
			return -1;
		note_groups(s, id);
	}
	return o.next;
}

int
settings_format(const struct settings *s, const char *const *formats)
{
	if (!s->format)
		return FORMAT_NONE;
	int n = choose("format", s->format, formats);
	return n < 0 ? FORMAT_BAD : n;
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

int
settings_one_format(const char *command, const struct settings *s)
{
	if (!s->json || !s->csv)
		return 0;
	message("%s: --json or --csv, not both", command);
	return -1;
}

int
settings_completion(FILE *out, const char *shell,
		    const struct completion_command *commands)
{
	const struct completion c = { "zleaks", option_table, choices,
				      commands };

	return completion_print(out, shell, &c);
}
