/*
 * threads.c - the command `threads`: what each thread allocated and freed, and
 * which of its blocks are still alive, by stack.  threads_text.c and
 * threads_json.c print.
 *
 * Rests on thread_info, which has the totals, and on one pass over block_info
 * for the blocks that are alive.
 */
#include "threads.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOP_DEFAULT = 20 };

char *
thread_label(const struct thread *t)
{
	if (t->thread_id == UNKNOWN)
		return text_copy("(not known)");
	if (t->tid != UNKNOWN && t->tid == t->process->pid)
		return text_copy("main");
	return text_printable(t->name ? t->name : "(no name)");
}

/* ---- reading ---------------------------------------------------------- */

static struct thread *
thread_new(struct threads *s, const struct process *p)
{
	if (s->count == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->thread = text_grow(s->thread, s->room, sizeof *s->thread);
	}
	struct thread *t = &s->thread[s->count++];
	int64_t live = process_unfinished(p) ? UNKNOWN : 0;
	*t = (struct thread){ .process = p,
			      .thread_id = UNKNOWN,
			      .tid = UNKNOWN,
			      .started = NAN,
			      .ended = NAN,
			      .allocations = UNKNOWN,
			      .frees = UNKNOWN,
			      .bytes = UNKNOWN,
			      .live_blocks = live,
			      .live_bytes = live };
	return t;
}

/* Did the thread live in the span?  What is not known does not rule it out. */
static int
lived_in(const struct span *span, const struct thread *t)
{
	return span->from <= span->to && !(t->started > span->to) &&
	       !(t->ended < span->from);
}

static int
is_chosen(const char *wanted, const struct thread *t)
{
	char *end;

	if (!wanted)
		return 1;
	if (!strcmp(wanted, "main") && t->tid == t->process->pid)
		return 1;
	if (t->name && !strcmp(wanted, t->name))
		return 1;
	long long n = strtoll(wanted, &end, 10);
	return *wanted && !*end && (t->tid == n || t->thread_id == n);
}

/* Threads in the order of process and thread_id. */
static void
load_threads(struct threads *s)
{
	const struct recording *r = s->recording;
	sqlite3_stmt *st = recording_sql(
	    r, "SELECT process_id, thread_id, tid, name, started, ended,"
	       " allocations, frees, bytes FROM thread_info"
	       " ORDER BY process_id, thread_id");

	while (recording_step(r, st)) {
		const struct process *p =
		    recording_process(r, column_int(st, 0));
		if (!p)
			continue;
		struct thread *t = thread_new(s, p);
		t->thread_id = column_int(st, 1);
		t->tid = column_int(st, 2);
		t->name = column_text(st, 3);
		t->started = column_real(st, 4);
		t->ended = column_real(st, 5);
		t->allocations = column_int(st, 6);
		t->frees = column_int(st, 7);
		t->bytes = column_int(st, 8);
		if (lived_in(&s->spans[p - r->processes], t) &&
		    is_chosen(s->settings->thread, t))
			continue;
		free(t->name);
		s->count--;
	}
	sqlite3_finalize(st);
}

static int
order(const struct thread *a, int64_t process_id, int64_t thread_id)
{
	if (a->process->process_id != process_id)
		return a->process->process_id < process_id ? -1 : 1;
	return (a->thread_id > thread_id) - (a->thread_id < thread_id);
}

/* Among the first n, which are sorted; SIZE_MAX: not there. */
static size_t
find_thread(const struct threads *s, size_t n, int64_t process_id,
	    int64_t thread_id)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (order(&s->thread[middle], process_id, thread_id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && order(&s->thread[low], process_id, thread_id) == 0
		   ? low
		   : SIZE_MAX;
}

/* The row of a process's blocks whose thread is not known. */
static size_t
unknown_thread(struct threads *s, size_t known, const struct process *p)
{
	if (s->settings->thread)
		return SIZE_MAX;
	for (size_t i = known; i < s->count; i++)
		if (s->thread[i].process == p)
			return i;
	thread_new(s, p);
	return s->count - 1;
}

static void
load_blocks(struct threads *s)
{
	const struct recording *r = s->recording;
	sqlite3_stmt *st = recording_sql(
	    r, "SELECT process_id, thread_id, stack_id, size, stands_for,"
	       " allocated_at FROM block_info WHERE freed_at IS NULL");
	size_t known = s->count, at = SIZE_MAX;
	int64_t last_process = UNKNOWN, last_thread = UNKNOWN;
	const struct process *p = NULL;
	int whole = !moment_given(s->settings);

	while (recording_step(r, st)) {
		int64_t process_id = column_int(st, 0);
		int64_t thread_id = column_int(st, 1);
		if (process_id != last_process || !p) {
			p = recording_process(r, process_id);
			last_process = process_id;
			last_thread = UNKNOWN;
			at = SIZE_MAX;
		}
		/* of a process that runs there are only lost blocks */
		if (!p || process_unfinished(p))
			continue;
		if (!whole && !span_holds(&s->spans[p - r->processes],
					  column_real(st, 5)))
			continue;
		if (thread_id != last_thread || at == SIZE_MAX) {
			at = find_thread(s, known, process_id, thread_id);
			last_thread = thread_id;
			if (thread_id == UNKNOWN)
				at = unknown_thread(s, known, p);
		}
		if (at == SIZE_MAX)
			continue;
		struct sum *sum =
		    sums_get(&s->sums, (int64_t)at, column_int(st, 2));
		int64_t weight = column_int(st, 4), bytes;
		if (weight < 1 ||
		    __builtin_mul_overflow(weight, column_int(st, 3), &bytes))
			continue; /* not as zrecord writes it */
		sum->blocks = count_add(sum->blocks, weight);
		sum->bytes = count_add(sum->bytes, bytes);
	}
	sqlite3_finalize(st);
}

/* ---- sums, order ------------------------------------------------------ */

static int
by_thread_and_bytes(const void *pa, const void *pb)
{
	const struct sum *a = pa, *b = pb;

	if (a->a != b->a)
		return a->a < b->a ? -1 : 1;
	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? 1 : -1;
	return (a->b > b->b) - (a->b < b->b);
}

/* Leaves out the stacks that the filters take. */
static void
filter(struct threads *s)
{
	const struct regexfilter *f = &s->settings->filter;
	size_t kept = 0;

	if (!regexfilter_active(f))
		return;
	for (size_t i = 0; i < s->sums.count; i++)
		if (stack_passes(stacks_get(s->stacks, s->sums.entry[i].b), f))
			s->sums.entry[kept++] = s->sums.entry[i];
	s->sums.count = kept;
}

static void
add_up(struct threads *s)
{
	filter(s);
	sums_sort(&s->sums, by_thread_and_bytes);
	for (size_t i = 0; i < s->sums.count; i++) {
		const struct sum *sum = &s->sums.entry[i];
		struct thread *t = &s->thread[sum->a];
		if (!t->top)
			t->top = sum;
		t->top_count++;
		t->live_blocks = count_add(t->live_blocks, sum->blocks);
		t->live_bytes = count_add(t->live_bytes, sum->bytes);
		s->live_blocks = count_add(s->live_blocks, sum->blocks);
		s->live_bytes = count_add(s->live_bytes, sum->bytes);
	}
}

static enum sort sort_key; /* qsort has no argument for it */

static int
compare(const void *pa, const void *pb)
{
	const struct thread *a = pa, *b = pb;

	if (a->process != b->process)
		return a->process < b->process ? -1 : 1;
	if (sort_key == SORT_AGE && a->started != b->started)
		return a->started > b->started ? 1 : -1;
	if (sort_key == SORT_BLOCKS && a->live_blocks != b->live_blocks)
		return a->live_blocks < b->live_blocks ? 1 : -1;
	if (a->live_bytes != b->live_bytes)
		return a->live_bytes < b->live_bytes ? 1 : -1;
	if (a->allocations != b->allocations)
		return a->allocations < b->allocations ? 1 : -1;
	return (a->thread_id > b->thread_id) - (a->thread_id < b->thread_id);
}

static void
sort_and_cut(struct threads *s)
{
	const struct process *of = NULL;
	long top = s->settings->top;
	size_t kept = 0, of_process = 0;

	if (top < 0)
		top = s->settings->json || s->settings->csv ? 0 : TOP_DEFAULT;
	sort_key = s->settings->sort;
	if (s->count)
		qsort(s->thread, s->count, sizeof *s->thread, compare);
	for (size_t i = 0; i < s->count; i++) {
		struct thread *t = &s->thread[i];
		of_process = t->process == of ? of_process : 0;
		of = t->process;
		if (count_shown(t->live_bytes) < s->settings->min_bytes ||
		    (top && of_process++ >= (size_t)top)) {
			free(t->name);
			s->left_out++;
		} else {
			s->thread[kept++] = *t;
		}
	}
	s->count = kept;
}

/* ---- the command ------------------------------------------------------ */

static int
print(const struct threads *s)
{
	struct output out;

	if (output_open(&out, s->settings->output) != 0)
		return EXIT_USAGE;
	if (s->settings->json)
		threads_json(s, out.file);
	else if (s->settings->csv)
		threads_csv(s, out.file);
	else
		threads_text(s, out.file);
	return page_close(&out, s->recording);
}

int
threads_main(const struct settings *settings, int argc, char **argv)
{
	struct threads s = { .settings = settings };
	const char *path = settings_report("threads", argc, argv);

	if (!path || settings_one_format("threads", settings) != 0)
		return EXIT_USAGE;
	if (settings->sort == SORT_RATE) {
		message("--sort: threads knows bytes, blocks and age");
		return EXIT_USAGE;
	}
	s.recording = recording_open(path, settings);
	s.stacks = stacks_new(s.recording);
	size_t n = s.recording->process_count;
	s.spans = text_alloc(n * sizeof *s.spans);
	for (size_t i = 0; i < n; i++)
		s.spans[i] = moment_span(s.recording,
					 &s.recording->processes[i], settings);
	load_threads(&s);
	load_blocks(&s);
	add_up(&s);
	sort_and_cut(&s);
	int status = print(&s);
	for (size_t i = 0; i < s.count; i++)
		free(s.thread[i].name);
	free(s.thread);
	free(s.spans);
	sums_free(&s.sums);
	stacks_free(s.stacks);
	recording_close(s.recording);
	return status;
}
