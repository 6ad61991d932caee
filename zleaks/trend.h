/*
 * trend.h - the rule that says whether a curve of live memory is growing.
 * docs/growth.md explains it to users; the constants stand here.
 *
 *   span     the samples without the warm-up at the begin and the clean-up
 *            at the end
 *   floor    the least value within one of several equal windows of the span:
 *            what stays when a saw-tooth is at its lowest
 *
 * A curve grows when
 *   1. no floor lies below the one before it, and at most TREND_FLATS of them
 *      are level with it (none when there are few windows): one step, or a
 *      saw-tooth, does not do that;
 *   2. the last floor is above the first by TREND_LEAST_BYTES and by
 *      TREND_LEAST_SHARE of it: what is smaller is noise;
 *   3. the last third of the floors' rises holds its share: on average a
 *      rise there is at least TREND_LATE_SHARE of the average rise, or else
 *      a cache is filling up.
 * With fewer than TREND_LEAST_SAMPLES samples in the span nothing is said.
 */
#ifndef ZLEAKS_TREND_H
#define ZLEAKS_TREND_H

#include <stddef.h>
#include <stdint.h>

#define TREND_WARM_UP	  0.20 /* share of the time at the begin */
#define TREND_CLEAN_UP	  0.05 /* share of the time at the end */
#define TREND_LEAST_SHARE 0.01
#define TREND_LATE_SHARE  0.25
enum {
	TREND_LEAST_SAMPLES = 10,
	TREND_LEAST_BYTES = 256,
	TREND_WINDOWS_MIN = 5,
	TREND_WINDOWS_MAX = 8,
	TREND_FLATS =
	    2 /* with TREND_WINDOWS_MAX windows; one less each below */
};

/* The curve has this value from sample number `at` on, until the next point;
 * before the first point it is 0.  Sorted by `at`, each below the number of
 * samples. */
struct point {
	size_t at;
	int64_t blocks, bytes;
};

enum verdict { TREND_TOO_SHORT, TREND_STEADY, TREND_GROWING };

struct trend {
	enum verdict verdict;
	/* growing: of the floors over the span; else from the first to the
	 * last sample; NAN with fewer than two samples */
	double bytes_per_second;
};

/* times: when each sample was taken, ascending. */
struct trend trend_judge(const struct point *points, size_t point_count,
			 const double *times, size_t samples);

/* Number of samples that are warm-up. */
size_t trend_warm_up(const double *times, size_t samples);

/* The point that holds at sample `at`, or NULL: the value is 0 then. */
const struct point *trend_at(const struct point *, size_t points, size_t at);

#endif
