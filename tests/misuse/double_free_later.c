/* expect: double_free_later(PID) malloc: *** error for object ADDRESS: Incorrect checksum for freed object: probably modified after being freed, or freed twice */
/* expect: *** set a breakpoint in malloc_error_break to debug */
/* A block is freed twice, another in between: it must not be handed out
 * twice. */
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
	char *a = malloc(500), *b = malloc(500), *c = malloc(500);
	return a == b || b == c || a == c;
}
