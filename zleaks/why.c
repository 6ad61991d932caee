/*
 * why.c - the command `why`: who holds a block, from a root on; of a stack, who
 * holds the blocks that it allocated.  why_chains.c finds the chains.
 */
#include "why.h"
#include "page_json.h"
#include "page_text.h"
#include "units.h"

#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOP_DEFAULT = 5, LINE_COLUMNS = 110 };

/* Blocks of one kind with chains alike. */
struct answer {
	uint32_t chain;
	int kind;
	int64_t path; /* of last holders; UNKNOWN: none */
	int64_t blocks, bytes;
	const struct why_row *example;
};

struct page {
	const struct settings *settings;
	struct recording *recording;
	struct stacks *stacks;
	struct holders *holders;
	struct output out;
	struct style style;
	struct json_out json;

	const char *operand;
	struct why_question question;
	size_t found; /* blocks, in all processes */
};

/* ---- what is asked for ------------------------------------------------ */

/* A stack by its fingerprint, as leaks and stacks print it; UNKNOWN: none. */
static int64_t
stack_by_fingerprint(const struct page *p, uint64_t fingerprint)
{
	sqlite3_stmt *st = recording_sql(
	    p->recording,
	    "SELECT stack_id FROM stack_info ORDER BY live_blocks DESC");
	int64_t found = UNKNOWN;

	while (found == UNKNOWN && recording_step(p->recording, st)) {
		int64_t id = column_int(st, 0);
		if (stacks_get(p->stacks, id)->fingerprint == fingerprint)
			found = id;
	}
	sqlite3_finalize(st);
	return found;
}

/* 0, or the exit status with a message. */
static int
read_operand(struct page *p)
{
	const char *text = p->operand;
	int hex = !strncmp(text, "0x", 2);
	char *end;

	errno = 0;
	uint64_t n = strtoull(text, &end, hex || strlen(text) == 16 ? 16 : 10);
	if (!*text || *end || errno || *text == '-') {
		message("why: '%s' is neither an address like 0x7f0012345670 "
			"nor a stack's number or fingerprint",
			text);
		return EXIT_USAGE;
	}
	p->question.stack_id = UNKNOWN;
	if (hex)
		p->question.address = n;
	else if (strlen(text) == 16)
		p->question.stack_id = stack_by_fingerprint(p, n);
	else
		p->question.stack_id = n > INT64_MAX ? UNKNOWN : (int64_t)n;
	return 0;
}

/* ---- answers ---------------------------------------------------------- */

static int
like(const struct answer *a, const struct answer *b)
{
	if (a->kind != b->kind)
		return b->kind - a->kind;
	if (a->chain != b->chain)
		return a->chain < b->chain ? -1 : 1;
	return (a->path > b->path) - (a->path < b->path);
}

static int
by_likeness(const void *a, const void *b)
{
	return like(a, b);
}

static int
by_bytes(const void *pa, const void *pb)
{
	const struct answer *a = pa, *b = pb;

	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	return like(a, b);
}

/* One answer for each kind and chain; *n of them, the caller's to free. */
static struct answer *
find_answers(const struct why_chains *w, size_t *n)
{
	struct answer *all = text_alloc((w->asked + 1) * sizeof *all);
	size_t count = 0;

	for (size_t i = 0; i < w->count; i++) {
		const struct why_row *r = &w->rows[i];
		if (r->asked)
			all[count++] =
			    (struct answer){ r->chain, r->kind, r->held_path,
					     1,	       r->size, r };
	}
	qsort(all, count, sizeof *all, by_likeness);
	*n = 0;
	for (size_t i = 0; i < count; i++) {
		if (*n && like(&all[*n - 1], &all[i]) == 0) {
			all[*n - 1].blocks++;
			all[*n - 1].bytes =
			    count_add(all[*n - 1].bytes, all[i].bytes);
		} else {
			all[(*n)++] = all[i];
		}
	}
	qsort(all, *n, sizeof *all, by_bytes);
	return all;
}

static size_t
shown(const struct page *p, size_t n)
{
	long top = p->settings->top;

	if (top < 0)
		top = p->settings->json ? 0 : TOP_DEFAULT;
	return top && n > (size_t)top ? (size_t)top : n;
}

/* ---- text ------------------------------------------------------------- */

static void
print_amount(FILE *out, int64_t blocks, int64_t bytes)
{
	char n[32], m[32];

	fprintf(out, "%s bytes in %s block%s",
		message_number(n, sizeof n, count_shown(bytes)),
		message_number(m, sizeof m, count_shown(blocks)),
		blocks == 1 ? "" : "s");
}

/* "between 0.512 s and 1.204 s" */
static void
print_loss(struct page *p, const struct why_row *r)
{
	char from[UNITS_BYTES], to[UNITS_BYTES];

	if (isnan(r->held_at) || isnan(r->lost_at))
		return;
	fprintf(p->out.file, "    lost between %s and %s%s\n",
		units_time(from, r->held_at), units_time(to, r->lost_at),
		r->held_path != UNKNOWN ? ", last held by" : "");
	if (r->held_path != UNKNOWN) {
		size_t n, columns = p->style.columns;
		struct holder_link *l =
		    holders_path(p->holders, r->held_path, &n);
		char *text = holders_text(p->holders, l, n);
		page_parts(text, " -> ", columns ? columns : LINE_COLUMNS,
			   &p->style, "      ", p->out.file);
		free(text);
		free(l);
	}
}

/* A long chain gets a line for each link. */
static void
print_links(struct page *p, const char *before, const char *chain,
	    const char *block)
{
	size_t columns = p->style.columns ? p->style.columns : LINE_COLUMNS;
	char *text = text_format("%s%s -> %s", before, chain, block);

	page_parts(text, " -> ", columns, &p->style, "    ", p->out.file);
	free(text);
}

/* The chain, or why there is none. */
static void
print_chain(struct page *p, const struct why_chains *w, const struct answer *a)
{
	FILE *out = p->out.file;
	size_t n;
	struct holder_link *links = why_links(w, a->example, &n);
	char *block = holders_block_text(p->holders, a->example->stack_id,
					 a->example->type_id);
	char *text = holders_text(p->holders, links, n);

	if (a->kind == KIND_DEFINITE)
		fprintf(out, "    nothing points to %s\n",
			a->blocks == 1 ? "it" : "them");
	else if (a->kind == KIND_UNSCANNED)
		fputs("    no scan looked who holds it\n", out);
	else if (n == 0)
		fputs("    who holds it is not known\n", out);
	else
		print_links(p, a->kind == KIND_INDIRECT ? "lost with " : "",
			    text, block);
	print_loss(p, a->example);
	free(block);
	free(text);
	free(links);
}

static void
print_block(struct page *p, const struct why_row *r)
{
	FILE *out = p->out.file;
	char n[32], t[UNITS_BYTES];
	const char *type = holders_type(p->holders, r->type_id);

	fprintf(out, "0x%" PRIx64 ": ", (uint64_t)r->address);
	if (p->question.address > (uint64_t)r->address)
		fprintf(out, "(0x%" PRIx64 " is at +%" PRIu64 ") ",
			p->question.address,
			p->question.address - (uint64_t)r->address);
	fprintf(out, "%s bytes",
		message_number(n, sizeof n, count_shown(r->size)));
	if (type)
		fprintf(out, ", %s", type);
	if (!isnan(r->allocated_at))
		fprintf(out, ", allocated at %s",
			units_time(t, r->allocated_at));
	fprintf(out, ": %s%s%s\n", p->style.bold, kind_names[r->kind],
		p->style.off);
}

static void
print_process(struct page *p, const struct process *process,
	      const struct why_chains *w)
{
	FILE *out = p->out.file;
	size_t n;
	struct answer *all = find_answers(w, &n);
	size_t top = shown(p, n);

	if (p->recording->process_count > 1) {
		char *name = process_name(process);
		fprintf(out, "%s%s%s, pid %" PRId64 "\n", p->style.bold, name,
			p->style.off, process->pid);
		free(name);
	}
	if (!p->question.address) {
		int64_t bytes = 0;
		for (size_t i = 0; i < n; i++)
			bytes = count_add(bytes, all[i].bytes);
		print_amount(out, (int64_t)w->asked, bytes);
		fputs(" of this stack are alive\n\n", out);
	}
	for (size_t i = 0; i < top; i++) {
		const struct answer *a = &all[i];
		if (p->question.address) {
			print_block(p, a->example);
		} else {
			print_amount(out, a->blocks, a->bytes);
			fprintf(out, ", %s, such as 0x%" PRIx64 "\n",
				kind_names[a->kind],
				(uint64_t)a->example->address);
		}
		print_chain(p, w, a);
		fputc('\n', out);
	}
	if (top < n)
		fprintf(out, "%zu more chains are not shown (-n 0: all)\n\n",
			n - top);
	stack_print(stacks_get(p->stacks, all[0].example->stack_id), &p->style,
		    "    ", out);
	fputc('\n', out);
	free(all);
}

/* ---- JSON ------------------------------------------------------------- */

static json_t *
answer_json(struct page *p, const struct process *process,
	    const struct why_chains *w, const struct answer *a)
{
	const struct why_row *r = a->example;
	size_t n;
	struct holder_link *links = why_links(w, r, &n);
	json_t *j = json_checked(
	    json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "pid",
		      page_json_int(process->pid), "kind", kind_names[a->kind],
		      "blocks", page_json_int(a->blocks), "bytes",
		      page_json_int(a->bytes), "address",
		      page_json_int(r->address), "size", page_json_int(r->size),
		      "type", json_text(holders_type(p->holders, r->type_id)),
		      "held_by", holders_json(p->holders, links, n)));

	free(links);
	json_object_set_new(j, "held_at", json_number_or_null(r->held_at));
	json_object_set_new(j, "lost_at", json_number_or_null(r->lost_at));
	if (r->held_path != UNKNOWN) {
		links = holders_path(p->holders, r->held_path, &n);
		json_object_set_new(j, "last_held_by",
				    holders_json(p->holders, links, n));
		free(links);
	}
	page_json_stack(j, r->stack_id, stacks_get(p->stacks, r->stack_id));
	return j;
}

static void
json_process(struct page *p, const struct process *process,
	     const struct why_chains *w)
{
	size_t n;
	struct answer *all = find_answers(w, &n);

	for (size_t i = 0; i < shown(p, n); i++)
		json_out_element(&p->json, answer_json(p, process, w, &all[i]));
	free(all);
}

/* ---- the command ------------------------------------------------------ */

static void
print(struct page *p)
{
	if (p->settings->json) {
		json_out_begin(&p->json, p->out.file);
		json_out_member(&p->json, "format", json_string("zleaks/1"));
		page_json_problems(&p->json, p->recording);
		json_out_array(&p->json, "chains");
	} else {
		problems_print(p->recording, &p->style, p->out.file);
	}
	for (size_t i = 0; i < p->recording->process_count; i++) {
		const struct process *process = &p->recording->processes[i];
		struct why_chains w;
		why_load(&w, p->recording, process, &p->question);
		p->found += w.asked;
		if (w.asked && p->settings->json)
			json_process(p, process, &w);
		else if (w.asked)
			print_process(p, process, &w);
		why_free(&w);
	}
	if (p->settings->json) {
		json_out_array_end(&p->json);
		json_out_end(&p->json);
	}
}

int
why_main(const struct settings *settings, int argc, char **argv)
{
	struct page p = { .settings = settings };

	if (argc != 2) {
		message("why: needs an address or a stack, and a report. Try: "
			"zleaks why 0x7f0012345670 report.db");
		return EXIT_USAGE;
	}
	p.operand = argv[0];
	p.recording = recording_open(argv[1], settings);
	p.stacks = stacks_new(p.recording);
	int status = read_operand(&p);
	if (!status && !holders_there(p.recording)) {
		message("%s: an older zrecord wrote it, without who holds what",
			argv[1]);
		status = EXIT_UNREADABLE;
	}
	if (!status && output_open(&p.out, settings->output) != 0)
		status = EXIT_USAGE;
	if (!status) {
		p.holders = holders_new(p.recording, p.stacks);
		p.style = style_for(settings, p.out.file);
		print(&p);
		holders_free(p.holders);
		if (output_close(&p.out) != 0)
			status = EXIT_UNREADABLE;
		else if (!p.found) {
			message("why: %s: no live block %s %s", argv[1],
				p.question.address ? "at" : "of stack",
				p.operand);
			status = EXIT_USAGE;
		} else if (p.recording->problem_count) {
			status = EXIT_UNREADABLE;
		}
	}
	stacks_free(p.stacks);
	recording_close(p.recording);
	return status;
}
