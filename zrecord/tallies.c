/*
 * tallies.c - see tallies.h.
 */
#include "tallies.h"

#include <stdlib.h>
#include <string.h>

static int
by_first(const void *a, const void *b)
{
	const struct zs_chunk *x = a, *y = b;
	return x->first < y->first ? -1 : x->first > y->first;
}

/* Room for one more. */
static int
grow(struct tallies *t)
{
	if (t->count & (t->count - 1))
		return 0;
	uint64_t room = t->count ? (uint64_t)t->count * 2 : 1;
	struct zs_chunk *c = realloc(t->chunk, room * sizeof *c);
	if (!c)
		return -1;
	t->chunk = c;
	return 0;
}

/* The list may be damaged: it is followed no further than it could be long. */
void
tallies_read(struct process *p, struct tallies *t)
{
	uint64_t most = p->seg.h.pool_used / sizeof(struct zs_chunk) + 1;
	uint64_t off = p->seg.h.chunks;
	*t = (struct tallies){ 0 };
	for (; off && t->count < most; t->count++) {
		if (grow(t) != 0 ||
		    segment_read(&p->seg, off, &t->chunk[t->count],
				 sizeof(struct zs_chunk)) != 0) {
			p->damaged = 1;
			break;
		}
		off = t->chunk[t->count].next;
	}
	if (t->count)
		qsort(t->chunk, t->count, sizeof *t->chunk, by_first);
}

static uint64_t
minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* Threads change the numbers while we read: the peak is never below what is
 * live. */
static void
add(struct zs_stack *s, const struct zs_tally *y)
{
	s->allocations += y->allocations;
	s->frees += y->frees;
	s->bytes += y->bytes;
	s->freed_bytes += y->freed_bytes;
	s->temporary += y->temporary;
	if (y->high > 0 && (uint64_t)y->high > s->peak_bytes)
		s->peak_bytes = (uint64_t)y->high;
}

/* Index of the first chunk that reaches up to stack or beyond it. */
static uint32_t
first_for(const struct tallies *t, uint32_t stack)
{
	uint32_t lo = 0, hi = t->count;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if ((uint64_t)t->chunk[mid].first + ZS_TALLIES <= stack)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void
tallies_add(const struct tallies *t, struct zs_stack *s, uint32_t first,
	    uint32_t n)
{
	for (uint32_t i = first_for(t, first); i < t->count; i++) {
		const struct zs_chunk *c = &t->chunk[i];
		if (c->first >= (uint64_t)first + n)
			break;
		for (uint32_t k = 0; k < ZS_TALLIES; k++) {
			uint64_t stack = (uint64_t)c->first + k;
			if (stack >= first && stack < (uint64_t)first + n)
				add(&s[stack - first], &c->tally[k]);
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		uint64_t live = minus(s[i].bytes, s[i].freed_bytes);
		if (s[i].peak_bytes < live)
			s[i].peak_bytes = live;
	}
}

void
tallies_free(struct tallies *t)
{
	free(t->chunk);
	*t = (struct tallies){ 0 };
}
