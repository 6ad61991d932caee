/*
 * zone_fault.c - every call for memory fails once, at each place where it can:
 * the allocator answers NULL or does without, loses nothing and stays sound.
 */
#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "os/os.h"
#include "zone/arena.h"
#include "zone_util.h"

enum { BLOCKS = 200 };

static long calls, fail_from, fail_to;

static bool
inject(long nr, const long arg[6], long *answer)
{
	(void)arg;
	if (nr != SYS_mmap && nr != SYS_mprotect && nr != SYS_mremap &&
	    nr != SYS_munmap && nr != SYS_madvise)
		return false;
	calls++;
	if (calls < fail_from || calls > fail_to || nr == SYS_munmap)
		return false;
	*answer = -ENOMEM;
	return true;
}

/* A life of a zone that visits all tiers; returns how many NULLs it saw. */
static unsigned
life(unsigned flags)
{
	static struct shadow map[BLOCKS];
	unsigned nulls = 0;
	uint64_t r = 5;
	memset(map, 0, sizeof(map));
	struct zm_szone *z = zm_szone_create(7, flags);
	if (!z)
		return 1;
	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; i < BLOCKS; i++) {
			struct shadow *s = &map[i];
			size_t size = i < 3	? (size_t)(9 + i) << 20
				      : i < 100 ? rnd(&r) % 60000
						: rnd(&r) % 1500;
			if (s->p) {
				if (!pattern(s, false))
					fail("contents changed");
				zfree(z, s->p);
				s->p = NULL;
				continue;
			}
			s->size = size;
			s->p = i % 5 == 0   ? zm_szone_calloc(z, size)
			       : i % 7 == 0 ? zm_szone_memalign(z, 4096, size)
					    : zm_szone_malloc(z, size);
			nulls += !s->p;
			if (s->p) {
				s->usable = zm_block_size(s->p);
				pattern(s, true);
			}
		}
		zm_szone_pressure_relief(z, 0);
	}
	sound(z);
	for (unsigned i = 0; i < BLOCKS; i++)
		if (map[i].p && !pattern(&map[i], false))
			fail("contents changed at the end");
	zm_szone_destroy(z);
	return nulls;
}

/* In a child, because a fresh process has more first times.  Early calls are
 * all tried, later ones, which repeat themselves, ever more sparsely. */
static void
each_call(unsigned flags, long length, const char *name)
{
	long total = 1, seen = 0;
	for (long at = 1; at <= total && !test_why; at += 1 + at / 8) {
		int fds[2];
		if (pipe(fds))
			break;
		pid_t pid = fork();
		if (!pid) {
			zm_os_override = inject;
			fail_from = at;
			fail_to = at + length - 1;
			zm_cache_use(zm_cache_create());
			unsigned nulls = life(flags);
			fail_from = 0;
			long out[2] = { calls, nulls };
			if (test_why)
				fprintf(stderr, "call %ld: %s\n", at, test_why);
			if (write(fds[1], out, sizeof(out)) != sizeof(out))
				_exit(98);
			_exit(test_why != NULL);
		}
		close(fds[1]);
		long out[2] = { 0, 0 };
		int status = -1;
		if (read(fds[0], out, sizeof(out)) != sizeof(out))
			out[0] = 0;
		close(fds[0]);
		waitpid(pid, &status, 0);
		if (status)
			fail("call %ld failed: status %#x", at, status);
		if (out[0] > total)
			total = out[0];
		seen += out[1];
	}
	if (!test_why && (total < 20 || (length > 1 && !seen)))
		fail("%ld calls, %ld NULLs: the test did not bite", total,
		     seen);
	result(name);
}

static void
huge(void)
{
	static const size_t sizes[] = {
		PTRDIFF_MAX,	 (size_t)PTRDIFF_MAX + 1, SIZE_MAX,
		SIZE_MAX - 4095, PTRDIFF_MAX - 65536,	  (size_t)1 << 46
	};
	struct zm_szone *z = zm_szone_create(8, 0);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		CHECK(!zm_szone_malloc(z, sizes[i]));
		CHECK(!zm_szone_calloc(z, sizes[i]));
		CHECK(!zm_szone_memalign(z, 4096, sizes[i]));
		CHECK(!zm_szone_memalign(z, (size_t)1 << 46, sizes[i]));
	}
	CHECK(!zm_szone_memalign(z, (size_t)1 << 63, 100));
	zm_szone_destroy(z);
	result("zone_fault huge sizes");
}

/* Blocks too big for the arena are entered by 4 GiB at once where they cover
 * them; the memory itself need not exist for that. */
static void
wide(void)
{
	static struct zm_region r, q;
	const uintptr_t gib = (uintptr_t)1 << 30, at = (gib << 15) - 65536;
	CHECK(zm_slices_set(at, 9 * gib, &r, 0, 0));
	for (uintptr_t p = at; p < at + 9 * gib; p += gib / 2)
		CHECK(zm_region_of((void *)p) == &r);
	CHECK(zm_region_of((void *)(at + 9 * gib - 1)) == &r);
	CHECK(!zm_region_of((void *)(at + 9 * gib)));
	CHECK(!zm_region_of((void *)(at - 1)));
	CHECK(zm_slices_set(at, 9 * gib, NULL, 0, 0));
	for (uintptr_t p = at - gib; p < at + 10 * gib; p += gib / 2)
		CHECK(!zm_region_of((void *)p));
	CHECK(zm_slices_set(at + 6 * gib, gib, &q, 0, 0));
	CHECK(zm_region_of((void *)(at + 6 * gib)) == &q);
	CHECK(!zm_region_of((void *)(at + 5 * gib)));
	CHECK(zm_slices_set(at + 6 * gib, gib, NULL, 0, 0));
	CHECK(zm_slices_set(at, 9 * gib, &r, 0, 0));
	CHECK(zm_region_of((void *)(at + 6 * gib)) == &r);
	CHECK(!zm_slices_set((uintptr_t)1 << 50, gib, &r, 0, 0));
	result("zone_fault wide regions");
}

/* With so little address space there is no arena. */
static void
limited(size_t bytes, const char *name)
{
	pid_t pid = fork();
	if (!pid) {
		struct rlimit limit = { bytes, bytes };
		if (setrlimit(RLIMIT_AS, &limit))
			_exit(97);
		zm_cache_use(zm_cache_create());
		struct zm_szone *z = zm_szone_create(1, 0);
		void **list = NULL, **p;
		unsigned long n = 0;
		while (z && (p = zm_szone_malloc(z, 10 + n % 3000))) {
			*p = list;
			list = p;
			n++;
		}
		if (!z || n < bytes / 3000)
			fail("only %lu blocks", n);
		if (z && zm_szone_malloc(z, bytes))
			fail("more than there is");
		sound(z);
		for (; list; list = p) {
			p = *list;
			if (zm_szone_of(zm_region_of(list)) != z)
				fail("block of another zone");
			zfree(z, list);
		}
		sound(z);
		CHECK(life(ZM_SZONE_NO_CACHE) < BLOCKS);
		if (test_why)
			fprintf(stderr, "%s\n", test_why);
		_exit(test_why != NULL);
	}
	int status = -1;
	waitpid(pid, &status, 0);
	if (status)
		fail("status %#x", status);
	result(name);
}

int
main(void)
{
	limited((size_t)64 << 20, "zone_fault 64 MiB of address space");
	limited((size_t)1 << 30, "zone_fault 1 GiB of address space");
	each_call(0, 1, "zone_fault each call once, cached");
	each_call(ZM_SZONE_NO_CACHE, 3, "zone_fault three calls in a row");
	each_call(0, 1000000, "zone_fault all calls from one on");
	huge();
	wide();
	return test_failures != 0;
}
