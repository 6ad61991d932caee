/*
 * branches.c - two ways to the same allocating function, with known sums:
 *   main > left  > leaf_a  10 blocks of 1000 bytes, kept
 *   main > right > leaf_a  20 blocks of  500 bytes, freed at once
 *   main > right > leaf_b   1 block  of    7 bytes, kept
 */
#include <stdlib.h>

static void *kept[11];

static void *
leaf_a(size_t n)
{
	return malloc(n);
}

static void *
leaf_b(size_t n)
{
	return malloc(n);
}

static void
left(void)
{
	for (int i = 0; i < 10; i++)
		kept[i] = leaf_a(1000);
}

static void
right(void)
{
	for (int i = 0; i < 20; i++)
		free(leaf_a(500));
	kept[10] = leaf_b(7);
}

int
main(void)
{
	left();
	right();
	return kept[10] == NULL;
}
