/*
 * types.c - see types.h.
 */
#include "types.h"
#include "stacks.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { VTABLE_HEAD = 16 }; /* bytes before the functions */

struct entry {
	uint64_t word;
	uint32_t type; /* 0: none */
	UT_hash_handle hh;
};

struct types {
	struct entry *by_word;
	int64_t *ids; /* [0] unused */
	uint32_t count;
};

struct types *
types_new(void)
{
	struct types *t = calloc(1, sizeof *t);
	if (t)
		t->count = 1;
	return t;
}

void
types_free(struct types *t)
{
	struct entry *e, *next;
	if (!t)
		return;
	HASH_ITER(hh, t->by_word, e, next)
	{
		HASH_DEL(t->by_word, e);
		free(e);
	}
	free(t->ids);
	free(t);
}

int64_t
types_id(const struct types *t, uint32_t type)
{
	return t->ids[type];
}

static uint32_t
type_new(struct types *t, struct writer *w, const char *name)
{
	int64_t *ids = reallocarray(t->ids, t->count + 1ul, sizeof *ids);
	char *text = strdup(name);
	if (ids)
		t->ids = ids;
	if (!ids || !text) {
		free(text);
		return 0;
	}
	utf8_clean(text);
	ids[t->count] = writer_row(w, ROW_TYPE, "t", text);
	free(text);
	return t->count++;
}

/* The name of the type whose table's functions begin at word. */
static const char *
type_name(const struct process *p, const struct zs_module *modules, uint32_t n,
	  double when, uint64_t word)
{
	static const char prefix[] = "vtable for ";
	struct symbol_object o;
	for (uint32_t i = n; i-- > 1;) {
		const struct zs_module *m = &modules[i];
		double gone = (double)m->unloaded_ns * 1e-9;
		if (word < m->start || word >= m->end ||
		    (m->unloaded_ns && gone < when))
			continue;
		struct catalog_module *c = stacks_module(p, i);
		if (!c || catalog_object(c, word - m->bias, 0, &o) != 0 ||
		    word - m->bias != o.start + VTABLE_HEAD ||
		    strncmp(o.name, prefix, sizeof prefix - 1) != 0)
			return NULL;
		return o.name + sizeof prefix - 1;
	}
	return NULL;
}

void
types_resolve(struct types *t, const struct process *p, struct writer *w,
	      struct graph *g)
{
	uint32_t n;
	struct zs_module *modules =
	    segment_table(&p->seg, &p->seg.h.modules, &n);
	struct entry *e = NULL;
	for (uint32_t i = 0; modules && i < g->nodes; i++) {
		struct graph_node *node = &g->node[i];
		if (!node->word)
			continue;
		if (!e || e->word != node->word)
			HASH_FIND(hh, t->by_word, &node->word,
				  sizeof node->word, e);
		if (!e) {
			const char *name =
			    type_name(p, modules, n, g->begin, node->word);
			if (!(e = calloc(1, sizeof *e)))
				break;
			e->word = node->word;
			e->type = name ? type_new(t, w, name) : 0;
			HASH_ADD(hh, t->by_word, word, sizeof e->word, e);
		}
		node->type = e->type;
	}
	free(modules);
}
