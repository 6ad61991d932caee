/* expect: free_interior_large(PID) malloc: *** error for object ADDRESS: pointer being freed was not allocated */
/* expect: *** set a breakpoint in malloc_error_break to debug */
/* A pointer into a large block is freed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int
main(void)
{
	char *p = malloc(20 << 20);
	free(p + 4096);
	return 0;
}
