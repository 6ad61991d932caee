/* trend.c - see trend.h.  Called by growth.c and by tests. */
#include "trend.h"

#include <math.h>

const struct point *
trend_at(const struct point *p, size_t points, size_t at)
{
	size_t low = 0, high = points; /* first point behind `at` */

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (p[middle].at <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &p[low - 1] : NULL;
}

static int64_t
bytes_at(const struct point *p, size_t points, size_t at)
{
	const struct point *here = trend_at(p, points, at);
	return here ? here->bytes : 0;
}

size_t
trend_warm_up(const double *times, size_t samples)
{
	size_t n = 0;

	if (samples == 0)
		return 0;
	double length = times[samples - 1] - times[0];
	while (n < samples && times[n] < times[0] + TREND_WARM_UP * length)
		n++;
	return n;
}

/* The first sample of the clean-up: at least the very last one, which is
 * often taken when the program has ended. */
static size_t
clean_up(const double *times, size_t samples)
{
	double length = times[samples - 1] - times[0];
	size_t n = samples - 1;

	while (n > 0 &&
	       times[n - 1] > times[samples - 1] - TREND_CLEAN_UP * length)
		n--;
	return n;
}

struct span {
	const struct point *points;
	size_t point_count;
	const double *times;
	size_t from, to; /* samples from .. to-1 */
	unsigned windows;
};

/* Sample at which window w begins. */
static size_t
window_begin(const struct span *s, unsigned w)
{
	return s->from + (s->to - s->from) * w / s->windows;
}

static int64_t
floor_of(const struct span *s, unsigned w)
{
	size_t begin = window_begin(s, w), end = window_begin(s, w + 1);
	int64_t least = bytes_at(s->points, s->point_count, begin);
	const struct point *p = trend_at(s->points, s->point_count, begin);

	for (p = p ? p + 1 : s->points;
	     p < s->points + s->point_count && p->at < end; p++)
		if (p->bytes < least)
			least = p->bytes;
	return least;
}

/* Rules 1 to 3 of trend.h. */
static int
grows(const int64_t *floors, unsigned n)
{
	unsigned flats = 0, late = (n - 1) / 3;
	double rise = (double)floors[n - 1] - (double)floors[0];
	double late_rise = (double)floors[n - 1] - (double)floors[n - 1 - late];

	for (unsigned w = 1; w < n; w++) {
		if (floors[w] < floors[w - 1])
			return 0;
		flats += floors[w] == floors[w - 1];
	}
	if (flats + (TREND_WINDOWS_MAX - n) > TREND_FLATS && flats > 0)
		return 0;
	if (rise < TREND_LEAST_BYTES ||
	    rise < TREND_LEAST_SHARE * (double)floors[0])
		return 0;
	return late_rise / late >= TREND_LATE_SHARE * rise / (n - 1);
}

struct trend
trend_judge(const struct point *points, size_t point_count, const double *times,
	    size_t samples)
{
	struct trend t = { TREND_TOO_SHORT, NAN };

	if (samples < 2)
		return t;
	double length = times[samples - 1] - times[0];
	if (!(length > 0))
		return t;
	t.bytes_per_second =
	    ((double)bytes_at(points, point_count, samples - 1) -
	     (double)bytes_at(points, point_count, 0)) /
	    length;
	struct span s = { points,
			  point_count,
			  times,
			  trend_warm_up(times, samples),
			  clean_up(times, samples),
			  TREND_WINDOWS_MAX };
	if (s.to < s.from + TREND_LEAST_SAMPLES)
		return t;
	if ((s.to - s.from) / 2 < s.windows)
		s.windows = (unsigned)(s.to - s.from) / 2;
	int64_t floors[TREND_WINDOWS_MAX] = { 0 };
	for (unsigned w = 0; w < s.windows; w++)
		floors[w] = floor_of(&s, w);
	unsigned last = s.windows - 1;
	double between = times[window_begin(&s, last)] - times[s.from];
	t.verdict = grows(floors, s.windows) ? TREND_GROWING : TREND_STEADY;
	if (t.verdict == TREND_GROWING && between > 0)
		t.bytes_per_second =
		    ((double)floors[last] - (double)floors[0]) / between;
	return t;
}
