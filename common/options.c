/*
 * options.c - see options.h.
 */
#include "options.h"
#include "message.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEFS_MAX = 64 };

static int
known(const struct option_def *d, unsigned group)
{
	return !d->groups || !group || (d->groups & group);
}

static int
argument_kind(const struct option_def *d)
{
	if (!d->argument)
		return no_argument;
	return d->argument[0] == '[' ? optional_argument : required_argument;
}

/* Number of edits that make b of a; words are short. */
static unsigned
distance(const char *a, const char *b)
{
	unsigned row[64], n = (unsigned)strlen(b);
	if (n >= 64 || strlen(a) >= 64)
		return 99;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

const char *
option_nearest(const char *text, const char *const *words)
{
	const char *nearest = NULL;
	size_t len = strlen(text);
	unsigned best = len < 4 ? 2 : len < 8 ? 3 : 4;
	for (; *words; words++) {
		unsigned d = distance(text, *words);
		if (d < best) {
			best = d;
			nearest = *words;
		}
	}
	return nearest;
}

static void
unknown_long(const struct options *o, const char *given)
{
	const char *names[DEFS_MAX + 1];
	size_t n = 0;
	for (const struct option_def *d = o->defs; d->id && n < DEFS_MAX; d++)
		if (known(d, o->group) && d->help)
			names[n++] = d->name;
	names[n] = NULL;
	char word[80];
	snprintf(word, sizeof word, "%.*s", (int)strcspn(given, "="), given);
	const char *near = option_nearest(word, names);
	if (near)
		message("unknown option --%s: did you mean --%s?", word, near);
	else
		message("unknown option --%s: see %s --help", word,
			message_program_name());
}

static int
bad_option(const struct options *o, int missing, const char *word)
{
	if (missing)
		message("option %s: needs an argument", word);
	else if (optopt && word && word[0] == '-' && word[1] == '-')
		message("option %.*s: takes no argument",
			(int)strcspn(word, "="), word);
	else if (optopt)
		message("unknown option -%c: see %s --help", optopt,
			message_program_name());
	else
		unknown_long(o, word + 2);
	return OPTIONS_ERROR;
}

/* getopt's two tables from ours. */
static void
tables(const struct options *o, char *letters, struct option *longs)
{
	size_t n = 0;
	if (o->stop_at_operand)
		*letters++ = '+';
	*letters++ = ':';
	for (const struct option_def *d = o->defs; d->id && n < DEFS_MAX; d++) {
		if (!known(d, o->group))
			continue;
		int kind = argument_kind(d);
		longs[n++] = (struct option){ d->name, kind, NULL, d->id };
		if (!d->letter)
			continue;
		*letters++ = d->letter;
		for (int i = 0; i < kind; i++)
			*letters++ = ':';
	}
	*letters = 0;
	longs[n] = (struct option){ 0 };
}

int
options_next(struct options *o)
{
	char letters[3 * DEFS_MAX + 3];
	struct option longs[DEFS_MAX + 1];
	tables(o, letters, longs);
	if (!o->begun) {
		optind = 0; /* glibc: begin anew */
		opterr = 0;
		o->begun = 1;
	}
	optopt = 0;
	int at = optind ? optind : 1;
	int got = getopt_long(o->argc, o->argv, letters, longs, NULL);
	o->value = optarg;
	o->next = optind;
	if (got == -1)
		return OPTIONS_END;
	if (got == '?' || got == ':') {
		/* the word at fault lies just before optind, except inside a
		 * cluster of letters, where optopt names it */
		int word = optind > at ? optind - 1 : at;
		return bad_option(o, got == ':', o->argv[word]);
	}
	for (const struct option_def *d = o->defs; d->id; d++)
		if (got == d->id || (d->letter && got == d->letter))
			return d->id;
	return OPTIONS_ERROR;
}

void
options_help(FILE *f, const struct option_def *defs, unsigned group)
{
	for (const struct option_def *d = defs; d->id; d++) {
		char left[64];
		if (!d->help || !known(d, group))
			continue;
		char letter[8] = "    ";
		if (d->letter)
			snprintf(letter, sizeof letter, "-%c, ", d->letter);
		const char *argument = d->argument ? d->argument : "";
		const char *join = *argument == '\0' ? "" : "=";
		if (*argument == '[')
			snprintf(left, sizeof left, "%s--%s[=%s", letter,
				 d->name, argument + 1);
		else
			snprintf(left, sizeof left, "%s--%s%s%s", letter,
				 d->name, join, argument);
		if (strlen(left) > 26)
			fprintf(f, "  %s\n  %-27s%s\n", left, "", d->help);
		else
			fprintf(f, "  %-27s%s\n", left, d->help);
	}
}

/* The unsigned number that text begins with; *end: what follows it. */
static int
leading_number(const char *text, double *x, char **end)
{
	if (!isdigit((unsigned char)*text) && *text != '.')
		return -1;
	*x = strtod(text, end);
	return *end == text || !isfinite(*x) ? -1 : 0;
}

int
option_time(const char *text, double *seconds)
{
	static const struct {
		const char *name;
		double factor;
	} units[] = { { "", 1 },     { "us", 1e-6 }, { "ms", 1e-3 },
		      { "s", 1 },    { "m", 60 },    { "min", 60 },
		      { "h", 3600 }, { "d", 86400 } };
	char *end;
	double x;
	if (leading_number(text, &x, &end) < 0)
		return -1;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(end, units[i].name) == 0) {
			*seconds = x * units[i].factor;
			return *seconds < 1e10 ? 0 : -1;
		}
	return -1;
}

int
option_bytes(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	char *end;
	double x;
	if (leading_number(text, &x, &end) < 0)
		return -1;
	const char *unit = NULL;
	if (*end)
		unit = strchr(units, toupper((unsigned char)*end));
	if (unit) {
		for (const char *u = units; u <= unit; u++)
			x *= 1024;
		end++;
		if (*end == 'i')
			end++;
	}
	if (toupper((unsigned char)*end) == 'B')
		end++;
	if (*end || x >= 9e18)
		return -1;
	*bytes = (uint64_t)x;
	return 0;
}

int
option_number(const char *text, long min, long max, long *number)
{
	char *end;
	errno = 0;
	long n = strtol(text, &end, 10);
	if (end == text || *end || errno || n < min || n > max)
		return -1;
	*number = n;
	return 0;
}
