/* expect: destroyed_zone(PID) malloc: *** error for object ADDRESS: pointer being freed was not allocated */
/* expect: *** set a breakpoint in malloc_error_break to debug */
/* A block is freed after its zone was destroyed with everything in it. */
#include <stdlib.h>
#include <zmalloc/malloc.h>

#pragma weak malloc_create_zone
#pragma weak malloc_destroy_zone
#pragma weak malloc_zone_malloc

int
main(void)
{
	malloc_zone_t *zone = malloc_create_zone(0, 0);
	void *p = malloc_zone_malloc(zone, 20 << 20);
	malloc_destroy_zone(zone);
	free(p);
	return 0;
}
