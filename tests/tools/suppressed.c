/*
 * suppressed.c - leaks for suppressions.sh: each function leaks blocks of a
 * size of its own, so that a size says which leak it was.
 */
#include <stdlib.h>
#include <string.h>

static void *volatile sink;

__attribute__((noinline)) void
alloc_foo(void)
{
	sink = malloc(1001);
}

__attribute__((noinline)) void
foo_foo(void)
{
	sink = calloc(1, 1003);
}

__attribute__((noinline)) void
bar(int twice)
{
	sink = malloc(1007);
	if (twice)
		alloc_foo();
}

__attribute__((noinline)) void
foo_in_the_middle(void)
{
#ifdef COPY /* LeakSanitizer does not get through libc's strdup */
	sink = strdup("a string of some length");
#endif
	bar(1);
}

__attribute__((noinline)) static void
clear(void)
{
	char dead[16384];

	sink = NULL;
	memset(dead, 0, sizeof dead);
	__asm__ volatile("" : : "r"(dead) : "memory");
}

int
main(void)
{
	alloc_foo();
	foo_foo();
	bar(0);
	foo_in_the_middle();
	clear();
	return 0;
}
