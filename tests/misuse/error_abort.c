/* expect: error_abort(PID) malloc: *** error: can't allocate region: out of memory */
/* expect: *** set a breakpoint in malloc_error_break to debug */
/* env: MallocErrorAbort=1 */
/* Out of memory ends the program when MallocErrorAbort asks for it. */
#include <stdint.h>
#include <stdlib.h>

static volatile size_t too_much = PTRDIFF_MAX;

int
main(void)
{
	return malloc(too_much) != NULL;
}
