/*
 * calltree.h - all stacks of a report as one tree of functions, with what each
 * function and its callees cost.  Used by `stacks`, `flamegraph`, `export` and
 * `html`.
 */
#ifndef ZLEAKS_CALLTREE_H
#define ZLEAKS_CALLTREE_H

#include "stack.h"

/* What a stack costs, as in the view stack_total; the order of --cost. */
enum cost {
	COST_LIVE,	/* bytes at the end */
	COST_PEAK,	/* bytes at the stack's own peak */
	COST_TOTAL,	/* bytes, all allocations */
	COST_COUNT,	/* allocations */
	COST_TEMPORARY, /* allocations freed before the thread's next one */
	COST_LEAKED,	/* bytes, definite and indirect */
	COSTS
};
extern const char *const cost_names[COSTS + 1];
extern const char *const cost_titles[COSTS + 1];
/* 1: the cost is in bytes, 0: a number of allocations. */
int cost_is_bytes(enum cost);

struct call_node {
	const struct frame *frame; /* one of that function; NULL: the root */
	const char *name;	   /* printable; shared by equal functions */
	const uint64_t *self;	   /* [COSTS] of the stacks that end here */
	uint64_t all[COSTS];
	uint32_t parent, child, next; /* 0: none */
	uint32_t children;
};

struct calltree {
	struct call_node *node; /* [0] is the root, parents before children */
	uint32_t count;
	uint32_t stacks; /* that passed the filters */
};

/*
 * Reads the stacks of the chosen processes that --focus and --ignore leave.
 * bottom_up: the root's children are the callers of the allocation functions
 * and theirs who called them; all[] of a node then is what was allocated by
 * way of it.  Children stand in the order of their first appearance.
 */
struct calltree *calltree_read(const struct recording *, struct stacks *,
			       const struct settings *, int bottom_up);
void calltree_free(struct calltree *);

/* The same from stacks that the caller chooses. */
struct calltree *calltree_new(int bottom_up);
void calltree_add(struct calltree *, const struct stack *,
		  const uint64_t cost[COSTS]);

/* The children of a node by falling cost; those without cost are left out.
 * Returns their number, the array is the caller's to free. */
size_t calltree_children(const struct calltree *, uint32_t node, enum cost,
			 uint32_t **children);

/* Calls fn for each stack that passes, with its costs.  With --from or --to
 * the live bytes are those of that moment, or gained in that time. */
void calltree_each_stack(const struct recording *, struct stacks *,
			 const struct settings *,
			 void (*fn)(void *ctx, const struct process *,
				    int64_t stack_id, const struct stack *,
				    const uint64_t cost[COSTS]),
			 void *ctx);

/* Name of a function as trees show it: the function, or module+offset.  The
 * caller's to free. */
char *call_name(const struct frame *);

/* The same, made once; belongs to the frame. */
const char *frame_name(struct frame *);

#endif
