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

void
flame_mark(const double *shares, size_t n, size_t most, unsigned char *marks)
{
	size_t *count = text_alloc(BINS * sizeof *count), last = 0, room = most;

	for (size_t i = 0; i < n; i++)
		if (shares[i] > 0)
			count[bin_of(shares[i])]++;
	while (last < BINS && count[last] <= room)
		room -= count[last++];
	free(count);
	/* all of the bins before the last one, and some of that */
	for (size_t i = 0; i < n; i++) {
		size_t bin = shares[i] > 0 ? bin_of(shares[i]) : BINS;
		marks[i] = bin < last;
		if (bin == last && bin < BINS && room > 0) {
			marks[i] = 1;
			room--;
		}
	}
}

unsigned char *
flame_choose(const struct calltree *t, unsigned costs, uint32_t most)
{
	double *shares = text_alloc(t->count * sizeof *shares);
	unsigned char *chosen = text_alloc(t->count);

	for (uint32_t i = 1; i < t->count; i++)
		shares[i] = flame_share(t->node[i].all, t->node[0].all, costs);
	/* no callee has a larger share than its caller, which stands before
	 * it: whoever is chosen has all its callers */
	flame_mark(shares, t->count, most, chosen);
	chosen[0] = 1;
	free(shares);
	return chosen;
}
