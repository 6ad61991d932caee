/*
 * stacks.c - see stacks.h.
 *
 * A node's place (its source locations) is looked up once and remembered, so
 * that the cost is that of distinct return addresses, not of frames.
 */
#include "stacks.h"
#include "tallies.h"
#include "utf8.h"

#include <stdlib.h>

enum { PATH_LIMIT = 4096, FRAMES_MAX = 10000 };

struct module {
	struct catalog_module *entry;
	uint64_t start, end, bias;
};

struct trie {
	struct process *p;
	struct catalog *c;
	struct zs_node *nodes;
	const struct place **places; /* [node_count], found so far */
	uint32_t node_count;
	struct module *modules;
	uint32_t module_count;
	struct utf8 json; /* reused */
};

static void
load_modules(struct trie *t)
{
	const struct segment *seg = &t->p->seg;
	uint32_t n;
	struct zs_module *m = segment_table(seg, &seg->h.modules, &n);
	if (m)
		t->modules = calloc(n, sizeof *t->modules);
	for (uint32_t i = 1; t->modules && i < n; i++) {
		char *path = segment_string(seg, m[i].path, PATH_LIMIT);
		size_t bytes = m[i].build_id_bytes;
		if (bytes > sizeof m[i].build_id)
			bytes = 0;
		t->modules[i] =
		    (struct module){ catalog_module(t->c, path ? path : "",
						    m[i].build_id, bytes),
				     m[i].start, m[i].end, m[i].bias };
		free(path);
	}
	t->module_count = t->modules ? n : 0;
	free(m);
}

static const struct place *
place_of(struct trie *t, uint32_t i)
{
	const struct zs_node *node = &t->nodes[i];
	uint64_t pc = zs_node_pc(node);
	unsigned index = zs_node_module(node);
	if (t->places[i])
		return t->places[i];
	if (pc <= ZS_PC_EARLY)
		t->places[i] = catalog_remark(t->c, pc);
	else if (index && index < t->module_count)
		t->places[i] = catalog_place(t->c, t->modules[index].entry,
					     pc - t->modules[index].bias);
	else
		t->places[i] = catalog_place(t->c, NULL, pc);
	return t->places[i];
}

/* The frames from the leaf to the root as a JSON array; *cut is set when a
 * remark says that the depth limit left some out. */
static const char *
frames_of(struct trie *t, uint32_t leaf, int *cut)
{
	uint32_t i = leaf;
	*cut = 0;
	t->json.length = 0;
	utf8_add(&t->json, "[", 1);
	for (unsigned n = 0; i && i < t->node_count && n < FRAMES_MAX; n++) {
		const struct place *place = place_of(t, i);
		for (uint32_t j = 0; place && j < place->count; j++) {
			if (t->json.length > 1)
				utf8_add(&t->json, ",", 1);
			utf8_number(&t->json, (uint64_t)place->ids[j]);
		}
		if (zs_node_pc(&t->nodes[i]) == ZS_PC_CUT)
			*cut = 1;
		/* a caller's node is older than its callee's: no cycles */
		uint32_t parent = t->nodes[i].parent;
		if (parent >= i) {
			t->p->damaged = 1;
			break;
		}
		i = parent;
	}
	utf8_add(&t->json, "]", 1);
	return t->json.text;
}

static void
write_stack(struct trie *t, struct writer *w, const struct zs_stack *s,
	    struct stack_state *state)
{
	int cut;
	if (!state->id) {
		if (s->allocations == 0)
			return;
		state->id = writer_row(w, ROW_STACK, "i", t->p->id);
	}
	const char *frames = frames_of(t, s->node, &cut);
	t->p->frames_cut += cut;
	uint64_t blocks =
	    s->allocations > s->frees ? s->allocations - s->frees : 0;
	uint64_t bytes =
	    s->bytes > s->freed_bytes ? s->bytes - s->freed_bytes : 0;
	writer_row(w, ROW_STACK_END, "itiiiiiii", state->id, frames,
		   (int64_t)s->allocations, (int64_t)s->frees,
		   (int64_t)s->bytes, (int64_t)blocks, (int64_t)bytes,
		   (int64_t)s->peak_bytes, (int64_t)s->temporary);
}

void
stacks_write(struct process *p, struct writer *w, struct catalog *c)
{
	struct trie t = { .p = p, .c = c };
	const struct zs_header *h = &p->seg.h;
	uint32_t n;
	load_modules(&t);
	t.nodes = segment_table(&p->seg, &h->nodes, &t.node_count);
	if (t.nodes)
		t.places = calloc(t.node_count, sizeof(*t.places));
	struct zs_stack *s = segment_table(&p->seg, &h->stacks, &n);
	p->frames_cut = 0;
	if (s) {
		struct tallies tallies;
		tallies_read(p, &tallies);
		tallies_add(&tallies, s, 0, n);
		tallies_free(&tallies);
	}
	if (t.places)
		for (uint32_t i = 1; i < n && i < p->stack_count; i++)
			write_stack(&t, w, &s[i], &p->stacks[i]);
	else if (n > 1)
		p->damaged = 1;
	free(s);
	free(t.places);
	free(t.nodes);
	free(t.modules);
	free(t.json.text);
}
