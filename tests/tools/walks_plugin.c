/*
 * walks_plugin.c - what walks.cc loads and unloads; compiled twice, with
 * frames of different shapes at the same addresses.
 */
#include <stdlib.h>

static __attribute__((noinline)) void *
inner(int depth, void (*back)(int))
{
	volatile char much[MUCH];
	much[0] = 1;
	void *p = malloc(33);
	if (depth > 0)
		back(depth - 1);
	return p;
}

void *plug(int depth, void (*back)(int));

void *
plug(int depth, void (*back)(int))
{
	void *p = inner(depth, back);
	free(malloc(10));
	return p;
}
