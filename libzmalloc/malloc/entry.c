/*
 * entry.c - malloc, free and their closest relatives.
 *
 * The semantics are glibc's, so that a program cannot tell the difference:
 * realloc(p, 0) frees p and returns NULL, errno is ENOMEM on failure and
 * untouched by free.  Each function is a fast path of a few instructions and
 * a call into block.c for all the rest.
 *
 * Called by the program, libc and the dynamic linker, from the first moment.
 */
#include "malloc/entry.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "malloc/block.h"
#include "malloc/state.h"

ZM_EXPORT void *
malloc(size_t size)
{
	ZM_TRACE_START(malloc, size);
	void *p = zm_fast_new(size);
	if (ZM_UNLIKELY(!p))
		return zm_block_plain(size, ZM_FN_MALLOC, ZM_CALLER);
	ZM_TRACE_END(malloc, size, p);
	return p;
}

ZM_EXPORT void
free(void *p)
{
	ZM_TRACE_FREE(p);
	zm_free(p, ZM_CALLER);
}

ZM_EXPORT void *
calloc(size_t count, size_t size)
{
	size_t bytes;
	zm_deepbind_watch(ZM_CALLER);
	if (__builtin_mul_overflow(count, size, &bytes))
		return zm_no_memory();
	ZM_TRACE_START(calloc, count, size);
	void *p = zm_fast_new(bytes);
	if (ZM_UNLIKELY(!p))
		return zm_block_zeroed(bytes, ZM_FN_CALLOC, ZM_CALLER);
	/* before the block is cleared: a tail call that needs no frame */
	ZM_TRACE_END(calloc, bytes, p);
	return memset(p, 0, bytes);
}

static void *
resize_block(void *p, size_t size, const void *ra)
{
	struct zm_ask ask = { .size = size,
			      .fn = ZM_FN_REALLOC,
			      .call = ZT_CALL_realloc,
			      .ra = ra,
			      .at = ZM_ENTRY(ra) };
	if (!p)
		return zm_block_new(&ask);
	if (size)
		return zm_block_resize(NULL, p, &ask);
	zm_block_free(p, ra);
	return NULL;
}

static void *
resize(void *p, size_t size, const void *ra)
{
	ZM_TRACE_START(realloc, p, size);
	void *q = resize_block(p, size, ra);
	ZM_TRACE_END(realloc, p, size, q);
	return q;
}

ZM_EXPORT void *
realloc(void *p, size_t size)
{
	return resize(p, size, ZM_CALLER);
}

ZM_EXPORT void *
reallocarray(void *p, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes))
		return zm_no_memory();
	return resize(p, bytes, ZM_CALLER);
}

/* BSD's: the block is gone when it cannot grow. */
ZM_EXPORT void *
reallocf(void *p, size_t size)
{
	void *q = resize(p, size, ZM_CALLER);
	if (!q && p && size)
		zm_block_free(p, ZM_CALLER);
	return q;
}

ZM_EXPORT void
free_sized(void *p, size_t size)
{
	(void)size;
	free(p);
}

ZM_EXPORT void
free_aligned_sized(void *p, size_t alignment, size_t size)
{
	(void)alignment;
	(void)size;
	free(p);
}

ZM_EXPORT size_t
malloc_usable_size(void *p)
{
	size_t bytes = zm_trusted_size(p);
	return ZM_LIKELY(bytes) ? bytes : zm_block_usable(p);
}

void cfree(void *) ZM_ALIAS(free);
void vfree(void *) ZM_ALIAS(free);

void *__libc_malloc(size_t) ZM_ALIAS(malloc);
void *__libc_calloc(size_t, size_t) ZM_ALIAS(calloc);
void *__libc_realloc(void *, size_t) ZM_ALIAS(realloc);
void __libc_free(void *) ZM_ALIAS(free);
void __libc_cfree(void *) ZM_ALIAS(free);
