/*
 * malloc_glibc.c - the standard functions do what glibc's do.
 *
 * The truth is glibc itself: the same calls go to libc's own functions, found
 * through dlsym on libc.so.6, and to ours, and success, errno and alignment
 * must agree.  Where glibc's answer depends on its version (aligned_alloc with
 * an alignment that is no power of two, since 2.38) ours is that of 2.36.
 */
#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <malloc.h>
#include <stdint.h>

#include "malloc_check.h"

static void *libc;

static void *
of_libc(const char *name)
{
	if (!libc)
		libc = dlopen("libc.so.6", RTLD_LAZY);
	void *f = dlsym(libc, name);
	CHECK(f);
	return f;
}

struct answer {
	int error;
	bool null;
	unsigned tz; /* alignment, as power of two, at most 2^12 */
};

static struct answer
answer(void *p, int error)
{
	struct answer a = { error, !p, 12 };
	if (p)
		while (a.tz && (uintptr_t)p & ((1ul << a.tz) - 1))
			a.tz--;
	return a;
}

/* Same success and errno, at least this alignment. */
static void
same(struct answer ours, struct answer theirs, size_t align)
{
	CHECK(ours.null == theirs.null);
	CHECK(ours.error == theirs.error);
	CHECK(ours.null || (1ul << ours.tz) >= (align > 4096 ? 4096 : align));
}

static const size_t sizes[] = { 0,
				1,
				8,
				15,
				16,
				17,
				100,
				256,
				257,
				1008,
				1009,
				4096,
				32768,
				32769,
				100000,
				1 << 20,
				9 << 20,
				PTRDIFF_MAX,
				(size_t)PTRDIFF_MAX + 1,
				SIZE_MAX - 4096,
				SIZE_MAX - 1,
				SIZE_MAX };
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

typedef void *(*two_fn)(size_t, size_t);
typedef void *(*one_fn)(size_t);
typedef void (*free_fn)(void *);

static struct answer
call_two(two_fn f, free_fn release, size_t a, size_t b)
{
	errno = 0;
	void *p = f(a, b);
	struct answer r = answer(p, errno);
	release(p);
	return r;
}

static struct answer
call_one(one_fn f, free_fn release, size_t a)
{
	errno = 0;
	void *p = f(a);
	struct answer r = answer(p, errno);
	release(p);
	return r;
}

static void
compare_one(const char *name, one_fn ours, size_t align)
{
	one_fn theirs = (one_fn)of_libc(name);
	free_fn release = (free_fn)of_libc("free");
	for (int i = 0; i < SIZES; i++)
		same(call_one(ours, free, sizes[i]),
		     call_one(theirs, release, sizes[i]), align);
}

static void
test_malloc(void)
{
	compare_one("malloc", malloc, 16);
}

static void
test_valloc(void)
{
	compare_one("valloc", valloc, 4096);
}

static void
test_pvalloc(void)
{
	compare_one("pvalloc", pvalloc, 4096);
	void *p = pvalloc(1);
	CHECK(malloc_usable_size(p) >= 4096);
	free(p);
}

static void
test_calloc(void)
{
	two_fn theirs = (two_fn)of_libc("calloc");
	free_fn release = (free_fn)of_libc("free");
	static const size_t counts[] = { 0, 1, 2, 7, 1ul << 32, SIZE_MAX / 2 };
	for (int i = 0; i < SIZES; i++)
		for (int k = 0; k < 6; k++)
			same(call_two(calloc, free, counts[k], sizes[i]),
			     call_two(theirs, release, counts[k], sizes[i]),
			     16);
}

static void
compare_aligned(const char *name, two_fn ours)
{
	two_fn theirs = (two_fn)of_libc(name);
	free_fn release = (free_fn)of_libc("free");
	static const size_t aligns[] = { 0,
					 1,
					 2,
					 3,
					 8,
					 16,
					 24,
					 32,
					 48,
					 64,
					 100,
					 128,
					 1000,
					 4096,
					 8192,
					 65536,
					 1 << 20,
					 SIZE_MAX / 2 + 1,
					 SIZE_MAX / 2 + 2,
					 SIZE_MAX };
	for (int i = 0; i < SIZES; i++) {
		for (size_t k = 0; k < sizeof(aligns) / 8; k++) {
			size_t a = aligns[k];
			/* a failed mapping of glibc's is no rule */
			if (a > 1 << 20 && sizes[i] < 1 << 20 &&
			    a <= SIZE_MAX / 2 + 1)
				continue;
			same(call_two(ours, free, a, sizes[i]),
			     call_two(theirs, release, a, sizes[i]),
			     a > 1 << 20 || a & (a - 1) ? 16 : a);
		}
	}
}

static void
test_memalign(void)
{
	compare_aligned("memalign", memalign);
}

static void
test_aligned_alloc(void)
{
	if (strcmp(gnu_get_libc_version(), "2.38") < 0)
		compare_aligned("aligned_alloc", aligned_alloc);
	/* no multiple of the alignment is asked for */
	void *p = aligned_alloc(64, 65);
	CHECK(p && (uintptr_t)p % 64 == 0);
	free(p);
}

static void
test_posix_memalign(void)
{
	int (*theirs)(void **, size_t, size_t) =
	    (int (*)(void **, size_t, size_t))of_libc("posix_memalign");
	free_fn release = (free_fn)of_libc("free");
	for (size_t a = 0; a <= 65536; a = a < 40 ? a + 1 : a * 2) {
		for (int i = 0; i < SIZES; i++) {
			void *mark = &mark, *p = mark, *q = mark;
			errno = 7;
			int e = posix_memalign(&p, a, sizes[i]);
			CHECK(errno == 7);
			CHECK(e == theirs(&q, a, sizes[i]));
			CHECK(e ? p == mark : (uintptr_t)p % a == 0);
			if (!e) {
				free(p);
				release(q);
			}
		}
	}
}

/* the compiler must not know */
static volatile size_t too_much = SIZE_MAX;

static void
test_realloc(void)
{
	char *p = realloc(NULL, 10);
	CHECK(p);
	memcpy(p, "123456789", 10);
	for (size_t n = 10; n < 20 << 20; n = n * 3 / 2) {
		p = realloc(p, n);
		CHECK(p && strcmp(p, "123456789") == 0);
	}
	errno = 0;
	CHECK(!realloc(p, too_much) && errno == ENOMEM);
	CHECK(!realloc(p, too_much / 2 + 1) && errno == ENOMEM);
	CHECK(strcmp(p, "123456789") == 0);
	for (size_t n = 20 << 20; n >= 10; n = n * 2 / 3) {
		p = realloc(p, n);
		CHECK(p && strcmp(p, "123456789") == 0);
	}
	errno = 3;
	CHECK(!realloc(p, 0) && errno == 3);
	p = realloc(NULL, 0);
	CHECK(p && malloc_usable_size(p) >= 1);
	free(p);
}

static void
test_reallocarray(void)
{
	char *p = malloc(8);
	strcpy(p, "abc");
	errno = 0;
	CHECK(!reallocarray(p, too_much / 2, 4) && errno == ENOMEM);
	CHECK(strcmp(p, "abc") == 0);
	p = reallocarray(p, 100, 3);
	CHECK(p && malloc_usable_size(p) >= 300 && strcmp(p, "abc") == 0);
	CHECK(!reallocarray(p, 0, 3));
}

static void
test_usable_size(void)
{
	CHECK(malloc_usable_size(NULL) == 0);
	for (int i = 0; i < SIZES; i++) {
		char *p = malloc(sizes[i]);
		if (!p)
			continue;
		size_t n = malloc_usable_size(p);
		CHECK(n >= sizes[i] && n > 0);
		memset(p, 0x5a, n); /* all of it is ours */
		free(p);
	}
}

static void
test_free_keeps_errno(void)
{
	void *p[64];
	for (int i = 0; i < 64; i++)
		p[i] = malloc((size_t)1 << (i % 25));
	errno = 77;
	free(NULL);
	for (int i = 0; i < 64; i++)
		free(p[i]);
	CHECK(errno == 77);
}

static void
test_mallopt_trim_info(void)
{
	int (*theirs)(int, int) = (int (*)(int, int))of_libc("mallopt");
	static const int parameter[] = { M_MXFAST,    M_TRIM_THRESHOLD,
					 M_TOP_PAD,   M_MMAP_THRESHOLD,
					 M_MMAP_MAX,  M_ARENA_TEST,
					 M_ARENA_MAX, 4242 };
	for (size_t i = 0; i < sizeof(parameter) / sizeof(int); i++)
		CHECK(mallopt(parameter[i], 64) == theirs(parameter[i], 64));
	CHECK(mallopt(M_MXFAST, 1 << 20) == theirs(M_MXFAST, 1 << 20));

	size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
	void *big = malloc(50 << 20), *small = malloc(5000);
	struct mallinfo2 m = mallinfo2();
	CHECK(m.uordblks + m.hblkhd >= before + (50 << 20) + 5000);
	CHECK(m.hblks >= 1);
	free(big);
	free(small);
	int given = malloc_trim(0);
	CHECK(given == 0 || given == 1);
}

static void
test_malloc_info(void)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);
	CHECK(malloc_info(1, f) == EINVAL);
	CHECK(malloc_info(0, f) == 0);
	fclose(f);
	CHECK(strncmp(text, "<malloc version=\"1\">\n", 21) == 0);
	CHECK(strcmp(text + n - 10, "</malloc>\n") == 0);
	free(text);
}

int
main(void)
{
	static const struct test tests[] = {
		{ "malloc as glibc", test_malloc },
		{ "calloc as glibc", test_calloc },
		{ "valloc as glibc", test_valloc },
		{ "pvalloc as glibc", test_pvalloc },
		{ "memalign as glibc", test_memalign },
		{ "aligned_alloc as glibc", test_aligned_alloc },
		{ "posix_memalign as glibc", test_posix_memalign },
		{ "realloc", test_realloc },
		{ "reallocarray", test_reallocarray },
		{ "malloc_usable_size", test_usable_size },
		{ "free keeps errno", test_free_keeps_errno },
		{ "mallopt, mallinfo2, malloc_trim", test_mallopt_trim_info },
		{ "malloc_info", test_malloc_info },
	};
	return RUN_TESTS(tests);
}
