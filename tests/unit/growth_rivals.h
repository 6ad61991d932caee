/*
 * growth_rivals.h - how others say that a curve grows, beside our rule: for
 * the table in docs/GROWTH.md only.
 *
 *   Kendall      Mann and Kendall's test of all samples at 0.1 %
 *   line         least squares: slope above 0, R2 at least 0.8 (linear
 *                backward regression and its like)
 *   first-last   the last sample 10 % above the first (comparing snapshots)
 *   peaks        the share of samples that make a new high, by the rule of
 *                succession (Scalene's leak score is near that)
 *   monotone     the rule of this project's first version: 8 windows, no
 *                floor below the one before
 */
#ifndef TESTS_UNIT_GROWTH_RIVALS_H
#define TESTS_UNIT_GROWTH_RIVALS_H

#include "unit/growth_series.h"

static inline int
by_kendall(const struct series *s)
{
	double n = (double)s->samples, score = 0;
	for (size_t i = 0; i < s->samples; i++)
		for (size_t j = i + 1; j < s->samples; j++)
			score += (s->value[j] > s->value[i]) -
				 (s->value[j] < s->value[i]);
	return score / sqrt(n * (n - 1) * (2 * n + 5) / 18) > 3.09;
}

static inline int
by_line(const struct series *s)
{
	double n = (double)s->samples, x = 0, y = 0, xx = 0, xy = 0, yy = 0;
	for (size_t i = 0; i < s->samples; i++) {
		x += s->times[i];
		y += s->value[i];
	}
	x /= n;
	y /= n;
	for (size_t i = 0; i < s->samples; i++) {
		double dx = s->times[i] - x, dy = s->value[i] - y;
		xx += dx * dx;
		xy += dx * dy;
		yy += dy * dy;
	}
	return xy > 0 && xy * xy >= 0.8 * xx * yy;
}

static inline int
by_first_and_last(const struct series *s)
{
	return s->value[s->samples - 1] > 1.1 * s->value[0];
}

static inline int
by_peaks(const struct series *s)
{
	double high = s->value[0], n = (double)s->samples - 1, highs = 0;
	for (size_t i = 1; i < s->samples; i++)
		if (s->value[i] > high) {
			high = s->value[i];
			highs++;
		}
	return (highs + 1) / (n + 2) > 0.5 && high > 1.01 * s->value[0];
}

static inline int
by_monotone_floors(const struct series *s)
{
	size_t from = s->samples / 5, to = s->samples - 1 - s->samples / 20;
	size_t n = to - from;
	unsigned windows = n / 2 < 8 ? (unsigned)n / 2 : 8, flats = 0;
	double floor[8] = { 0 };
	for (unsigned w = 0; w < windows; w++) {
		size_t i = from + n * w / windows;
		floor[w] = s->value[i];
		for (; i < from + n * (w + 1) / windows; i++)
			floor[w] = fmin(floor[w], s->value[i]);
		if (w && floor[w] < floor[w - 1])
			return 0;
		flats += w && floor[w] == floor[w - 1];
	}
	unsigned last = windows - 1, late = last / 3;
	double rise = floor[last] - floor[0];
	if ((flats && flats + 8 - windows > 2) || rise < 256 ||
	    rise < 0.01 * floor[0])
		return 0;
	return (floor[last] - floor[last - late]) / late >= 0.25 * rise / last;
}

static const struct rival {
	const char *name;
	int (*grows)(const struct series *);
} rivals[] = { { "Kendall", by_kendall },
	       { "line", by_line },
	       { "first-last", by_first_and_last },
	       { "peaks", by_peaks },
	       { "monotone", by_monotone_floors } };
enum { RIVALS = sizeof rivals / sizeof *rivals };

#endif
