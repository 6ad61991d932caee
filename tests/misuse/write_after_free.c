/* expect: write_after_free(PID) malloc: *** error for object ADDRESS: Incorrect checksum for freed object: probably modified after being freed, or freed twice */
/* expect: *** set a breakpoint in malloc_error_break to debug */
/* A freed block is written to, and noticed when it is handed out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int
main(void)
{
	char *p = malloc(100);
	free(p);
	memset(p, 0x41, 100);
	for (int i = 0; i < 100; i++)
		if (!malloc(100))
			return 1;
	return 0;
}
