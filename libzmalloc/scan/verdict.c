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

/* Which nodes: state & mask == value. */
struct choice {
	uint8_t mask, value;
};

static void
each_in_region(struct zm_scan *s, const struct zm_region *r, bool reverse,
	       struct choice c, void (*fn)(struct zm_scan *, struct zm_node *))
{
	const uint8_t *state = s->state + s->first[r->id];

	for (uint32_t k = 0; k < r->tag_count; k++) {
		uint32_t index = reverse ? r->tag_count - 1 - k : k;
		struct zm_node n;
		if ((state[index] & c.mask) == c.value &&
		    r->tags[2 * (size_t)index] &&
		    zm_mark_node(s, r, index, &n) && n.tag)
			fn(s, &n);
	}
}

/* Calls fn for recorded nodes, in order of address or against it. */
static void
each_node(struct zm_scan *s, bool reverse, struct choice c,
	  void (*fn)(struct zm_scan *, struct zm_node *))
{
	for (uint32_t i = 0; i < s->regions; i++) {
		uint32_t id = s->order[reverse ? s->regions - 1 - i : i];
		const struct zm_region *r = zm_ledger_region(id);
		if (r && r->tags)
			each_in_region(s, r, reverse, c, fn);
	}
}

static void
set_kind(const struct zm_node *n, uint8_t k)
{
	*n->state = (uint8_t)((*n->state & ~ZM_STATE_KIND) | k);
}

static void
push_possible(struct zm_scan *s, struct zm_node *n)
{
	set_kind(n, ZM_STATE_POSSIBLE);
	zm_mark_push(s, n);
	zm_mark_drain(s);
}

static void
enter(struct zm_scan *s, struct zm_node *n)
{
	set_kind(n, ZM_STATE_LOST);
	*n->state |= ZM_STATE_ENTRY;
	zm_mark_push(s, n);
	zm_mark_drain(s);
}

static void
lead(struct zm_scan *s, struct zm_node *n)
{
	*n->state |= ZM_STATE_SECOND;
	set_kind(n, ZM_STATE_DEFINITE);
	zm_mark_push(s, n);
	zm_mark_drain(s);
}

static void
group(struct zm_scan *s, struct zm_node *n)
{
	struct zs_table *t = &zm_session.h->groups;

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

/* Into the tag of a block, whose state is k. */
static void
write_verdict(const struct zm_scan *s, uint64_t *tag, unsigned k)
{
	static const uint8_t verdict[] = {
		[ZM_STATE_NONE] = ZS_UNSCANNED,
		[ZM_STATE_REACHABLE] = ZS_REACHABLE,
		[ZM_STATE_POSSIBLE] = ZS_POSSIBLE,
		[ZM_STATE_LOST] = ZS_INDIRECT,
		[ZM_STATE_DEFINITE] = ZS_DEFINITE,
	};
	uint64_t w0, w1, with;

	zm_scan_tag(s, tag, &w0, &w1);
	with = w0 & (~UINT64_C(0) >> 4);
	if (k < sizeof verdict)
		with |= (uint64_t)verdict[k] << 60;
	if (!w0 || with == w0)
		return;
	if (!s->frozen) {
		__atomic_store_n(&tag[0], with, __ATOMIC_RELAXED);
		return;
	}
	/* The program may free the block just now, and the next one there may
	 * have the same stack and size: its tag's other word tells. */
	uint64_t seen = w0;
	if (!__atomic_compare_exchange_n(&tag[0], &seen, with, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	zm_scan_tag(s, tag, &seen, &w1);
	if (!seen)
		__atomic_compare_exchange_n(&tag[0], &with, w0, false,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

static void
write_verdicts(const struct zm_scan *s)
{
	for (uint32_t i = 0; i < s->regions; i++) {
		const struct zm_region *r = zm_ledger_region(s->order[i]);
		if (!r || !r->tags)
			continue;
		const uint8_t *state = s->state + s->first[r->id];
		for (uint32_t k = 0; k < r->tag_count; k++) {
			uint64_t *tag = r->tags + 2 * (size_t)k;
			if (tag[0])
				write_verdict(s, tag, state[k] & ZM_STATE_KIND);
		}
	}
}

void
zm_verdicts(struct zm_scan *s)
{
	const struct choice inside = { ZM_STATE_KIND | ZM_STATE_INTERIOR,
				       ZM_STATE_INTERIOR };
	const struct choice unseen = { ZM_STATE_KIND, ZM_STATE_NONE };
	const struct choice entries = { ZM_STATE_ENTRY | ZM_STATE_SECOND,
					ZM_STATE_ENTRY };
	const struct choice leaders = { ZM_STATE_KIND, ZM_STATE_DEFINITE };

	s->pass = ZM_PASS_POSSIBLE;
	each_node(s, false, inside, push_possible);
	s->pass = ZM_PASS_LOST;
	each_node(s, false, unseen, enter);
	s->pass = ZM_PASS_LEADERS;
	each_node(s, true, entries, lead);
	s->pass = ZM_PASS_GROUPS;
	each_node(s, false, leaders, group);
	write_verdicts(s);
}
