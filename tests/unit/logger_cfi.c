/*
 * logger_cfi.c - the reader of .eh_frame on bytes that are wrong.
 *
 * The frame tables of this program and of libc are copied between two pages
 * without access, changed at random, cut short, and asked about.  Whatever is
 * read outside of the copy ends the test.  Truth for the unchanged copy is the
 * original.
 */
#include <link.h>
#include <sys/mman.h>

#include "logger/cfi.h"
#include "unit/malloc_check.h"

enum { MODULES = 16, ROUNDS = 60000, PAGE = 4096 };

static struct zm_frames found[MODULES];
static unsigned count;

static int
visit(struct dl_phdr_info *info, size_t size, void *unused)
{
	uintptr_t hdr = 0;

	(void)size;
	(void)unused;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		if (p->p_type == PT_GNU_EH_FRAME)
			hdr = info->dlpi_addr + p->p_vaddr;
	}
	for (int i = 0; i < info->dlpi_phnum && hdr && count < MODULES; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t a = info->dlpi_addr + p->p_vaddr;
		if (p->p_type == PT_LOAD && hdr >= a && hdr - a < p->p_filesz)
			found[count++] =
			    (struct zm_frames){ hdr, a, a + p->p_filesz };
	}
	return 0;
}

static unsigned long
any(unsigned long n)
{
	static unsigned long seed = 42;

	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (seed >> 33) % n;
}

/* A copy whose last byte is the last before a page without access. */
static struct zm_frames
copy(const struct zm_frames *f, char **map, size_t *bytes)
{
	size_t n = f->hi - f->lo;
	size_t pages = (n + PAGE - 1) / PAGE * PAGE;
	char *p = mmap(NULL, pages + 2 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = p + PAGE + pages - n;

	CHECK(p != MAP_FAILED);
	memcpy(at, (void *)f->lo, n);
	mprotect(p, PAGE, PROT_NONE);
	mprotect(p + PAGE + pages, PAGE, PROT_NONE);
	*map = p;
	*bytes = pages + 2 * PAGE;
	return (struct zm_frames){ (uintptr_t)at + (f->hdr - f->lo),
				   (uintptr_t)at, (uintptr_t)at + n };
}

/* An address in some function of the table. */
static uintptr_t
some_pc(const struct zm_frames *f)
{
	const int32_t *rows = (const int32_t *)(f->hdr + 12);
	uint32_t n = ((const uint32_t *)f->hdr)[2];

	return f->hdr + (uintptr_t)(intptr_t)rows[2 * any(n)] + 1 + any(200);
}

static void
test_copy(void)
{
	for (unsigned m = 0; m < count; m++) {
		char *map;
		size_t bytes;
		unsigned simple = 0;
		struct zm_frames c = copy(&found[m], &map, &bytes);
		for (int i = 0; i < 5000; i++) {
			uintptr_t pc = some_pc(&found[m]);
			uint64_t want = zm_cfi_rule(&found[m], pc);
			simple += want != ZM_RULE_COMPLEX;
			CHECK(zm_cfi_rule(&c, pc - found[m].lo + c.lo) == want);
		}
		CHECK(simple > 1000 || found[m].hi - found[m].lo < 8192);
		munmap(map, bytes);
	}
}

/* Values that lengths, counts and offsets trip over. */
static void
spoil(char *at)
{
	static const uint32_t evil[] = { 0,	     1,		 0x7f,
					 0xff,	     0x7fffffff, 0x80000000,
					 0xffffffff, 0xfffffff0 };
	uint32_t v = evil[any(8)];

	if (any(2))
		*at = (char)any(256);
	else
		memcpy(at, &v, sizeof v);
}

static void
test_spoilt(void)
{
	for (unsigned m = 0; m < count; m++) {
		char *map;
		size_t bytes;
		struct zm_frames c = copy(&found[m], &map, &bytes);
		size_t n = c.hi - c.lo, tail = c.hi - c.hdr;
		for (int i = 0; i < ROUNDS; i++) {
			uintptr_t pc = some_pc(&found[m]) - found[m].lo + c.lo;
			for (unsigned k = 1 + (unsigned)any(4); k; k--)
				spoil((char *)c.hdr +
				      any(any(2) ? 64 : tail - 4));
			zm_cfi_rule(&c, pc);
			if (any(8) == 0) /* mend it */
				memcpy((char *)c.lo, (char *)found[m].lo, n);
		}
		munmap(map, bytes);
	}
}

static void
test_short(void)
{
	for (unsigned m = 0; m < count; m++) {
		for (int i = 0; i < 200; i++) {
			char *map;
			size_t bytes;
			struct zm_frames f = found[m];
			f.hi = f.hdr + any(f.hi - f.hdr);
			struct zm_frames c = copy(&f, &map, &bytes);
			for (int k = 0; k < 50; k++)
				zm_cfi_rule(&c, some_pc(&found[m]) -
						    found[m].lo + c.lo);
			munmap(map, bytes);
		}
	}
}

static const struct test tests[] = {
	{ "an unchanged copy says the same", test_copy },
	{ "bytes changed at random", test_spoilt },
	{ "tables cut short", test_short },
};

int
main(void)
{
	dl_iterate_phdr(visit, NULL);
	if (count < 2)
		printf("not ok modules - no tables of frames found\n");
	return RUN_TESTS(tests);
}
