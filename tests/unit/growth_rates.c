/*
 * growth_rates.c - how often the rule of trend.h is wrong: thousands of made
 * curves of each kind, 15 to 1000 samples long.  GROWTH_SERIES=N makes N of
 * each kind and length (200), and prints the table that docs/GROWTH.md shows,
 * with the tests that others use beside it.
 */
#include "unit/growth_rivals.h"
#include "unit/growth_series.h"
#include "unit/tools_check.h"

static const size_t lengths[] = { 15, 30, 60, 240, 1000 };
enum { LENGTHS = sizeof lengths / sizeof *lengths };

static struct trend
judge(const struct series *s)
{
	static struct point points[SAMPLES_MAX];
	struct trend_grid g;
	size_t n = 0;

	for (size_t i = 0; i < s->samples; i++) {
		int64_t bytes = (int64_t)s->value[i];
		if (n == 0 || points[n - 1].bytes != bytes)
			points[n++] = (struct point){ i, 1, bytes };
	}
	trend_grid(&g, s->times, s->samples);
	return trend_judge(points, n, &g);
}

/* Wrong verdicts, in all and by confidence. */
struct outcome {
	long series, wrong, said[4], wrong_said[4], rival[RIVALS];
};

static void
add(struct outcome *to, const struct outcome *o)
{
	to->series += o->series;
	to->wrong += o->wrong;
	for (int c = 0; c < 4; c++) {
		to->said[c] += o->said[c];
		to->wrong_said[c] += o->wrong_said[c];
	}
	for (unsigned r = 0; r < RIVALS; r++)
		to->rival[r] += o->rival[r];
}

static double
percent(long part, long whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static struct outcome
try(const struct kind *k, size_t samples, long n, int with_rivals)
{
	static struct series s;
	struct outcome o = { .series = n };

	for (long i = 0; i < n; i++) {
		series_make(&s, k, samples, (uint64_t)i + 1);
		struct trend t = judge(&s);
		int wrong = (t.verdict == TREND_GROWING) != k->grows;
		o.wrong += wrong;
		o.said[t.confidence]++;
		o.wrong_said[t.confidence] += wrong;
		for (unsigned r = 0; with_rivals && r < RIVALS; r++)
			o.rival[r] += rivals[r].grows(&s) != k->grows;
	}
	return o;
}

static void
print_kind(const struct kind *k, const struct outcome *of)
{
	struct outcome all = { 0 };

	printf("  %-23s", k->name);
	for (size_t l = 0; l < LENGTHS; l++) {
		printf("%7.2f", percent(of[l].wrong, of[l].series));
		add(&all, &of[l]);
	}
	printf(" |");
	for (unsigned r = 0; r < RIVALS; r++)
		printf(" %10.2f", percent(all.rival[r], all.series));
	printf("\n");
}

static void
print_table(struct outcome of[KINDS][LENGTHS])
{
	struct outcome sum = { 0 };

	printf("  wrong verdicts, %%;     ");
	for (size_t l = 0; l < LENGTHS; l++)
		printf("%7zu", lengths[l]);
	printf(" |");
	for (unsigned r = 0; r < RIVALS; r++)
		printf(" %10s", rivals[r].name);
	printf("\n");
	for (size_t k = 0; k < KINDS; k++) {
		print_kind(&kinds[k], of[k]);
		for (size_t l = 0; l < LENGTHS; l++)
			add(&sum, &of[k][l]);
	}
	for (int c = TREND_LOW; c <= TREND_HIGH; c++)
		printf("  confidence %-8s said of %ld, wrong %.3f %%\n",
		       trend_confidences[c], sum.said[c],
		       percent(sum.wrong_said[c], sum.said[c]));
}

/* What docs/GROWTH.md promises, with room for chance. */
static void
check_rates(struct outcome of[KINDS][LENGTHS])
{
	char name[120], why[120];
	struct outcome sum = { 0 };

	for (size_t k = 0; k < KINDS; k++) {
		struct outcome all = { 0 }, longer = { 0 };
		for (size_t l = 0; l < LENGTHS; l++) {
			add(&all, &of[k][l]);
			if (lengths[l] >= 240)
				add(&longer, &of[k][l]);
		}
		add(&sum, &all);
		double rate = kinds[k].grows
				  ? percent(longer.wrong, longer.series)
				  : percent(all.wrong, all.series);
		snprintf(name, sizeof name, "%s: %s", kinds[k].name,
			 kinds[k].grows ? "seen in 240 samples or more"
					: "not taken for growth");
		snprintf(why, sizeof why, "%.2f %% wrong", rate);
		check(rate <= (kinds[k].grows ? 8 : 2), name, why);
	}
	snprintf(why, sizeof why, "%ld of %ld", sum.wrong_said[TREND_HIGH],
		 sum.said[TREND_HIGH]);
	check(sum.wrong_said[TREND_HIGH] * 1000 <= sum.said[TREND_HIGH],
	      "high confidence: at most one in a thousand is wrong", why);
	check(sum.said[TREND_HIGH] * 3 > sum.series,
	      "high confidence: said of a third of the curves", why);
}

/* What needs no chance. */
static void
check_edges(void)
{
	static struct series s;

	series_make(&s, &kinds[0], 12, 1);
	check(judge(&s).verdict == TREND_TOO_SHORT, "12 samples: too short",
	      "a verdict");
	for (size_t n = 0; n < 3; n++) {
		s.samples = n;
		check(judge(&s).verdict == TREND_TOO_SHORT,
		      "no, one, two samples", "a verdict");
	}
	s.samples = 40;
	for (size_t i = 0; i < 40; i++) {
		s.times[i] = 5;
		s.value[i] = (double)(i * 1000);
	}
	check(judge(&s).verdict == TREND_TOO_SHORT, "time stands still",
	      "a verdict");
	/* fine at both ends, coarse between: as a long run is thinned */
	s.samples = 400;
	for (size_t i = 0; i < 400; i++) {
		s.times[i] = i < 150   ? (double)i * 0.1
			     : i < 250 ? 15 + (double)(i - 150) * 36
				       : 3615 + (double)(i - 250) * 0.1;
		s.value[i] = s.times[i] * 1000;
	}
	struct trend t = judge(&s);
	check(t.verdict == TREND_GROWING && t.confidence == TREND_HIGH &&
		  fabs(t.bytes_per_second - 1000) < 20,
	      "samples at uneven distances", "not seen, or another rate");
}

/* A recorder that got no time for a third of the recording. */
static void
check_gap(void)
{
	static struct series s;

	s.samples = 66;
	for (size_t i = 0; i < 66; i++) {
		s.times[i] = i < 65 ? (double)i * 0.01 : 1.0;
		s.value[i] = 1e5 + (double)((i + 5) % 25) * 1000;
	}
	check(judge(&s).verdict == TREND_STEADY, "a gap is no window of growth",
	      "growing");
}

int
main(void)
{
	static struct outcome of[KINDS][LENGTHS];
	const char *wanted = getenv("GROWTH_SERIES");
	long n = wanted ? atol(wanted) : 200;

	for (size_t k = 0; k < KINDS; k++)
		for (size_t l = 0; l < LENGTHS; l++)
			of[k][l] = try(&kinds[k], lengths[l], n, !!wanted);
	if (wanted)
		print_table(of);
	check_rates(of);
	check_edges();
	check_gap();
	return failures != 0;
}
