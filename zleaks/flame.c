/* flame.c - see flame.h. */
#include "flame.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>

/* Shares are sorted into bins, STEPS of them for each halving. */
enum { STEPS = 32, BINS = 64 * STEPS };

double
flame_share(const uint64_t value[COSTS], const uint64_t total[COSTS],
	    unsigned costs)
{
	double share = 0;

	for (int c = 0; c < COSTS; c++) {
		if (!(costs >> c & 1) || !total[c])
			continue;
		double s = (double)value[c] / (double)total[c];
		share = s > share ? s : share;
	}
	return share;
}

static size_t
bin_of(double share)
{
	double bin = -log2(share) * STEPS;

	return bin <= 0 ? 0 : bin >= BINS ? BINS - 1 : (size_t)bin;
}

double
flame_least_share(const double *shares, size_t n, size_t most)
{
	size_t *count = text_alloc(BINS * sizeof *count), bin, sum = 0;

	for (size_t i = 0; i < n; i++)
		if (shares[i] > 0)
			count[bin_of(shares[i])]++;
	for (bin = 0; bin < BINS && sum + count[bin] <= most; bin++)
		sum += count[bin];
	free(count);
	/* the bins before this one stay */
	return bin == BINS ? 0 : exp2(-(double)bin / STEPS);
}

unsigned char *
flame_choose(const struct calltree *t, unsigned costs, uint32_t most)
{
	double *shares = text_alloc(t->count * sizeof *shares);
	unsigned char *chosen = text_alloc(t->count);

	for (uint32_t i = 1; i < t->count; i++)
		shares[i] = flame_share(t->node[i].all, t->node[0].all, costs);
	double least = flame_least_share(shares, t->count, most);
	/* no callee has a larger share than its caller */
	chosen[0] = 1;
	for (uint32_t i = 1; i < t->count; i++)
		chosen[i] = shares[i] > least && chosen[t->node[i].parent];
	free(shares);
	return chosen;
}
