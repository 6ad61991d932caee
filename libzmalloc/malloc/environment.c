/*
 * environment.c - finds the environment at the very first malloc.
 *
 * That call comes from the dynamic linker, before libc's constructor has set
 * environ.  The kernel leaves argc, argv, envp and the auxiliary vector in one
 * piece on the first stack, and the linker keeps the address of argc in
 * __libc_stack_end; libc itself finds the main thread's stack by it.  In a
 * static program that word points elsewhere, but there environ is set before
 * anything allocates.  Where neither helps, /proc/self/environ does.
 *
 * Relies on os.h, metadata memory, and getauxval, which reads a variable of
 * the dynamic linker.  Called by boot.c.
 */
#include "malloc/environment.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "malloc/options.h"
#include "malloc/state.h"
#include "os/os.h"
#include "zone/szone.h"

extern void *__libc_stack_end __attribute__((weak));

enum {
	ARGC_MAX = 1 << 22,	    /* a kernel page per pointer at most */
	FILE_MAX_BYTES = 256 << 10, /* of /proc/self/environ */
	ENTRIES_MAX = 64	    /* of it that concern us */
};

/*
 * True when the auxiliary vector that must follow this environment is really
 * there: its page size is the one libc knows.
 */
static bool
vector_follows(char *const *envp)
{
	while (*envp)
		envp++;
	const unsigned long *aux = (const unsigned long *)(envp + 1);
	for (int i = 0; i < 64 && aux[0] != AT_NULL; i++, aux += 2)
		if (aux[0] == AT_PAGESZ)
			return aux[1] == getauxval(AT_PAGESZ);
	return false;
}

static bool
from_stack(const char **argv0, char *const **envp)
{
	if (!&__libc_stack_end || !__libc_stack_end)
		return false;
	if ((uintptr_t)__libc_stack_end % sizeof(void *))
		return false;
	long argc = *(long *)__libc_stack_end;
	char *const *argv = (char *const *)((long *)__libc_stack_end + 1);
	if (argc < 0 || argc > ARGC_MAX || argv[argc])
		return false;
	if (!vector_follows(argv + argc + 1))
		return false;
	*argv0 = argc ? argv[0] : NULL;
	*envp = argv + argc + 1;
	return true;
}

/* Reads the file; NULL when there is none.  The memory is kept: once in the
 * life of a process. */
static char *
read_environ(size_t *bytes)
{
	int fd = zm_os_open("/proc/self/environ", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	char *buf = zm_meta_alloc(FILE_MAX_BYTES);
	size_t n = 0;
	while (buf && n < FILE_MAX_BYTES - 1) {
		ssize_t got = zm_os_read(fd, buf + n, FILE_MAX_BYTES - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	zm_os_close(fd);
	*bytes = n;
	return buf;
}

static char *const *
from_file(void)
{
	static char *entries[ENTRIES_MAX + 1];
	size_t bytes, k = 0;
	char *buf = read_environ(&bytes);
	if (!buf)
		return NULL;
	for (size_t i = 0; i < bytes && k < ENTRIES_MAX;
	     i += strlen(buf + i) + 1)
		if (zm_option_looks_like(buf + i))
			entries[k++] = buf + i;
	return entries;
}

void
zm_environment(const char **argv0, char *const **envp)
{
	*argv0 = NULL;
	*envp = NULL;
	if (!from_stack(argv0, envp))
		*envp = environ ? environ : from_file();
	if (getauxval(AT_SECURE))
		*envp = NULL;
}

/* No library functions, no constants: see ZM_STARTUP. */
ZM_STARTUP static bool
begins(const char *s)
{
	s += *s == '_';
	return s[0] == 'M' && s[1] == 'a' && s[2] == 'l' && s[3] == 'l' &&
	       s[4] == 'o' && s[5] == 'c';
}

ZM_STARTUP bool
zm_environment_concerns_us(void)
{
	for (char *const *e = environ; e && *e; e++)
		if (begins(*e))
			return true;
	return false;
}
