/*
 * leaks_sites.c - the leaks of all processes together, by kind and fingerprint:
 * a compiler that leaks once in each of a hundred processes leaks at one site.
 * Used where a leak is to be known again: diff and the forms for CI.
 */
#include "leaks.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct slot {
	struct {
		uint64_t fingerprint;
		int64_t kind;
	} key;
	size_t at; /* in the list */
	UT_hash_handle hh;
};

static void
add_group(struct site *s, const struct group *g)
{
	if (!s->group || group_bytes(g) > group_bytes(s->group))
		s->group = g;
	s->blocks = count_add(s->blocks, group_blocks(g));
	s->bytes = count_add(s->bytes, group_bytes(g));
	s->indirect_blocks = count_add(s->indirect_blocks, g->indirect_blocks);
	s->indirect_bytes = count_add(s->indirect_bytes, g->indirect_bytes);
}

static int
by_weight(const void *pa, const void *pb)
{
	const struct site *a = pa, *b = pb;

	if (a->kind != b->kind)
		return b->kind - a->kind;
	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? 1 : -1;
	return (a->fingerprint > b->fingerprint) -
	       (a->fingerprint < b->fingerprint);
}

static void
add(struct sites *s, struct slot **slots, struct leaks *l, struct group *g)
{
	struct slot *slot,
	    probe = { .key = { leaks_stack(l, g)->fingerprint, g->kind } };

	HASH_FIND(hh, *slots, &probe.key, sizeof probe.key, slot);
	if (!slot) {
		slot = text_alloc(sizeof *slot);
		slot->key = probe.key;
		slot->at = s->count++;
		HASH_ADD(hh, *slots, key, sizeof slot->key, slot);
		s->list[slot->at] =
		    (struct site){ .kind = g->kind,
				   .fingerprint = slot->key.fingerprint };
	}
	add_group(&s->list[slot->at], g);
}

struct sites
leaks_sites(struct leaks *l)
{
	struct sites s = { text_alloc(l->group_count * sizeof *s.list), 0 };
	struct slot *slots = NULL, *slot, *next;

	for (size_t i = 0; i < l->recording->process_count; i++)
		for (size_t j = 0; j < l->sections[i].listed_count; j++)
			add(&s, &slots, l, l->sections[i].shown[j]);
	HASH_ITER(hh, slots, slot, next)
	{
		HASH_DEL(slots, slot);
		free(slot);
	}
	if (s.count)
		qsort(s.list, s.count, sizeof *s.list, by_weight);
	return s;
}

void
sites_free(struct sites *s)
{
	free(s->list);
}
