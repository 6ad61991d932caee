/* expect: free_stack(PID) malloc: *** error for object ADDRESS: pointer being freed was not allocated */
/* expect: *** set a breakpoint in malloc_error_break to debug */
/* A local variable is freed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int
main(void)
{
	volatile int local = 0;
	free((void *)(uintptr_t)&local);
	return 0;
}
