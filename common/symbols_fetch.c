/*
 * symbols_fetch.c - debug files from debuginfod servers, only for users who set
 * DEBUGINFOD_URLS.
 *
 * libdebuginfod is loaded when it is first needed, since it brings an HTTP
 * library.  Nothing may wait for a server that does not answer: all questions
 * of one run together have FETCH_SECONDS, after which none is asked any more.
 */
#include "symbols_parts.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FETCH_SECONDS 5.0

typedef struct debuginfod_client client_t;

static struct {
	int tried;
	client_t *client;
	int (*find)(client_t *, const unsigned char *, int, char **);
	double used; /* seconds */
	double begun;
} fetch;

static double
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Called while a download goes on; not 0 ends it. */
static int
progress(client_t *client, long a, long b)
{
	(void)client, (void)a, (void)b;
	return fetch.used + now() - fetch.begun > FETCH_SECONDS;
}

static void
load(void)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	fetch.tried = 1;
	if (!urls || !*urls)
		return;
	void *lib = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		return;
	client_t *(*begin)(void) =
	    (client_t * (*)(void)) dlsym(lib, "debuginfod_begin");
	void (*set)(client_t *, int (*)(client_t *, long, long)) =
	    (void (*)(client_t *, int (*)(client_t *, long, long)))dlsym(
		lib, "debuginfod_set_progressfn");
	fetch.find = (int (*)(client_t *, const unsigned char *, int,
			      char **))dlsym(lib, "debuginfod_find_debuginfo");
	if (!begin || !set || !fetch.find || !(fetch.client = begin()))
		return;
	set(fetch.client, progress);
}

int
elf_file_fetch_debug(const struct elf_file *main, struct elf_file *debug)
{
	const uint8_t *id = NULL, *other;
	char *path = NULL;
	if (!fetch.tried)
		load();
	size_t bytes = elf_file_build_id(main, &id);
	if (!fetch.client || bytes == 0 || fetch.used > FETCH_SECONDS)
		return -1;
	fetch.begun = now();
	int fd = fetch.find(fetch.client, id, (int)bytes, &path);
	fetch.used += now() - fetch.begun;
	if (fd < 0)
		return -1;
	int failed = !path || elf_file_open(debug, path) != 0;
	close(fd);
	free(path);
	if (failed)
		return -1;
	if (elf_file_build_id(debug, &other) == bytes &&
	    memcmp(other, id, bytes) == 0)
		return 0;
	elf_file_close(debug);
	return -1;
}
