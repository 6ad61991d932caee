/*
 * leaks_junit.c - the leak report as JUnit XML, the form in which CI systems
 * read test results: a suite for each process; in it a case for the recording
 * (an error when it is incomplete), and a case for each leak, which fails when
 * --fail-on says so.  A leak keeps its name from run to run: kind, function
 * and fingerprint.
 */
#include "leaks.h"

#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The text is printable; two code points that are no characters XML has not
 * even as references. */
static void
print_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (!strncmp(text, "\xef\xbf\xbe", 3) ||
		    !strncmp(text, "\xef\xbf\xbf", 3)) {
			fputs("\xef\xbf\xbd", out);
			text += 2;
			continue;
		}
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

/* ' name="value"'; the value is printable text. */
static void
attribute(FILE *out, const char *name, const char *value)
{
	fprintf(out, " %s=\"", name);
	print_escaped(out, value);
	fputc('"', out);
}

static void
time_attributes(FILE *out, const struct process *p)
{
	double duration = process_duration(p);
	char stamp[32];
	struct tm tm;

	fprintf(out, " time=\"%.3f\"", isfinite(duration) ? duration : 0.0);
	if (!isfinite(p->started) || fabs(p->started) > 1e11)
		return;
	time_t seconds = (time_t)p->started;
	if (gmtime_r(&seconds, &tm) &&
	    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm))
		attribute(out, "timestamp", stamp);
}

static size_t
problems_of(const struct recording *r, const struct process *p)
{
	size_t n = 0;

	for (size_t i = 0; i < r->problem_count; i++)
		n += r->problems[i].process == p;
	return n;
}

static int
fails(unsigned failing, const struct group *g)
{
	return failing >> g->kind & 1;
}

/* "definite leak in take_order (a9645a2969b33d13)"; the caller's to free. */
static char *
case_name(const struct group *g)
{
	size_t own = stack_own_frame(g->stack);
	const struct frame *f = own != SIZE_MAX	  ? g->stack->frames[own]
				: g->stack->count ? g->stack->frames[0]
						  : NULL;
	char *where = !f	    ? text_copy("?")
		      : f->function ? text_printable(f->function)
				    : frame_place(f);
	char *name =
	    text_format("%s leak in %s (%016" PRIx64 ")", kind_names[g->kind],
			where, g->stack->fingerprint);

	free(where);
	return name;
}

static void
print_stack(FILE *out, const struct stack *stack)
{
	static const struct style plain = { "", "", "", "", "", "", 0, 0, 0 };
	char *text = NULL;
	size_t n = 0;
	FILE *memory = open_memstream(&text, &n);

	if (!memory)
		die(EXIT_UNREADABLE, "out of memory");
	stack_print(stack, &plain, "", memory);
	if (fclose(memory) != 0)
		die(EXIT_UNREADABLE, "out of memory");
	print_escaped(out, text);
	free(text);
}

static void
begin_case(FILE *out, const char *program, const char *name)
{
	char *class = text_format("zleaks.%s", program);

	fputs("    <testcase", out);
	attribute(out, "classname", class);
	attribute(out, "name", name);
	fputs(" time=\"0\">", out);
	free(class);
}

static void
print_leak(FILE *out, const char *program, const struct group *g, int failed)
{
	char *name = case_name(g), a[32], b[32];
	char *message = text_format(
	    "%s bytes in %s blocks %s",
	    message_number(a, sizeof a, count_shown(group_bytes(g))),
	    message_number(b, sizeof b, count_shown(group_blocks(g))),
	    g->kind == KIND_REACHABLE  ? "are still reachable"
	    : g->kind == KIND_POSSIBLE ? "are possibly lost"
				       : "are lost");

	begin_case(out, program, name);
	fprintf(out, "\n      <%s", failed ? "failure" : "system-out");
	if (failed) {
		attribute(out, "message", message);
		attribute(out, "type", kind_names[g->kind]);
	}
	fputc('>', out);
	print_escaped(out, message);
	fputs(", allocated here:\n", out);
	print_stack(out, g->stack);
	fprintf(out, "      </%s>\n    </testcase>\n",
		failed ? "failure" : "system-out");
	free(message);
	free(name);
}

/* Problems of one process, of the whole report for NULL. */
static void
print_recording(FILE *out, const struct recording *r, const char *program,
		const struct process *p)
{
	begin_case(out, program, "recording is complete");
	for (size_t i = 0; i < r->problem_count; i++) {
		if (r->problems[i].process != p)
			continue;
		fputs("\n      <error", out);
		attribute(out, "message", r->problems[i].what);
		attribute(out, "type", "incomplete");
		fputs("/>", out);
		break; /* a case has one result */
	}
	fputs("</testcase>\n", out);
}

static void
print_suite(FILE *out, const struct leaks *l, const struct section *s,
	    unsigned failing)
{
	char *line = process_line(s->process), *name = process_name(s->process);
	size_t failed = 0;

	for (size_t i = 0; i < s->shown_count; i++)
		failed += (size_t)fails(failing, s->shown[i]);
	fputs("  <testsuite", out);
	attribute(out, "name", line);
	fprintf(out,
		" tests=\"%zu\" failures=\"%zu\" errors=\"%d\" skipped=\"0\"",
		s->shown_count + 1, failed,
		problems_of(l->recording, s->process) != 0);
	time_attributes(out, s->process);
	fprintf(out,
		">\n    <properties>\n      <property name=\"pid\" "
		"value=\"%lld\"/>\n    </properties>\n",
		(long long)s->process->pid);
	print_recording(out, l->recording, name, s->process);
	for (size_t i = 0; i < s->shown_count; i++)
		print_leak(out, name, s->shown[i], fails(failing, s->shown[i]));
	fputs("  </testsuite>\n", out);
	free(line);
	free(name);
}

void
leaks_junit(struct leaks *l, FILE *out)
{
	const struct recording *r = l->recording;
	struct found f = leaks_found(l);
	unsigned failing =
	    failon_failing(&l->settings->fail_on, f.blocks, f.bytes);
	size_t tests = 0, failures = 0, errors = 0;
	int whole = problems_of(r, NULL) != 0; /* a suite of its own */

	for (size_t i = 0; i < r->process_count; i++) {
		const struct section *s = &l->sections[i];
		tests += s->shown_count + 1;
		errors += problems_of(r, s->process) != 0;
		for (size_t j = 0; j < s->shown_count; j++)
			failures += (size_t)fails(failing, s->shown[j]);
	}
	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites name=\"zleaks\" tests=\"%zu\" failures=\"%zu\" "
		"errors=\"%zu\">\n",
		tests + (size_t)whole, failures, errors + (size_t)whole);
	if (whole) {
		fputs("  <testsuite name=\"report\" tests=\"1\" "
		      "failures=\"0\" errors=\"1\" skipped=\"0\">\n",
		      out);
		print_recording(out, r, "report", NULL);
		fputs("  </testsuite>\n", out);
	}
	for (size_t i = 0; i < r->process_count; i++)
		print_suite(out, l, &l->sections[i], failing);
	fputs("</testsuites>\n", out);
}
