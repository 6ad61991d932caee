/*
 * huge.c - one block of more than 4 GiB, not touched; prints its address, or
 * nothing when there is no room for it.
 */
#include <stdio.h>
#include <stdlib.h>

int
main(void)
{
	void *p = malloc((5ul << 30) + 12345);

	if (p)
		printf("%lu\n", (unsigned long)p);
	free(p);
	return 0;
}
