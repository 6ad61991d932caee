/*
 * export.c - the command `export`: stacks with their costs in the formats of
 * flame graph tools, pprof, speedscope, massif's viewers, spreadsheets.
 */
#include "export.h"

#include "page_json.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

/* ---- folded ----------------------------------------------------------- */

/* "main;load;malloc_wrapper 4096": semicolons and line ends part frames. */
static void
folded_stack(void *ctx, const struct process *p, int64_t id,
	     const struct stack *stack, const uint64_t cost[COSTS])
{
	struct export *e = ctx;
	size_t n = stack_frames_worth_showing(stack);

	(void)p, (void)id;
	if (!cost[e->cost])
		return;
	for (size_t i = n; i-- > 0;) {
		const char *name = frame_name(stack->frames[i]);
		if (strchr(name, ';'))
			for (; *name; name++)
				fputc(*name == ';' ? ':' : *name, e->out);
		fputs(name, e->out);
		if (i)
			fputc(';', e->out);
	}
	fprintf(e->out, "%s %llu\n", n ? "" : "?",
		(unsigned long long)cost[e->cost]);
}

static void
folded(struct export *e)
{
	calltree_each_stack(e->recording, e->stacks, e->settings, folded_stack,
			    e);
}

/* ---- csv and json ----------------------------------------------------- */

static void
csv_text(FILE *out, const char *text)
{
	for (const char *quote; (quote = strchr(text, '"')) != NULL;
	     text = quote + 1) {
		fwrite(text, 1, (size_t)(quote + 1 - text), out);
		fputc('"', out);
	}
	fputs(text, out);
}

/* The stack in one field, leaf first, parted by " < ". */
static void
csv_stack(void *ctx, const struct process *p, int64_t id,
	  const struct stack *stack, const uint64_t cost[COSTS])
{
	struct export *e = ctx;
	size_t n = stack_frames_worth_showing(stack);

	fprintf(e->out, "%lld,%lld,", (long long)p->pid, (long long)id);
	for (int i = 0; i < COSTS; i++)
		fprintf(e->out, "%llu,", (unsigned long long)cost[i]);
	fputc('"', e->out);
	for (size_t i = 0; i < n; i++) {
		fputs(i ? " < " : "", e->out);
		csv_text(e->out, frame_name(stack->frames[i]));
	}
	fputs("\"\r\n", e->out);
}

static void
csv(struct export *e)
{
	fputs("pid,stack_id", e->out);
	for (int i = 0; i < COSTS; i++)
		fprintf(e->out, ",%s", cost_names[i]);
	fputs(",stack\r\n", e->out);
	calltree_each_stack(e->recording, e->stacks, e->settings, csv_stack, e);
}

struct json_export {
	struct export *e;
	struct json_out out;
};

static void
json_stack(void *ctx, const struct process *p, int64_t id,
	   const struct stack *stack, const uint64_t cost[COSTS])
{
	struct json_export *j = ctx;
	FILE *out = j->e->out;

	json_out_next(&j->out);
	fprintf(out, "{\"pid\": %lld", (long long)p->pid);
	for (int i = 0; i < COSTS; i++)
		fprintf(out, ", \"%s\": %lld", cost_names[i],
			(long long)cost[i]);
	fprintf(out,
		", \"stack_id\": %lld, \"fingerprint\": \"%016" PRIx64
		"\", \"stack\": ",
		(long long)id, stack->fingerprint);
	stack_json_write(stack, out);
	fputc('}', out);
}

static void
json(struct export *e)
{
	struct json_export j = { .e = e };

	json_out_begin(&j.out, e->out);
	json_out_member(&j.out, "format", json_string("zleaks/1"));
	page_json_problems(&j.out, e->recording);
	json_out_array(&j.out, "stacks");
	calltree_each_stack(e->recording, e->stacks, e->settings, json_stack,
			    &j);
	json_out_array_end(&j.out);
	json_out_end(&j.out);
}

/* ---- the command ------------------------------------------------------ */

static const char *const export_formats[] = { "folded", "pprof", "speedscope",
					      "massif", "csv",	 "json",
					      NULL };
static void (*const writers[])(struct export *) = {
	folded, export_pprof, export_speedscope, export_massif, csv, json
};

int
export_main(const struct settings *settings, int argc, char **argv)
{
	const char *path = settings_report("export", argc, argv);
	struct export e = { .settings = settings,
			    .cost = (enum cost)settings->cost };
	struct output out;
	int format = settings_format(settings, export_formats);

	if (!path || format == FORMAT_BAD)
		return EXIT_USAGE;
	if (format == FORMAT_NONE) {
		message("export: in which format? Try: zleaks export "
			"--format=folded report.db");
		return EXIT_USAGE;
	}
	e.recording = recording_open(path, settings);
	e.stacks = stacks_new(e.recording);
	if (writers[format] != json)
		stacks_without_fingerprints(e.stacks);
	if (output_open(&out, settings->output) != 0)
		return EXIT_USAGE;
	e.out = out.file;
	writers[format](&e);
	int status = recording_warn(e.recording);
	stacks_free(e.stacks);
	recording_close(e.recording);
	if (output_close(&out) != 0)
		return EXIT_UNREADABLE;
	return status;
}
