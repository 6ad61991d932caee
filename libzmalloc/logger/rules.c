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

enum { RULES_MIN = 1 << 12 };

struct zm_rules *zm_rules;
static struct zm_lock rules_lock = ZM_LOCK_INIT(ZM_RANK_LOGGER);

/* ---- writing; rules_lock held ----------------------------------------- */

/* The entry of pc, or the empty one where it would go. */
static struct zm_rule *
find(struct zm_rules *r, uintptr_t pc)
{
	for (uint64_t i = zm_rule_hash(pc);; i++) {
		struct zm_rule *e = &r->entry[i & r->mask];
		if (e->pc == pc || !e->pc)
			return e;
	}
}

static void
put(struct zm_rules *r, uintptr_t pc, uint64_t rule)
{
	struct zm_rule *e = find(r, pc);

	__atomic_store_n(&e->rule, rule, __ATOMIC_RELAXED);
	if (e->pc == pc)
		return;
	r->used++;
	__atomic_store_n(&e->pc, pc, __ATOMIC_RELEASE);
}

static bool
grow(uint32_t slots)
{
	size_t bytes = sizeof(struct zm_rules) + sizeof(struct zm_rule) * slots;
	struct zm_rules *r = zm_logger_alloc(bytes);

	if (!r)
		return false;
	memset(r, 0, bytes);
	r->mask = slots - 1;
	for (uint32_t i = 0; zm_rules && i <= zm_rules->mask; i++) {
		const struct zm_rule *e = &zm_rules->entry[i];
		if (e->pc && e->rule != ZM_RULE_NONE)
			put(r, e->pc, e->rule);
	}
	__atomic_store_n(&zm_rules, r, __ATOMIC_RELEASE);
	return true;
}

static bool
room(void)
{
	if (!zm_rules)
		return grow(RULES_MIN);
	return zm_rules->used < zm_rules->mask / 2 ||
	       grow((zm_rules->mask + 1) * 2);
}

/* ---- learning --------------------------------------------------------- */

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
		put(zm_rules, s->pc, rule);
	zm_unlock(&rules_lock);
	return rule;
}

/* ---- modules that go, fork -------------------------------------------- */

void
zm_rules_drop(uintptr_t start, uintptr_t end)
{
	zm_lock(&rules_lock);
	for (uint32_t i = 0; zm_rules && i <= zm_rules->mask; i++) {
		struct zm_rule *e = &zm_rules->entry[i];
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
