/*
 * zleaks.c - reads a report that zrecord wrote: finds the command among the
 * words of the command line and runs it.  A command is one file with one
 * function, entered in the table here.
 */
#include "zleaks.h"

#include "options.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int help_main(const struct settings *, int argc, char **argv);

static const struct command commands[] = {
	{ "leaks", FOR_LEAKS, "report.db",
	  "what was never freed and is lost (the default)", leaks_main },
	{ "growth", FOR_GROWTH, "report.db",
	  "what grows while the program runs, by size class", growth_main },
	{ "stacks", FOR_STACKS, "report.db",
	  "who allocates: a tree of calls, by bytes or blocks", stacks_main },
	{ "threads", FOR_THREADS, "report.db",
	  "what each thread allocated, and what of it is alive", threads_main },
	{ "classes", FOR_CLASSES, "report.db",
	  "slack, fragmentation, and where the resident memory goes",
	  classes_main },
	{ "top", FOR_TOP, "report.db",
	  "what is alive now in a program that is being recorded", top_main },
	{ "html", FOR_HTML, "-o FILE report.db",
	  "all of it as a page for the browser, in one file", html_main },
	{ "flamegraph", FOR_FLAMEGRAPH, "-o FILE report.db",
	  "who allocates, as a picture: SVG with search and zoom",
	  flamegraph_main },
	{ "export", FOR_EXPORT, "report.db",
	  "stacks for other tools: flame graphs, pprof, speedscope, ..",
	  export_main },
	{ "diff", FOR_DIFF, "OLD NEW",
	  "which leaks and stacks came, grew and went between two reports",
	  diff_main },
	{ "suppress", FOR_SUPPRESS, "report.db",
	  "entries for a suppression file, for the leaks there are",
	  suppress_main },
	{ "history", FOR_HISTORY, "ADDRESS report.db",
	  "who owned an address (with zrecord --history)", history_main },
	{ "why", FOR_WHY, "ADDRESS|STACK report.db",
	  "who holds a block: the pointers from a root to it", why_main },
	{ "roots", FOR_ROOTS, "report.db",
	  "which variables and stacks keep how much alive", roots_main },
	{ "doctor", FOR_DOCTOR, "report.db",
	  "what is missing in the report, and what to do about it",
	  doctor_main },
	{ "query", FOR_QUERY, "report.db SQL",
	  "any question in SQL, see zmalloc-report(5)", query_main },
	{ "help", 0, "[COMMAND]", "this text, or a command's options",
	  help_main },
	{ NULL, 0, NULL, NULL, NULL }
};

static const struct command *
find_command(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

int
command_known(const char *name)
{
	return find_command(name) != NULL;
}

static void
help(FILE *out, const struct command *c)
{
	if (c) {
		fprintf(out, "usage: zleaks %s [options] %s\n\n%s\n\noptions\n",
			c->name, c->operands, c->summary);
		settings_help(out, c->group);
	} else {
		fputs("usage: zleaks [COMMAND] [options] report.db\n\n"
		      "Shows what zrecord recorded of a program's memory.\n\n"
		      "commands\n",
		      out);
		for (const struct command *k = commands; k->name; k++)
			fprintf(out, "  %-25s  %s\n", k->name, k->summary);
		fputs("\noptions\n", out);
		settings_help(out, 0);
	}
	if (!c || c->group == FOR_LEAKS)
		fputs("\nkinds, by rising certainty: unscanned (alive when it "
		      "was killed), reachable,\npossible, indirect, definite; "
		      "listed by default: definite, possible, unscanned\n"
		      "--fail-on: several with commas, or none; :N allows so "
		      "many bytes (64K) or blocks\n(9blocks) of that kind and "
		      "the surer ones: definite,possible:64K; default definite"
		      "\n",
		      out);
	fputs("\nexit status: 0 clean, 1 leaks of the --fail-on kind, 2 usage,"
	      "\n3 unreadable or incomplete recording\n",
	      out);
}

static int finish_stdout(void);

static int
completion(const char *shell)
{
	struct completion_command list[sizeof commands / sizeof *commands];

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		list[i] = (struct completion_command){ commands[i].name,
						       commands[i].summary,
						       commands[i].group };
	return settings_completion(stdout, shell, list) != 0 ? EXIT_USAGE
							     : finish_stdout();
}

static int
finish_stdout(void)
{
	struct output out;

	return output_open(&out, NULL) != 0 || output_close(&out) != 0
		   ? EXIT_UNREADABLE
		   : EXIT_CLEAN;
}

/* Says what is wrong with a word that is no command; the status. */
static int
not_a_command(const char *word)
{
	const char *names[sizeof commands / sizeof *commands];
	size_t n = 0;

	for (const struct command *c = commands; c->name; c++)
		names[n++] = c->name;
	names[n] = NULL;
	const char *near = option_nearest(word, names);
	if (near)
		message("%s: no such command: did you mean %s?", word, near);
	else
		message("%s: no such command: see zleaks --help", word);
	return EXIT_USAGE;
}

static int
help_main(const struct settings *s, int argc, char **argv)
{
	const struct command *c = argc > 0 ? find_command(argv[0]) : NULL;

	(void)s;
	if (argc > 0 && !c)
		return not_a_command(argv[0]);
	help(stdout, c);
	return finish_stdout();
}

/* 1 when the first of n words is to be read as a command: by its name, or
 * because a report stands behind it. */
static int
begins_with_command(int n, char **words)
{
	struct stat st;

	if (n == 0)
		return 0;
	if (find_command(words[0]))
		return 1;
	return n > 1 && stat(words[0], &st) != 0;
}

static int
run(const struct command *c, const struct settings *s, int argc, char **argv)
{
	if (s->help) {
		help(stdout, c);
		return finish_stdout();
	}
	if (c->group && !(s->given & c->group)) {
		message("--%s: no option of zleaks %s", s->odd, c->name);
		return EXIT_USAGE;
	}
	return c->run(s, argc, argv);
}

int
main(int argc, char **argv)
{
	const struct command *c = &commands[0];
	struct settings s;

	message_program("zleaks");
	setlocale(LC_CTYPE, "");
	int first = settings_parse(&s, argc, argv);
	if (first < 0)
		return EXIT_USAGE;
	argc -= first;
	argv += first;
	if (s.version) {
		puts("zleaks " ZM_VERSION);
		return finish_stdout();
	}
	if (s.completion)
		return completion(s.completion);
	if (begins_with_command(argc, argv)) {
		c = find_command(argv[0]);
		if (!c)
			return not_a_command(argv[0]);
		argc--;
		argv++;
	} else if (s.help) {
		help(stdout, NULL);
		return finish_stdout();
	} else if (argc == 0) {
		message("which report? Try: zleaks report.db, or zleaks "
			"--help");
		return EXIT_USAGE;
	}
	int status = run(c, &s, argc, argv);
	regexfilter_free(&s.filter);
	return status;
}
