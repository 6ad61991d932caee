/*
 * entry.h - exported functions that no header of the C library declares.
 */
#ifndef ZMALLOC_MALLOC_ENTRY_H
#define ZMALLOC_MALLOC_ENTRY_H

#include <stddef.h>

/* C23, and BSD's */
void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t alignment, size_t size);
void *reallocf(void *p, size_t size);
void vfree(void *p);
void cfree(void *p); /* left glibc with 2.26; old programs call it */

/* Names under which glibc offers its own functions to programs that wrap
 * malloc.  They must mean this heap, or such a program would mix two. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);
void __libc_free(void *p);
void __libc_cfree(void *p);
int __posix_memalign(void **out, size_t alignment, size_t size);

#endif
