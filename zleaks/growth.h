/*
 * growth.h - what the command `growth` found, for its two renderings.
 *
 * Glossary
 *   curve    live blocks and bytes of one size class, zone or stack over the
 *            samples of its process
 *   clock    the samples of one process: their numbers and times
 */
#ifndef ZLEAKS_GROWTH_H
#define ZLEAKS_GROWTH_H

#include "stack.h"
#include "trend.h"

enum { CURVE_COLUMNS = 24, TOP_STACKS = 5, TOP_CANDIDATES = 32 };

struct clock {
	const struct process *process;
	int64_t *numbers; /* ascending */
	double *times;
	size_t count;
	/* samples that --from and --to left out: the last one before those, or
	 * UNKNOWN, and the first behind them, or INT64_MAX */
	int64_t before, after;
	size_t warm_up;
	/* the process as a whole */
	struct point *live;
	size_t live_count;
	struct trend trend;
};

struct top_stack {
	int64_t stack_id, blocks, bytes; /* live at the end, in this curve */
	int64_t gained; /* by the stack since the warm-up; UNKNOWN */
};

struct curve {
	const struct clock *clock;
	int64_t zone_id, size_class, stack_id; /* UNKNOWN where it has none */
	char *zone;
	struct point *points;
	size_t point_count, point_room;
	struct point first, last; /* at the first and last sample */
	struct trend trend;
	struct top_stack top[TOP_STACKS];
	size_t top_count;
};

struct growth {
	struct recording *recording;
	const struct settings *settings;
	uint64_t min_bytes; /* a curve's, to be kept */
	struct stacks *stacks;
	struct clock *clocks; /* one per process */
	struct curve *curves; /* those shown, in order */
	size_t curve_count, curve_room;
	size_t left_out, growing; /* curves in all that grow */
};

extern const char *const by_names[]; /* by enum by */

/* A count from the report as a curve holds it: never negative. */
static inline int64_t
whole(int64_t n)
{
	return n < 0 ? 0 : n;
}

/* Reads, judges and chooses the curves; recording, stacks and settings are
 * set.  growth_free leaves these three alone. */
void growth_find(struct growth *);
void growth_free(struct growth *);

int64_t curve_gain(const struct curve *);

/* Fills curve->top for growing curves: top.c */
void growth_top_stacks(struct growth *);

void growth_text(const struct growth *, FILE *);
void growth_json(const struct growth *, FILE *);

#endif
