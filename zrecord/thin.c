/*
 * thin.c - see thin.h.
 */
#include "thin.h"
#include "sampler.h"

enum {
	BLOCK_BYTES = 56,	/* what a row of block_info takes */
	STACK_BYTES = 400,	/* a stack with its share of the locations */
	FIXED_BYTES = 64 << 10, /* what a process writes at its end */
	STEP_MAX = 1 << 28
};

/* Rows of the samples that go, and where those that stay are moved to. */
static int64_t
thin(const struct process *p, struct writer *w)
{
	static const enum row rows[] = { ROW_THIN_CLASSES, ROW_MOVE_CLASSES,
					 ROW_THIN_STACKS, ROW_MOVE_STACKS,
					 ROW_THIN_SAMPLES };
	int64_t gone = 0;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		writer_row(w, rows[i], "ii", p->id, (int64_t)p->step);
		if (rows[i] != ROW_MOVE_CLASSES && rows[i] != ROW_MOVE_STACKS)
			gone += w->failed ? 0 : sqlite3_changes(w->db);
	}
	w->thinned += (uint64_t)gone;
	return gone;
}

static int64_t
thin_more(struct process *p, struct writer *w)
{
	if (p->step >= STEP_MAX)
		return 0;
	p->step *= 2;
	p->interval *= 2;
	p->taken = p->taken / 2 + 1;
	/* what comes next stands at a multiple of the new step */
	p->samples = (p->samples + p->step - 1) / p->step * p->step;
	return thin(p, w);
}

void
thin_process(struct process *p, struct writer *w)
{
	if (p->taken >= SAMPLES_MAX)
		thin_more(p, w);
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
				gone += thin_more(p, w);
		/* a short process has nothing until the step is large */
		if (gone == 0 && last && first && first->step < STEP_MAX)
			gone = 1;
	}
	if (last && need > limit)
		writer_row(w, ROW_META, "ti", "over_size",
			   (int64_t)(need - limit));
}
