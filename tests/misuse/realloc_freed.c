/* expect: realloc_freed(PID) malloc: *** error for object ADDRESS: pointer being realloc'd was not allocated */
/* expect: *** set a breakpoint in malloc_error_break to debug */
/* A large block is reallocated after it was freed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int
main(void)
{
	char *p = malloc(20 << 20);
	free(p);
	return realloc(p, 100) != NULL;
	return 0;
}
