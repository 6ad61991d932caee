/* expect: double_free_tiny(PID) malloc: *** error for object ADDRESS: Double free of object */
/* expect: *** set a breakpoint in malloc_error_break to debug */
/* env: MallocScribble=1 */
/* A block of the tiny tier is freed twice, others in between: a debugging
 * heap, which has no caches, notices at once. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int
main(void)
{
	char *p = malloc(500), *q = malloc(500);
	free(p);
	free(q);
	free(p);
	return 0;
}
