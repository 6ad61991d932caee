/*
 * zone_misuse.c - what a wrong program does to blocks is noticed, with the
 * words that users know.
 */
#include <sys/wait.h>

#include "zone_util.h"

static struct zm_szone *z;
static int report_fd;

static void
dying(const char *why, const void *p)
{
	(void)p;
	if (write(report_fd, why, strlen(why)) < 0)
		_exit(98);
	_exit(42);
}

/* Runs fn in a child; it must die with a message that begins with `want`. */
static void
dies(void (*fn)(size_t), size_t size, const char *want, const char *name)
{
	int fds[2], status = -1;
	char text[200] = "";
	if (pipe(fds))
		_exit(99);
	pid_t pid = fork();
	if (!pid) {
		report_fd = fds[1];
		zm_zone_fatal = dying;
		fn(size);
		_exit(0);
	}
	close(fds[1]);
	ssize_t n = read(fds[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	close(fds[0]);
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 42 ||
	    strncmp(text, want, strlen(want)))
		fail("size %zu: status %#x, said '%s' instead of '%s'", size,
		     status, text, want);
	(void)name;
}

static void
free_twice(size_t size)
{
	void *p = zm_szone_malloc(z, size);
	struct zm_region *r = zm_region_of(p);
	zm_szone_free(z, r, p);
	zm_szone_free(z, r, p);
}

static void
free_twice_later(size_t size)
{
	void *p = zm_szone_malloc(z, size), *other[300];
	struct zm_region *r = zm_region_of(p);
	for (int i = 0; i < 300; i++)
		other[i] = zm_szone_malloc(z, size);
	zm_szone_free(z, r, p);
	for (int i = 0; i < 300; i += 2)
		zfree(z, other[i]);
	zm_szone_free(z, r, p);
}

/* A cache notices at the latest when it would hand the block out again. */
static void
free_twice_and_ask(size_t size)
{
	free_twice_later(size);
	for (int i = 0; i < 1000; i++)
		zm_szone_malloc(z, size);
}

static void
free_inside(size_t size)
{
	char *p = zm_szone_malloc(z, size);
	zm_szone_free(z, zm_region_of(p), p + (size > 16 ? 16 : 8));
}

static void
free_odd(size_t size)
{
	char *p = zm_szone_malloc(z, size);
	zm_szone_free(z, zm_region_of(p), p + 3);
}

static void
write_after_free(size_t size)
{
	char *p = zm_szone_malloc(z, size);
	zfree(z, p);
	p[0] ^= 0x40;
	zm_szone_malloc(z, size);
}

static void
write_after_free_second(size_t size)
{
	char *p = zm_szone_malloc(z, size);
	zfree(z, p);
	p[9] ^= 0x40;
	zm_szone_malloc(z, size);
}

static const size_t sizes[] = { 16, 100, 256, 300, 1000, 1024, 5000, 32768 };
enum { SIZES = sizeof(sizes) / sizeof(*sizes) };

static void
all(bool cached)
{
	const char *not = "pointer being freed was not allocated";
	const char *twice = "Double free of object";
	for (unsigned i = 0; i < SIZES; i++) {
		dies(free_twice, sizes[i], twice, "twice");
		if (cached)
			dies(free_twice_and_ask, sizes[i], "", "later");
		else
			dies(free_twice_later, sizes[i], twice, "later");
		dies(free_odd, sizes[i], "Non-aligned pointer", "odd");
		if (sizes[i] > 16)
			dies(free_inside, sizes[i], not, "inside");
		if (cached) {
			dies(write_after_free, sizes[i],
			     "Incorrect checksum for freed object", "uaf");
			dies(write_after_free_second, sizes[i],
			     "Incorrect checksum for freed object", "uaf");
		}
	}
	dies(free_twice, 70000, twice, "medium");
	dies(free_twice, 3 << 20, twice, "medium");
	dies(free_inside, 20 << 20, not, "large");
	dies(free_twice, 20 << 20, "pointer being freed already on death-row",
	     "large");
}

/* Words that a program may well leave in a block must not raise an alarm. */
static void
innocent(void)
{
	uint64_t r = 9;
	for (int i = 0; i < 200000; i++) {
		size_t size = 16 + rnd(&r) % 2000;
		uintptr_t *p = zm_szone_malloc(z, size);
		p[0] = rnd(&r) % 3 ? (uintptr_t)p : 0;
		p[1] = rnd(&r) % 3 ? rnd(&r) : (uintptr_t)(p - 2);
		zfree(z, p);
	}
	sound(z);
	result("zone_misuse no false alarm");
}

int
main(void)
{
	z = zm_szone_create(1, 0);
	zm_cache_use(zm_cache_create());
	all(true);
	result("zone_misuse cached");
	innocent();
	zm_szone_destroy(z);
	z = zm_szone_create(2, ZM_SZONE_NO_CACHE);
	all(false);
	result("zone_misuse uncached");
	zm_szone_destroy(z);
	return test_failures != 0;
}
