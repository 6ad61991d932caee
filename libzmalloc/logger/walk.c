/*
 * walk.c - the stack to record for an allocation.
 *
 * The walk goes up by rules (rules.h) until it meets a frame of the walk
 * before of the same thread; from there on it only compares: each word of the
 * stack that the rest of the old walk had read - return addresses, and saved
 * frame pointers where they matter - still holds the same value, so a walk
 * would read the same again.  It compares from the inner frames to the outer
 * ones and stops at the first difference, and so never reads a word that a
 * plain walk would not read.
 *
 * Where rules do not do, libunwind walks the whole stack.  Called by hook.c.
 */
#include <errno.h>
#include <string.h>

#include "logger/logger.h"
#include "logger/rules.h"
#include "logger/shortcut.h"

/* Moves of two words at once would wait for the single stores before them. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-slp-vectorize")
#endif

enum { OWN_FRAMES = 32, TRIES = 3, MANY = 4 };

enum outcome { DONE, AGAIN, COMPLEX, DEEP };

/* ---- what the walk before knows ---------------------------------------- */

static inline bool
differs(const struct zm_word *w)
{
	return __builtin_expect(*w->at != w->value, 0) && !zm_walk_broken();
}

/* How many words are not known to be the same, counted from the outermost. */
static inline unsigned
compare(const struct zm_word *word, unsigned n)
{
	const struct zm_word *w = word + n;

	for (; w - word >= 4; w -= 4) {
		if (differs(&w[-1]) || differs(&w[-2]) || differs(&w[-3]) ||
		    differs(&w[-4]))
			break;
	}
	while (w > word && !differs(w - 1))
		w--;
	return (unsigned)(w - word);
}

/* The frames from the one that was met to the last whose words are the same
 * are part of the new walk.  Goes on from that one. */
static __attribute__((noinline)) void
take(struct zm_climb *c, unsigned words)
{
	const struct zm_step *old = c->t->step;
	unsigned k = c->left - 1;

	for (uintptr_t fp = c->s.fp;; k--) {
		struct zm_step *new = &c->t->fresh[c->fresh++];
		*new = old[k];
		new->s.fp = fp;
		c->s = new->s;
		if (old[k - 1].words < words)
			break;
		if (zm_rule_saves_fp(old[k].rule))
			fp = *(const uintptr_t *)(old[k - 1].s.sp -
						  zm_rule_fp_at(old[k].rule));
	}
	c->left = k;
}

/* ---- going up ---------------------------------------------------------- */

static __attribute__((noinline, cold)) uint64_t
learn(struct zm_climb *c)
{
	int saved = errno;

	zm_walk_begin(c->t);
	uint64_t rule = zm_rule_learn(c->t, &c->s);
	zm_walk_end(c->t);
	errno = saved;
	return rule;
}

static inline uint64_t
rule_of(struct zm_climb *c, const struct zm_regs *s)
{
	uint64_t rule = zm_rule_known(s->pc);

	if (__builtin_expect(rule != ZM_RULE_NONE, 1))
		return rule;
	c->s = *s;
	return learn(c);
}

/* Whether the frame is old[n - 1]. */
static inline bool
is_old(const struct zm_step *old, unsigned n, const struct zm_regs *s)
{
	return n && old[n - 1].s.sp == s->sp && old[n - 1].s.pc == s->pc &&
	       (!old[n - 1].live || old[n - 1].s.fp == s->fp);
}

/* Field by field: larger moves would wait for the stores of before. */
static inline void
note(struct zm_step *to, const struct zm_regs *s, uint64_t rule)
{
	to->s.pc = s->pc;
	to->s.sp = s->sp;
	to->s.fp = s->fp;
	to->rule = rule;
}

static inline enum outcome
climb(struct zm_climb *c)
{
	struct zm_lthread *t = c->t;
	const struct zm_step *old = t->step;
	struct zm_regs s = c->s, next;
	unsigned left = c->left;
	uint64_t rule;

	for (;; s = next) {
		while (left && old[left - 1].s.sp < s.sp)
			left--;
		if (is_old(old, left, &s)) {
			unsigned n = compare(t->word, old[left - 1].words);
			c->left = left;
			if (__builtin_expect(!n, 1)) {
				ZM_WALK_COUNT(met);
				return DONE;
			}
			c->s = s;
			take(c, n);
			s = c->s;
			left = c->left;
			rule = t->fresh[c->fresh - 1].rule;
		} else {
			rule = rule_of(c, &s);
			note(&t->fresh[c->fresh++], &s, rule);
		}
		if (__builtin_expect(zm_rule_kind(rule) > ZM_RULE_DEREF ||
					 zm_rule_kind(rule) == ZM_RULE_NONE,
				     0)) {
			c->left = 0;
			return zm_rule_kind(rule) == ZM_RULE_END    ? DONE
			       : zm_rule_kind(rule) == ZM_RULE_NONE ? AGAIN
								    : COMPLEX;
		}
		if (c->fresh + left >= ZM_WALK_MAX - 1)
			return DEEP;
		if (!zm_rule_step(rule, &s, &next))
			return COMPLEX;
	}
}

/* ---- remembering ------------------------------------------------------- */

/* The words that led from the frame inside to this one. */
static inline unsigned
note_words(struct zm_word *word, unsigned n, const struct zm_step *s,
	   const struct zm_step *inside)
{
	uintptr_t cfa = s->s.sp;
	uint64_t rule = inside->rule;

	if (zm_rule_saves_fp(rule) && s->live) {
		word[n].at = (const uintptr_t *)(cfa - zm_rule_fp_at(rule));
		word[n++].value = s->s.fp;
	}
	word[n].at = (const uintptr_t *)(cfa - zm_rule_ra_at(rule));
	word[n++].value = s->s.pc;
	if (__builtin_expect(zm_rule_kind(rule) == ZM_RULE_DEREF, 0)) {
		word[n].at =
		    (const uintptr_t *)(inside->s.fp +
					(uintptr_t)zm_rule_offset(rule));
		word[n++].value = cfa;
	}
	return n;
}

/* Whether what the frame pointer holds in this frame decides how a walk goes
 * on from here. */
static inline bool
fp_matters(const struct zm_step *s, bool outside)
{
	enum zm_rule_kind kind = zm_rule_kind(s->rule);

	if (kind == ZM_RULE_FP || kind == ZM_RULE_DEREF)
		return true;
	return !zm_rule_saves_fp(s->rule) && outside;
}

static __attribute__((noinline)) void
remember(struct zm_climb *c)
{
	struct zm_lthread *t = c->t;
	unsigned base = c->left, n = base + c->fresh;
	struct zm_step *s = t->step;

	ZM_WALK_COUNT(kept);
	t->version++;
	for (unsigned x = base; x < n; x++) {
		const struct zm_step *f = &t->fresh[n - 1 - x];
		note(&s[x], &f->s, f->rule);
		s[x].node = f->node;
		s[x].live = fp_matters(&s[x], x && s[x - 1].live);
		s[x].version = t->version;
	}
	if (!base)
		s[0].words = 0;
	for (unsigned x = base ? base : 1; x < n; x++)
		s[x].words =
		    note_words(t->word, s[x - 1].words, &s[x - 1], &s[x]);
	t->frames = n;
	t->noded = t->noded < base ? t->noded : base;
}

/* ---- where to begin ---------------------------------------------------- */

/* The frame of this very function. */
static inline __attribute__((always_inline)) void
here(struct zm_regs *s)
{
#if defined(__x86_64__)
	__asm__ volatile("lea 0f(%%rip), %0\n\tmov %%rsp, %1\n\t"
			 "mov %%rbp, %2\n0:"
			 : "=&r"(s->pc), "=&r"(s->sp), "=&r"(s->fp));
#elif defined(__aarch64__)
	__asm__ volatile("adr %0, 0f\n\tmov %1, sp\n\tmov %2, x29\n0:"
			 : "=&r"(s->pc), "=&r"(s->sp), "=&r"(s->fp));
#else
	*s = (struct zm_regs){ 0 };
#endif
}

/* Through the frames of this library to the one that called it. */
static __attribute__((noinline)) enum outcome
leave_library(struct zm_climb *c, uintptr_t ra)
{
	here(&c->s);
	for (int i = 0; i < OWN_FRAMES && c->s.pc != ra; i++) {
		struct zm_regs s = c->s;
		uint64_t rule = rule_of(c, &s);
		if (zm_rule_kind(rule) == ZM_RULE_NONE)
			return AGAIN;
		if (zm_rule_kind(rule) > ZM_RULE_DEREF ||
		    !zm_rule_step(rule, &s, &c->s))
			return COMPLEX;
	}
	return c->s.pc == ra ? DONE : COMPLEX;
}

static inline enum outcome
begin(struct zm_climb *c, uintptr_t ra, const struct zm_entry *entry)
{
	struct zm_lthread *t = c->t;
	uint32_t now = __atomic_load_n(&zm_stacks_epoch, __ATOMIC_ACQUIRE);

	if (__builtin_expect(t->walk_epoch != now, 0)) {
		t->walk_epoch = now;
		t->frames = t->noded = 0;
		t->root_version = ++t->version;
	}
	c->left = t->frames;
	c->fresh = 0;
	c->s = (struct zm_regs){ ra, entry->sp, entry->fp };
	return entry->sp ? DONE : leave_library(c, ra);
}

/* ---- by libunwind ------------------------------------------------------ */

/* The frames from the program's one on: past those of this library, which
 * end where ra is found.  NULL when the walk did not come that far. */
static uintptr_t *
from_caller(uintptr_t *pcs, unsigned n, uintptr_t ra)
{
	for (unsigned i = 0; i < n && i < OWN_FRAMES; i++) {
		if (pcs[i] == ra)
			return pcs + i;
	}
	return NULL;
}

/* Keeps the leaf half and the root half, with a remark between. */
static unsigned
cut(uintptr_t *pcs, unsigned n, unsigned depth)
{
	unsigned leaf = (depth + 1) / 2, root = depth / 2;

	pcs[leaf] = ZS_PC_CUT;
	memmove(pcs + leaf + 1, pcs + n - root, root * sizeof *pcs);
	return leaf + 1 + root;
}

static unsigned
single(uintptr_t *buf, uintptr_t ra, uintptr_t remark, uintptr_t **out)
{
	buf[0] = ra;
	buf[1] = remark;
	*out = buf;
	return 2;
}

/* The stack of a call that returns to ra: frames below ra dropped, depth
 * limited, remarks added.  buf holds ZM_WALK_MAX addresses; *out points into
 * it.  Returns the number of frames, at least 1. */
static unsigned
whole_stack(uintptr_t *buf, uintptr_t ra, uintptr_t **out)
{
	unsigned max = ZM_WALK_MAX - 1;
	unsigned depth = zm_session.depth;
	unsigned n = zm_unwind(buf, max);
	uintptr_t *pcs = from_caller(buf, n, ra);

	if (!n && !zm_unwind_started)
		return single(buf, ra, ZS_PC_EARLY, out);
	if (!pcs)
		return single(buf, ra, ZS_PC_UNKNOWN, out);
	*out = pcs;
	bool full = n == max;
	n -= (unsigned)(pcs - buf);
	if (full) { /* deeper than we look: the root is not known */
		if (depth < n)
			n = depth;
		pcs[n] = ZS_PC_CUT;
		return n + 1;
	}
	if (n > depth)
		return cut(pcs, n, depth);
	/* An outermost frame in no module is code made at run time, which the
	 * unwinder cannot see through. */
	if (!zm_module_of(pcs[n - 1])) {
		zm_stacks_check_modules();
		if (!zm_module_of(pcs[n - 1]))
			pcs[n++] = ZS_PC_UNKNOWN;
	}
	return n;
}

static __attribute__((noinline)) uint32_t
by_libunwind(struct zm_lthread *t, uintptr_t ra)
{
	uintptr_t *pcs;
	int saved = errno;

	zm_walk_begin(t);
	unsigned n = whole_stack(t->pcs, ra, &pcs);
	zm_walk_end(t);
	errno = saved;
	return zm_stack_get(t, pcs, n);
}

/* ---- stacks ------------------------------------------------------------ */

/* More frames than are kept: the leaf half and the root half. */
static __attribute__((noinline)) uint32_t
deeper(struct zm_climb *c)
{
	struct zm_lthread *t = c->t;
	unsigned depth = zm_session.depth, leaf = (depth + 1) / 2;
	unsigned n = 0;

	remember(c);
	for (; n < leaf; n++)
		t->pcs[n] = t->step[t->frames - 1 - n].s.pc;
	t->pcs[n++] = ZS_PC_CUT;
	for (unsigned root = depth / 2; root; root--)
		t->pcs[n++] = t->step[root - 1].s.pc;
	return zm_stack_get(t, t->pcs, n);
}

static inline bool
is_child(uint32_t n, uint32_t parent, uintptr_t pc)
{
	return n < __atomic_load_n(&zm_session.h->nodes.count,
				   __ATOMIC_ACQUIRE) &&
	       zm_node_is(n, parent, pc) &&
	       !zm_session.modules[zs_node_module(&zm_session.nodes[n])]
		    .unloaded_ns;
}

/* The nodes of a path are mostly made one after the other. */
static inline uint32_t
child(struct zm_lthread *t, uint32_t parent, uintptr_t pc, bool *checked)
{
	pc &= ZM_PC_MASK;
	if (is_child(parent + 1, parent, pc))
		return parent + 1;
	uint32_t n = *zm_kid_of(t, parent, pc);

	if (__builtin_expect(is_child(n, parent, pc), 1))
		return n;
	return zm_node_look_up(t, parent, pc, checked);
}

/* Nodes for remembered frames that have none yet; the last one's. */
static __attribute__((noinline)) uint32_t
name_old(struct zm_lthread *t, unsigned n, bool *checked)
{
	struct zm_step *s = t->step;
	uint32_t node = t->noded ? s[t->noded - 1].node : 0;

	for (; t->noded < n; t->noded++) {
		node = child(t, node, s[t->noded].s.pc, checked);
		if (!node)
			return 0;
		s[t->noded].node = node;
	}
	return node;
}

/*
 * Frames that were met once are not worth remembering: the next walk mostly
 * has others in their place.  So the new frame that is nearest to the old ones
 * has to be met twice running.  What is remembered need not be the walk before,
 * any one of before will do.
 */
static inline bool
worth(struct zm_climb *c)
{
	struct zm_lthread *t = c->t;
	const struct zm_regs *s = &t->fresh[c->fresh - 1].s;
	bool twice = t->last_sp == s->sp && t->last_pc == s->pc;

	t->last_sp = s->sp;
	t->last_pc = s->pc;
	return twice || c->fresh > MANY;
}

/* ---- shortcuts --------------------------------------------------------- */

uint64_t
zm_walk_versions(void)
{
	static uint32_t threads;

	return (uint64_t)__atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED)
	       << 32;
}

/* The words from the new frames to the remembered one, inner ones first. */
static bool
shortcut_words(struct zm_climb *c, struct zm_shortcut *k)
{
	struct zm_lthread *t = c->t;
	struct zm_word word[3 * ZM_SHORTCUT_WORDS];
	struct zm_step outside = { .live = false };
	const struct zm_step *out = c->left ? &t->step[c->left - 1] : NULL;
	unsigned n = 0;

	if (c->fresh > ZM_SHORTCUT_WORDS)
		return false;
	for (unsigned i = c->fresh; i--;) {
		struct zm_step f = t->fresh[i];
		f.live = fp_matters(&f, out && out->live);
		if (out)
			n = note_words(word, n, out, &f);
		outside = f;
		out = &outside;
	}
	if (n > ZM_SHORTCUT_WORDS)
		return false;
	for (unsigned i = 0; i < n; i++) {
		uintptr_t off = (uintptr_t)word[n - 1 - i].at - k->sp;
		if (off % sizeof(uintptr_t) ||
		    off / sizeof(uintptr_t) > UINT16_MAX)
			return false;
		k->at[i] = (uint16_t)(off / sizeof(uintptr_t));
		k->value[i] = word[n - 1 - i].value;
	}
	k->live = outside.live;
	k->words = (uint8_t)n;
	return true;
}

/* A walk that began here and came to `stack`: remembered when it is made the
 * second time. */
static inline void
shortcut_note(struct zm_climb *c, uintptr_t ra, const struct zm_entry *entry,
	      uint32_t stack)
{
	struct zm_lthread *t = c->t;
	struct zm_shortcut *k = zm_shortcut_of(t, ra, entry->sp);

	zm_shortcut_missed(t);
	if (!zm_shortcut_is(k, ra, entry->sp)) {
		k = zm_shortcut_place(t, ra, entry->sp);
		k->ra = ra;
		k->sp = entry->sp;
		k->words = ZM_SHORTCUT_NONE;
		return;
	}
	k->fp = entry->fp;
	k->left = c->left;
	k->version = c->left ? t->step[c->left - 1].version : t->root_version;
	k->stack = stack;
	if (!shortcut_words(c, k))
		k->words = ZM_SHORTCUT_NONE;
}

/* The stack, or 0: to be walked. */
static inline uint32_t
shortcut(struct zm_climb *c, uintptr_t ra, const struct zm_entry *entry)
{
	struct zm_lthread *t = c->t;
	const struct zm_shortcut *k = zm_shortcut_of(t, ra, entry->sp);

	if (!zm_shortcut_is(k, ra, entry->sp) || k->words == ZM_SHORTCUT_NONE ||
	    !zm_shortcut_joins(t, k) || !zm_shortcut_holds(k, entry->fp) ||
	    (k->left && compare(t->word, t->step[k->left - 1].words)))
		return 0;
	ZM_WALK_COUNT(shortcut);
	zm_shortcut_hit(t);
	return k->stack;
}

static inline uint32_t
record(struct zm_climb *c)
{
	struct zm_lthread *t = c->t;
	unsigned left = c->left;
	bool checked = false;
	uint32_t node = 0;

	if (left)
		node = left <= t->noded ? t->step[left - 1].node
					: name_old(t, left, &checked);
	if (left && !node)
		return 0;
	for (unsigned i = c->fresh; i--;) {
		node = child(t, node, t->fresh[i].s.pc, &checked);
		t->fresh[i].node = node;
		if (!node)
			return 0;
	}
	if (c->fresh && worth(c)) {
		remember(c);
		t->noded = t->frames;
	}
	uint32_t s =
	    __atomic_load_n(&zm_session.nodes[node].stack, __ATOMIC_ACQUIRE);
	return __builtin_expect(s != 0, 1) ? s : zm_stack_new(node);
}

/* The innermost frame is the remembered one: nothing is shorter. */
static inline bool
on_top(const struct zm_lthread *t, uintptr_t ra, uintptr_t sp)
{
	if (!t->frames)
		return false;
	const struct zm_step *s = &t->step[t->frames - 1];
	return s->s.sp == sp && s->s.pc == ra;
}

ZM_EVENT uint32_t
zm_walk_stack(struct zm_lthread *t, uintptr_t ra, const struct zm_entry *entry)
{
	struct zm_climb c = { .t = t };
	uint32_t stack;

	ZM_WALK_COUNT(walks);
	if (zm_stacks_loader(ra))
		zm_stacks_check_modules();
	for (int i = 0; i < TRIES && zm_unwind_started; i++) {
		enum outcome o = begin(&c, ra, entry);
		bool look = entry->sp && !on_top(t, ra, entry->sp) &&
			    zm_shortcut_worth(t);
		if (look && (stack = shortcut(&c, ra, entry))) {
			zm_walk_check_stack(t, stack, ra);
			return stack;
		}
		if (o == DONE)
			o = climb(&c);
		if (o == DONE) {
			zm_walk_check(&c, ra);
			bool deep = c.left + c.fresh > zm_session.depth;
			stack = deep ? deeper(&c) : record(&c);
			if (stack && !deep && look && c.fresh)
				shortcut_note(&c, ra, entry, stack);
			if (stack || t->walk_epoch == zm_stacks_epoch)
				return stack;
		} else if (o != AGAIN) {
			if (o == DEEP)
				ZM_WALK_COUNT(deep);
			else
				ZM_WALK_COUNT(complex);
			break;
		}
	}
	return by_libunwind(t, ra);
}
