/*
 * output.c - see output.h.  The page is written beside its target and renamed
 * over it, so that no reader sees half of it and a full disk leaves the old
 * one alone.
 */
#include "output.h"

#include "message.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 256 << 10 };

/* Left behind by a program that ends in the middle of a page. */
static char *pending;

static void
remove_pending(void)
{
	if (pending)
		unlink(pending);
}

static void
set_pending(char *path)
{
	static int registered;

	if (!registered)
		registered = atexit(remove_pending) == 0;
	pending = path;
}

/* mkstemp's files are private; the page gets the mode any new file has. */
static void
usual_mode(int fd)
{
	mode_t mask = umask(0);

	umask(mask);
	if (fchmod(fd, 0666 & ~mask) != 0)
		message("%s", strerror(errno)); /* only less readable */
}

/* The file that a chain of symbolic links leads to, or the path itself. */
static char *
follow(const char *path)
{
	char *real = realpath(path, NULL);
	return real ? real : text_copy(path);
}

int
output_open(struct output *o, const char *path)
{
	struct stat st;

	memset(o, 0, sizeof *o);
	if (!path || !strcmp(path, "-")) {
		o->file = stdout;
		return 0;
	}
	o->path = follow(path);
	if (stat(o->path, &st) == 0 && !S_ISREG(st.st_mode)) {
		o->file = fopen(o->path, "we");
	} else {
		o->temporary = text_format("%s.XXXXXX", o->path);
		int fd = mkstemp(o->temporary);
		if (fd >= 0) {
			set_pending(o->temporary);
			usual_mode(fd);
			o->file = fdopen(fd, "w");
		}
	}
	if (o->file) {
		setvbuf(o->file, NULL, _IOFBF, BUFFER);
		return 0;
	}
	message("%s: %s", path, strerror(errno));
	free(o->path);
	free(o->temporary);
	return -1;
}

int
output_close(struct output *o)
{
	if (!o->file)
		return 0;
	int failed = ferror(o->file) | fflush(o->file);
	int error = errno;

	if (!failed && o->temporary && fsync(fileno(o->file)) != 0 &&
	    errno != EINVAL) {
		failed = 1;
		error = errno;
	}
	if (o->file != stdout && fclose(o->file) != 0 && !failed) {
		failed = 1;
		error = errno;
	}
	o->file = NULL;
	if (!failed && o->temporary && rename(o->temporary, o->path) != 0) {
		failed = 1;
		error = errno;
	}
	if (failed) {
		message("%s: %s", o->path ? o->path : "standard output",
			strerror(error));
		if (o->temporary)
			unlink(o->temporary);
	}
	set_pending(NULL);
	free(o->path);
	free(o->temporary);
	return failed ? -1 : 0;
}
