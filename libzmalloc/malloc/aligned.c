/*
 * aligned.c - blocks at chosen alignments, as glibc 2.36 has them.
 *
 * memalign and aligned_alloc round an alignment that is no power of two up to
 * one; posix_memalign insists on a power of two and leaves errno alone.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#include "malloc/block.h"
#include "malloc/entry.h"
#include "malloc/state.h"
#include "os/os.h"

static void *
new_aligned(size_t align, size_t size, enum zt_call call, const void *ra)
{
	return zm_block_new(&(struct zm_ask){ .size = size,
					      .align = align,
					      .fn = ZM_FN_MEMALIGN,
					      .call = call,
					      .ra = ra,
					      .at = ZM_ENTRY(ra) });
}

static void *
aligned(size_t align, size_t size, const void *ra)
{
	ZM_TRACE_START(memalign, align, size);
	void *p = new_aligned(align, size, ZT_CALL_memalign, ra);
	ZM_TRACE_END(memalign, size, p);
	return p;
}

/* At a page. */
static void *
paged(size_t size, const void *ra)
{
	ZM_TRACE_START(valloc, size);
	void *p = new_aligned(zm_os_page_size(), size, ZT_CALL_valloc, ra);
	ZM_TRACE_END(valloc, size, p);
	return p;
}

static void *
rounded(size_t align, size_t size, const void *ra)
{
	size_t power = 16;
	if (align > SIZE_MAX / 2 + 1) {
		errno = EINVAL;
		return NULL;
	}
	while (power < align)
		power <<= 1;
	return aligned(power, size, ra);
}

ZM_EXPORT void *
memalign(size_t align, size_t size)
{
	return rounded(align, size, ZM_CALLER);
}

ZM_EXPORT void *
aligned_alloc(size_t align, size_t size)
{
	return rounded(align, size, ZM_CALLER);
}

ZM_EXPORT int
posix_memalign(void **out, size_t align, size_t size)
{
	if (align < sizeof(void *) || (align & (align - 1)))
		return EINVAL;
	int e = errno;
	void *p = aligned(align, size, ZM_CALLER);
	errno = e;
	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

ZM_EXPORT void *
valloc(size_t size)
{
	return paged(size, ZM_CALLER);
}

ZM_EXPORT void *
pvalloc(size_t size)
{
	size_t page = zm_os_page_size(), bytes;
	if (__builtin_add_overflow(size, page - 1, &bytes))
		return zm_no_memory();
	return paged(bytes & -page, ZM_CALLER);
}

void *__libc_memalign(size_t, size_t) ZM_ALIAS(memalign);
void *__libc_valloc(size_t) ZM_ALIAS(valloc);
void *__libc_pvalloc(size_t) ZM_ALIAS(pvalloc);
int __posix_memalign(void **, size_t, size_t) ZM_ALIAS(posix_memalign);
