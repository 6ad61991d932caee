/*
 * growth.h - what the command `growth` found, for its two renderings.
 *
 * Glossary
 *   curve    live blocks and bytes of one size class, zone or stack over the
 *            samples of its process
 *   clock    the samples of one process: their numbers and times
 *   rounds   what a program does over and over, setting the same mark
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
	struct trend_grid grid;
	/* the process as a whole */
	struct point *live;
	size_t live_count;
	struct point *rss, *mapped; /* where known; bytes only */
	size_t rss_count, mapped_count;
	struct trend trend;
};

struct top_stack {
	int64_t stack_id, blocks, bytes; /* live at the end, there */
	int64_t late_blocks, late_bytes; /* of those, which came after the
					    warm-up, or between the marks */
	int64_t gained; /* what it gained there since, at most; UNKNOWN */
	enum { BY_BLOCKS, BY_CURVE, BY_CURVE_OF_SIZES } known;
};

struct curve {
	const struct clock *clock;
	int64_t zone_id, size_class; /* UNKNOWN where it has none */
	int64_t stack_id, thread_id;
	char *zone;
	struct point *points;
	size_t point_count, point_room;
	struct point first, last; /* at the first and last sample */
	struct trend trend;
	struct top_stack top[TOP_STACKS];
	size_t top_count;
};

/* What grows from one mark of a label to the next. */
struct rounds {
	const struct clock *clock;
	char *label;
	size_t marks, steps; /* steps: behind the warm-up */
	double from, to;     /* the times of their first and last mark */
	/* Times of blocks are whole milliseconds: those of these steps
	 * have one from here on, as have those of so many steps. */
	double blocks_from, blocks_steps;
	int64_t blocks_alive;	    /* with such times */
	double blocks, bytes;	    /* per step: the mean .. */
	double blocks_sd, bytes_sd; /* .. and the standard deviation */
	int by_curves;	    /* top: by the stacks' curves, not by live blocks */
	struct trend trend; /* of live bytes at the marks */
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
	struct rounds *rounds;
	size_t rounds_count;
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
void curve_point(struct curve *, size_t at, int64_t blocks, int64_t bytes);
void curve_free(struct curve *);

/* The process's clock; NULL for one that is not looked at. */
const struct clock *growth_clock(const struct growth *, int64_t process_id);
/* Position of a sample by its number; SIZE_MAX when it is none of those. */
size_t growth_position(const struct clock *, int64_t number);
/* Judges a curve that has all its points, and keeps it if it is wanted; *c is
 * empty then. */
void growth_keep(struct growth *, struct curve *c);

/* ---- growth_memory.c */

/* How much of what the process gained between warm-up and clean-up is live
 * heap; the rest is rounding up to size classes, the recorder's tags, or memory
 * that is free in the heap or was not allocated from it. */
struct explained {
	int64_t rss, live, slack, tags; /* bytes gained */
	double share;			/* of rss that live is; NAN: it gained
					   nothing to speak of, or it is not known */
	struct trend trend;		/* of rss */
};
void growth_memory(struct growth *, struct clock *);
struct explained growth_explained(const struct growth *, const struct clock *);

/* ---- growth_sums.c */

/* Turns the curves of classes into those of zones. */
void growth_zones(struct growth *);
void growth_threads(struct growth *);
void growth_doubt_survivors(struct trend *);
/* "main" or "worker (tid 12)"; printable, the caller's to free. */
char *growth_thread_name(const struct growth *, const struct curve *);

/* ---- rounds.c */

void growth_rounds(struct growth *);
void growth_rounds_free(struct growth *);

/* ---- top.c */

/* Keeps the TOP_STACKS that gained most, in order. */
void top_insert(struct top_stack *top, size_t *count, const struct top_stack *);
/* Fills `top` of growing curves, and of rounds. */
void growth_top_stacks(struct growth *);

void growth_text(const struct growth *, FILE *);
void growth_json(const struct growth *, FILE *);

#endif
