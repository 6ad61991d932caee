/* expect: free_misaligned(PID) malloc: *** error for object ADDRESS: Non-aligned pointer being freed */
/* expect: *** set a breakpoint in malloc_error_break to debug */
/* A pointer that is no multiple of 16 is freed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int
main(void)
{
	char *p = malloc(100);
	free(p + 1);
	return 0;
}
