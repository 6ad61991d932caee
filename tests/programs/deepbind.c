/*
 * deepbind.c - memory that goes back and forth between the program, libc and a
 * module opened with RTLD_DEEPBIND.
 *
 *   deepbind exchange MODULE  blocks of each side freed by the other
 *   deepbind handle           libc's functions by way of its handle
 *   deepbind scope A B C      three copies of a module, A in the global scope:
 *                             whose function B calls, which is opened with
 *                             RTLD_DEEPBIND, and C, which is not
 *   deepbind leak MODULE      the module allocates 77 bytes that nobody frees
 */
#include <dlfcn.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
need(void *p, const char *what)
{
	if (!p) {
		fprintf(stderr, "deepbind: %s\n", what);
		exit(1);
	}
	return p;
}

static void *
get(void *module, const char *name)
{
	return need(dlsym(module, name), name);
}

static void *
must_open(const char *path, int flags)
{
	return need(dlopen(path, flags), path);
}

static void
exchange(const char *path, int when)
{
	void *m = must_open(path, when | RTLD_LOCAL | RTLD_DEEPBIND);
	void *(*m_malloc)(size_t) = get(m, "alloc_in_module");
	void *(*m_calloc)(size_t) = get(m, "module_calloc");
	void *(*m_aligned)(size_t) = get(m, "module_aligned");
	void *(*m_realloc)(void *, size_t) = get(m, "module_realloc");
	size_t (*m_size)(void *) = get(m, "module_size");
	void (*m_free)(void *) = get(m, "module_free");
	static const size_t sizes[] = {
		1, 100, 3000, 70000, 3000000, 20000000
	};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t n = sizes[i];
		char *p;

		m_free(need(malloc(n), "malloc"));
		m_free(need(memalign(512, n), "memalign"));
		free(need(m_malloc(n), "module's malloc"));
		free(need(m_calloc(n), "module's calloc"));
		free(need(m_aligned(n), "module's posix_memalign"));
		p = need(malloc(n), "malloc");
		memset(p, 'x', n);
		if (m_size(p) < n)
			exit(2);
		p = need(m_realloc(p, 2 * n), "module's realloc");
		p = need(realloc(p, 3 * n), "realloc");
		if (p[0] != 'x' || p[n - 1] != 'x')
			exit(3);
		m_free(p);
	}
	m_free(strdup("libc's"));
	dlclose(m);
}

static void
handle(void)
{
	void *libc = must_open("libc.so.6", RTLD_LAZY);
	void *(*c_malloc)(size_t) = get(libc, "malloc");
	void (*c_free)(void *) = get(libc, "free");
	char *(*c_strdup)(const char *) = get(libc, "strdup");

	c_free(c_strdup("one"));
	free(c_malloc(100));
	c_free(malloc(100));
}

static const char *
seen(const char *path, int flags)
{
	void *m = must_open(path, RTLD_NOW | RTLD_LOCAL | flags);
	const char *(*name)(void) = get(m, "module_name_seen");
	const char *file = strrchr(name(), '/');

	return file ? file + 1 : "";
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "exchange") && argc == 3) {
		exchange(argv[2], RTLD_NOW);
		exchange(argv[2], RTLD_LAZY);
	} else if (!strcmp(what, "handle")) {
		handle();
	} else if (!strcmp(what, "scope") && argc == 5) {
		must_open(argv[2], RTLD_NOW | RTLD_GLOBAL);
		printf("%s\n", seen(argv[3], RTLD_DEEPBIND));
		printf("%s\n", seen(argv[4], 0));
	} else if (!strcmp(what, "leak") && argc == 3) {
		void *m = must_open(argv[2], RTLD_NOW | RTLD_DEEPBIND);
		void *(*m_malloc)(size_t) = get(m, "alloc_in_module");

		*(volatile char *)m_malloc(77) = 1;
	} else {
		fprintf(stderr, "deepbind: what?\n");
		return 64;
	}
	puts("done");
	return 0;
}
