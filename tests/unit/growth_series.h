/*
 * growth_series.h - curves of live memory whose truth is known because they
 * were made so: each kind from a seed, with the verdict that it must get.
 */
#ifndef TESTS_UNIT_GROWTH_SERIES_H
#define TESTS_UNIT_GROWTH_SERIES_H

#include "zleaks/trend.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { SAMPLES_MAX = 2000 };

struct series {
	size_t samples;
	double times[SAMPLES_MAX], value[SAMPLES_MAX]; /* bytes */
	uint64_t random;
};

/* splitmix64 */
static inline double
uniform(struct series *s)
{
	uint64_t z = s->random += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static inline double
between(struct series *s, double low, double high)
{
	return low + (high - low) * uniform(s);
}

static inline double
gauss(struct series *s)
{
	return sqrt(-2 * log(1 - uniform(s))) * cos(2 * M_PI * uniform(s));
}

/* x: the part of the time that is over, 0 to 1. */
static inline double
part(const struct series *s, size_t i)
{
	return (double)i / (double)(s->samples - 1);
}

#define EACH(s) for (size_t i = 0; i < (s)->samples; i++)

/* ---- what is not growth ------------------------------------------------ */

static inline void
flat(struct series *s)
{
	double base = between(s, 0, 1e6);
	EACH(s) s->value[i] = base;
}

static inline void
noise(struct series *s)
{
	double base = between(s, 1e4, 1e6), sd = base * between(s, 0.01, 0.3);
	EACH(s) s->value[i] = base + sd * gauss(s);
}

/* A queue: what comes and goes around a mean, and remembers for a while. */
static inline void
queue(struct series *s)
{
	double base = between(s, 1e4, 1e6), sd = base * between(s, 0.05, 0.3);
	double keep = exp(-1 / ((double)s->samples * between(s, 0.002, 0.03)));
	double x = gauss(s);
	EACH(s)
	{
		x = keep * x + sqrt(1 - keep * keep) * gauss(s);
		s->value[i] = base + sd * x;
	}
}

/* Rises for up to 60 % of the time, then no more. */
static inline void
warm_up(struct series *s)
{
	double end = between(s, 0.02, 0.6), top = between(s, 1e4, 1e6);
	double sd = top * between(s, 0, 0.03);
	EACH(s)
	s->value[i] = top * fmin(part(s, i) / end, 1) + sd * gauss(s);
}

/* A cache that fills up ever more slowly. */
static inline void
filling(struct series *s)
{
	double tau = between(s, 0.02, 0.2), top = between(s, 1e4, 1e6);
	double sd = top * between(s, 0, 0.02);
	EACH(s)
	s->value[i] = top * (1 - exp(-part(s, i) / tau)) + sd * gauss(s);
}

/* A collector: up by and by, down at once; periods vary by that part. */
static inline void
saw(struct series *s, double periods, double vary, double high, double rise,
    double sd)
{
	double phase = uniform(s), length = 1 / periods, floor = 1e5;
	double step = 1.0 / (double)s->samples;
	double now = length * between(s, 1 - vary, 1 + vary);
	EACH(s)
	{
		phase += step / now;
		if (phase >= 1) {
			phase -= 1;
			now = length * between(s, 1 - vary, 1 + vary);
		}
		s->value[i] =
		    floor + high * phase + rise * part(s, i) + sd * gauss(s);
	}
}

static inline void
saw_tooth(struct series *s)
{
	double high = between(s, 1e4, 1e6);
	saw(s, between(s, 4, 4 + (double)s->samples / 6), 0.2, high, 0,
	    high * between(s, 0, 0.03));
}

/* As even as a clock: its beat with the windows must not look like growth. */
static inline void
even_saw(struct series *s)
{
	double high = between(s, 1e4, 1e6);
	saw(s, between(s, 4, 4 + (double)s->samples / 6), 0, high, 0,
	    high * between(s, 0, 0.03));
}

static inline void
one_step(struct series *s)
{
	double at = between(s, 0.05, 0.95), high = between(s, 1e3, 1e6);
	double base = between(s, 0, 1e5), sd = high * between(s, 0, 0.1);
	EACH(s)
	s->value[i] = base + (part(s, i) > at ? high : 0) + sd * gauss(s);
}

static inline void
two_steps(struct series *s)
{
	double a = between(s, 0.05, 0.95), b = between(s, 0.05, 0.95);
	double high = between(s, 1e3, 1e6), sd = high * between(s, 0, 0.05);
	EACH(s)
	s->value[i] =
	    1e4 + high * ((part(s, i) > a) + (part(s, i) > b)) + sd * gauss(s);
}

static inline void
falling(struct series *s)
{
	double base = between(s, 1e4, 1e6), sd = base * between(s, 0, 0.1);
	double to = between(s, 0, 0.9);
	EACH(s)
	s->value[i] = base * (1 - (1 - to) * part(s, i)) + sd * gauss(s);
}

/* Bursts: idle at a floor, now and then a peak. */
static inline void
bursts(struct series *s)
{
	double high = between(s, 1e4, 1e6), often = between(s, 0.01, 0.3);
	EACH(s)
	s->value[i] = 1e5 + (uniform(s) < often ? high * uniform(s) : 0);
}

/* ---- what is ----------------------------------------------------------- */

static inline void
steady(struct series *s)
{
	double rise = between(s, 3e3, 1e6), base = between(s, 0, 10 * rise);
	double sd = rise * between(s, 0, 0.02);
	EACH(s) s->value[i] = base + rise * part(s, i) + sd * gauss(s);
}

/* Each request leaves something; requests come when they come. */
static inline void
requests(struct series *s)
{
	double each = between(s, 16, 4096), rate = between(s, 0.3, 5), sum = 0;
	EACH(s)
	{
		double left = rate;
		for (double t = -log(1 - uniform(s)); t < left;
		     t -= log(1 - uniform(s)))
			sum += each;
		s->value[i] = 5e3 + sum + each * 3 * uniform(s);
	}
}

/* Rises by 4 to 12 standard deviations of the noise that it is under. */
static inline void
slow_leak(struct series *s)
{
	double base = between(s, 1e4, 1e5), sd = base * between(s, 0.02, 0.1);
	double rise = sd * between(s, 4, 12);
	EACH(s) s->value[i] = base + rise * part(s, i) + sd * gauss(s);
}

/* The same under a queue that remembers. */
static inline void
slow_under_queue(struct series *s)
{
	queue(s);
	double least = INFINITY, most = -INFINITY;
	EACH(s)
	{
		least = fmin(least, s->value[i]);
		most = fmax(most, s->value[i]);
	}
	double rise = (most - least) * between(s, 1.5, 4);
	EACH(s) s->value[i] += rise * part(s, i);
}

/* A collector whose floor rises by 0.3 to 2 of its height. */
static inline void
rising_saw(struct series *s)
{
	double high = between(s, 1e4, 1e6);
	saw(s, between(s, 6, 6 + (double)s->samples / 8), 0.2, high,
	    high * between(s, 0.3, 2), high * between(s, 0, 0.03));
}

static inline void
warm_then_leak(struct series *s)
{
	double end = between(s, 0.02, 0.2), top = between(s, 1e4, 1e6);
	double rise = top * between(s, 0.1, 1), sd = top * between(s, 0, 0.01);
	EACH(s)
	s->value[i] =
	    top * fmin(part(s, i) / end, 1) + rise * part(s, i) + sd * gauss(s);
}

/* In batches, 6 to 40 of them. */
static inline void
batches(struct series *s)
{
	double n = floor(between(s, 6, 40)), each = between(s, 1e3, 1e5);
	EACH(s) s->value[i] = 1e4 + each * floor(part(s, i) * n);
}

static inline void
freed_at_end(struct series *s)
{
	steady(s);
	size_t keep = (size_t)((double)s->samples * between(s, 0.96, 1));
	for (size_t i = keep < s->samples - 1 ? keep : s->samples - 1;
	     i < s->samples; i++)
		s->value[i] = 0;
}

struct kind {
	const char *name;
	void (*make)(struct series *);
	int grows;
};

static const struct kind kinds[] = {
	{ "flat", flat, 0 },
	{ "noise", noise, 0 },
	{ "queue", queue, 0 },
	{ "bursts", bursts, 0 },
	{ "warm-up, then flat", warm_up, 0 },
	{ "filling up", filling, 0 },
	{ "saw-tooth", saw_tooth, 0 },
	{ "saw-tooth, even", even_saw, 0 },
	{ "one step", one_step, 0 },
	{ "two steps", two_steps, 0 },
	{ "falling", falling, 0 },
	{ "steady", steady, 1 },
	{ "per request", requests, 1 },
	{ "slow, under noise", slow_leak, 1 },
	{ "slow, under a queue", slow_under_queue, 1 },
	{ "saw-tooth, floor rises", rising_saw, 1 },
	{ "warm-up, then leak", warm_then_leak, 1 },
	{ "in batches", batches, 1 },
	{ "freed at the end", freed_at_end, 1 },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static inline void
series_make(struct series *s, const struct kind *k, size_t samples,
	    uint64_t seed)
{
	s->samples = samples;
	s->random = seed * UINT64_C(0x2545f4914f6cdd1d) + (uint64_t)(k - kinds);
	double t = 0;
	EACH(s)
	{
		s->times[i] = t;
		/* a busy machine: no distance is like the other */
		t += 0.1 * between(s, 0.9, 1.3);
	}
	k->make(s);
	EACH(s) s->value[i] = fmax(0, floor(s->value[i]));
}

#endif
