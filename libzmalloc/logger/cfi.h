/*
 * cfi.h - reads from a module's .eh_frame how to get from a frame to its
 * caller, where that is simple.
 *
 * A rule is one word, so that it can be read and written at once.  What a rule
 * cannot say (signal frames, expressions, registers other than the stack and
 * the frame pointer, signed return addresses) is ZM_RULE_COMPLEX.
 * The bytes are not trusted: nothing outside [lo, hi) is read.  Pure functions;
 * called by rules.c.
 */
#ifndef ZMALLOC_LOGGER_CFI_H
#define ZMALLOC_LOGGER_CFI_H

#include <stdbool.h>
#include <stdint.h>

/* Where a module keeps its table of frames. */
struct zm_frames {
	uintptr_t hdr;	  /* .eh_frame_hdr; 0: none */
	uintptr_t lo, hi; /* the readable segment that holds it */
};

/*
 * CFA: the value of the stack pointer in the caller.
 *
 * bits 0-2 how to find the CFA, bit 3 the frame pointer was saved, 4-17 where
 * (words below the CFA), 18-31 the same for the return address, 32-63 offset
 * of the CFA, signed.
 */
enum zm_rule_kind {
	ZM_RULE_NONE,	/* not known yet */
	ZM_RULE_SP,	/* CFA = stack pointer + offset */
	ZM_RULE_FP,	/* CFA = frame pointer + offset */
	ZM_RULE_DEREF,	/* CFA = the word at frame pointer + offset */
	ZM_RULE_END,	/* the outermost frame */
	ZM_RULE_COMPLEX /* not for rules */
};

enum { ZM_RULE_WORDS_MAX = (1 << 14) - 1 };

static inline enum zm_rule_kind
zm_rule_kind(uint64_t rule)
{
	return (enum zm_rule_kind)(rule & 7);
}

static inline int64_t
zm_rule_offset(uint64_t rule)
{
	return (int64_t)rule >> 32;
}

static inline bool
zm_rule_saves_fp(uint64_t rule)
{
	return rule & 8;
}

/* Bytes below the CFA. */
static inline uintptr_t
zm_rule_fp_at(uint64_t rule)
{
	return (rule >> 4 & ZM_RULE_WORDS_MAX) * sizeof(uintptr_t);
}

static inline uintptr_t
zm_rule_ra_at(uint64_t rule)
{
	return (rule >> 18 & ZM_RULE_WORDS_MAX) * sizeof(uintptr_t);
}

/* The rule for the call that returns to pc. */
uint64_t zm_cfi_rule(const struct zm_frames *f, uintptr_t pc);

#endif
