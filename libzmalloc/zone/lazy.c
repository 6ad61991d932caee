/*
 * lazy.c - large blocks whose contents the kernel may take away (purgeable).
 *
 * MADV_FREE lets the kernel drop pages under pressure, page by page and
 * without telling; a dropped page reads as zero.  So before the pages are let
 * go, the place of one word of each that is not zero is written down, out of
 * line.  To get the block back, that word is exchanged for itself: a write,
 * after which the kernel keeps the page.  Where the word is zero by then, the
 * page was dropped.  A page that was all zero cannot lose anything.
 *
 * The notes hang on struct zm_large, under the lock of the zone's large
 * blocks.  Called by malloc/purgeable.c; forgotten by large.c when the block
 * is freed.
 */
#include "zone/lazy.h"

#include <errno.h>
#include <sys/mman.h>

#ifndef MADV_FREE
#define MADV_FREE 8
#endif

#define ALL_ZERO UINT16_MAX

/* Places are counted in words; a page of 64 KiB has 8192. */
struct zm_lazy {
	size_t bytes; /* of this struct */
	size_t pages;
	uint16_t place[];
};

static struct zm_large *
large_at(const void *p)
{
	struct zm_region *r = zm_region_of(p);
	if (!r || r->tier != ZM_TIER_LARGE || r->base != (uintptr_t)p)
		return NULL;
	struct zm_large *l = (struct zm_large *)r;
	return ZM_LOAD(&l->dying) ? NULL : l;
}

/* The notes of l, which it has no more. */
static struct zm_lazy *
take_notes(struct zm_large *l)
{
	struct zm_lock *lock = &l->r.owner->large.lock;
	zm_lock(lock);
	struct zm_lazy *notes = l->lazy;
	l->lazy = NULL;
	zm_unlock(lock);
	return notes;
}

/* False when it has some already. */
static bool
put_notes(struct zm_large *l, struct zm_lazy *notes)
{
	struct zm_lock *lock = &l->r.owner->large.lock;
	zm_lock(lock);
	bool free = !l->lazy;
	if (free)
		l->lazy = notes;
	zm_unlock(lock);
	return free;
}

static uint16_t
place_in(const uint64_t *page, size_t words)
{
	for (size_t i = 0; i < words; i++)
		if (ZM_LOAD(&page[i]))
			return (uint16_t)i;
	return ALL_ZERO;
}

int
zm_lazy_free(void *p)
{
	size_t page = zm_os_page_size(), words = page / sizeof(uint64_t);
	struct zm_large *l = large_at(p);
	if (!l)
		return -EINVAL;
	size_t pages = l->r.bytes / page;
	size_t bytes = sizeof(struct zm_lazy) + pages * sizeof(uint16_t);
	struct zm_lazy *notes = zm_meta_alloc(bytes);
	if (!notes)
		return -ENOMEM;
	notes->bytes = bytes;
	notes->pages = pages;
	/* notes of pages that may be gone already would say "all zero" */
	if (!put_notes(l, notes)) {
		zm_meta_free(notes, bytes);
		return 0;
	}
	for (size_t i = 0; i < pages; i++)
		notes->place[i] = place_in((uint64_t *)p + i * words, words);
	int error = zm_os_madvise(p, pages * page, MADV_FREE);
	if (error && (notes = take_notes(l)))
		zm_meta_free(notes, bytes);
	return error;
}

/* A compare and exchange of a word for itself: compilers turn an addition of
 * zero into a mere load. */
static bool
kept(uint64_t *word)
{
	uint64_t value = ZM_LOAD(word);
	while (value &&
	       !__atomic_compare_exchange_n(word, &value, value, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	return value != 0;
}

int
zm_lazy_keep(void *p)
{
	size_t words = zm_os_page_size() / sizeof(uint64_t);
	struct zm_large *l = large_at(p);
	struct zm_lazy *notes = l ? take_notes(l) : NULL;
	bool lost = false;
	if (!notes)
		return l ? 0 : -EINVAL;
	size_t pages = l->r.bytes / zm_os_page_size();
	if (pages > notes->pages)
		pages = notes->pages;
	for (size_t i = 0; i < pages; i++)
		if (notes->place[i] != ALL_ZERO)
			lost |=
			    !kept((uint64_t *)p + i * words + notes->place[i]);
	zm_meta_free(notes, notes->bytes);
	return lost ? -EFAULT : 0;
}

void
zm_lazy_forget(struct zm_large *l)
{
	struct zm_lazy *notes = l->lazy;
	l->lazy = NULL;
	if (notes)
		zm_meta_free(notes, notes->bytes);
}
