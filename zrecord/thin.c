/*
 * thin.c - see thin.h.
 */
#include "thin.h"
#include "sampler.h"

enum {
	BLOCK_BYTES = 56,	/* what a row of block_info takes */
	STACK_BYTES = 400,	/* a stack with its share of the locations */
	FIXED_BYTES = 64 << 10, /* what a process writes at its end */
	STEP_MAX = 1 << 28,
	STEP_PARTS = 32,
	FINE_LEAST = 8
};

void
thin_begin(struct process *p)
{
	double fine = FINE_SECONDS / p->interval;

	p->step = 1;
	p->fine = fine < FINE_MAX ? (uint32_t)fine : FINE_MAX;
}

/* Merges the samples behind `from` up to `to` to that distance, of which `to`
 * is a multiple, or it is the last sample.  Returns the number of rows that
 * went. */
static int64_t
merge(struct process *p, struct writer *w, uint32_t step, uint32_t from,
      uint32_t to)
{
	static const enum row rows[] = { ROW_THIN_CLASSES, ROW_MOVE_CLASSES,
					 ROW_THIN_STACKS, ROW_MOVE_STACKS,
					 ROW_THIN_SAMPLES };
	int64_t gone = 0;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		writer_row(w, rows[i], "iiii", p->id, (int64_t)step,
			   (int64_t)from, (int64_t)to);
		int64_t n = w->failed ? 0 : sqlite3_changes(w->db);
		if (rows[i] == ROW_MOVE_CLASSES || rows[i] == ROW_MOVE_STACKS)
			continue;
		gone += n;
		if (rows[i] == ROW_THIN_STACKS)
			p->stack_rows -= (uint64_t)n;
		if (rows[i] == ROW_THIN_SAMPLES)
			p->taken -= (uint32_t)n;
	}
	w->thinned += (uint64_t)gone;
	return gone;
}

/* Number of the youngest sample that is old enough. */
static uint32_t
old_enough(const struct process *p)
{
	return p->samples > p->fine ? p->samples - p->fine - 1 : 0;
}

/* Merges what is old enough and lies behind *done, which becomes its end. */
static void
merge_to(struct process *p, struct writer *w, uint32_t step, uint32_t *done)
{
	uint32_t from = *done > p->fine ? *done : p->fine;
	uint32_t to = step > 1 ? old_enough(p) / step * step : 0;

	if (to > from) {
		merge(p, w, step, from, to);
		*done = to;
	}
}

void
thin_process(struct process *p, struct writer *w)
{
	uint32_t old = old_enough(p);

	if (old < p->looked + THIN_BATCH || old <= p->fine)
		return;
	p->looked = old;
	while ((old - p->fine) / p->step > MIDDLE_MAX && p->step < STEP_MAX) {
		p->step *= 2;
		p->merged = 0; /* what was merged before as well */
	}
	merge_to(p, w, p->step, &p->merged);
	/* what waits for the end of a long step is at a short one */
	if (p->premerged < p->merged)
		p->premerged = p->merged;
	merge_to(p, w, p->step / STEP_PARTS, &p->premerged);
}

/* Twice the distance, half of what stays as it is. */
static int64_t
thin_more(struct process *p, struct writer *w, int last)
{
	if (p->step >= STEP_MAX)
		return 0;
	p->step *= 2;
	p->fine = p->fine > FINE_LEAST ? p->fine / 2 : 0;
	uint32_t to = old_enough(p) / p->step * p->step;
	if (last && !p->fine)
		to = p->samples;
	if (to <= p->fine)
		return 0;
	p->merged = to;
	return merge(p, w, p->step, p->fine, to);
}

static int64_t
pragma(struct writer *w, const char *sql)
{
	sqlite3_stmt *s;
	int64_t n = 0;
	if (sqlite3_prepare_v2(w->db, sql, -1, &s, NULL) != SQLITE_OK)
		return 0;
	if (sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

static uint64_t
bytes_used(struct writer *w)
{
	int64_t pages =
	    pragma(w, "PRAGMA page_count") - pragma(w, "PRAGMA freelist_count");
	return (uint64_t)(pages * pragma(w, "PRAGMA page_size"));
}

/* What running processes are going to write. */
static uint64_t
bytes_to_come(const struct process *first)
{
	uint64_t n = 0;
	for (const struct process *p = first; p; p = p->next) {
		if (p->stopped != STOP_RUNNING)
			continue;
		uint64_t live = p->total.allocations > p->total.frees
				    ? p->total.allocations - p->total.frees
				    : 0;
		n += FIXED_BYTES + live * BLOCK_BYTES +
		     (uint64_t)p->stack_count * STACK_BYTES;
	}
	return n;
}

void
thin_to(struct process *first, struct writer *w, uint64_t limit, int last)
{
	int64_t gone = 1;
	uint64_t need = 0;
	while (!w->failed) {
		need = bytes_used(w) + bytes_to_come(first);
		if (need <= limit || gone == 0)
			break;
		gone = 0;
		for (struct process *p = first; p; p = p->next)
			/* a running one needs a few points */
			if (last || p->taken > SAMPLES_LEAST)
				gone += thin_more(p, w, last);
		/* a short process has nothing until the step is large */
		if (gone == 0 && last && first && first->step < STEP_MAX)
			gone = 1;
	}
	if (last && need > limit)
		writer_row(w, ROW_META, "ti", "over_size",
			   (int64_t)(need - limit));
}
