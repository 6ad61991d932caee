/* expect: zone_free_stranger(PID) malloc: *** error for object ADDRESS: pointer being freed was not allocated */
/* expect: *** set a breakpoint in malloc_error_break to debug */
/* A block of the default zone is freed in another zone. */
#include <stdlib.h>
#include <zmalloc/malloc.h>

#pragma weak malloc_create_zone
#pragma weak malloc_zone_free

int
main(void)
{
	malloc_zone_t *zone = malloc_create_zone(0, 0);
	malloc_zone_free(zone, malloc(100));
	return 0;
}
