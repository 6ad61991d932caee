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

/* What is known: a rule, or ZM_RULE_NONE.  No lock. */
uint64_t zm_rule_known(uintptr_t pc);
/* Learns the rule of a frame that is on this thread's stack now.  ZM_RULE_NONE:
 * a module is gone, the walk must begin anew. */
uint64_t zm_rule_learn(struct zm_lthread *t, const struct zm_regs *s);
/* One step by a rule of the kinds SP, FP and DEREF.  False where the CFA is
 * not above the frame, or suspiciously far. */
bool zm_rule_step(uint64_t rule, const struct zm_regs *from,
		  struct zm_regs *to);
/* Modules between these addresses are gone. */
void zm_rules_drop(uintptr_t start, uintptr_t end);
void zm_rules_after_fork(void);

#endif
