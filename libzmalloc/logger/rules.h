/*
 * rules.h - the rule for each return address that was met.
 *
 * Rules are decoded once (cfi.h) and compared with what libunwind makes of the
 * very frame at which they are learnt; where the two differ, libunwind does it
 * for ever.  Called by walk.c.
 */
#ifndef ZMALLOC_LOGGER_RULES_H
#define ZMALLOC_LOGGER_RULES_H

#include "logger/cfi.h"
#include "logger/logger.h"

/* Open addressing; rules.c writes it, everybody reads it without a lock. */
struct zm_rule {
	uintptr_t pc;  /* atomic; 0: empty; never changes otherwise */
	uint64_t rule; /* atomic */
};
struct zm_rules {
	uint32_t mask, used;
	struct zm_rule entry[];
};
extern struct zm_rules *zm_rules; /* atomic */

static inline uint64_t
zm_rule_hash(uintptr_t pc)
{
	return pc * UINT64_C(0x9e3779b97f4a7c15) >> 32;
}

/* What is known: a rule, or ZM_RULE_NONE. */
static inline uint64_t
zm_rule_known(uintptr_t pc)
{
	struct zm_rules *r = __atomic_load_n(&zm_rules, __ATOMIC_ACQUIRE);

	if (__builtin_expect(!r, 0))
		return ZM_RULE_NONE;
	for (uint64_t i = zm_rule_hash(pc);; i++) {
		const struct zm_rule *e = &r->entry[i & r->mask];
		uintptr_t at = __atomic_load_n(&e->pc, __ATOMIC_ACQUIRE);
		if (__builtin_expect(at == pc, 1))
			return __atomic_load_n(&e->rule, __ATOMIC_RELAXED);
		if (!at)
			return ZM_RULE_NONE;
	}
}

/* Learns the rule of a frame that is on this thread's stack now.  ZM_RULE_NONE:
 * a module is gone, the walk must begin anew. */
uint64_t zm_rule_learn(struct zm_lthread *t, const struct zm_regs *s);
enum { ZM_FRAME_MAX = 1 << 20 }; /* larger frames are libunwind's */

/* One step by a rule of the kinds SP, FP and DEREF.  False where the CFA is
 * not above the frame, or suspiciously far. */
static inline bool
zm_rule_step(uint64_t rule, const struct zm_regs *from, struct zm_regs *to)
{
	enum zm_rule_kind kind = zm_rule_kind(rule);
	uintptr_t base = kind == ZM_RULE_SP ? from->sp : from->fp;
	uintptr_t cfa = base + (uintptr_t)zm_rule_offset(rule);

	if (__builtin_expect(kind == ZM_RULE_DEREF, 0)) {
		if (base % sizeof base || cfa - from->sp >= ZM_FRAME_MAX)
			return false;
		cfa = *(const uintptr_t *)cfa;
	}
	if (__builtin_expect(
		cfa % sizeof cfa || cfa - from->sp - 1 >= ZM_FRAME_MAX, 0))
		return false;
	to->sp = cfa;
	to->pc = *(const uintptr_t *)(cfa - zm_rule_ra_at(rule));
	to->fp = zm_rule_saves_fp(rule)
		     ? *(const uintptr_t *)(cfa - zm_rule_fp_at(rule))
		     : from->fp;
	return true;
}

/* Modules between these addresses are gone. */
void zm_rules_drop(uintptr_t start, uintptr_t end);
void zm_rules_after_fork(void);

#endif
