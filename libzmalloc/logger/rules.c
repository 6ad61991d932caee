/*
 * rules.c - see rules.h.
 *
 * An open-addressing table that is read without a lock and only grows; tables
 * that were outgrown are kept, a reader may still be in one.  An entry's pc is
 * stored after its rule and stays; the rule of a module that went becomes
 * ZM_RULE_NONE and is learnt anew if the address is met again.
 */
#include "logger/rules.h"

#include <string.h>

enum { RULES_MIN = 1 << 12, FAR = 1 << 20 };

struct entry {
	uintptr_t pc;  /* atomic; 0: empty */
	uint64_t rule; /* atomic */
};

struct rules {
	uint32_t mask, used;
	struct entry entry[];
};

static struct rules *rules; /* atomic */
static struct zm_lock rules_lock = ZM_LOCK_INIT(ZM_RANK_LOGGER);

static inline uint32_t
hash(uintptr_t pc)
{
	return (uint32_t)(pc * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

/* The entry of pc, or the empty one where it would go. */
static inline struct entry *
find(struct rules *r, uintptr_t pc)
{
	for (uint32_t i = hash(pc);; i++) {
		struct entry *e = &r->entry[i & r->mask];
		uintptr_t at = __atomic_load_n(&e->pc, __ATOMIC_ACQUIRE);
		if (at == pc || !at)
			return e;
	}
}

uint64_t
zm_rule_known(uintptr_t pc)
{
	struct rules *r = __atomic_load_n(&rules, __ATOMIC_ACQUIRE);

	if (__builtin_expect(!r || !pc, 0))
		return ZM_RULE_NONE;
	const struct entry *e = find(r, pc);
	return __builtin_expect(e->pc == pc, 1)
		   ? __atomic_load_n(&e->rule, __ATOMIC_RELAXED)
		   : (uint64_t)ZM_RULE_NONE;
}

/* ---- writing; rules_lock held ----------------------------------------- */

static void
put(struct rules *r, uintptr_t pc, uint64_t rule)
{
	struct entry *e = find(r, pc);

	__atomic_store_n(&e->rule, rule, __ATOMIC_RELAXED);
	if (e->pc == pc)
		return;
	r->used++;
	__atomic_store_n(&e->pc, pc, __ATOMIC_RELEASE);
}

static bool
grow(uint32_t slots)
{
	size_t bytes = sizeof(struct rules) + sizeof(struct entry) * slots;
	struct rules *r = zm_logger_alloc(bytes);

	if (!r)
		return false;
	memset(r, 0, bytes);
	r->mask = slots - 1;
	for (uint32_t i = 0; rules && i <= rules->mask; i++) {
		const struct entry *e = &rules->entry[i];
		if (e->pc && e->rule != ZM_RULE_NONE)
			put(r, e->pc, e->rule);
	}
	__atomic_store_n(&rules, r, __ATOMIC_RELEASE);
	return true;
}

static bool
room(void)
{
	if (!rules)
		return grow(RULES_MIN);
	return rules->used < rules->mask / 2 || grow((rules->mask + 1) * 2);
}

/* ---- learning --------------------------------------------------------- */

bool
zm_rule_step(uint64_t rule, const struct zm_regs *from, struct zm_regs *to)
{
	enum zm_rule_kind kind = zm_rule_kind(rule);
	uintptr_t base = kind == ZM_RULE_SP ? from->sp : from->fp;
	uintptr_t cfa = base + (uintptr_t)zm_rule_offset(rule);

	if (kind != ZM_RULE_SP) {
		/* what a frame pointer points to lies above the frame */
		if (base % sizeof base || cfa - from->sp >= FAR)
			return false;
		if (kind == ZM_RULE_DEREF)
			cfa = *(const uintptr_t *)cfa;
	}
	if (cfa % sizeof cfa || cfa <= from->sp || cfa - from->sp >= FAR)
		return false;
	to->sp = cfa;
	to->pc = *(const uintptr_t *)(cfa - zm_rule_ra_at(rule));
	to->fp = zm_rule_saves_fp(rule)
		     ? *(const uintptr_t *)(cfa - zm_rule_fp_at(rule))
		     : from->fp;
	return true;
}

static bool
equal(const struct zm_regs *a, const struct zm_regs *b)
{
	return a->pc == b->pc && a->sp == b->sp && a->fp == b->fp;
}

static uint64_t
decode(struct zm_lthread *t, const struct zm_regs *s)
{
	struct zm_frames frames;
	struct zm_regs theirs, ours;
	uint64_t rule = ZM_RULE_COMPLEX;

	if (zm_module_frames(s->pc - 1, &frames))
		rule = zm_cfi_rule(&frames, s->pc);
	if (rule == ZM_RULE_COMPLEX)
		return rule;
	int more = zm_unwind_step(t, s, &theirs);
	if (rule == ZM_RULE_END)
		return more == 0 ? rule : (uint64_t)ZM_RULE_COMPLEX;
	if (more > 0 && zm_rule_step(rule, s, &ours) && equal(&ours, &theirs))
		return rule;
	return ZM_RULE_COMPLEX;
}

uint64_t
zm_rule_learn(struct zm_lthread *t, const struct zm_regs *s)
{
	if (zm_stacks_check_modules())
		return ZM_RULE_NONE;
	uint64_t rule = decode(t, s);
	zm_lock(&rules_lock);
	if (room())
		put(rules, s->pc, rule);
	zm_unlock(&rules_lock);
	return rule;
}

/* ---- modules that go, fork -------------------------------------------- */

void
zm_rules_drop(uintptr_t start, uintptr_t end)
{
	zm_lock(&rules_lock);
	for (uint32_t i = 0; rules && i <= rules->mask; i++) {
		struct entry *e = &rules->entry[i];
		if (e->pc > start && e->pc <= end)
			__atomic_store_n(&e->rule, ZM_RULE_NONE,
					 __ATOMIC_RELAXED);
	}
	zm_unlock(&rules_lock);
}

void
zm_rules_after_fork(void)
{
	zm_lock_init(&rules_lock, ZM_RANK_LOGGER);
}
