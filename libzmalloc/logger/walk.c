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
#include <string.h>

#include "logger/logger.h"
#include "logger/rules.h"

enum { OWN_FRAMES = 32, TRIES = 3 };

/* A walk in progress. */
struct climb {
	struct zm_lthread *t;
	struct zm_regs s; /* the frame that is next */
	unsigned left;	  /* remembered frames that may still be met */
	unsigned fresh;	  /* new ones so far */
};

enum outcome { DONE, AGAIN, COMPLEX, DEEP };

/* ---- what the walk before knows ---------------------------------------- */

static inline bool
meets(struct climb *c)
{
	const struct zm_step *old = c->t->step;
	unsigned n = c->left;

	while (n && old[n - 1].s.sp < c->s.sp)
		n--;
	c->left = n;
	if (!n)
		return false;
	old += n - 1;
	return old->s.sp == c->s.sp && old->s.pc == c->s.pc &&
	       (!old->live || old->s.fp == c->s.fp);
}

/* How many words are not known to be the same, counted from the outermost. */
static inline unsigned
compare(const struct zm_word *word, unsigned n)
{
	while (n && (*word[n - 1].at == word[n - 1].value || zm_walk_broken()))
		n--;
	return n;
}

/* The frames from the one that was met to the last whose words are the same
 * are part of the new walk.  Goes on from that one. */
static void
take(struct climb *c, unsigned words)
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
learn(struct climb *c)
{
	zm_walk_begin(c->t);
	uint64_t rule = zm_rule_learn(c->t, &c->s);
	zm_walk_end(c->t);
	return rule;
}

static inline uint64_t
rule_of(struct climb *c)
{
	uint64_t rule = zm_rule_known(c->s.pc);

	return __builtin_expect(rule != ZM_RULE_NONE, 1) ? rule : learn(c);
}

static inline bool
up(struct climb *c, uint64_t rule)
{
	struct zm_regs from = c->s;

	return zm_rule_step(rule, &from, &c->s);
}

static enum outcome
climb(struct climb *c)
{
	for (;;) {
		uint64_t rule;
		if (c->fresh + c->left >= ZM_WALK_MAX)
			return DEEP;
		if (meets(c)) {
			unsigned n =
			    compare(c->t->word, c->t->step[c->left - 1].words);
			if (!n) {
				ZM_WALK_COUNT(met);
				return DONE;
			}
			take(c, n);
			rule = c->t->fresh[c->fresh - 1].rule;
		} else {
			rule = rule_of(c);
			c->t->fresh[c->fresh++] =
			    (struct zm_step){ .s = c->s, .rule = rule };
		}
		switch (zm_rule_kind(rule)) {
		case ZM_RULE_NONE:
			return AGAIN;
		case ZM_RULE_END:
			c->left = 0;
			return DONE;
		case ZM_RULE_COMPLEX:
			return COMPLEX;
		default:
			if (!up(c, rule))
				return COMPLEX;
		}
	}
}

/* ---- remembering ------------------------------------------------------- */

/* The words that led from the frame inside to this one. */
static unsigned
note_words(struct zm_word *word, unsigned n, const struct zm_step *s,
	   const struct zm_step *inside)
{
	uintptr_t cfa = s->s.sp;
	uint64_t rule = inside->rule;

	if (zm_rule_saves_fp(rule) && s->live)
		word[n++] = (struct zm_word){
			(const uintptr_t *)(cfa - zm_rule_fp_at(rule)), s->s.fp
		};
	word[n++] =
	    (struct zm_word){ (const uintptr_t *)(cfa - zm_rule_ra_at(rule)),
			      s->s.pc };
	if (zm_rule_kind(rule) == ZM_RULE_DEREF)
		word[n++] = (struct zm_word){
			(const uintptr_t *)(inside->s.fp +
					    (uintptr_t)zm_rule_offset(rule)),
			cfa
		};
	return n;
}

/* Whether what the frame pointer holds in this frame decides how a walk goes
 * on from here. */
static bool
fp_matters(const struct zm_step *s, bool outside)
{
	enum zm_rule_kind kind = zm_rule_kind(s->rule);

	if (kind == ZM_RULE_FP || kind == ZM_RULE_DEREF)
		return true;
	return !zm_rule_saves_fp(s->rule) && outside;
}

static void
remember(struct climb *c)
{
	struct zm_lthread *t = c->t;
	unsigned base = c->left, n = base + c->fresh;
	struct zm_step *s = t->step;

	for (unsigned x = base; x < n; x++) {
		s[x] = t->fresh[n - 1 - x];
		s[x].live = fp_matters(&s[x], x && s[x - 1].live);
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
leave_library(struct climb *c, uintptr_t ra)
{
	here(&c->s);
	for (int i = 0; i < OWN_FRAMES && c->s.pc != ra; i++) {
		uint64_t rule = rule_of(c);
		if (zm_rule_kind(rule) == ZM_RULE_NONE)
			return AGAIN;
		if (zm_rule_kind(rule) > ZM_RULE_DEREF || !up(c, rule))
			return COMPLEX;
	}
	return c->s.pc == ra ? DONE : COMPLEX;
}

static enum outcome
begin(struct climb *c, uintptr_t ra, const struct zm_entry *entry)
{
	struct zm_lthread *t = c->t;
	uint32_t now = __atomic_load_n(&zm_stacks_epoch, __ATOMIC_ACQUIRE);

	if (__builtin_expect(t->walk_epoch != now, 0)) {
		t->walk_epoch = now;
		t->frames = t->noded = 0;
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

unsigned
zm_unwind_stack(uintptr_t *buf, uintptr_t ra, uintptr_t **out)
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

	zm_walk_begin(t);
	unsigned n = zm_unwind_stack(t->pcs, ra, &pcs);
	zm_walk_end(t);
	return zm_stack_get(t, pcs, n);
}

/* ---- stacks ------------------------------------------------------------ */

/* More frames than are kept: the leaf half and the root half. */
static __attribute__((noinline)) uint32_t
deeper(struct zm_lthread *t)
{
	unsigned depth = zm_session.depth, leaf = (depth + 1) / 2;
	unsigned n = 0;

	for (; n < leaf; n++)
		t->pcs[n] = t->step[t->frames - 1 - n].s.pc;
	t->pcs[n++] = ZS_PC_CUT;
	for (unsigned root = depth / 2; root; root--)
		t->pcs[n++] = t->step[root - 1].s.pc;
	return zm_stack_get(t, t->pcs, n);
}

static uint32_t
record(struct climb *c)
{
	struct zm_lthread *t = c->t;

	if (c->fresh || c->left != t->frames)
		remember(c);
	zm_walk_check(t, t->step[t->frames - 1].s.pc);
	if (t->frames > zm_session.depth)
		return deeper(t);
	return zm_stack_of_walk(t);
}

uint32_t
zm_walk_stack(struct zm_lthread *t, uintptr_t ra, const struct zm_entry *entry)
{
	struct climb c = { .t = t };

	ZM_WALK_COUNT(walks);
	if (zm_stacks_loader(ra))
		zm_stacks_check_modules();
	for (int i = 0; i < TRIES && zm_unwind_started; i++) {
		enum outcome o = begin(&c, ra, entry);
		if (o == DONE)
			o = climb(&c);
		if (o == DONE) {
			uint32_t stack = record(&c);
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
