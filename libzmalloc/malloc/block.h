/*
 * block.h - allocating and freeing with everything that is not the fast path:
 * the recorder, other default zones, heap checks, errors, errno.
 *
 * Called by the entry points of the C family (entry.c, aligned.c), of C++
 * (new.c) and of zones (zone_object.c, zone_api.c).
 */
#ifndef ZMALLOC_MALLOC_BLOCK_H
#define ZMALLOC_MALLOC_BLOCK_H

#include "malloc/registry.h"
#include "malloc/state.h"
#include "zone/fast.h"

/* A request for a block. */
struct zm_ask {
	size_t size;
	size_t align; /* a power of two; 0 or up to 16: that of malloc */
	bool zero;
	enum zm_fn fn;
	enum zt_call call; /* trace point that it counts for */
	const void *ra;	   /* return address of the entry point */
	struct zm_entry at;
};

/*
 * The zm_entry of the entry point that returns to ra, as seen from a function
 * that is it, was inlined into it, or was tail-called by it; otherwise not
 * known.  The frame pointer that is asked for makes the function begin with
 * push %rbp; mov %rsp, %rbp.
 */
#if defined(__x86_64__)
#define ZM_ENTRY(caller)                                                      \
	(__builtin_return_address(0) == (caller)                              \
	     ? (struct zm_entry){ (uintptr_t)__builtin_frame_address(0) + 16, \
				  *(uintptr_t *)__builtin_frame_address(0) }  \
	     : (struct zm_entry){ 0, 0 })
#else
#define ZM_ENTRY(caller) ((struct zm_entry){ 0, 0 })
#endif

/* From the default zone; NULL with errno ENOMEM. */
void *zm_block_new(const struct zm_ask *);
/* The same for entry points that have a fast path: out of line, so that the
 * fast path needs no stack frame.  They end the trace of malloc and calloc. */
void *zm_block_plain(size_t size, enum zm_fn fn, const void *ra);
void *zm_block_zeroed(size_t size, enum zm_fn fn, const void *ra);
/* From a zone of ours, or any zone. */
void *zm_block_new_in(struct zm_zone *, const struct zm_ask *);
void *zm_block_new_zone(malloc_zone_t *, const struct zm_ask *);

/* Frees a block of any zone; p is not NULL.  ra: return address of the entry
 * point.  Keeps errno. */
void zm_block_free(void *p, const void *ra);
/* The same, fatal when p is not of this zone. */
void zm_block_free_in(struct zm_zone *, void *p, const void *ra);

/* The same for many blocks of one size: how many there were.  Zone: any. */
unsigned zm_batch_new(malloc_zone_t *, const struct zm_ask *, void **out,
		      unsigned n);
/* Frees blocks of this zone of ours, and, if so said, of others; some may be
 * NULL. */
void zm_batch_free(struct zm_zone *, bool others, void **blocks, unsigned n,
		   const void *ra);

/* p is not NULL, ask->size not 0.  in: the zone that p must be of, or NULL. */
void *zm_block_resize(struct zm_zone *in, void *p, const struct zm_ask *);

/* Usable bytes; 0 for anything but the start of a live block. */
size_t zm_block_usable(const void *p);

/*
 * The fast paths, taken when nothing out of the ordinary is switched on: a pop
 * from or a push to the bin of this thread's cache.  NULL: take the slow one.
 */
static inline void *
zm_fast_new(size_t size)
{
	if (ZM_UNLIKELY(zm_is_slow()))
		return NULL;
	return zm_fast_malloc(size);
}

static inline __attribute__((always_inline)) void
zm_free(void *p, const void *ra)
{
	if (ZM_LIKELY(!zm_is_slow() && zm_fast_free(p)))
		return;
	if (p)
		zm_block_free(p, ra);
}

/* errno = ENOMEM; NULL.  Fatal under MallocErrorAbort. */
void *zm_no_memory(void);

#endif
