/*
 * shortcut.h - walks that were made before, by where they begin.
 *
 * A program allocates at a few places below the frames that the walk before
 * has left behind.  A shortcut remembers one such piece: the words of the stack
 * that led from the caller of malloc to a remembered frame, and the stack that
 * came of it.  When caller and stack pointer are the same again, those words
 * still hold the same values, and so do those of the remembered frames, then a
 * walk would find the same stack: no rule and no node is looked up.  Words are
 * compared from the inner frames to the outer ones, so that none is read which
 * a plain walk would not read.
 *
 * Each thread has a table of its own, of pairs: a walk may lie in either slot.
 * It is never cleared: versions of frames are unique in the process, so that
 * what an earlier owner of the memory has left behind joins nothing.  Only
 * walk.c includes this file.
 */
#ifndef ZMALLOC_LOGGER_SHORTCUT_H
#define ZMALLOC_LOGGER_SHORTCUT_H

#include "logger/logger.h"

enum { ZM_SHORTCUT_MISSES = 128, ZM_SHORTCUT_PAUSE = 2048 };

/* Whether to look: after many misses not for a while.  A miss costs a third of
 * what a hit saves. */
static inline bool
zm_shortcut_worth(struct zm_lthread *t)
{
	if (__builtin_expect(!t->pause, 1))
		return true;
	t->pause--;
	return false;
}

static inline void
zm_shortcut_hit(struct zm_lthread *t)
{
	t->misses -= t->misses < 2 ? t->misses : 2;
}

static inline void
zm_shortcut_missed(struct zm_lthread *t)
{
	if (++t->misses < ZM_SHORTCUT_MISSES)
		return;
	t->misses = 0;
	t->pause = ZM_SHORTCUT_PAUSE;
}

static inline bool
zm_shortcut_is(const struct zm_shortcut *k, uintptr_t ra, uintptr_t sp)
{
	return k->ra == ra && k->sp == sp;
}

/* The slot of a walk that begins there, or the one to replace. */
static inline struct zm_shortcut *
zm_shortcut_of(struct zm_lthread *t, uintptr_t ra, uintptr_t sp)
{
	uint64_t h = (ra ^ sp << 7) * UINT64_C(0x9e3779b97f4a7c15);
	struct zm_shortcut *k = &t->shortcut[h >> 50 & (ZM_SHORTCUTS - 2)];

	return zm_shortcut_is(&k[1], ra, sp) ? &k[1] : k;
}

/* For a walk that has none: the slot that was of no use, or either. */
static inline struct zm_shortcut *
zm_shortcut_place(struct zm_lthread *t, uintptr_t ra, uintptr_t sp)
{
	struct zm_shortcut *k = zm_shortcut_of(t, ra, sp);

	if (k->words == ZM_SHORTCUT_NONE)
		return k;
	return &k[k[1].words == ZM_SHORTCUT_NONE || (t->turn++ & 1)];
}

/* Whether the remembered frames it leads to are still those. */
static inline bool
zm_shortcut_joins(const struct zm_lthread *t, const struct zm_shortcut *k)
{
	if (!k->left)
		return k->version == t->root_version;
	return k->left <= t->frames &&
	       k->version == t->step[k->left - 1].version;
}

/* Whether the stack holds what it held then, as far as the remembered frames.
 */
static inline bool
zm_shortcut_holds(const struct zm_shortcut *k, uintptr_t fp)
{
	if (k->live && k->fp != fp)
		return false;
	for (unsigned i = 0; i < k->words; i++) {
		const uintptr_t *at = (const uintptr_t *)k->sp + k->at[i];
		if (*at != k->value[i] && !zm_walk_broken())
			return false;
	}
	return true;
}

#endif
