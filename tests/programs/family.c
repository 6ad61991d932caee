/*
 * family.c - every allocation function of libc, sizes around every threshold.
 * Leaked blocks are definite and have exactly the bytes that were asked for.
 */
#include "known.h"

#include <malloc.h>

static NOINLINE void
alloc_malloc(size_t n)
{
	used(malloc(n));
}
static NOINLINE void
alloc_calloc(size_t n)
{
	used(calloc(3, n));
}
static NOINLINE void
alloc_realloc_null(size_t n)
{
	used(realloc(NULL, n));
}
static NOINLINE void
alloc_first(void **p)
{
	*p = used(malloc(10));
}
static NOINLINE void
alloc_realloc(void **p, size_t n)
{
	*p = used(realloc(*p, n));
}
static NOINLINE void
alloc_reallocarray(size_t n)
{
	used(reallocarray(NULL, n, 7));
}
static NOINLINE void
alloc_memalign(void)
{
	used(memalign(64, 100));
}
static NOINLINE void
alloc_posix_memalign(void)
{
	void *p = NULL;

	if (posix_memalign(&p, 4096, 33) == 0)
		used(p);
}
static NOINLINE void
alloc_aligned_alloc(void)
{
	used(aligned_alloc(256, 512));
}
static NOINLINE void
alloc_valloc(void)
{
	used(valloc(11));
}
static NOINLINE void
alloc_strdup(void)
{
	used(strdup("twenty-one characters"));
}
static NOINLINE void
alloc_strndup(void)
{
	used(strndup("twenty-one characters", 6));
}

static NOINLINE void
mallocs(void)
{
	for (size_t i = 1; i <= 4; i++)
		alloc_malloc(i * 10);
}
static NOINLINE void
callocs(void)
{
	for (size_t i = 1; i <= 2; i++)
		alloc_calloc(i * 10);
}
static NOINLINE void
realloc_nulls(void)
{
	alloc_realloc_null(5);
}
/* Grows and shrinks through all tiers, in place and not. */
static NOINLINE void
reallocs(void)
{
	static const size_t sizes[] = { 17,  300,  1100, 40000, 9 << 20,
					500, 2000, 31,	 77 };
	void *p;

	alloc_first(&p);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		alloc_realloc(&p, sizes[i]);
}
static volatile size_t too_much = (size_t)PTRDIFF_MAX + 1;

/* One that fails leaves the block as it was. */
static NOINLINE void
alloc_kept_by_failure(void **p)
{
	*p = used(malloc(123));
}
static NOINLINE void
failed_realloc(void)
{
	void *p;

	alloc_kept_by_failure(&p);
	if (realloc(p, too_much) || malloc(too_much) || calloc(too_much, 3))
		abort();
}
static NOINLINE void
reallocarrays(void)
{
	alloc_reallocarray(3);
}
static NOINLINE void
aligned(void)
{
	alloc_memalign();
	alloc_posix_memalign();
	alloc_aligned_alloc();
	alloc_valloc();
}
static NOINLINE void
strings(void)
{
	alloc_strdup();
	alloc_strndup();
}
static NOINLINE void
alloc_zero(void)
{
	used(malloc(0));
	used(calloc(0, 8));
}
static NOINLINE void
alloc_freed(void)
{
	void *p[100];

	for (size_t i = 0; i < 100; i++)
		p[i] = used(malloc(i * i));
	for (size_t i = 0; i < 100; i++)
		free(p[i]);
	free(NULL);
	/* the C library's answer is NULL and a freed block */
	used(realloc(used(malloc(50)), 0));
}

static NOINLINE void
alloc_sized(size_t n)
{
	used(malloc(n));
}
static NOINLINE void
sizes(void)
{
	static const size_t around[] = { 16,	   256,	     1008,     1024,
					 32768,	   65536,    1 << 20,  8 << 20,
					 16 << 20, 48 << 20, 100 << 20 };

	for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++)
		for (size_t n = around[i] - 1; n <= around[i] + 1; n++)
			alloc_sized(n);
}

static const struct scenario scenarios[] = {
	{ "malloc", mallocs, "definite alloc_malloc 4 100\n", "plain" },
	{ "calloc", callocs, "definite alloc_calloc 2 90\n", "plain" },
	{ "realloc_null", realloc_nulls, "definite alloc_realloc_null 1 5\n",
	  "plain" },
	{ "realloc", reallocs, "definite alloc_realloc 1 77\n", "plain" },
	{ "failed_realloc", failed_realloc,
	  "definite alloc_kept_by_failure 1 123\n", "plain" },
	{ "reallocarray", reallocarrays, "definite alloc_reallocarray 1 21\n",
	  "plain" },
	{ "aligned", aligned,
	  "definite alloc_memalign 1 100\n"
	  "definite alloc_posix_memalign 1 33\n"
	  "definite alloc_aligned_alloc 1 512\n"
	  "definite alloc_valloc 1 11\n",
	  "plain" },
	{ "strings", strings,
	  "definite ~alloc_strdup 1 22\ndefinite ~alloc_strndup 1 7\n",
	  "plain" },
	{ "zero", alloc_zero, "definite alloc_zero 2 0\n", "plain" },
	{ "freed", alloc_freed, "", "plain" },
	/* under Valgrind they lie where plain numbers look like pointers */
	{ "sizes", sizes, "definite alloc_sized 33 544512768\n",
	  "plain novalgrind" },
};

KNOWN_MAIN(scenarios)
