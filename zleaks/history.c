/*
 * history.c - the command `history`: who owned an address, one after the other,
 * from where each was allocated and freed.
 *
 * Reads all events of the report once (events.h).  Without a history only a
 * live block is known: block_info has it.
 */
#include "events.h"
#include "page_json.h"
#include "text.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOP = 20 };

struct page {
	const struct settings *settings;
	struct recording *recording;
	struct stacks *stacks;
	struct output out;
	struct style style;
	struct json_out json;
	uint64_t address;
	struct owner *owners; /* those that were found, in order */
	size_t count, room;
	unsigned broken;
};

/* ---- finding ---------------------------------------------------------- */

static int
holds(const struct owner *o, uint64_t address)
{
	uint64_t in = address - o->made.address;

	return address >= o->made.address &&
	       in < (o->made.size ? o->made.size : 1);
}

static void
keep(struct page *p, const struct owner *o)
{
	if (!recording_process(p->recording, o->process_id))
		return;
	if (p->count == p->room) {
		p->room = p->room ? 2 * p->room : 64;
		p->owners = text_grow(p->owners, p->room, sizeof *p->owners);
	}
	p->owners[p->count++] = *o;
}

static void
find_events(struct page *p)
{
	struct owners *all = owners_open(p->recording->db, 0);
	struct owner o;
	int got = all ? 1 : -1;

	while (got > 0 && (got = owners_next(all, &o)) > 0)
		if (holds(&o, p->address))
			keep(p, &o);
	if (got < 0)
		recording_fail(p->recording);
	p->broken = owners_broken(all);
	owners_close(all);
}

/* What the ledger has of a block that is alive. */
static void
find_live(struct page *p)
{
	sqlite3_stmt *st = recording_sql(
	    p->recording,
	    "SELECT process_id, address, size, stack_id, thread_id,"
	    " allocated_at, made_by FROM block_info"
	    " WHERE address <= ?1 AND ?1 - address < max(size, 1)");

	sqlite3_bind_int64(st, 1, (int64_t)p->address);
	while (recording_step(p->recording, st)) {
		double t = column_real(st, 5);
		int64_t made_by = column_int(st, 6);
		struct owner o = { .process_id = column_int(st, 0) };
		o.made.address = (uint64_t)column_int(st, 1);
		o.made.size = (uint64_t)column_int(st, 2);
		o.made.stack = (uint64_t)sqlite3_column_int64(st, 3);
		o.made.thread = (uint32_t)sqlite3_column_int64(st, 4);
		o.made.time = t > 0 ? (uint64_t)(t * 1e9 / HISTORY_UNIT_NS) : 0;
		o.made.kind =
		    HISTORY_ALLOC +
		    (made_by > 0 && made_by < 8 ? (uint32_t)made_by : 0);
		keep(p, &o);
	}
	sqlite3_finalize(st);
}

static int
by_time(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	if (x->process_id != y->process_id)
		return x->process_id < y->process_id ? -1 : 1;
	if (x->made.time != y->made.time)
		return x->made.time < y->made.time ? -1 : 1;
	/* in one tick: the one that was freed first came first */
	uint64_t i = x->freed.kind ? x->freed.time : UINT64_MAX;
	uint64_t j = y->freed.kind ? y->freed.time : UINT64_MAX;
	return (i > j) - (i < j);
}

/* ---- text ------------------------------------------------------------- */

static void
print_thread(const struct page *p, uint32_t thread)
{
	if (thread)
		fprintf(p->out.file, " by thread %" PRIu32, thread);
}

static void
print_owner(struct page *p, const struct owner *o, size_t number)
{
	FILE *out = p->out.file;
	char made[UNITS_BYTES], freed[UNITS_BYTES], life[UNITS_BYTES];
	char size[32];

	units_time(made, event_seconds(&o->made));
	fprintf(out, "#%zu  %s%s bytes%s at 0x%" PRIx64 ", %s at %s", number,
		p->style.bold, message_number(size, sizeof size, o->made.size),
		p->style.off, o->made.address, event_call(&o->made), made);
	print_thread(p, o->made.thread);
	fputc('\n', out);
	stack_print(stacks_get(p->stacks, (int64_t)o->made.stack), &p->style,
		    "    ", out);
	if (!o->freed.kind) {
		fprintf(out, "    %snever freed%s\n\n", p->style.yellow,
			p->style.off);
		return;
	}
	units_time(freed, event_seconds(&o->freed));
	units_time(life, event_seconds(&o->freed) - event_seconds(&o->made));
	fprintf(out, "    %s%s at %s%s", p->style.dim, event_call(&o->freed),
		freed, p->style.off);
	print_thread(p, o->freed.thread);
	fprintf(out, ", it lived %s\n", life);
	stack_print(stacks_get(p->stacks, (int64_t)o->freed.stack), &p->style,
		    "    ", out);
	fputc('\n', out);
}

static void
print_page(struct page *p)
{
	FILE *out = p->out.file;
	long top = p->settings->top < 0 ? TOP : p->settings->top;
	size_t first =
	    top && p->count > (size_t)top ? p->count - (size_t)top : 0;
	int64_t process = 0;

	problems_print(p->recording, &p->style, out);
	if (p->broken)
		fprintf(out, "%u parts of the history are broken\n", p->broken);
	if (first)
		fprintf(out, "%zu earlier owners are left out (-n 0: all)\n",
			first);
	for (size_t i = first; i < p->count; i++) {
		const struct owner *o = &p->owners[i];
		if (o->process_id != process) {
			char *name = process_name(
			    recording_process(p->recording, o->process_id));
			fprintf(out, "%s%s%s\n\n", p->style.bold, name,
				p->style.off);
			free(name);
		}
		process = o->process_id;
		print_owner(p, o, i + 1);
	}
	if (!p->count)
		fprintf(out, "0x%" PRIx64 ": no block was ever there\n",
			p->address);
}

/* ---- JSON ------------------------------------------------------------- */

static json_t *
event_json(struct page *p, const struct history_event *v)
{
	json_t *j = json_checked(json_pack(
	    "{s:f, s:s, s:o}", "t", event_seconds(v), "call", event_call(v),
	    "thread", page_json_int(v->thread ? v->thread : UNKNOWN)));

	page_json_stack(j, (int64_t)v->stack,
			stacks_get(p->stacks, (int64_t)v->stack));
	return j;
}

static json_t *
owner_json(struct page *p, const struct owner *o)
{
	const struct process *process =
	    recording_process(p->recording, o->process_id);

	return json_checked(json_pack(
	    "{s:o, s:I, s:I, s:o, s:o}", "pid", page_json_int(process->pid),
	    "address", (json_int_t)o->made.address, "size",
	    (json_int_t)o->made.size, "allocated", event_json(p, &o->made),
	    "freed", o->freed.kind ? event_json(p, &o->freed) : json_null()));
}

static void
json_page(struct page *p)
{
	struct json_out *o = &p->json;
	long top = p->settings->top;

	json_out_begin(o, p->out.file);
	json_out_member(o, "format", json_string("zleaks/1"));
	page_json_problems(o, p->recording);
	json_out_member(o, "address", json_integer((json_int_t)p->address));
	json_out_array(o, "owners");
	for (size_t i =
		 top > 0 && p->count > (size_t)top ? p->count - (size_t)top : 0;
	     i < p->count; i++)
		json_out_element(o, owner_json(p, &p->owners[i]));
	json_out_array_end(o);
	json_out_end(o);
}

/* ---- the command ------------------------------------------------------ */

/* 0x.. or decimal; -1 with a message. */
static int
read_address(const char *text, uint64_t *address)
{
	char *end;

	errno = 0;
	*address = strtoull(text, &end, 0);
	if (*text >= '0' && *text <= '9' && !*end && !errno)
		return 0;
	message("history: '%s' is not an address like 0x7f0012345670", text);
	return -1;
}

int
history_main(const struct settings *settings, int argc, char **argv)
{
	struct page p = { .settings = settings };

	if (argc != 2) {
		message("history: needs an address and a report. Try: zleaks "
			"history 0x7f0012345670 report.db");
		return EXIT_USAGE;
	}
	if (read_address(argv[0], &p.address) != 0)
		return EXIT_USAGE;
	p.recording = recording_open(argv[1], settings);
	p.stacks = stacks_new(p.recording);
	int there = events_there(p.recording->db);
	if (there)
		find_events(&p);
	else
		find_live(&p);
	if (p.count)
		qsort(p.owners, p.count, sizeof *p.owners, by_time);
	if (output_open(&p.out, settings->output) != 0)
		return EXIT_USAGE;
	p.style = style_for(settings, p.out.file);
	if (settings->json)
		json_page(&p);
	else
		print_page(&p);
	if (!there)
		message("%s: only blocks that were alive at the end: it was "
			"recorded without --history",
			argv[1]);
	int bad = p.recording->problem_count || p.broken || !there;
	stacks_free(p.stacks);
	recording_close(p.recording);
	free(p.owners);
	if (output_close(&p.out) != 0)
		return EXIT_UNREADABLE;
	return bad ? EXIT_UNREADABLE : EXIT_CLEAN;
}
