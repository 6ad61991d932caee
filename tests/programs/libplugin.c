/*
 * libplugin.c - a shared library that flow.c loads: it leaks, and holds one
 * more block by a variable of its own.
 */
#include <stdlib.h>

void plugin_leak(int n);
void *volatile plugin_holder;

__attribute__((noinline)) static void *
alloc_in_plugin(void)
{
	void *p = malloc(30);

	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

void
plugin_leak(int n)
{
	while (n--)
		alloc_in_plugin();
	plugin_holder = alloc_in_plugin();
}
