/* expect: double_free_nano(PID) malloc: *** error for object ADDRESS: Double free of object */
/* expect: *** set a breakpoint in malloc_error_break to debug */
/* A small block is freed twice in a row. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int
main(void)
{
	char *p = malloc(40);
	free(p);
	free(p);
	return 0;
}
