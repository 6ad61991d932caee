/*
 * mark.c - follows pointers from block to block.
 *
 * A word that lies in a block is a pointer to it.  Every aligned word of the
 * requested bytes counts; slack does not.  Most time goes by waiting for
 * memory: blocks are asked for some steps before they are read.  The work list
 * has a fixed size: when it is full a node is marked as pending and found again
 * by a sweep over the states.  Called by roots.c, verdict.c and scan.c, threads
 * stopped.
 */
#include <string.h>

#include "logger/logger.h"
#include "malloc/options.h"
#include "scan/scan.h"

enum pointer { NOWHERE, TO_START, TO_INTERIOR };
enum { LOOK_WORDS = 16 };

/* ---- from word to node ------------------------------------------------ */

static inline struct zm_region *
region_at(uintptr_t p)
{
	const struct zm_slice *slice = zm_slice_of(p);

	return slice ? __atomic_load_n(&slice->region, __ATOMIC_ACQUIRE) : NULL;
}

static inline uint8_t *
state_of(const struct zm_scan *s, const struct zm_region *r, uint32_t index)
{
	uint64_t at;

	if (r->id >= s->ids || !s->first[r->id])
		return NULL;
	at = s->first[r->id] + index;
	return at < s->states ? s->state + at : NULL;
}

static size_t
requested(const struct zm_region *r, uint64_t w0, size_t usable)
{
	size_t size = zs_tag_size(w0);

	if (size == ZS_TAG_SIZE_MAX && r->tier == ZM_TIER_LARGE)
		size = __atomic_load_n(&zm_session.regions[r->id].large_size,
				       __ATOMIC_RELAXED);
	return size < usable ? size : usable;
}

/* A block without a tag: the zone knows. */
static bool
is_live(uintptr_t start)
{
	struct zm_block b;

	return zm_block_at((void *)start, &b) && b.live;
}

static bool
node_of(const struct zm_scan *s, const struct zm_block *b, struct zm_node *n)
{
	const struct zm_region *r = b->region;
	uint64_t *tag = r->tags ? r->tags + 2 * (size_t)b->index : NULL;
	uint64_t w0 = 0, w1;

	n->state = state_of(s, r, b->index);
	if (!n->state)
		return false;
	n->start = b->start;
	if (tag)
		zm_scan_tag(s, tag, &w0, &w1);
	if (w0) {
		n->tag = tag;
		n->size = requested(r, w0, b->usable);
		return true;
	}
	n->tag = NULL;
	n->size = b->usable;
	return (r->zone == ZS_ZONE_LOGGER || s->follow_untagged || s->frozen) &&
	       is_live(b->start);
}

/* Whether a word is the address of a table of functions of a C++ class. */
static bool
is_vtable(const struct zm_scan *s, uintptr_t word)
{
	const uintptr_t *table = (const uintptr_t *)word;

	if (word & 7 || !zm_module_of(word) ||
	    !zm_scan_readable(s, word, 2 * sizeof *table))
		return false;
	return zm_module_of(table[0]) || zm_module_of(table[1]);
}

/*
 * Interior pointers that compilers and libraries keep instead of the start:
 * the elements of new T[] behind their number, a length in front of the rest,
 * the characters of a reference-counted std::string, the second base of an
 * object.  Valgrind knows the same four.
 */
static bool
stands_for_start(const struct zm_scan *s, const struct zm_node *n, size_t off)
{
	const uintptr_t *w = (const uintptr_t *)n->start;

	if (!zm_options.scan_heuristics || n->size < 16 ||
	    !zm_scan_readable(s, n->start, n->size))
		return false;
	if (off == 8 && w[0] == n->size - 8)
		return true;
	if (off == 8 && n->tag && zs_tag_fn(n->tag[0]) == ZS_FN_NEW_ARRAY &&
	    w[0] && (n->size - 8) % w[0] == 0)
		return true;
	if (off == 24 && w[0] <= w[1] && w[1] == n->size - 25)
		return true;
	return off % 8 == 0 && off + 8 <= n->size && is_vtable(s, w[0]) &&
	       is_vtable(s, w[off / 8]);
}

/*
 * The state of the block of a nano slab that `word` lies in, NULL when it lies
 * in none: what most words need, in a few instructions.  Pointers to the start
 * of a block that is known already need no more.
 */
static inline uint8_t *
nano_state(const struct zm_scan *s, const struct zm_region *r, uintptr_t word,
	   uint32_t *index)
{
	uint64_t off = word - r->base;

	if (off >= r->bytes)
		return NULL;
	*index = (uint32_t)(off * r->slot_magic >> 32);
	return *index < r->tag_count ? state_of(s, r, *index) : NULL;
}

/* As zm_block_at, but for `live`; a nano slab's bits are not looked at. */
static inline bool
block_of(uintptr_t word, struct zm_block *b)
{
	struct zm_region *r = region_at(word);

	if (!r || r->tier != ZM_TIER_NANO)
		return r && zm_block_at((void *)word, b);
	uint64_t off = word - r->base;
	b->region = r;
	b->index = (uint32_t)(off * r->slot_magic >> 32);
	b->start = r->base + (uintptr_t)b->index * r->quantum;
	b->usable = r->quantum;
	return off < r->bytes && b->index < r->tag_count;
}

static enum pointer
points_to(const struct zm_scan *s, uintptr_t word, struct zm_node *n)
{
	struct zm_block b;

	if (!block_of(word, &b) || !node_of(s, &b, n))
		return NOWHERE;
	size_t off = word - n->start;
	if (off == 0)
		return TO_START;
	if (off >= n->size) {
		/* The elements of new T[0] begin behind the block's end. */
		bool empty = off == 8 && n->size == 8 &&
			     zm_scan_readable(s, n->start, 8) &&
			     *(uintptr_t *)n->start == 0;
		return empty ? TO_START : NOWHERE;
	}
	return TO_INTERIOR;
}

bool
zm_mark_node(const struct zm_scan *s, const struct zm_region *r, uint32_t index,
	     struct zm_node *n)
{
	const uint64_t *tag = r->tags ? r->tags + 2 * (size_t)index : NULL;
	struct zm_block b = { .region = (struct zm_region *)r, .index = index };
	size_t step = r->quantum ? r->quantum : 1;
	uint64_t w0 = 0, w1;
	uintptr_t at;

	if (tag)
		zm_scan_tag(s, tag, &w0, &w1);
	if (w0 && r->tier != ZM_TIER_LARGE) {
		at = r->base;
		if (r->tier == ZM_TIER_NANO)
			at += (uintptr_t)index * r->quantum;
		else
			at += ((uintptr_t)index << r->tag_shift) +
			      zs_tag_sub(w1) * r->quantum;
		b.start = at;
		b.usable = zm_tag_usable(r, w1);
		return b.usable <= r->base + r->bytes - at && node_of(s, &b, n);
	}
	/* A conduit: ask the zone who begins in this granule. */
	if (r->tier == ZM_TIER_NANO || r->tier == ZM_TIER_LARGE) {
		at = r->base + (uintptr_t)index * r->quantum;
		return zm_block_at((void *)at, &b) && b.region == r &&
		       b.index == index && node_of(s, &b, n);
	}
	at = r->base + ((uintptr_t)index << r->tag_shift);
	for (uintptr_t p = at; p < at + ((uintptr_t)1 << r->tag_shift);
	     p += step) {
		if (zm_block_at((void *)p, &b) && b.region == r &&
		    b.start == p && b.index == index)
			return node_of(s, &b, n);
	}
	return false;
}

/* ---- marking ---------------------------------------------------------- */

void
zm_mark_push(struct zm_scan *s, const struct zm_node *n)
{
	if (s->work_count == s->work_room) {
		*n->state |= ZM_STATE_PENDING;
		s->overflow = true;
		return;
	}
	s->work[s->work_count++] =
	    (struct zm_work){ n->start, n->size, n->tag };
}

static void
set_kind(struct zm_scan *s, const struct zm_node *n, uint8_t kind)
{
	*n->state = (uint8_t)((*n->state & ~ZM_STATE_KIND) | kind);
	zm_mark_push(s, n);
}

/* The walks over lost blocks make no difference between pointers. */
static void
mark_lost(struct zm_scan *s, const struct zm_node *n, uint8_t bit)
{
	unsigned kind = *n->state & ZM_STATE_KIND;

	if (kind != ZM_STATE_LOST || *n->state & bit)
		return;
	*n->state |= bit;
	if (bit == ZM_STATE_THIRD && n->tag) {
		uint64_t blocks =
		    zs_weight(zm_session.sample, n->size, n->start, n->tag[1]);
		s->group_blocks += blocks;
		s->group_bytes += blocks * n->size;
	}
	zm_mark_push(s, n);
}

/* A pointer to a node, so many words into what is read: marks the node and
 * writes the pointer down. */
static void
mark(struct zm_scan *s, const struct zm_node *n, enum pointer to, size_t off,
     size_t word)
{
	unsigned kind = *n->state & ZM_STATE_KIND;
	bool fresh = kind == ZM_STATE_NONE, found = fresh;
	bool holds = to == TO_START;

	switch (s->pass) {
	case ZM_PASS_REACH:
		holds = holds || stands_for_start(s, n, off);
		if (fresh && holds)
			set_kind(s, n, ZM_STATE_REACHABLE);
		else if (fresh) {
			found = !(*n->state & ZM_STATE_INTERIOR);
			*n->state |= ZM_STATE_INTERIOR;
		}
		break;
	case ZM_PASS_POSSIBLE:
		if (fresh)
			set_kind(s, n, ZM_STATE_POSSIBLE);
		break;
	case ZM_PASS_LOST:
		if (fresh)
			set_kind(s, n, ZM_STATE_LOST);
		else if (kind != ZM_STATE_LOST)
			return; /* held by others */
		break;
	case ZM_PASS_LEADERS:
		mark_lost(s, n, ZM_STATE_SECOND);
		return;
	case ZM_PASS_GROUPS:
		mark_lost(s, n, ZM_STATE_THIRD);
		return;
	}
	zm_graph_edge(s, n->start, word, holds, found);
}

/* The pointer to a start that makes no difference any more: it is only written
 * down. */
static inline bool
is_known(struct zm_scan *s, uintptr_t word, size_t at)
{
	const struct zm_region *r;
	uint32_t index;

	if (s->pass > ZM_PASS_POSSIBLE || word & 15)
		return false;
	r = region_at(word);
	if (!r)
		return true;
	if (r->tier != ZM_TIER_NANO)
		return false;
	const uint8_t *state = nano_state(s, r, word, &index);
	if (!state || *state == ZM_STATE_FREE)
		return true;
	if ((*state & ZM_STATE_KIND) == ZM_STATE_NONE ||
	    word != r->base + (uintptr_t)index * r->quantum)
		return false;
	zm_graph_edge(s, word, at, true, false);
	return true;
}

void
zm_mark_words(struct zm_scan *s, const uintptr_t *word, size_t count,
	      size_t first)
{
	uintptr_t lo = s->lo, span = s->hi - s->lo;

	for (size_t i = 0; i < count; i++) {
		struct zm_node n;
		if (word[i] - lo >= span || is_known(s, word[i], first + i))
			continue;
		enum pointer to = points_to(s, word[i], &n);
		if (to != NOWHERE)
			mark(s, &n, to, word[i] - n.start, first + i);
	}
}

/* ---- the work list ---------------------------------------------------- */

static void
read_words(struct zm_scan *s, uintptr_t start, uintptr_t end)
{
	zm_mark_words(s, (uintptr_t *)start, (end - start) / 8,
		      (start - s->reading) / 8);
}

static void
read_block(struct zm_scan *s, uintptr_t start, uintptr_t end)
{
	size_t page = 4096;

	start = (start + 7) & ~(uintptr_t)7;
	if (zm_scan_readable(s, start, end - start)) {
		read_words(s, start, end);
		return;
	}
	while (start < end) {
		uintptr_t next = (start + page) & ~(page - 1);
		next = next < end ? next : end;
		if (zm_scan_readable(s, start, next - start))
			read_words(s, start, next);
		start = next;
	}
}

/* What the words of a block lead to is looked at soon. */
static void
look_ahead(const struct zm_scan *s, const struct zm_work *w)
{
	const uintptr_t *word = (const uintptr_t *)w->start;
	size_t words = w->size / sizeof *word;

	if (words > LOOK_WORDS)
		words = LOOK_WORDS;
	if (!zm_scan_readable(s, w->start, words * sizeof *word))
		return;
	for (size_t i = 0; i < words; i++) {
		const struct zm_region *r;
		uint32_t index;
		if (word[i] - s->lo >= s->hi - s->lo ||
		    !(r = region_at(word[i])) || r->tier != ZM_TIER_NANO)
			continue;
		const uint8_t *state = nano_state(s, r, word[i], &index);
		__builtin_prefetch(state);
		if (state && r->tags)
			__builtin_prefetch(r->tags + 2 * (size_t)index);
	}
}

static struct zm_work *
ahead(struct zm_scan *s, uint32_t i)
{
	return &s->ahead[(s->ahead_first + i) % ZM_AHEAD];
}

/*
 * Blocks from the list wait in line for their turn: when they come in, their
 * first words are fetched, half-way through what these words lead to.
 */
static void
fill_line(struct zm_scan *s)
{
	while (s->ahead_count < ZM_AHEAD && s->work_count) {
		struct zm_work *w = ahead(s, s->ahead_count++);
		*w = s->work[--s->work_count];
		__builtin_prefetch((const void *)w->start);
		__builtin_prefetch(w->tag);
		if (s->ahead_count > ZM_AHEAD / 2)
			look_ahead(s,
				   ahead(s, s->ahead_count - ZM_AHEAD / 2 - 1));
	}
}

static void
work_off(struct zm_scan *s)
{
	for (;;) {
		fill_line(s);
		if (!s->ahead_count)
			return;
		struct zm_work w = *ahead(s, 0);
		s->ahead_first = (s->ahead_first + 1) % ZM_AHEAD;
		s->ahead_count--;
		s->reading = w.start;
		s->block_bytes += s->pass == ZM_PASS_REACH ? w.size : 0;
		if (s->pass <= ZM_PASS_LOST)
			zm_graph_block(s, &w);
		zm_scan_present(s, w.start, w.start + w.size, read_block);
	}
}

void
zm_mark_drain(struct zm_scan *s)
{
	work_off(s);
	while (s->overflow) {
		s->overflow = false;
		for (uint32_t i = 0; i < s->regions; i++) {
			struct zm_region *r = zm_ledger_region(s->order[i]);
			uint8_t *state = s->state + s->first[s->order[i]];
			for (uint32_t k = 0; r && k < r->tag_count; k++) {
				struct zm_node n;
				if (!(state[k] & ZM_STATE_PENDING))
					continue;
				state[k] &= (uint8_t)~ZM_STATE_PENDING;
				if (!zm_mark_node(s, r, k, &n))
					continue;
				zm_mark_push(s, &n);
				work_off(s);
			}
		}
	}
}
