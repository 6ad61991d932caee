/*
 * stacks.c - see stacks.h.
 *
 * A node's place (its source locations) is asked for once and remembered, so
 * that the cost is that of distinct return addresses, not of frames.  Nodes
 * and modules never change once they are there (logger/session.h), so only new
 * ones are read.
 */
#include "stacks.h"
#include "tallies.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

enum { PATH_LIMIT = 4096, FRAMES_MAX = 10000, PROGRESS_MAX = 4096 };
#define YOUNG_SECONDS 1.0

struct module {
	struct catalog_module *entry;
	uint64_t start, end, bias;
};

struct stack_names {
	struct zs_node *nodes;
	struct catalog_place **places; /* [node_count] */
	uint32_t node_count;
	struct module *modules;
	uint32_t module_count;
	uint32_t written; /* stacks below it have their frames */
	struct utf8 json; /* reused */
};

static struct stack_names *
names_of(struct process *p)
{
	if (!p->names)
		p->names = calloc(1, sizeof *p->names);
	return p->names;
}

void
stacks_free(struct process *p)
{
	if (!p->names)
		return;
	free(p->names->nodes);
	free(p->names->places);
	free(p->names->modules);
	free(p->names->json.text);
	free(p->names);
	p->names = NULL;
}

static void
load_module(struct process *p, struct catalog *c, const struct zs_module *m,
	    struct module *to)
{
	char *path = segment_string(&p->seg, m->path, PATH_LIMIT);
	size_t bytes = m->build_id_bytes;
	if (bytes > sizeof m->build_id)
		bytes = 0;
	*to = (struct module){ catalog_module(c, path ? path : "", m->build_id,
					      bytes),
			       m->start, m->end, m->bias };
	free(path);
}

static void
load_modules(struct process *p, struct catalog *c)
{
	struct stack_names *t = p->names;
	const struct zs_table *table = &p->seg.h.modules;
	uint32_t n = segment_count(&p->seg, table);
	if (n <= t->module_count)
		return;
	struct module *all = reallocarray(t->modules, n, sizeof *all);
	if (!all)
		return;
	t->modules = all;
	if (t->module_count == 0)
		all[t->module_count++] = (struct module){ 0 };
	for (; t->module_count < n; t->module_count++) {
		struct zs_module m;
		if (segment_entries(&p->seg, table, t->module_count, 1, &m) !=
		    0)
			return;
		load_module(p, c, &m, &all[t->module_count]);
	}
}

struct catalog_module *
stacks_module(const struct process *p, uint32_t index)
{
	const struct stack_names *t = p->names;
	return t && index && index < t->module_count ? t->modules[index].entry
						     : NULL;
}

static struct catalog_place *
place_of(const struct stack_names *t, struct catalog *c,
	 const struct zs_node *node)
{
	uint64_t pc = zs_node_pc(node);
	unsigned index = zs_node_module(node);
	if (pc <= ZS_PC_EARLY)
		return catalog_remark(c, pc);
	if (index && index < t->module_count)
		return catalog_place(c, t->modules[index].entry,
				     pc - t->modules[index].bias);
	return catalog_place(c, NULL, pc);
}

/* Room for n nodes: both arrays or nothing. */
static int
grow(struct stack_names *t, uint32_t n)
{
	struct zs_node *nodes = reallocarray(t->nodes, n, sizeof *nodes);
	if (nodes)
		t->nodes = nodes;
	struct catalog_place **places =
	    reallocarray(t->places, n, sizeof(*places));
	if (places)
		t->places = places;
	return nodes && places ? 0 : -1;
}

/* Frames from before the loader's lists could be read get their modules a
 * moment later: the one change that a node can see. */
static int
is_young(const struct process *p)
{
	return p->stopped == STOP_RUNNING &&
	       (p->seg.h.state == ZS_STARTING ||
		seconds_now() - p->start < YOUNG_SECONDS);
}

static int
unattributed(const struct zs_node *n)
{
	return zs_node_pc(n) > ZS_PC_EARLY && zs_node_module(n) == 0;
}

void
stacks_ask(struct process *p, struct catalog *c)
{
	struct stack_names *t = names_of(p);
	const struct zs_table *table = &p->seg.h.nodes;
	uint32_t n = segment_count(&p->seg, table);
	if (!t)
		return;
	/* a node's module was entered before the node; those without frames
	 * may bring a malloc of their own */
	load_modules(p, c);
	if (n <= t->node_count)
		return;
	if (grow(t, n) != 0 ||
	    segment_entries(&p->seg, table, t->node_count, n - t->node_count,
			    t->nodes + t->node_count) != 0)
		return;
	int young = is_young(p);
	for (; t->node_count < n; t->node_count++) {
		uint32_t i = t->node_count;
		if (i && young && unattributed(&t->nodes[i]))
			return; /* read once more later */
		t->places[i] = i ? place_of(t, c, &t->nodes[i]) : NULL;
	}
}

/* Are the names of all frames of this stack known? */
static int
ready(const struct stack_names *t, uint32_t leaf)
{
	for (uint32_t i = leaf; i; i = t->nodes[i].parent) {
		if (i >= t->node_count)
			return 0;
		if (t->nodes[i].parent >= i)
			return 1; /* damaged: frames_of says so */
		if (t->places[i] && !catalog_ready(t->places[i]))
			return 0;
	}
	return 1;
}

/* The frames from the leaf to the root as a JSON array; *cut is set when a
 * remark says that the depth limit left some out. */
static const char *
frames_of(struct process *p, struct catalog *c, uint32_t leaf, int *cut)
{
	struct stack_names *t = p->names;
	uint32_t i = leaf;
	*cut = 0;
	t->json.length = 0;
	utf8_add(&t->json, "[", 1);
	for (unsigned n = 0; i && i < t->node_count && n < FRAMES_MAX; n++) {
		const struct place *place =
		    t->places[i] ? catalog_rows(c, t->places[i]) : NULL;
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
			p->damaged = 1;
			break;
		}
		i = parent;
	}
	utf8_add(&t->json, "]", 1);
	return t->json.text;
}

void
stacks_progress(struct process *p, struct writer *w, struct catalog *c)
{
	struct stack_names *t = p->names;
	struct zs_stack s;
	int cut;
	if (!t)
		return;
	for (unsigned done = 0; done < PROGRESS_MAX; done++) {
		uint32_t i = t->written ? t->written : 1;
		/* those without a row come with the next sample */
		if (i >= p->stack_count || !p->stacks[i].id ||
		    segment_entries(&p->seg, &p->seg.h.stacks, i, 1, &s) != 0 ||
		    !ready(t, s.node))
			return;
		const char *frames = frames_of(p, c, s.node, &cut);
		writer_row(w, ROW_STACK_FRAMES, "it", p->stacks[i].id, frames);
		t->written = i + 1;
	}
}

static void
write_stack(struct process *p, struct writer *w, struct catalog *c,
	    const struct zs_stack *s, struct stack_state *state)
{
	int cut;
	if (!state->id) {
		if (s->allocations == 0)
			return;
		state->id = writer_row(w, ROW_STACK, "i", p->id);
	}
	const char *frames = frames_of(p, c, s->node, &cut);
	p->frames_cut += cut;
	uint64_t blocks =
	    s->allocations > s->frees ? s->allocations - s->frees : 0;
	uint64_t bytes =
	    s->bytes > s->freed_bytes ? s->bytes - s->freed_bytes : 0;
	writer_row(w, ROW_STACK_END, "itiiiiiiii", state->id, frames,
		   (int64_t)s->allocations, (int64_t)s->frees,
		   (int64_t)s->bytes, (int64_t)blocks, (int64_t)bytes,
		   (int64_t)s->peak_bytes, (int64_t)s->temporary,
		   state->type > 0 ? state->type : NO_INTEGER);
}

void
stacks_write(struct process *p, struct writer *w, struct catalog *c)
{
	uint32_t n;
	stacks_ask(p, c);
	struct zs_stack *s = segment_table(&p->seg, &p->seg.h.stacks, &n);
	p->frames_cut = 0;
	if (s) {
		struct tallies tallies;
		tallies_read(p, &tallies);
		tallies_add(&tallies, s, 0, n);
		tallies_free(&tallies);
	}
	if (p->names && p->names->places)
		for (uint32_t i = 1; i < n && i < p->stack_count; i++)
			write_stack(p, w, c, &s[i], &p->stacks[i]);
	else if (n > 1)
		p->damaged = 1;
	free(s);
}
