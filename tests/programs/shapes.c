/*
 * shapes.c - what lost and kept memory looks like: single blocks, lists, trees,
 * cycles, interior pointers.  Case numbers are those of Valgrind's manual.
 */
#include "known.h"

struct node {
	struct node *next;
	struct node *other;
	long payload;
};

static void *volatile root[8];

#define DEFINE_ALLOC(name)                                           \
	static NOINLINE struct node *alloc_##name(struct node *next) \
	{                                                            \
		struct node *n = (struct node *)malloc(sizeof(*n));  \
		n->next = next;                                      \
		n->other = NULL;                                     \
		n->payload = 1;                                      \
		return (struct node *)used(n);                       \
	}

DEFINE_ALLOC(single)
static NOINLINE void
single(void)
{
	for (int i = 0; i < 3; i++)
		alloc_single(NULL);
}

DEFINE_ALLOC(list)
static NOINLINE void
list(void)
{
	struct node *head = NULL;

	for (int i = 0; i < 10; i++)
		head = alloc_list(head);
}

DEFINE_ALLOC(kept_list)
static NOINLINE void
kept_list(void)
{
	struct node *head = NULL;

	for (int i = 0; i < 10; i++)
		head = alloc_kept_list(head);
	root[0] = head;
}

/* Lost in the middle: the first four hang on a global, the rest is gone. */
DEFINE_ALLOC(cut_list)
static NOINLINE void
cut_list(void)
{
	struct node *head = NULL;

	for (int i = 0; i < 10; i++)
		head = alloc_cut_list(head);
	root[1] = head;
	head->next->next->next->next = NULL;
}

DEFINE_ALLOC(tree)
static NOINLINE struct node *
tree_of(int depth)
{
	struct node *n = alloc_tree(NULL);

	if (depth > 1) {
		n->next = tree_of(depth - 1);
		n->other = tree_of(depth - 1);
	}
	return n;
}
static NOINLINE void
tree(void)
{
	tree_of(5);
}

/* With pointers to the parent the whole tree is one cycle. */
DEFINE_ALLOC(parent_tree)
static NOINLINE void
parent_tree(void)
{
	struct node *top = alloc_parent_tree(NULL);

	for (int i = 0; i < 6; i++) {
		struct node *child = alloc_parent_tree(top);
		top->other = child;
		top = child;
	}
}

DEFINE_ALLOC(cycle)
static NOINLINE void
cycle(void)
{
	struct node *a = alloc_cycle(NULL), *b = alloc_cycle(a);

	a->next = b;
}

DEFINE_ALLOC(self_cycle)
static NOINLINE void
self_cycle(void)
{
	struct node *a = alloc_self_cycle(NULL);

	a->next = a;
}

/* One cycle leads to another: only the first has an entry. */
DEFINE_ALLOC(two_cycles)
static NOINLINE void
two_cycles(void)
{
	struct node *c = alloc_two_cycles(NULL), *d = alloc_two_cycles(c);
	struct node *a = alloc_two_cycles(NULL), *b = alloc_two_cycles(a);

	a->next = b;
	c->next = d;
	b->other = c;
}

DEFINE_ALLOC(kept_cycle)
static NOINLINE void
kept_cycle(void)
{
	struct node *a = alloc_kept_cycle(NULL), *b = alloc_kept_cycle(a);

	a->next = b;
	root[2] = b;
}

/* Two lost blocks point to a third. */
DEFINE_ALLOC(shared)
static NOINLINE void
shared(void)
{
	struct node *common = alloc_shared(NULL);

	alloc_shared(common);
	alloc_shared(common);
}

/* Case 4: root -?-> block. */
DEFINE_ALLOC(interior)
static NOINLINE void
interior(void)
{
	root[3] = &alloc_interior(NULL)->payload;
}

/* Case 6: root --> A -?-> B. */
DEFINE_ALLOC(case6_a)
DEFINE_ALLOC(case6_b)
static NOINLINE void
case6(void)
{
	struct node *b = alloc_case6_b(NULL);

	root[4] = alloc_case6_a((struct node *)&b->payload);
}

/* Case 7: root -?-> A --> B. */
DEFINE_ALLOC(case7)
static NOINLINE void
case7(void)
{
	root[5] = &alloc_case7(alloc_case7(NULL))->payload;
}

/* Case 9 with an interior pointer: nothing --> A -?-> B. */
DEFINE_ALLOC(case9_a)
DEFINE_ALLOC(case9_b)
static NOINLINE void
case9(void)
{
	alloc_case9_a((struct node *)&alloc_case9_b(NULL)->payload);
}

/* A pointer to the start counts more than one into the interior. */
DEFINE_ALLOC(both_ways)
static NOINLINE void
both_ways(void)
{
	struct node *b = alloc_both_ways(NULL);

	root[6] = alloc_both_ways(b);
	root[7] = &b->payload;
}

/* Held by a freed block only. */
DEFINE_ALLOC(held_by_freed)
static NOINLINE void
held_by_freed(void)
{
	struct node *a = alloc_held_by_freed(NULL), *b = NULL;

	a->other = b = alloc_held_by_freed(NULL);
	b->payload = 2;
	free(a);
}

/* Held by what lies behind the requested bytes of a live block only. */
static NOINLINE char *
alloc_slack_holder(void)
{
	return (char *)used(malloc(20));
}
DEFINE_ALLOC(held_by_slack)
static void *volatile slack_holder;
static NOINLINE void
held_by_slack(void)
{
	char *holder = alloc_slack_holder();
	struct node *lost = alloc_held_by_slack(NULL);

	memset(holder, 0, 20);
	slack_holder = holder;
	if (((uintptr_t)holder & 7) == 0)
		memcpy(holder + 24, &lost, sizeof(lost));
}

/* A pointer in disguise is no pointer. */
DEFINE_ALLOC(disguised)
static volatile uintptr_t disguise;
static NOINLINE void
disguised(void)
{
	disguise = ~(uintptr_t)alloc_disguised(NULL);
}

/* One past the end belongs to no block. */
static NOINLINE char *
alloc_past_end(void)
{
	return (char *)used(malloc(64));
}
static void *volatile past;
static NOINLINE void
past_end(void)
{
	past = alloc_past_end() + 64;
}

/* Held by the dead part of the stack only, deeper than what is cleared. */
DEFINE_ALLOC(dead_stack)
static NOINLINE void
dead_stack(void)
{
	void *volatile frame[40000];

	frame[0] = alloc_dead_stack(NULL);
	used((void *)frame);
}

/* Deep: the marking must not recurse. */
DEFINE_ALLOC(long_list)
static NOINLINE void
long_list(void)
{
	struct node *head = NULL;

	for (int i = 0; i < 200000; i++)
		head = alloc_long_list(head);
}

static const struct scenario scenarios[] = {
	{ "nothing", clear_stack, "", "plain" },
	{ "single", single, "definite alloc_single 3 72\n", "plain" },
	{ "list", list, "definite alloc_list 1 24\nindirect alloc_list 9 216\n",
	  "plain" },
	{ "kept_list", kept_list, "reachable alloc_kept_list 10 240\n",
	  "plain" },
	{ "cut_list", cut_list,
	  "reachable alloc_cut_list 4 96\n"
	  "definite alloc_cut_list 1 24\nindirect alloc_cut_list 5 120\n",
	  "plain" },
	{ "tree", tree,
	  "definite alloc_tree 1 24\nindirect alloc_tree 30 720\n", "plain" },
	{ "parent_tree", parent_tree,
	  "definite alloc_parent_tree 1 24\n"
	  "indirect alloc_parent_tree 6 144\n",
	  "plain" },
	{ "cycle", cycle,
	  "definite alloc_cycle 1 24\nindirect alloc_cycle 1 24\n", "plain" },
	{ "self_cycle", self_cycle, "definite alloc_self_cycle 1 24\n",
	  "plain" },
	{ "two_cycles", two_cycles,
	  "definite alloc_two_cycles 1 24\n"
	  "indirect alloc_two_cycles 3 72\n",
	  "plain" },
	{ "kept_cycle", kept_cycle, "reachable alloc_kept_cycle 2 48\n",
	  "plain" },
	{ "shared", shared,
	  "definite alloc_shared 2 48\nindirect alloc_shared 1 24\n", "plain" },
	{ "interior", interior, "possible alloc_interior 1 24\n", "plain" },
	{ "case6", case6,
	  "reachable alloc_case6_a 1 24\npossible alloc_case6_b 1 24\n",
	  "plain" },
	{ "case7", case7, "possible alloc_case7 2 48\n", "plain" },
	{ "case9", case9,
	  "definite alloc_case9_a 1 24\nindirect alloc_case9_b 1 24\n",
	  "plain" },
	{ "both_ways", both_ways, "reachable alloc_both_ways 2 48\n", "plain" },
	{ "held_by_freed", held_by_freed, "definite alloc_held_by_freed 1 24\n",
	  "plain" },
	/* no glibc leaves room there: writing would be wrong without us */
	{ "held_by_slack", held_by_slack,
	  "reachable alloc_slack_holder 1 20\n"
	  "definite alloc_held_by_slack 1 24\n",
	  "plain alone novalgrind" },
	{ "disguised", disguised, "definite alloc_disguised 1 24\n", "plain" },
	{ "past_end", past_end, "definite alloc_past_end 1 64\n", "plain" },
	{ "dead_stack", dead_stack, "definite alloc_dead_stack 1 24\n",
	  "plain" },
	{ "long_list", long_list,
	  "definite alloc_long_list 1 24\n"
	  "indirect alloc_long_list 199999 4799976\n",
	  "plain alone novalgrind" },
};

KNOWN_MAIN(scenarios)
