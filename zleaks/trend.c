/* trend.c - see trend.h.  Called by growth.c, top.c and tests. */
#include "trend.h"

#include <math.h>
#include <stdlib.h>

/* How far from the bounds of trend.h one is sure; docs/GROWTH.md has what comes
 * of it. */
#define SURE_CHANCE 3.3
#define SURE_LINE   1.4
#define SURE_LATE   0.6
#define SURE_STEPS  0.2
#define SURE_OVER   0.1
enum {
	SURE_FEW = 16, /* with fewer looks one is never sure */
	SURE_MANY = 64
};

const char *const trend_confidences[] = { NULL, "low", "medium", "high" };

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

/* ---- where to look ---------------------------------------------------- */

/* Number of samples before that time. */
static size_t
before(const double *times, size_t samples, double t)
{
	size_t low = 0, high = samples;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (times[middle] < t)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t
trend_warm_up(const double *times, size_t samples)
{
	if (samples == 0)
		return 0;
	double length = times[samples - 1] - times[0];
	return before(times, samples, times[0] + TREND_WARM_UP * length);
}

/* Is there a sample in each window?  A recorder that had no time for a while
 * has seen nothing then: windows of equally many samples are better. */
static int
every_window_seen(const struct trend_grid *g, const double *times, double begin)
{
	size_t last = g->from;

	for (unsigned w = 1; w <= g->windows; w++) {
		size_t next = before(times, g->to, begin + g->step * w);
		if (next <= last)
			return 0;
		last = next;
	}
	return 1;
}

void
trend_grid(struct trend_grid *g, const double *times, size_t samples)
{
	*g = (struct trend_grid){ .samples = samples };
	if (samples < 2 || !(times[samples - 1] > times[0]))
		return;
	g->length = times[samples - 1] - times[0];
	double end = times[samples - 1] - TREND_CLEAN_UP * g->length;
	g->from = trend_warm_up(times, samples);
	g->to = before(times, samples, end);
	/* the very last sample is often taken when the program has ended */
	if (g->to > samples - 1)
		g->to = samples - 1;
	if (g->to < g->from + TREND_LEAST_SAMPLES)
		return;
	size_t n = g->to - g->from;
	double begin = times[g->from], long_ = end - begin;
	g->windows =
	    n / 2 < TREND_WINDOWS_MAX ? (unsigned)n / 2 : TREND_WINDOWS_MAX;
	size_t looks = n / g->windows;
	g->looks = looks < TREND_LOOKS_MAX ? (unsigned)looks : TREND_LOOKS_MAX;
	g->step = long_ / g->windows;
	unsigned all = g->windows * g->looks;
	int even = every_window_seen(g, times, begin);
	for (unsigned i = 0; i < all; i++) {
		double part = (i + 0.5) / all;
		if (!even) {
			g->at[i] = g->from + (size_t)(part * (double)n);
			continue;
		}
		size_t at = before(times, samples, begin + long_ * part);
		/* the sample that holds then */
		at = at > g->from ? at - 1 : g->from;
		g->at[i] = at < g->to ? at : g->to - 1;
	}
}

/* ---- the rule --------------------------------------------------------- */

struct floors {
	unsigned count, looks; /* looks: in all */
	double level[TREND_WINDOWS_MAX], held[TREND_WINDOWS_MAX];
};

static int
by_size(const void *pa, const void *pb)
{
	const double *a = pa, *b = pb;

	return (*a > *b) - (*a < *b);
}

/* The level of a window is the mean of the lower half of what was seen. */
static double
level_of(const double *seen, unsigned looks)
{
	unsigned half = (looks + 1) / 2;
	double sum = 0;

	for (unsigned i = 0; i < half; i++)
		sum += seen[i];
	return sum / half;
}

static void
find_floors(struct floors *f, const struct trend_grid *g,
	    const struct point *points, size_t n)
{
	const struct point *next = points, *end = points + n;
	double now = 0, seen[TREND_LOOKS_MAX], floor[TREND_WINDOWS_MAX];

	f->count = g->windows;
	f->looks = g->windows * g->looks;
	for (unsigned w = 0; w < g->windows; w++) {
		const struct point *first = next;
		for (unsigned i = 0; i < g->looks; i++) {
			size_t at = g->at[w * g->looks + i];
			while (next < end && next->at <= at)
				now = (double)next++->bytes;
			seen[i] = now;
		}
		if (next != first)
			qsort(seen, g->looks, sizeof *seen, by_size);
		floor[w] = seen[0];
		f->level[w] = level_of(seen, g->looks);
	}
	for (unsigned w = f->count; w-- > 0;)
		f->held[w] = w + 1 < f->count && f->held[w + 1] < floor[w]
				 ? f->held[w + 1]
				 : floor[w];
}

/* What chance does to the sum of n values' ups and downs. */
static double
deviation(double n)
{
	return sqrt(n * (n - 1) * (2 * n + 5) / 18);
}

/* Mann and Kendall's score: of all pairs of levels, those that rise less those
 * that fall, in deviations of what chance does.  Equal ones count as neither,
 * and do not make the rest weigh more. */
static double
score(const struct floors *f)
{
	double s = 0;

	for (unsigned i = 0; i < f->count; i++)
		for (unsigned j = i + 1; j < f->count; j++)
			s += (f->level[j] > f->level[i]) -
			     (f->level[j] < f->level[i]);
	return s / deviation(f->count);
}

static double
highest(const struct floors *f)
{
	double most = f->level[0];

	for (unsigned w = 1; w < f->count; w++)
		if (f->level[w] > most)
			most = f->level[w];
	return most;
}

/* Sum of squares around the mean of floors from .. to-1. */
static double
around_mean(const struct floors *f, unsigned from, unsigned to)
{
	double sum = 0, squares = 0;

	for (unsigned w = from; w < to; w++)
		sum += f->level[w];
	for (unsigned w = from; w < to; w++) {
		double d = f->level[w] - sum / (to - from);
		squares += d * d;
	}
	return squares;
}

/* .. around the line that fits best. */
static double
around_line(const struct floors *f)
{
	double n = f->count, x0 = (n - 1) / 2, y0 = 0, xx = 0, xy = 0;
	double squares = 0;

	for (unsigned w = 0; w < f->count; w++)
		y0 += f->level[w] / n;
	for (unsigned w = 0; w < f->count; w++) {
		xx += (w - x0) * (w - x0);
		xy += (w - x0) * (f->level[w] - y0);
	}
	for (unsigned w = 0; w < f->count; w++) {
		double d = f->level[w] - y0 - xy / xx * (w - x0);
		squares += d * d;
	}
	return squares;
}

/* .. around the levels before, between and behind two steps, or one where
 * there are few windows, that fit best. */
static double
around_steps(const struct floors *f, int two)
{
	double least = INFINITY;

	for (unsigned a = 1; a < f->count; a++)
		for (unsigned b = two ? a + 1 : f->count; b <= f->count; b++) {
			double d = around_mean(f, 0, a) + around_mean(f, a, b);
			if (b < f->count)
				d += around_mean(f, b, f->count);
			if (d < least)
				least = d;
		}
	return least;
}

/* Is it a line rather than a step or two?  Above 1: yes. */
static double
lineness(const struct floors *f)
{
	double n = f->count;
	int two = n >= 8;
	double line = around_line(f) / (n - 2);
	double steps = around_steps(f, two) / (n - (two ? 5 : 3));

	return line > 0 ? steps / line : INFINITY;
}

/* How much of its rise from the first third of the windows to the second it
 * repeats from there to the last. */
static double
late(const struct floors *f)
{
	unsigned third = f->count / 3;
	double mean[3] = { 0 };

	for (unsigned w = 0; w < third; w++) {
		mean[0] += f->level[w];
		mean[1] += f->level[(f->count - third) / 2 + w];
		mean[2] += f->level[f->count - third + w];
	}
	double early = mean[1] - mean[0];
	return early > 0 ? (mean[2] - mean[1]) / early : INFINITY;
}

struct evidence {
	double chance, most; /* score, and the greatest there can be */
	double lineness, late;
	unsigned looks;
	int material; /* the rise of what is held */
	int flat; /* no level is above the first by what would be material */
};

static enum confidence
sure_that_grows(const struct evidence *e)
{
	if (e->looks < SURE_FEW)
		return TREND_LOW;
	return e->chance >= SURE_CHANCE && e->lineness >= SURE_LINE &&
		       e->late >= SURE_LATE
		   ? TREND_HIGH
		   : TREND_MEDIUM;
}

static enum confidence
sure_that_not(const struct evidence *e)
{
	if (e->flat)
		return TREND_HIGH;
	if (e->looks < SURE_FEW || (e->material && e->chance > TREND_CHANCE &&
				    e->lineness > SURE_STEPS))
		return TREND_LOW;
	return e->looks >= SURE_MANY &&
		       (e->chance < 0 || e->lineness < SURE_STEPS ||
			e->late < SURE_OVER)
		   ? TREND_HIGH
		   : TREND_MEDIUM;
}

static int
material(double rise, double from)
{
	return rise >= TREND_LEAST_BYTES && rise >= TREND_LEAST_SHARE * from;
}

static void
judge(struct trend *t, const struct floors *f)
{
	double n = f->count, pairs = n * (n - 1) / 2;
	double rise = f->held[f->count - 1] - f->held[0];
	struct evidence e = { score(f),
			      pairs / deviation(n),
			      lineness(f),
			      late(f),
			      f->looks,
			      material(rise, f->held[0]),
			      !material(highest(f) - f->held[0], f->held[0]) };

	t->held = rise;
	t->late = e.late;
	if (e.material && e.chance >= fmin(TREND_CHANCE, e.most) &&
	    e.lineness >= TREND_LINE && e.late >= TREND_LATE) {
		t->verdict = TREND_GROWING;
		t->confidence = sure_that_grows(&e);
	} else {
		t->verdict = TREND_STEADY;
		t->confidence = sure_that_not(&e);
	}
}

/* How many points lie behind that sample; more than two are not counted. */
static unsigned
changes(const struct point *points, size_t n, size_t at)
{
	unsigned count = 0;

	while (count < n && count <= 2 && points[n - 1 - count].at > at)
		count++;
	return count;
}

/* The last `changes` of the points are all that changes. */
static struct trend
steps_only(const struct point *points, size_t n, unsigned changes, double rate)
{
	struct trend t = { TREND_STEADY, TREND_HIGH, rate, 0, 0 };
	double least = n > changes ? (double)points[n - changes - 1].bytes : 0;

	for (size_t i = n - changes; i < n; i++)
		if ((double)points[i].bytes < least)
			least = (double)points[i].bytes;
	if (n)
		t.held = (double)points[n - 1].bytes - least;
	return t;
}

struct trend
trend_judge(const struct point *points, size_t n, const struct trend_grid *g)
{
	struct trend t = { .bytes_per_second = NAN };
	struct floors f;

	if (!(g->length > 0))
		return t;
	t.bytes_per_second = ((double)bytes_at(points, n, g->samples - 1) -
			      (double)bytes_at(points, n, 0)) /
			     g->length;
	if (g->windows == 0)
		return t;
	unsigned few = changes(points, n, g->at[0]);
	if (few <= 2) /* a constant, or a step or two: most of all stacks */
		return steps_only(points, n, few, t.bytes_per_second);
	find_floors(&f, g, points, n);
	judge(&t, &f);
	if (t.verdict == TREND_GROWING)
		t.bytes_per_second = t.held / (g->step * (f.count - 1));
	return t;
}
