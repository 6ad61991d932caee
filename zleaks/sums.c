/* sums.c - see sums.h.  Open addressing, at most half full. */
#include "sums.h"

#include "text.h"

#include <stdlib.h>

static size_t
place_of(const struct sums *s, int64_t a, int64_t b)
{
	uint64_t h =
	    (uint64_t)a * UINT64_C(0x9e3779b97f4a7c15) ^
	    ((uint64_t)b + UINT64_C(0x7f4a7c15)) * UINT64_C(0xd6e8feb86659fd93);
	h ^= h >> 32;
	h *= UINT64_C(0xd6e8feb86659fd93);
	size_t at = (size_t)(h >> 20) & (s->places - 1);

	while (s->place[at] && (s->entry[s->place[at] - 1].a != a ||
				s->entry[s->place[at] - 1].b != b))
		at = (at + 1) & (s->places - 1);
	return at;
}

static void
grow(struct sums *s)
{
	s->room = s->room ? 2 * s->room : 256;
	s->entry = text_grow(s->entry, s->room, sizeof *s->entry);
	free(s->place);
	s->places = 2 * s->room;
	s->place = text_alloc(s->places * sizeof *s->place);
	for (size_t i = 0; i < s->count; i++)
		s->place[place_of(s, s->entry[i].a, s->entry[i].b)] =
		    (uint32_t)i + 1;
}

struct sum *
sums_get(struct sums *s, int64_t a, int64_t b)
{
	if (s->count == s->room)
		grow(s);
	size_t at = place_of(s, a, b);

	if (!s->place[at]) {
		s->entry[s->count] = (struct sum){ .a = a, .b = b };
		s->place[at] = (uint32_t)++s->count;
	}
	return &s->entry[s->place[at] - 1];
}

void
sums_sort(struct sums *s, int (*compare)(const void *, const void *))
{
	free(s->place);
	s->place = NULL;
	s->places = 0;
	if (s->count)
		qsort(s->entry, s->count, sizeof *s->entry, compare);
}

void
sums_free(struct sums *s)
{
	free(s->entry);
	free(s->place);
	*s = (struct sums){ 0 };
}
