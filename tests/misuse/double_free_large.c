/* expect: double_free_large(PID) malloc: *** error for object ADDRESS: pointer being freed already on death-row */
/* expect: *** set a breakpoint in malloc_error_break to debug */
/* A large block is freed twice. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int
main(void)
{
	char *p = malloc(20 << 20);
	free(p);
	free(p);
	return 0;
}
