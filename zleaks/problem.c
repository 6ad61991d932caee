/*
 * problem.c - what is missing in a recording: collected while a report is
 * read, and said on the first lines of every page.  Processes with the same
 * problem share a line, for a shell script has many.
 */
#include "zleaks.h"

#include "text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_SHOWN = 3, LINES_SHOWN = 20 };

void
problem_add(struct recording *r, const struct process *process,
	    const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	int n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		die(EXIT_UNREADABLE, "out of memory");
	r->problems =
	    text_grow(r->problems, r->problem_count + 1, sizeof *r->problems);
	r->problems[r->problem_count++] =
	    (struct problem){ process, text_printable(text) };
	free(text);
}

void
problems_free(struct recording *r)
{
	for (size_t i = 0; i < r->problem_count; i++)
		free(r->problems[i].what);
	free(r->problems);
}

int
recording_warn(const struct recording *r)
{
	for (size_t i = 0; i < r->problem_count; i++)
		message("%s: %s", r->path, r->problems[i].what);
	return r->problem_count ? EXIT_UNREADABLE : EXIT_CLEAN;
}

/* Prints the processes that share problem i, and marks them as done. */
static void
print_names(const struct recording *r, size_t i, char *done, FILE *out)
{
	size_t n = 0;

	for (size_t j = i; j < r->problem_count; j++) {
		const struct problem *p = &r->problems[j];
		if (done[j] || !p->process ||
		    strcmp(p->what, r->problems[i].what) != 0)
			continue;
		done[j] = 1;
		if (n++ >= NAMES_SHOWN)
			continue;
		char *name = process_name(p->process);
		fprintf(out, "%s%s (pid %lld)", n > 1 ? ", " : "", name,
			(long long)p->process->pid);
		free(name);
	}
	if (n > NAMES_SHOWN)
		fprintf(out, " and %zu more", n - NAMES_SHOWN);
}

void
problems_print(const struct recording *r, const struct style *style, FILE *out)
{
	char *done = text_alloc(r->problem_count);
	size_t lines = 0;

	for (size_t i = 0; i < r->problem_count && lines < LINES_SHOWN; i++) {
		if (done[i])
			continue;
		fprintf(out, "%sINCOMPLETE%s ", style->red, style->off);
		if (r->problems[i].process)
			print_names(r, i, done, out);
		fprintf(out, "%s%s\n", r->problems[i].process ? ": " : "",
			r->problems[i].what);
		done[i] = 1;
		lines++;
	}
	if (lines == LINES_SHOWN)
		fprintf(out, "and more, %zu problems in all\n",
			r->problem_count);
	if (lines)
		fputc('\n', out);
	free(done);
}
