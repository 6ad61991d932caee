/* expect: destroy_default(PID) malloc: *** error for object ADDRESS: this zone cannot be destroyed */
/* expect: *** set a breakpoint in malloc_error_break to debug */
/* status: 0 */
/* The default zone stays; the program goes on. */
#include <stdlib.h>
#include <zmalloc/malloc.h>

#pragma weak malloc_default_zone
#pragma weak malloc_destroy_zone

int
main(void)
{
	malloc_destroy_zone(malloc_default_zone());
	free(malloc(100));
	return 0;
}
