/*
 * leaks_groups.c - the groups of a leak report: read from the report, filtered,
 * suppressed, summed up by process and put in order.
 *
 * Rests on the table leak_stack, where zrecord has added up the blocks by
 * stack and kind; leaks_blocks.c reads single blocks where those are needed.
 *
 * How indirect blocks are counted: a definite group knows how much is lost
 * with it, so an indirect block stands there and not on its own; the table's
 * rows of kind `indirect` are the same blocks by their own stacks.  Where a
 * filter or a suppression takes definite groups away, what hung on them goes
 * too.
 */
#include "holder.h"
#include "leaks.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOP_DEFAULT = 20 };

int64_t
group_bytes(const struct group *g)
{
	return count_add(g->bytes, g->indirect_bytes);
}

int64_t
group_blocks(const struct group *g)
{
	return count_add(g->blocks, g->indirect_blocks);
}

int
section_leaks(const struct section *s)
{
	return s->kinds[KIND_DEFINITE].blocks > 0 ||
	       s->kinds[KIND_INDIRECT].blocks > 0 ||
	       s->kinds[KIND_POSSIBLE].blocks > 0 ||
	       s->kinds[KIND_UNSCANNED].blocks > 0;
}

/* ---- groups ----------------------------------------------------------- */

static void
load_groups(struct leaks *l)
{
	const struct recording *r = l->recording;
	sqlite3_stmt *st = recording_sql(
	    r, "SELECT process_id, kind, stack_id, blocks, bytes,"
	       " indirect_blocks, indirect_bytes FROM leak_stack");
	size_t room = 0;

	while (recording_step(r, st)) {
		int64_t kind = column_int(st, 1);
		struct group g = { .stack_id = column_int(st, 2),
				   .kind = (int)kind,
				   .blocks = column_int(st, 3),
				   .bytes = column_int(st, 4),
				   .indirect_blocks = column_int(st, 5),
				   .indirect_bytes = column_int(st, 6),
				   .first = NAN,
				   .last = NAN };
		g.process = recording_process(r, column_int(st, 0));
		if (!g.process || kind < 0 || kind >= KIND_COUNT)
			continue;
		if (l->group_count == room) {
			room = room ? room * 2 : 256;
			l->groups = text_grow(l->groups, room, sizeof g);
		}
		l->groups[l->group_count++] = g;
	}
	sqlite3_finalize(st);
}

const struct stack *
leaks_stack(struct leaks *l, struct group *g)
{
	if (!g->stack)
		g->stack = stacks_get(l->stacks, g->stack_id);
	return g->stack;
}

/* ---- filters and sums ------------------------------------------------- */

static void
look_at_all(struct leaks *l)
{
	struct group **all = text_alloc(l->group_count * sizeof *all);

	for (size_t i = 0; i < l->group_count; i++)
		all[i] = &l->groups[i];
	leaks_look_at_blocks(l, all, l->group_count);
	free(all);
	l->looked_at_all = 1;
}

/* --thread: the groups shrink to what that thread allocated.  What hangs on
 * a part of a group is not known. */
static void
narrow_to_thread(struct leaks *l)
{
	look_at_all(l);
	for (size_t i = 0; i < l->group_count; i++) {
		struct group *g = &l->groups[i];
		if (g->seen_blocks == g->blocks)
			continue;
		g->blocks = g->seen_blocks;
		g->bytes = g->seen_bytes;
		g->indirect_blocks = g->indirect_bytes = UNKNOWN;
	}
}

static int
is_filtered(const struct settings *s)
{
	return s->thread || s->min_bytes || regexfilter_active(&s->filter);
}

static int
passes(struct leaks *l, struct group *g)
{
	const struct settings *s = l->settings;

	if (s->thread && g->blocks == 0)
		return 0;
	if (count_shown(group_bytes(g)) < s->min_bytes)
		return 0;
	return !regexfilter_active(&s->filter) ||
	       stack_passes(leaks_stack(l, g), &s->filter);
}

static void
tally_add(struct tally *t, int64_t blocks, int64_t bytes)
{
	t->blocks = count_add(t->blocks, blocks);
	t->bytes = count_add(t->bytes, bytes);
	t->sites++;
}

/* Reachable memory is no leak: a suppression touches it only where the user
 * asked for it. */
static int
suppressible(const struct leaks *l, int kind)
{
	return kind != KIND_REACHABLE ||
	       failon_least(&l->settings->fail_on) <= kind ||
	       l->listed_kinds & 1u << kind;
}

/* Bits 1 << made_by; 0: not known. */
static unsigned
makers_of(const struct group *g)
{
	unsigned bits = 0;

	for (unsigned i = 0; !g->makers.more && i < g->makers.count; i++)
		if (g->makers.value[i] > 0 && g->makers.value[i] < 32)
			bits |= 1u << g->makers.value[i];
	return bits;
}

/* All at once and before anything is counted: an entry that has a limit is
 * judged by all that it matches. */
static void
suppress(struct leaks *l)
{
	struct suppressions *s = &l->suppressions;

	if (s->by_maker && !l->settings->thread)
		look_at_all(l);
	for (size_t i = 0; s->count && i < l->group_count; i++) {
		struct group *g = &l->groups[i];
		if (!suppressible(l, g->kind) || !passes(l, g))
			continue;
		g->by = suppressions_match(s, leaks_stack(l, g), g->kind,
					   makers_of(g));
		if (!g->by)
			continue;
		g->by->groups++;
		/* indirect: counted with the definite blocks it hangs on */
		if (g->kind == KIND_INDIRECT)
			continue;
		g->by->blocks = count_add(g->by->blocks, group_blocks(g));
		g->by->bytes = count_add(g->by->bytes, group_bytes(g));
	}
}

/* Where the recording is complete, what the scan did not see came after it, by
 * threads that ran on: neither lost nor held as far as one can know. */
static int
is_late(const struct group *g)
{
	return g->kind == KIND_UNSCANNED && process_complete(g->process);
}

/* Counts a group; 1 when it is listed. */
static int
count_group(struct leaks *l, struct group *g, struct section *section,
	    struct tally *hanging)
{
	if (!passes(l, g))
		return 0;
	if (is_late(g)) {
		tally_add(&section->late, g->blocks, g->bytes);
		return l->settings->kinds >> g->kind & 1;
	}
	int gone = g->by && !suppression_over(g->by);
	if (gone && g->kind != KIND_INDIRECT) {
		tally_add(&section->suppressed, group_blocks(g),
			  group_bytes(g));
		return 0;
	}
	tally_add(&section->kinds[g->kind], g->blocks, g->bytes);
	if (g->kind != KIND_INDIRECT)
		tally_add(hanging, g->indirect_blocks, g->indirect_bytes);
	return !gone && l->listed_kinds >> g->kind & 1;
}

static enum sort sort_key; /* qsort has no argument for it */

static int
descending(int64_t a, int64_t b)
{
	return (a < b) - (a > b);
}

static int
compare_groups(const void *pa, const void *pb)
{
	const struct group *a = *(struct group *const *)pa;
	const struct group *b = *(struct group *const *)pb;
	int order = 0;

	if (a->kind != b->kind)
		return descending(a->kind, b->kind);
	if (sort_key == SORT_BLOCKS)
		order = descending(group_blocks(a), group_blocks(b));
	else if (sort_key == SORT_AGE)
		order = (a->first > b->first) - (a->first < b->first);
	if (!order)
		order = descending(group_bytes(a), group_bytes(b));
	return order ? order : -descending(a->stack_id, b->stack_id);
}

static void
choose_shown(struct leaks *l, struct section *s)
{
	long top = l->settings->top;

	if (top < 0)
		top = l->all_shown ? 0 : TOP_DEFAULT;
	sort_key = l->settings->sort;
	if (sort_key == SORT_AGE && !l->looked_at_all)
		leaks_look_at_blocks(l, s->shown, s->shown_count);
	if (s->shown_count)
		qsort(s->shown, s->shown_count, sizeof *s->shown,
		      compare_groups);
	s->listed_count = s->shown_count;
	size_t n = s->shown_count, seen[KIND_COUNT] = { 0 };
	s->shown_count = 0;
	for (size_t i = 0; i < n; i++) {
		struct group *g = s->shown[i];
		if (top &&
		    seen[l->top_of_each_kind ? g->kind : 0]++ >= (size_t)top)
			tally_add(&s->left_out, group_blocks(g),
				  group_bytes(g));
		else
			s->shown[s->shown_count++] = g;
	}
}

static void
fill_section(struct leaks *l, struct section *s, struct group **groups,
	     size_t n)
{
	struct tally hanging = { 0 };

	s->shown = text_alloc(n * sizeof *s->shown);
	for (size_t i = 0; i < n; i++)
		if (count_group(l, groups[i], s, &hanging))
			s->shown[s->shown_count++] = groups[i];
	if (is_filtered(l->settings) || s->suppressed.sites) {
		s->kinds[KIND_INDIRECT].blocks = hanging.blocks;
		s->kinds[KIND_INDIRECT].bytes = hanging.bytes;
		if (hanging.blocks <= 0)
			s->kinds[KIND_INDIRECT].sites = 0;
	}
	choose_shown(l, s);
}

static int
by_process(const void *pa, const void *pb)
{
	const struct group *a = *(struct group *const *)pa;
	const struct group *b = *(struct group *const *)pb;

	return (a->process > b->process) - (a->process < b->process);
}

static void
add_section(struct section *total, const struct section *s)
{
	for (int k = 0; k < KIND_COUNT; k++) {
		struct tally *t = &total->kinds[k];
		t->blocks = count_add(t->blocks, s->kinds[k].blocks);
		t->bytes = count_add(t->bytes, s->kinds[k].bytes);
		t->sites += s->kinds[k].sites;
	}
	tally_add(&total->suppressed, s->suppressed.blocks,
		  s->suppressed.bytes);
	tally_add(&total->late, s->late.blocks, s->late.bytes);
	total->left_out.sites += s->left_out.sites;
}

static void
fill_sections(struct leaks *l)
{
	const struct recording *r = l->recording;
	struct group **all = text_alloc(l->group_count * sizeof *all);
	size_t at = 0;

	for (size_t i = 0; i < l->group_count; i++)
		all[i] = &l->groups[i];
	if (l->group_count)
		qsort(all, l->group_count, sizeof *all, by_process);
	l->sections = text_alloc(r->process_count * sizeof *l->sections);
	for (size_t i = 0; i < r->process_count; i++) {
		struct section *s = &l->sections[i];
		size_t begin = at;
		s->process = &r->processes[i];
		while (at < l->group_count && all[at]->process == s->process)
			at++;
		fill_section(l, s, all + begin, at - begin);
		add_section(&l->total, s);
	}
	free(all);
}

/* A recording that calls itself complete must have judged every block. */
static void
check_verdicts(struct leaks *l)
{
	struct recording *r = l->recording;
	int64_t *judged = text_alloc(r->process_count * sizeof *judged);

	for (size_t i = 0; i < l->group_count; i++) {
		const struct group *g = &l->groups[i];
		size_t p = (size_t)(g->process - r->processes);
		if (g->kind != KIND_UNSCANNED || is_late(g))
			judged[p] = count_add(judged[p], g->blocks);
	}
	for (size_t i = 0; i < r->process_count; i++) {
		const struct process *p = &r->processes[i];
		if (process_complete(p) && judged[i] < p->live_blocks)
			problem_add(r, p, "%lld live blocks without a verdict",
				    (long long)(p->live_blocks - judged[i]));
	}
	free(judged);
}

static void
finish_groups(struct leaks *l)
{
	struct group **shown = text_alloc(l->group_count * sizeof *shown);
	size_t n = 0;

	for (size_t i = 0; i < l->recording->process_count; i++)
		for (size_t j = 0; j < l->sections[i].shown_count; j++) {
			shown[n] = l->sections[i].shown[j];
			leaks_stack(l, shown[n++]);
		}
	if (!l->looked_at_all && !l->no_blocks && l->settings->sort != SORT_AGE)
		leaks_look_at_blocks(l, shown, n);
	if (!l->no_blocks)
		leaks_look_at_losses(l, shown, n);
	free(shown);
}

void
leaks_find(struct leaks *l)
{
	const struct settings *s = l->settings;

	l->listed_kinds = s->kinds ? s->kinds
				   : 1u << KIND_DEFINITE | 1u << KIND_POSSIBLE |
					 1u << KIND_UNSCANNED;
	suppressions_read(&l->suppressions, s->suppressions);
	load_groups(l);
	check_verdicts(l);
	if (s->thread)
		narrow_to_thread(l);
	suppress(l);
	fill_sections(l);
	finish_groups(l);
}

void
leaks_free(struct leaks *l)
{
	for (size_t i = 0; i < l->recording->process_count; i++)
		free(l->sections[i].shown);
	for (size_t i = 0; i < l->group_count; i++)
		free(l->groups[i].loss);
	holders_free(l->holders);
	free(l->sections);
	free(l->groups);
	suppressions_free(&l->suppressions);
}

void
leaks_open(struct leaks *l, const struct settings *settings, const char *path,
	   unsigned how)
{
	*l = (struct leaks){ .settings = settings,
			     .all_shown = (how & LEAKS_ALL) != 0,
			     .no_blocks = (how & LEAKS_NO_BLOCKS) != 0 };
	l->recording = recording_open(path, settings);
	l->stacks = stacks_new(l->recording);
	leaks_find(l);
}

void
leaks_close(struct leaks *l)
{
	leaks_free(l);
	stacks_free(l->stacks);
	recording_close(l->recording);
}
