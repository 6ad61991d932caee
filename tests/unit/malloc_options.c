/*
 * malloc_options.c - the table of environment variables, and the formatter of
 * messages, against printf.
 */
#include <ctype.h>
#include <limits.h>

#include "malloc/message.h"
#include "malloc/options.h"
#include "malloc_check.h"

static const struct zm_option *
row(const char *name)
{
	for (size_t i = 0; i < zm_option_count; i++)
		if (strcmp(zm_option_table[i].name, name) == 0)
			return &zm_option_table[i];
	CHECK(!"no such option");
	return NULL;
}

static bool
set(struct zm_options *o, const char *name, const char *value)
{
	return zm_option_set(o, row(name), value);
}

static void
test_table(void)
{
	CHECK(zm_option_count > 20);
	for (size_t i = 0; i < zm_option_count; i++) {
		const struct zm_option *a = &zm_option_table[i];
		CHECK(strncmp(a->name, "Malloc", 6) == 0);
		CHECK(a->help && strlen(a->help) <= 64);
		CHECK(a->min <= a->max);
		CHECK(a->offset < sizeof(struct zm_options));
		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(a->name, zm_option_table[k].name) != 0);
	}
}

static void
test_values(void)
{
	struct zm_options o = { 0 };
	CHECK(set(&o, "MallocScribble", "") && o.scribble);
	CHECK(set(&o, "MallocScribble", "0") && !o.scribble);
	CHECK(set(&o, "MallocScribble", "yes") && o.scribble);
	CHECK(set(&o, "MallocTracing", "1") && o.tracing);
	CHECK(!set(&o, "MallocTracing", "2") && o.tracing);
	CHECK(!set(&o, "MallocTracing", "") && o.tracing);
	CHECK(set(&o, "MallocTracingDepth", "4096") && o.tracing_depth == 4096);
	CHECK(set(&o, "MallocTracingDepth", "0x10") && o.tracing_depth == 16);
	CHECK(set(&o, "MallocTracingDepth", "010") && o.tracing_depth == 8);
	static const char *const bad[] = { "0",
					   "4097",
					   "-1",
					   "",
					   "abc",
					   "12x",
					   " 5",
					   "0x",
					   "08",
					   "1e3",
					   "99999999999999999999",
					   "-" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!set(&o, "MallocTracingDepth", bad[i]));
	CHECK(o.tracing_depth == 8);
	CHECK(set(&o, "MallocCheckHeapSleep", "-5") && o.check_sleep == -5);
	CHECK(set(&o, "MallocCheckHeapStart", "9223372036854775807") &&
	      o.check_start == LONG_MAX);
	char path[] = "/tmp/r.db";
	CHECK(set(&o, "MallocTracingFile", path));
	path[1] = 'x'; /* a copy was made */
	CHECK(strcmp(o.tracing_file, "/tmp/r.db") == 0);
}

/* Defaults of this process, whose environment has none of them. */
static void
test_defaults(void)
{
	CHECK(!zm_options.scribble && !zm_options.tracing);
	CHECK(zm_options.nano && zm_options.medium && zm_options.large_cache);
	CHECK(zm_options.tracing_depth == 128 && !zm_options.tracing_file);
	CHECK(zm_options.check_each == 1000 && zm_options.check_start == 0);
}

/* The first of two settings counts, as in getenv; others are ignored. */
static void
test_environment(void)
{
	char *env[] = { "MallocMaxMagazines=3",
			"MallocMaxMagazines=4",
			"MallocMaxMagazinesX=5",
			"Malloc=6",
			"MallocScribble",
			"XMallocScribble=1",
			"MallocDebugReport=none",
			"MallocTracingDepth=bad",
			NULL };
	zm_options_read(env);
	CHECK(zm_options.max_magazines == 3);
	CHECK(!zm_options.scribble);
	CHECK(zm_options.tracing_depth == 128);
	zm_options_read(NULL);
}

#define SAME(...)                                                \
	do {                                                     \
		char a[100], b[100];                             \
		size_t n = zm_format(a, sizeof(a), __VA_ARGS__); \
		int m = snprintf(b, sizeof(b), __VA_ARGS__);     \
		CHECK((size_t)m == n && strcmp(a, b) == 0);      \
	} while (0)

static void
test_format(void)
{
	SAME("plain %% text");
	SAME("%s|%10s|%-10s|", "ab", "cd", "ef");
	SAME("%d %d %d %5d|%-5d|%05d", 0, -1, INT_MIN, 7, 8, 9);
	SAME("%ld %lld %lu %llu", LONG_MIN, LLONG_MAX, ULONG_MAX, 5ull);
	SAME("%u %x %lx %zu %zx", UINT_MAX, 255u, 0xdeadbeefcafeul, (size_t)12,
	     SIZE_MAX);
	SAME("%p %c%c", (void *)0x1234, 'x', 'y');
	SAME("%*d|%-*s|", 6, 42, 4, "a");
	char small[8];
	CHECK(zm_format(small, sizeof(small), "0123456789") == 7);
	CHECK(strcmp(small, "0123456") == 0);
	CHECK(zm_format(small, sizeof(small), "%y", (size_t)5000) == 5);
	CHECK(strcmp(small, "5000B") == 0);
	zm_format(small, sizeof(small), "%y", (size_t)50 << 20);
	CHECK(strcmp(small, "50M") == 0);
	CHECK(zm_format(small, sizeof(small), "a%") == 1);
}

int
main(void)
{
	static const struct test tests[] = {
		{ "options: table", test_table },
		{ "options: values and ranges", test_values },
		{ "options: defaults", test_defaults },
		{ "options: environment", test_environment },
		{ "messages: format", test_format },
	};
	return RUN_TESTS(tests);
}
