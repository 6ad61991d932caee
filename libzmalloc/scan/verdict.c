/*
 * verdict.c - what becomes of the blocks that no root leads to.
 *
 * Lost blocks form a graph of their own.  Its entries, the definite leaks, are
 * the least set from which all of it can be reached: one block of each cycle
 * that nothing else points to, and every block that no other points to.
 * Found in three walks, each linear:
 *  1. in order of address, walk from each lost block not yet met: its entry;
 *  2. in the reverse order, walk from each of these entries not yet met in
 *     this walk: those are the definite ones.  (Whatever leads to such an
 *     entry without being met from it would be an entry that comes later.)
 *  3. in order of address, walk from each definite one: its group.
 * Then each live block's tag gets its verdict.  Called by scan.c.
 */
#include "logger/logger.h"
#include "scan/scan.h"

/* Calls fn for each recorded node, in order of address or against it. */
static void
each_node(struct zm_scan *s, bool reverse,
	  void (*fn)(struct zm_scan *, struct zm_node *))
{
	for (uint32_t i = 0; i < s->regions; i++) {
		uint32_t id = s->order[reverse ? s->regions - 1 - i : i];
		struct zm_region *r = zm_ledger_region(id);
		struct zm_node n;
		if (!r || !r->tags)
			continue;
		for (uint32_t k = 0; k < r->tag_count; k++) {
			uint32_t index = reverse ? r->tag_count - 1 - k : k;
			if (r->tags[2 * (size_t)index] &&
			    zm_mark_node(s, r, index, &n) && n.tag)
				fn(s, &n);
		}
	}
}

static unsigned
kind(const struct zm_node *n)
{
	return *n->state & ZM_STATE_KIND;
}

static void
set_kind(const struct zm_node *n, uint8_t k)
{
	*n->state = (uint8_t)((*n->state & ~ZM_STATE_KIND) | k);
}

static void
push_possible(struct zm_scan *s, struct zm_node *n)
{
	if (kind(n) != ZM_STATE_NONE || !(*n->state & ZM_STATE_INTERIOR))
		return;
	set_kind(n, ZM_STATE_POSSIBLE);
	zm_mark_push(s, n);
	zm_mark_drain(s);
}

static void
enter(struct zm_scan *s, struct zm_node *n)
{
	if (kind(n) != ZM_STATE_NONE)
		return;
	set_kind(n, ZM_STATE_LOST);
	*n->state |= ZM_STATE_ENTRY;
	zm_mark_push(s, n);
	zm_mark_drain(s);
}

static void
lead(struct zm_scan *s, struct zm_node *n)
{
	if (!(*n->state & ZM_STATE_ENTRY) || *n->state & ZM_STATE_SECOND)
		return;
	*n->state |= ZM_STATE_SECOND;
	set_kind(n, ZM_STATE_DEFINITE);
	zm_mark_push(s, n);
	zm_mark_drain(s);
}

static void
group(struct zm_scan *s, struct zm_node *n)
{
	struct zs_table *t = &zm_session.h->groups;

	if (kind(n) != ZM_STATE_DEFINITE)
		return;
	zm_graph_leader(s, n->start);
	s->group_blocks = s->group_bytes = 0;
	zm_mark_push(s, n);
	zm_mark_drain(s);
	if (!s->group_blocks || t->count >= t->capacity ||
	    !zm_table_open(t, t->count))
		return;
	struct zs_group *g = &zm_session.groups[t->count];
	g->leader = n->start;
	g->indirect_blocks = s->group_blocks;
	g->indirect_bytes = s->group_bytes;
	__atomic_store_n(&t->count, t->count + 1, __ATOMIC_RELEASE);
}

static void
write_verdict(struct zm_scan *s, struct zm_node *n)
{
	static const uint8_t verdict[] = {
		[ZM_STATE_NONE] = ZS_UNSCANNED,
		[ZM_STATE_REACHABLE] = ZS_REACHABLE,
		[ZM_STATE_POSSIBLE] = ZS_POSSIBLE,
		[ZM_STATE_LOST] = ZS_INDIRECT,
		[ZM_STATE_DEFINITE] = ZS_DEFINITE,
	};
	uint64_t w0, w1, with;
	unsigned k = kind(n);

	zm_scan_tag(s, n->tag, &w0, &w1);
	with = w0 & (~UINT64_C(0) >> 4);
	if (k < sizeof verdict)
		with |= (uint64_t)verdict[k] << 60;
	if (!w0 || with == w0)
		return;
	/* The program may free the block just now, and the next one there may
	 * have the same stack and size: its tag's other word tells. */
	uint64_t seen = w0;
	if (!__atomic_compare_exchange_n(&n->tag[0], &seen, with, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	zm_scan_tag(s, n->tag, &seen, &w1);
	if (!seen)
		__atomic_compare_exchange_n(&n->tag[0], &with, w0, false,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

void
zm_verdicts(struct zm_scan *s)
{
	s->pass = ZM_PASS_POSSIBLE;
	each_node(s, false, push_possible);
	s->pass = ZM_PASS_LOST;
	each_node(s, false, enter);
	s->pass = ZM_PASS_LEADERS;
	each_node(s, true, lead);
	s->pass = ZM_PASS_GROUPS;
	each_node(s, false, group);
	each_node(s, false, write_verdict);
}
