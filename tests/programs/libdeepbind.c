/*
 * libdeepbind.c - a module whose malloc and free are those that its own way of
 * being loaded gives it.  deepbind.c opens it with RTLD_DEEPBIND, which makes
 * it look into libc before the program and what is preloaded.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* libc's function allocates, the module frees: in a constructor, before
 * anybody could have changed what the module is bound to. */
__attribute__((constructor)) static void
begin(void)
{
	char *s = strdup("from libc, before dlopen returns");

	s = realloc(s, 4000);
	free(s);
}

__attribute__((noinline)) void *
alloc_in_module(size_t bytes)
{
	return malloc(bytes);
}

void *
module_calloc(size_t bytes)
{
	return calloc(1, bytes);
}

void *
module_aligned(size_t bytes)
{
	void *p = NULL;

	return posix_memalign(&p, 256, bytes) ? NULL : p;
}

void *
module_realloc(void *p, size_t bytes)
{
	return realloc(p, bytes);
}

size_t
module_size(void *p)
{
	return malloc_usable_size(p);
}

void
module_free(void *p)
{
	free(p);
}

/* The file of the first definition that this module finds. */
const char *
module_name(void)
{
	Dl_info info;

	return dladdr((void *)module_name, &info) ? info.dli_fname : "";
}

const char *module_name_seen(void);
const char *
module_name_seen(void)
{
	return module_name();
}
