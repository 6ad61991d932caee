/* expect: double_free_medium(PID) malloc: *** error for object ADDRESS: Double free of object */
/* expect: *** set a breakpoint in malloc_error_break to debug */
/* A block of the medium tier is freed twice. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int
main(void)
{
	char *p = malloc(100000);
	free(p);
	free(p);
	return 0;
}
