/*
 * summary.c - the headline numbers, what is not right with them, and the next
 * command.
 */
#include "message.h"
#include "recorder.h"
#include "text.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

struct sums {
	unsigned processes, incomplete;
	uint64_t allocations, frees, peak, blocks, bytes;
	uint64_t kind_blocks[KIND_COUNT], kind_bytes[KIND_COUNT];
	uint64_t before;	   /* blocks of before an attach */
	uint64_t sample;	   /* bytes; 0: nothing is estimated */
	const struct process *one; /* an incomplete one */
};

/* The command line as JSON; malloc'd. */
static char *
command_json(const struct settings *settings)
{
	struct utf8 command = { 0 };
	for (char **a = settings->command; a && *a; a++)
		utf8_add(&command, *a, strlen(*a) + 1);
	if (!command.text)
		return NULL;
	char *json = utf8_json_arguments(command.text, command.length);
	free(command.text);
	return json;
}

void
recorder_nothing(struct recorder *r, pid_t pid, const char *reason)
{
	char why[200];
	struct timespec ts;
	struct writer *w = &r->writer;
	int is_command = pid == r->command_pid && pid;
	clock_gettime(CLOCK_REALTIME, &ts);
	double now = (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
	char *json = is_command ? command_json(r->settings) : NULL;
	snprintf(why, sizeof why, "nothing recorded: %s", reason);
	int64_t id = writer_row(
	    w, ROW_PROCESS, "iitttdt", (int64_t)pid, NO_INTEGER, json, NULL,
	    NULL, is_command ? now - (seconds_now() - r->begun) : now, why);
	struct process p = { .id = id };
	if (is_command) {
		r->command_refused = id;
		process_status(&p, w, r->command_ending);
	}
	writer_row(w, ROW_PROCESS_END, "idt", id, now, why);
	message_note("process %d: %s", (int)pid, why);
	free(json);
}

static void
add_up(const struct recorder *r, struct sums *s)
{
	for (const struct process *p = r->processes; p; p = p->next) {
		s->processes++;
		if (p->seg.h.cause == ZS_CAUSE_ATTACH)
			s->before += p->seg.h.before_blocks;
		if (p->seg.h.sample_bytes)
			s->sample = p->seg.h.sample_bytes;
		s->allocations += p->total.allocations;
		s->frees += p->total.frees;
		s->blocks += p->live_blocks;
		s->bytes += p->live_bytes;
		uint64_t peak = p->seg.h.peak_bytes > p->live_peak
				    ? p->seg.h.peak_bytes
				    : p->live_peak;
		if (peak > s->peak)
			s->peak = peak;
		for (int k = 0; k < KIND_COUNT; k++) {
			s->kind_blocks[k] += p->kind_blocks[k];
			s->kind_bytes[k] += p->kind_bytes[k];
		}
		if (!p->complete) {
			s->incomplete++;
			s->one = p; /* the oldest in the end */
		}
	}
}

static void
leak_line(const struct sums *s)
{
	static const struct {
		const char *name;
		int kind;
	} kinds[] = { { "definite", ZS_DEFINITE },
		      { "indirect", ZS_INDIRECT },
		      { "possible", ZS_POSSIBLE },
		      { "unscanned", ZS_UNSCANNED } };
	char line[400] = "", bytes[48], blocks[32];
	size_t at = 0;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		uint64_t n = s->kind_blocks[kinds[i].kind];
		if (n == 0)
			continue;
		at += (size_t)snprintf(
		    line + at, sizeof line - at, "%s%s %s in %s block%s",
		    at ? ", " : "", kinds[i].name,
		    message_bytes(bytes, sizeof bytes,
				  s->kind_bytes[kinds[i].kind]),
		    message_number(blocks, sizeof blocks, n),
		    n == 1 ? "" : "s");
	}
	message_note("leaks: %s", at ? line : "none");
}

static void
number_lines(const struct sums *s)
{
	char a[32], f[32], p[48], l[48], b[32];
	char what[64] = "";
	if (s->processes > 1)
		snprintf(what, sizeof what, "%u processes: ", s->processes);
	message_note(
	    "%s%s allocation%s, %s free%s, peak %s, live at exit %s "
	    "in %s block%s",
	    what, message_number(a, sizeof a, s->allocations),
	    s->allocations == 1 ? "" : "s",
	    message_number(f, sizeof f, s->frees), s->frees == 1 ? "" : "s",
	    message_bytes(p, sizeof p, s->peak),
	    message_bytes(l, sizeof l, s->bytes),
	    message_number(b, sizeof b, s->blocks), s->blocks == 1 ? "" : "s");
	leak_line(s);
	if (s->before)
		message_note("older than the recording, and not in it: %s "
			     "block%s",
			     message_number(b, sizeof b, s->before),
			     s->before == 1 ? "" : "s");
	if (s->sample)
		message_note("estimated from a sample: one allocation in %s",
			     message_bytes(p, sizeof p, s->sample));
	if (s->incomplete && s->processes == 1)
		message_note("not complete: %s", s->one->recording);
	else if (s->incomplete)
		message_note("not complete: %u of %u processes, the first "
			     "(pid %d): %s",
			     s->incomplete, s->processes, (int)s->one->pid,
			     s->one->recording);
}

static void
next_line(const struct recorder *r)
{
	char self[1024] = "";
	const char *path = r->settings->program;
	const char *slash = strrchr(path, '/');
	/* started by a path: zleaks lies beside */
	if (slash)
		snprintf(self, sizeof self, "%.*s", (int)(slash + 1 - path),
			 path);
	char *name = text_quoted(r->settings->output);
	message_note("next: %szleaks %s", self, name);
	free(name);
}

static int
command_status(const struct recorder *r)
{
	int status = r->command_ending.status;
	if (!r->command_ending.known)
		return 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

/* --fail-on: 1 when a rule is broken, which is then said. */
static int
failed(const struct recorder *r, const struct sums *s)
{
	const struct failon *f = &r->settings->fail_on;
	int kind = failon_broken(f, s->kind_blocks, s->kind_bytes);
	char words[200];
	if (kind < 0)
		return 0;
	message("failed: %s", failon_words(f, kind, s->kind_blocks,
					   s->kind_bytes, words, sizeof words));
	return 1;
}

int
summary(struct recorder *r, int closed)
{
	struct sums s = { 0 };
	int status = command_status(r);
	add_up(r, &s);
	if (r->processes)
		number_lines(&s);
	if (closed != 0) {
		message("%s: %s: the report is not complete", r->writer.path,
			r->writer.why);
		return status ? status : EXIT_TROUBLE;
	}
	if (!r->processes) /* not what was asked for */
		return status ? status : EXIT_TROUBLE;
	next_line(r);
	return status == 0 && failed(r, &s) ? 1 : status;
}
