/*
 * trend.h - the rule that says whether a curve of live memory is growing, and
 * how sure that is.  docs/GROWTH.md explains it to users and has its error
 * rates; the constants stand here.
 *
 *   span     the time without the warm-up at the begin and the clean-up at
 *            the end
 *   floor    the least value within one of several equal windows of the span:
 *            what stays when a saw-tooth is at its lowest
 *   held     of a window: the least floor from there on, what was never given
 *            back again.  Held never falls.
 *
 * A curve grows when
 *   1. the floors rise: Mann and Kendall's score of them is above what chance
 *      does in TREND_CHANCE standard deviations;
 *   2. what is held rises by TREND_LEAST_BYTES and by TREND_LEAST_SHARE of
 *      where it began: what is smaller is noise;
 *   3. it rises all along: without its two largest rises TREND_LINE of it
 *      is left, or else it was a step or two;
 *   4. it goes on: over the last third of the windows held rises at least
 *      TREND_LATE as fast as over all of them, or else a cache is filling up.
 * With fewer than TREND_LEAST_SAMPLES samples in the span nothing is said.
 */
#ifndef ZLEAKS_TREND_H
#define ZLEAKS_TREND_H

#include <stddef.h>
#include <stdint.h>

#define TREND_WARM_UP	  0.20 /* share of the time at the begin */
#define TREND_CLEAN_UP	  0.05 /* share of the time at the end */
#define TREND_CHANCE	  2.6
#define TREND_LEAST_SHARE 0.01
#define TREND_LINE	  0.7
#define TREND_LATE	  0.4
enum {
	TREND_LEAST_SAMPLES = 10,
	TREND_LEAST_BYTES = 256,
	TREND_WINDOWS_MAX = 16, /* fewer than 24 samples: fewer windows */
	TREND_LOOKS_MAX = 50	/* at a window */
};

/* The curve has this value from sample number `at` on, until the next point;
 * before the first point it is 0.  Sorted by `at`, each below the number of
 * samples. */
struct point {
	size_t at;
	int64_t blocks, bytes;
};

enum verdict { TREND_TOO_SHORT, TREND_STEADY, TREND_GROWING };
enum confidence { TREND_NOT_SAID, TREND_LOW, TREND_MEDIUM, TREND_HIGH };
extern const char *const trend_confidences[]; /* NULL, "low", .. */

struct trend {
	enum verdict verdict;
	enum confidence confidence;
	/* growing: of what is held, over the span; else from the first to the
	 * last sample; NAN with fewer than two samples */
	double bytes_per_second;
	double held; /* rise of what is held over the span, bytes */
	double late; /* the rise of its second half, 1: as that of the first */
};

/* At which samples of a process its curves are looked at: evenly in time,
 * however the samples lie. */
struct trend_grid {
	double length;	  /* seconds from the first to the last sample */
	double step;	  /* between the middles of two windows */
	unsigned windows; /* 0: too short */
	unsigned looks;	  /* at each window */
	size_t samples, from, to; /* the span */
	size_t at[TREND_WINDOWS_MAX * TREND_LOOKS_MAX];
};

/* times: when each sample was taken, ascending. */
void trend_grid(struct trend_grid *, const double *times, size_t samples);

struct trend trend_judge(const struct point *points, size_t point_count,
			 const struct trend_grid *);

/* Number of samples that are warm-up. */
size_t trend_warm_up(const double *times, size_t samples);

/* The point that holds at sample `at`, or NULL: the value is 0 then. */
const struct point *trend_at(const struct point *, size_t points, size_t at);

#endif
