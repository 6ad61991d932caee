/* expect: double_free_small(PID) malloc: *** error for object ADDRESS: Double free of object */
/* expect: *** set a breakpoint in malloc_error_break to debug */
/* A block of the small tier is freed twice. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int
main(void)
{
	char *p = malloc(5000);
	free(p);
	free(p);
	return 0;
}
