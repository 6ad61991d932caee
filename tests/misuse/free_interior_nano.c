/* expect: free_interior_nano(PID) malloc: *** error for object ADDRESS: pointer being freed was not allocated */
/* expect: *** set a breakpoint in malloc_error_break to debug */
/* A pointer into a small block is freed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int
main(void)
{
	char *p = malloc(100);
	free(p + 16);
	return 0;
}
