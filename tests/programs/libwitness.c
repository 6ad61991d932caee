/*
 * libwitness.c - says whose malloc a program runs with.
 *
 * Preloaded behind the library under test.  WITNESS names a file to which each
 * process appends one line when it starts and one when it ends:
 *   heap ours|other PROGRAM
 *   rss KIB PROGRAM
 * "ours" means that a block from malloc, called as the program calls it,
 * belongs to a zone.  A program that cannot be preloaded writes nothing.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* weak: the witness is also there when the library is not */
extern void *malloc_zone_from_ptr(const void *p) __attribute__((weak));

static void
say(const char *what, const char *value)
{
	const char *file = getenv("WITNESS");
	char exe[400], line[500];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	int fd =
	    file && n > 0 ? open(file, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	exe[n] = '\0';
	n = snprintf(line, sizeof line, "%s %s %s\n", what, value, exe);
	if (write(fd, line, (size_t)n) != n)
		abort();
	close(fd);
}

__attribute__((constructor)) static void
begin(void)
{
	void *volatile p = malloc(100);
	int ours = malloc_zone_from_ptr && malloc_zone_from_ptr(p);

	free(p);
	say("heap", ours ? "ours" : "other");
}

__attribute__((destructor)) static void
end(void)
{
	struct rusage r;
	char kib[24];

	getrusage(RUSAGE_SELF, &r);
	snprintf(kib, sizeof kib, "%ld", r.ru_maxrss);
	say("rss", kib);
}
