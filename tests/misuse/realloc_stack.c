/* expect: realloc_stack(PID) malloc: *** error for object ADDRESS: pointer being realloc'd was not allocated */
/* expect: *** set a breakpoint in malloc_error_break to debug */
/* A local variable is reallocated. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int
main(void)
{
	volatile long local[4] = { 0 };
	return realloc((void *)(uintptr_t)local, 100) != NULL;
	return 0;
}
