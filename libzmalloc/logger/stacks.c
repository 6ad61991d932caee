/*
 * stacks.c - the stack table: a trie of return addresses in the segment.
 *
 * A stack is a path from the outermost frame to the caller of the allocation
 * function.  The index that finds the child (parent, pc) is an open-addressing
 * table of node numbers in logger memory: read without a lock, written and
 * grown under stacks_lock; tables that were outgrown are kept, a reader may
 * still be in one.  Called by hook.c for each allocation.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>

#include "logger/logger.h"

enum { INDEX_MIN = 1 << 14 };

struct index {
	uint32_t mask;
	uint32_t used;
	uint64_t slot[]; /* atomic: bits of the hash, and a node; 0: empty */
};

static struct index *table; /* atomic */
static struct zm_lock stacks_lock = ZM_LOCK_INIT(ZM_RANK_LOGGER);
static uint32_t libc_is_up;
uint32_t zm_stacks_epoch = 1;
uintptr_t zm_loader_start, zm_loader_bytes;

static inline uint64_t
mix(uint32_t parent, uint64_t pc)
{
	uint64_t x = pc * UINT64_C(0x9e3779b97f4a7c15) ^
		     (parent + 1) * UINT64_C(0xc2b2ae3d27d4eb4f);

	return x ^ x >> 29;
}

/* ---- the index -------------------------------------------------------- */

/* The child's node, or 0 and where it would go, and what would go there but
 * for the node. */
static uint32_t
probe(const struct index *t, uint32_t parent, uint64_t pc, uint32_t *where,
      uint64_t *tag)
{
	uint64_t h = mix(parent, pc);
	uint32_t i = (uint32_t)h & t->mask;

	*tag = h & ~(uint64_t)UINT32_MAX;
	for (;; i = (i + 1) & t->mask) {
		uint64_t k = __atomic_load_n(&t->slot[i], __ATOMIC_ACQUIRE);
		if (!k)
			break;
		if (!((k ^ h) >> 32) && zm_node_is((uint32_t)k, parent, pc))
			return (uint32_t)k;
	}
	*where = i;
	return 0;
}

static void
slot_fill(struct index *t, uint32_t at, uint64_t tag, uint32_t n)
{
	t->used++;
	__atomic_store_n(&t->slot[at], tag | n, __ATOMIC_RELEASE);
}

static struct index *
index_new(uint32_t slots)
{
	size_t bytes = sizeof(struct index) + sizeof(uint64_t) * slots;
	struct index *t = zm_logger_alloc(bytes);

	if (t) {
		memset(t, 0, bytes);
		t->mask = slots - 1;
	}
	return t;
}

static void
index_put(struct index *t, uint32_t n)
{
	const struct zs_node *nodes = zm_session.nodes;
	uint32_t at;
	uint64_t tag;

	if (!probe(t, nodes[n].parent, zs_node_pc(&nodes[n]), &at, &tag))
		slot_fill(t, at, tag, n);
}

static bool
module_gone(const struct zs_node *n)
{
	unsigned m = zs_node_module(n);

	return m && zm_session.modules[m].unloaded_ns;
}

/* A table with twice the room; without nodes of modules that are gone, whose
 * addresses may mean something else now.  stacks_lock held. */
static bool
index_grow(uint32_t slots)
{
	struct index *t = index_new(slots);
	uint32_t count = zm_session.h->nodes.count;

	if (!t)
		return false;
	for (uint32_t n = 1; n < count; n++) {
		if (!module_gone(&zm_session.nodes[n]))
			index_put(t, n);
	}
	__atomic_store_n(&table, t, __ATOMIC_RELEASE);
	return true;
}

/* ---- nodes ------------------------------------------------------------ */

static bool
index_ready(void)
{
	if (!table)
		return index_grow(INDEX_MIN);
	if (table->used < table->mask / 2)
		return true;
	return index_grow((table->mask + 1) * 2);
}

static uint32_t
node_new(uint32_t parent, uint64_t pc, unsigned module)
{
	struct zs_table *h = &zm_session.h->nodes;
	uint32_t n = h->count;
	struct zs_node *node = &zm_session.nodes[n];

	if (n >= h->capacity || !zm_table_open(h, n)) {
		zm_trouble(ZS_TROUBLE_NO_MEMORY);
		return 0;
	}
	node->pc_module = pc | (uint64_t)module << 48;
	node->parent = parent;
	__atomic_store_n(&h->count, n + 1, __ATOMIC_RELEASE);
	return n;
}

static uint32_t
child_add(uint32_t parent, uint64_t pc)
{
	unsigned module = libc_is_up && pc > ZS_PC_EARLY ? zm_module_of(pc) : 0;
	uint32_t at, n = 0;
	uint64_t tag;

	zm_lock(&stacks_lock);
	if (index_ready() && !(n = probe(table, parent, pc, &at, &tag))) {
		n = node_new(parent, pc, module);
		if (n)
			slot_fill(table, at, tag, n);
	}
	zm_unlock(&stacks_lock);
	return n;
}

static uint32_t
child_find(uint32_t parent, uint64_t pc)
{
	const struct index *t = __atomic_load_n(&table, __ATOMIC_ACQUIRE);
	uint32_t at;
	uint64_t tag;

	return t ? probe(t, parent, pc, &at, &tag) : 0;
}

/* ---- stacks ----------------------------------------------------------- */

static uint32_t
stack_new(uint32_t n)
{
	struct zs_node *node = &zm_session.nodes[n];
	uint32_t s;

	zm_lock(&stacks_lock);
	s = node->stack;
	if (!s) {
		struct zs_table *h = &zm_session.h->stacks;
		if (h->count < h->capacity && zm_table_open(h, h->count)) {
			s = h->count;
			zm_session.stacks[s].node = n;
			__atomic_store_n(&h->count, s + 1, __ATOMIC_RELEASE);
			__atomic_store_n(&node->stack, s, __ATOMIC_RELEASE);
		} else {
			zm_trouble(ZS_TROUBLE_NO_MEMORY);
		}
	}
	zm_unlock(&stacks_lock);
	return s;
}

/* Drops what belongs to modules that were unloaded: their addresses may mean
 * something else now. */
int
zm_stacks_check_modules(void)
{
	int saved = errno;

	if (!libc_is_up)
		return 0;
	int gone = zm_modules_refresh();
	errno = saved;
	if (!gone)
		return 0;
	zm_lock(&stacks_lock);
	if (table)
		index_grow(table->mask + 1);
	__atomic_fetch_add(&zm_stacks_epoch, 1, __ATOMIC_RELEASE);
	zm_unlock(&stacks_lock);
	return 1;
}

/* The node of a new frame, after a look whether modules have changed. */
static uint32_t
child_make(uint32_t parent, uint64_t pc, bool *checked, bool *again)
{
	if (!*checked) {
		*checked = true;
		*again = zm_stacks_check_modules();
		if (*again)
			return 0;
	}
	return child_add(parent, pc);
}

/* How many outermost frames the thread's stack before has in common. */
static unsigned
common(struct zm_lthread *t, const uintptr_t *pcs, unsigned n)
{
	unsigned d = 0;

	if (t->cache_epoch !=
	    __atomic_load_n(&zm_stacks_epoch, __ATOMIC_RELAXED)) {
		t->cache_epoch = zm_stacks_epoch;
		t->cached = 0;
	}
	while (d < n && d < t->cached && t->cache_pc[d] == pcs[n - 1 - d])
		d++;
	return d;
}

/* The node of the whole stack; 0 and *again set: node numbers changed. */
static uint32_t
walk_in(struct zm_lthread *t, const uintptr_t *pcs, unsigned n, bool *again)
{
	bool checked = *again;
	unsigned d = common(t, pcs, n);
	uint32_t node = d ? t->cache_node[d - 1] : 0;

	*again = false;
	for (; d < n; d++) {
		uint64_t pc = pcs[n - 1 - d] & ZM_PC_MASK;
		uint32_t next = child_find(node, pc);
		if (!next)
			next = child_make(node, pc, &checked, again);
		if (!next) {
			t->cached = 0;
			return 0;
		}
		t->cache_pc[d] = pcs[n - 1 - d];
		t->cache_node[d] = node = next;
	}
	t->cached = n;
	return node;
}

uint32_t
zm_stack_get(struct zm_lthread *t, const uintptr_t *pcs, unsigned n)
{
	bool again = false;
	uint32_t node = walk_in(t, pcs, n, &again);

	if (again)
		node = walk_in(t, pcs, n, &again);
	if (!node)
		return 0;
	uint32_t s =
	    __atomic_load_n(&zm_session.nodes[node].stack, __ATOMIC_ACQUIRE);
	return s ? s : stack_new(node);
}

uint32_t
zm_node_look_up(struct zm_lthread *t, uint32_t parent, uint64_t pc,
		bool *checked)
{
	bool again = false;
	uint32_t n = child_find(parent, pc);

	if (!n)
		n = child_make(parent, pc, checked, &again);
	if (n)
		*zm_kid_of(t, parent, pc) = n;
	return n;
}

uint32_t
zm_stack_new(uint32_t node)
{
	return stack_new(node);
}

/* ---- start and fork --------------------------------------------------- */

void
zm_stacks_started(void)
{
	uint32_t count = zm_session.h->nodes.count;
	uintptr_t end;

	zm_modules_refresh();
	if (zm_module_range(getauxval(AT_BASE), &zm_loader_start, &end))
		zm_loader_bytes = end - zm_loader_start;
	zm_lock(&stacks_lock);
	for (uint32_t n = 1; n < count; n++) {
		struct zs_node *node = &zm_session.nodes[n];
		uint64_t pc = zs_node_pc(node);
		if (pc > ZS_PC_EARLY && !zs_node_module(node))
			node->pc_module = pc | (uint64_t)zm_module_of(pc) << 48;
	}
	zm_unlock(&stacks_lock);
	libc_is_up = 1;
}

void
zm_stacks_reset(void)
{
	zm_lock_init(&stacks_lock, ZM_RANK_LOGGER);
	zm_stacks_epoch++;
	if (table) {
		table->used = 0;
		memset(table->slot, 0,
		       sizeof table->slot[0] * ((size_t)table->mask + 1));
	}
}

void
zm_stacks_lock(void)
{
	zm_lock(&stacks_lock);
}

void
zm_stacks_unlock(void)
{
	zm_unlock(&stacks_lock);
}
