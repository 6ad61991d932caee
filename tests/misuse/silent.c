/* env: MallocDebugReport=none */
/* MallocDebugReport=none: the program ends without a word. */
#include <stdlib.h>

int
main(void)
{
	char *p = malloc(40);
	free(p);
	free(p);
	return 0;
}
