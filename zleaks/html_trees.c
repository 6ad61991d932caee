/*
 * html_trees.c - who allocates, as the HTML page shows it: the flame graph,
 * and the tables of functions and of stacks.
 */
#include "html.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { ALL_COSTS = (1u << COSTS) - 1 };

static json_t *
number(uint64_t n)
{
	return json_checked(
	    json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n));
}

/* "live": .., all costs */
static json_t *
costs_json(const uint64_t cost[COSTS])
{
	json_t *j = json_checked(json_object());

	for (int i = 0; i < COSTS; i++)
		json_object_set_new(j, cost_names[i], number(cost[i]));
	return j;
}

/* [live, peak, ..]: a row's costs in the order of "costs" */
static json_t *
cost_list(const uint64_t cost[COSTS])
{
	json_t *list = json_checked(json_array());

	for (int i = 0; i < COSTS; i++)
		json_array_append_new(list, number(cost[i]));
	return list;
}

static void
add(uint64_t *to, const uint64_t *cost)
{
	for (int i = 0; i < COSTS; i++)
		if (__builtin_add_overflow(to[i], cost[i], &to[i]))
			to[i] = UINT64_MAX;
}

/* ---- flame graph ------------------------------------------------------ */

struct smaller { /* callees of one node that are not drawn */
	uint32_t count;
	uint64_t cost[COSTS];
};

/* Numbers of the chosen nodes in the page: parents before children. */
static uint32_t *
number_nodes(const struct calltree *t, const unsigned char *chosen,
	     struct smaller **smaller)
{
	uint32_t *place = text_alloc(t->count * sizeof *place), n = 0;

	*smaller = text_alloc(t->count * sizeof **smaller);
	for (uint32_t i = 0; i < t->count; i++) {
		const struct call_node *node = &t->node[i];
		if (chosen[i]) {
			place[i] = n++;
		} else if (chosen[node->parent]) {
			(*smaller)[node->parent].count++;
			add((*smaller)[node->parent].cost, node->all);
		}
	}
	return place;
}

static json_t *
node_module(struct html *h, const struct call_node *n)
{
	const char *module = n->frame ? n->frame->module : NULL;

	return book_text(h->book, module ? text_basename(module) : NULL);
}

/* "nodes": [[name, module, parent, costs..]], "smaller": [[parent, count,
 * costs..]] */
static void
write_flame(struct html *h, const struct calltree *t)
{
	unsigned char *chosen = flame_choose(t, ALL_COSTS, HTML_NODES);
	struct smaller *smaller;
	uint32_t *place = number_nodes(t, chosen, &smaller);
	json_t *nodes = json_checked(json_array());
	json_t *rest = json_checked(json_array());
	uint32_t left_out = 0;

	for (uint32_t i = 0; i < t->count; i++) {
		const struct call_node *n = &t->node[i];
		if (!chosen[i]) {
			left_out++;
			continue;
		}
		json_t *row = cost_list(n->all);
		json_array_insert_new(row, 0, json_integer(place[n->parent]));
		json_array_insert_new(row, 0, node_module(h, n));
		json_array_insert_new(row, 0, book_text(h->book, n->name));
		json_array_append_new(nodes, row);
		if (!smaller[i].count)
			continue;
		row = cost_list(smaller[i].cost);
		json_array_insert_new(row, 0, json_integer(smaller[i].count));
		json_array_insert_new(row, 0, json_integer(place[i]));
		json_array_append_new(rest, row);
	}
	free(smaller);
	free(place);
	free(chosen);
	json_out_member(&h->out, "flame",
			json_pack("{s:o, s:o, s:I}", "nodes", nodes, "smaller",
				  rest, "left_out", (json_int_t)left_out));
}

/* ---- functions -------------------------------------------------------- */

struct function {
	const char *name; /* the tree has each name once */
	const struct call_node *node;
	uint64_t self[COSTS], all[COSTS];
	uint32_t inside; /* how often it is on the path being walked */
	UT_hash_handle hh;
};

struct functions {
	const struct calltree *tree;
	struct function *by_name, **of_node;
	size_t count;
};

static struct function *
function_of(struct functions *f, uint32_t node)
{
	const struct call_node *n = &f->tree->node[node];
	struct function *fn;

	HASH_FIND_PTR(f->by_name, &n->name, fn);
	if (!fn) {
		fn = text_alloc(sizeof *fn);
		fn->name = n->name;
		fn->node = n;
		HASH_ADD_PTR(f->by_name, name, fn);
		f->count++;
	}
	return fn;
}

/* Down from node: a function that calls itself counts once. */
static void
sum_functions(struct functions *f)
{
	const struct call_node *node = f->tree->node;
	uint32_t at = node[0].child;

	while (at) {
		struct function *fn = f->of_node[at] = function_of(f, at);
		add(fn->self, node[at].self);
		if (fn->inside++ == 0)
			add(fn->all, node[at].all);
		if (node[at].child) {
			at = node[at].child;
			continue;
		}
		while (at && !node[at].next) {
			f->of_node[at]->inside--;
			at = node[at].parent;
		}
		if (at) {
			f->of_node[at]->inside--;
			at = node[at].next;
		}
	}
}

/* [[name, module, [self..], [all..]]] */
static void
write_functions(struct html *h, const struct calltree *t)
{
	struct functions f = { .tree = t };
	struct function *fn, *next;
	size_t i = 0, left_out = 0;

	f.of_node = text_alloc(t->count * sizeof(struct function *));
	sum_functions(&f);
	double *shares = text_alloc((f.count + 1) * sizeof *shares);
	HASH_ITER(hh, f.by_name, fn, next)
	shares[i++] = flame_share(fn->all, t->node[0].all, ALL_COSTS);
	unsigned char *chosen = text_alloc(f.count + 1);
	flame_mark(shares, f.count, HTML_FUNCTIONS, chosen);
	json_out_array(&h->out, "functions");
	i = 0;
	HASH_ITER(hh, f.by_name, fn, next)
	{
		if (chosen[i++])
			json_out_element(&h->out,
					 json_pack("[o, o, o, o]",
						   book_text(h->book, fn->name),
						   node_module(h, fn->node),
						   cost_list(fn->self),
						   cost_list(fn->all)));
		else
			left_out++;
		HASH_DEL(f.by_name, fn);
		free(fn);
	}
	json_out_array_end(&h->out);
	json_out_member(&h->out, "functions_left_out",
			json_integer((json_int_t)left_out));
	free(chosen);
	free(shares);
	free(f.of_node);
}

/* ---- stacks ----------------------------------------------------------- */

struct row {
	int64_t stack_id;
	const struct process *process;
	uint64_t cost[COSTS];
};

struct rows {
	struct row *list;
	size_t count, room;
	struct calltree *tree; /* of the same stacks */
};

static void
take_row(void *ctx, const struct process *p, int64_t id,
	 const struct stack *stack, const uint64_t cost[COSTS])
{
	struct rows *r = ctx;

	calltree_add(r->tree, stack, cost);
	if (r->count == r->room) {
		r->room = r->room ? 2 * r->room : 1024;
		r->list = text_grow(r->list, r->room, sizeof *r->list);
	}
	r->list[r->count] = (struct row){ .stack_id = id, .process = p };
	memcpy(r->list[r->count++].cost, cost, sizeof r->list->cost);
}

/* [[stack, process, costs..]]; "stacks_left_out": their number and costs */
static void
write_stacks(struct html *h, const struct rows *r)
{
	const uint64_t *total = r->tree->node[0].all;
	long top = h->settings->top;
	uint64_t rest[COSTS] = { 0 };
	json_int_t left_out = 0;

	double *shares = text_alloc((r->count + 1) * sizeof *shares);
	for (size_t i = 0; i < r->count; i++)
		shares[i] = flame_share(r->list[i].cost, total, ALL_COSTS);
	unsigned char *chosen = text_alloc(r->count + 1);
	flame_mark(shares, r->count,
		   top < 0    ? HTML_STACKS
		   : top == 0 ? r->count
			      : (size_t)top,
		   chosen);
	json_out_array(&h->out, "stack_rows");
	for (size_t i = 0; i < r->count; i++) {
		const struct row *row = &r->list[i];
		if (!chosen[i]) {
			left_out++;
			add(rest, row->cost);
			continue;
		}
		json_t *j = cost_list(row->cost);
		json_array_insert_new(j, 0, html_process(h, row->process));
		json_array_insert_new(j, 0, book_stack(h->book, row->stack_id));
		json_out_element(&h->out, j);
	}
	json_out_array_end(&h->out);
	json_out_member(&h->out, "stacks_left_out",
			json_pack("{s:I, s:o}", "stacks", left_out, "costs",
				  cost_list(rest)));
	free(chosen);
	free(shares);
}

void
html_trees(struct html *h)
{
	struct rows r = { .tree = calltree_new(0) };

	calltree_each_stack(h->recording, h->stacks, h->settings, take_row, &r);
	json_out_member(&h->out, "totals", costs_json(r.tree->node[0].all));
	json_out_member(&h->out, "stack_count",
			json_integer((json_int_t)r.tree->stacks));
	write_flame(h, r.tree);
	write_functions(h, r.tree);
	write_stacks(h, &r);
	calltree_free(r.tree);
	free(r.list);
}
