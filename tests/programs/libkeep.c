/* libkeep.c - a preloaded library of the user's own: says that it is there. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void
here(void)
{
	const char *file = getenv("COUNT_FILE");
	int fd = file ? open(file, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;

	if (fd >= 0 && write(fd, "here\n", 5) == 5)
		close(fd);
}
