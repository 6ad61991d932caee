/*
 * malloc_conform.c - what POSIX, C23 and Apple's test suite ask of an
 * allocator, beyond what malloc_glibc.c compares with glibc.
 *
 * The same tests run in three settings of the tiers, in programs of their own.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>
#include <zmalloc/malloc.h>

#include "malloc/entry.h"
#include "malloc_child.h"

/* the compiler must not know */
static volatile size_t too_much = SIZE_MAX;

static const size_t sizes[] = { 1,	16,	 100,	       256,   257,
				1008,	1009,	 5000,	       32768, 32769,
				262144, 1 << 20, (9 << 20) + 5 };
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static unsigned
live(void)
{
	malloc_statistics_t s;
	malloc_zone_statistics(malloc_default_zone(), &s);
	return s.blocks_in_use;
}

/* ---- sizes -------------------------------------------------------------- */

static void
test_zero(void)
{
	enum { N = 3000 };
	static char *p[N];
	for (int i = 0; i < N; i++) {
		p[i] = i % 3 == 0   ? malloc(0)
		       : i % 3 == 1 ? calloc(0, 5)
				    : realloc(NULL, 0);
		CHECK(p[i] && malloc_size(p[i]) >= 1);
		*p[i] = (char)i;
	}
	for (int i = 0; i < N; i++)
		CHECK(*p[i] == (char)i); /* each has a place of its own */
	for (int i = 0; i < N; i++)
		free(p[i]);
	void *q = NULL;
	CHECK(posix_memalign(&q, 64, 0) == 0 && q);
	free(q);
}

static void
test_too_much(void)
{
	size_t above[] = { (size_t)PTRDIFF_MAX + 1, too_much - 4096,
			   too_much - 1, too_much };
	for (int i = 0; i < 4; i++) {
		size_t n = above[i];
		void *q = &q;
		errno = 0;
		CHECK(!malloc(n) && errno == ENOMEM);
		errno = 0;
		CHECK(!calloc(1, n) && errno == ENOMEM);
		errno = 0;
		CHECK(!calloc(n, 2) && errno == ENOMEM);
		errno = 0;
		CHECK(!calloc(n / 16 + 1, 17) && errno == ENOMEM);
		errno = 0;
		CHECK(!memalign(64, n) && errno == ENOMEM);
		errno = 0;
		CHECK(!valloc(n) && errno == ENOMEM);
		errno = 5;
		CHECK(posix_memalign(&q, 64, n) == ENOMEM && errno == 5);
		CHECK(q == &q);
		errno = 0;
		CHECK(!malloc_zone_malloc(malloc_default_zone(), n) &&
		      errno == ENOMEM);
	}
	CHECK(malloc_good_size(too_much) == too_much);
}

/* A block stays what it was when it cannot grow, in every tier. */
static void
test_failed_realloc(void)
{
	for (int i = 0; i < SIZES; i++) {
		char *p = malloc(sizes[i]);
		memset(p, 0x3c, sizes[i]);
		unsigned before = live();
		errno = 0;
		CHECK(!realloc(p, too_much) && errno == ENOMEM);
		errno = 0;
		CHECK(!realloc(p, (size_t)PTRDIFF_MAX) && errno == ENOMEM);
		errno = 0;
		CHECK(!reallocarray(p, too_much / 4, 5) && errno == ENOMEM);
		CHECK(live() == before);
		for (size_t k = 0; k < sizes[i]; k++)
			CHECK(p[k] == 0x3c);
		free(p);
	}
}

/* The same when the system has no more address space. */
static void
test_limited(void)
{
	struct rlimit limit = { 6u << 30, 6u << 30 };
	char *p = malloc(64 << 20);
	memset(p, 1, 64 << 20);
	CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
	errno = 0;
	CHECK(!realloc(p, (size_t)1 << 45) && errno == ENOMEM);
	errno = 0;
	CHECK(!malloc((size_t)1 << 45) && errno == ENOMEM);
	CHECK(p[0] == 1 && p[(64 << 20) - 1] == 1);
	free(p);
	errno = 0;
	p = malloc(100); /* may need a new region */
	CHECK(p || errno == ENOMEM);
	free(p);
}

/* ---- zeroed ------------------------------------------------------------- */

static void
zeroed(size_t n)
{
	unsigned char *p = malloc(n);
	memset(p, 0xff, n);
	free(p);
	p = calloc(n % 2 ? 1 : n / 2, n % 2 ? n : 2);
	CHECK(p);
	for (size_t k = 0; k < n; k++)
		CHECK(p[k] == 0);
	memset(p, 0xff, n); /* for the next one */
	free(p);
}

static void
test_calloc(void)
{
	for (size_t n = 1; n <= 256; n++)
		zeroed(n);
	for (size_t n = 16; n <= 1008; n += 16)
		zeroed(n);
	for (size_t n = 2048; n <= 130 << 10; n += 2048)
		zeroed(n);
	for (size_t n = 512; n <= 256 << 10; n += 1536)
		zeroed(n);
	for (size_t n = 1 << 20; n <= 20 << 20; n += 3 << 20)
		zeroed(n);
}

/* ---- aligned ------------------------------------------------------------ */

static void
test_aligned(void)
{
	static const size_t at[] = { 0, 1, 40, 300, 4096, 20000, 70000 };
	for (size_t a = sizeof(void *); a <= 4 << 20; a *= 2) {
		for (int i = 0; i < 7; i++) {
			void *p = NULL;
			CHECK(posix_memalign(&p, a, at[i]) == 0);
			CHECK((uintptr_t)p % a == 0);
			CHECK(malloc_size(p) >= at[i] && malloc_size(p) > 0);
			memset(p, 1, malloc_size(p));
			free(p);
			size_t whole = (at[i] + a - 1) / a * a;
			p = aligned_alloc(a, whole);
			CHECK(p && (uintptr_t)p % a == 0);
			free_aligned_sized(p, a, whole);
		}
	}
	void *mark = &mark, *p = mark;
	for (size_t a = 0; a < 100; a++)
		if (a < sizeof(void *) || a & (a - 1))
			CHECK(posix_memalign(&p, a, 10) == EINVAL && p == mark);
}

/* realloc keeps what is in an aligned block, of whatever length. */
static void
test_realloc_aligned(void)
{
	for (size_t a = 32; a <= 65536; a *= 4) {
		char *p = memalign(a, 3000);
		memset(p, 0x2b, 3000);
		for (size_t n = 3000; n < 3 << 20; n = n * 5 / 3) {
			p = realloc(p, n);
			for (int k = 0; k < 3000; k++)
				CHECK(p[k] == 0x2b);
		}
		free(p);
	}
}

/* ---- free --------------------------------------------------------------- */

static void
test_errno(void)
{
	static void *p[SIZES * 6];
	for (int i = 0; i < SIZES * 6; i++)
		p[i] = i % 2 ? malloc(sizes[i % SIZES])
			     : memalign(4096, sizes[i % SIZES]);
	errno = 4321;
	free(NULL);
	free_sized(NULL, 0);
	for (int i = 0; i < SIZES * 6; i++) {
		if (i % 3 == 0)
			free(p[i]);
		else if (i % 3 == 1)
			free_sized(p[i], sizes[i % SIZES]);
		else
			malloc_zone_free(malloc_default_zone(), p[i]);
		CHECK(errno == 4321);
	}
	void *volatile q = malloc(10);
	CHECK(!realloc(q, 0) && errno == 4321);
	CHECK(malloc_size((void *)&q) == 0 && errno == 4321);
}

/* ---- looking ------------------------------------------------------------ */

static void
test_sizes(void)
{
	for (int i = 0; i < SIZES; i++) {
		char *p = malloc(sizes[i]);
		size_t n = malloc_size(p);
		CHECK(n >= sizes[i] && n == malloc_usable_size(p));
		CHECK(n == malloc_good_size(sizes[i]));
		CHECK(malloc_good_size(n) == n);
		for (size_t k = 1; k < n; k += 1 + n / 300)
			CHECK(malloc_size(p + k) == 0);
		for (size_t k = 0; k < n; k += 1 + n / 300) {
			CHECK(malloc_claimed_address(p + k));
			CHECK(malloc_zone_claimed_address(malloc_zones[0],
							  p + k));
		}
		free(p);
	}
	size_t huge = ((size_t)5 << 30) + 1;
	if (getenv("MallocScribble"))
		return; /* all of it would be written to */
	char *p = malloc(huge);
	if (!p)
		return; /* the machine has not so much */
	CHECK(malloc_size(p) >= huge && malloc_good_size(huge) >= huge);
	p[huge - 1] = 1;
	free(p);
}

static struct {
	_Alignas(64) void *volatile p[64];
	volatile int stop;
} shared;

static void *
measure(void *arg)
{
	(void)arg;
	while (!shared.stop)
		for (int i = 0; i < 64; i++) {
			size_t n = malloc_size(shared.p[i]);
			CHECK(n <= 1 << 20);
			malloc_claimed_address(shared.p[i]);
			malloc_zone_from_ptr(shared.p[i]);
		}
	return NULL;
}

/* Asking about blocks that others free at the moment. */
static void
test_size_race(void)
{
	pthread_t t[2];
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, measure, NULL);
	for (int round = 0; round < 6000; round++) {
		size_t n = round % 3 == 0 ? 200 : round % 3 == 1 ? 7000 : 90000;
		int i = round % 64;
		void *old = shared.p[i];
		shared.p[i] = malloc(n + (size_t)round);
		free(old);
		if (round % 500 == 0)
			malloc_zone_pressure_relief(NULL, 0);
	}
	shared.stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

/* ---- pressure, fork ----------------------------------------------------- */

static void *
hold_and_check(void *arg)
{
	char *p[200];
	for (int round = 0; round < 30; round++) {
		size_t n = sizes[(round + (int)(uintptr_t)arg) % 10];
		for (int i = 0; i < 200; i++)
			p[i] = memset(malloc(n), i, n);
		for (int i = 0; i < 200; i += 2)
			free(p[i]);
		malloc_zone_pressure_relief(NULL, 0);
		for (int i = 1; i < 200; i += 2) {
			for (size_t k = 0; k < n; k += 61)
				CHECK(p[i][k] == (char)i);
			free(p[i]);
		}
	}
	return NULL;
}

static void
test_relief(void)
{
	pthread_t t[3];
	for (uintptr_t i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, hold_and_check, (void *)i);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	CHECK(malloc_zone_check(NULL));
}

/* The child has the zones with all that was in them, and may end them. */
static void
test_fork(void)
{
	malloc_zone_t *z[5];
	char *p[5];
	int status;
	for (int i = 0; i < 5; i++) {
		z[i] = malloc_create_zone(0, 0);
		p[i] = malloc_zone_malloc(z[i], 100);
		strcpy(p[i], "text");
	}
	pid_t pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 5; i++) {
			malloc_statistics_t s;
			CHECK(malloc_zone_from_ptr(p[i]) == z[i]);
			CHECK(strcmp(p[i], "text") == 0);
			p[i] = realloc(p[i], 5000);
			CHECK(strcmp(p[i], "text") == 0);
			malloc_zone_statistics(z[i], &s);
			CHECK(s.blocks_in_use == 1);
			malloc_destroy_zone(z[i]);
		}
		z[0] = malloc_create_zone(0, 0);
		CHECK(z[0] && malloc_zone_malloc(z[0], 10));
		CHECK(malloc_zone_check(NULL));
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	for (int i = 0; i < 5; i++)
		malloc_destroy_zone(z[i]);
}

/* ---- the C library's figures -------------------------------------------- */

static int
role_stats(void)
{
	free(malloc(100));
	malloc_stats();
	return 0;
}

static void
test_stats(void)
{
	size_t v[6] = { 0 };
	struct outcome o = child_run("stats", NULL, NULL, NULL, NULL);
	CHECK(o.status == 0);
	CHECK(sscanf(o.text,
		     "Arena 0: system bytes = %zu in use bytes = %zu "
		     "Total (incl. mmap): system bytes = %zu in use bytes = "
		     "%zu max mmap regions = %zu max mmap bytes = %zu",
		     &v[0], &v[1], &v[2], &v[3], &v[4], &v[5]) == 6);
	CHECK(v[0] >= v[1] && v[2] >= v[0] && v[3] >= v[1]);
	struct mallinfo2 before = mallinfo2();
	void *p = malloc(5000), *q = malloc(30 << 20);
	struct mallinfo2 m = mallinfo2();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	struct mallinfo old = mallinfo();
#pragma GCC diagnostic pop
	CHECK(m.uordblks >= before.uordblks + 5000);
	CHECK(m.hblks == before.hblks + 1);
	CHECK(m.hblkhd >= before.hblkhd + (30 << 20));
	CHECK((size_t)old.hblks == m.hblks && (size_t)old.arena == m.arena);
	CHECK(m.arena >= m.uordblks && m.arena == m.uordblks + m.fordblks);
	free(p);
	free(q);
	CHECK(mallinfo2().hblks == before.hblks);
}

static const struct test tests[] = {
	{ "malloc(0) is a block", test_zero },
	{ "more than there can be", test_too_much },
	{ "failed realloc keeps the block", test_failed_realloc },
	{ "out of address space", test_limited },
	{ "calloc is zero", test_calloc },
	{ "all alignments", test_aligned },
	{ "realloc of aligned blocks", test_realloc_aligned },
	{ "free, free_sized keep errno", test_errno },
	{ "malloc_size, good_size, claimed address", test_sizes },
	{ "malloc_size beside free", test_size_race },
	{ "contents after pressure relief", test_relief },
	{ "zones after fork", test_fork },
	{ "mallinfo, malloc_stats", test_stats },
};

static int
role_tests(void)
{
	return RUN_TESTS(tests);
}

static const struct role roles[] = { { "stats", role_stats },
				     { "tests", role_tests } };

/* The whole again without some tiers; its lines say so. */
static int
again(const char *a, const char *b)
{
	struct outcome o = child_run("tests", a, b, NULL, NULL);
	int failures = o.status != 0;
	for (char *line = strtok(o.text, "\n"); line; line = strtok(NULL, "\n"))
		printf("%s%s %s%s\n", line, strstr(line, " - ") ? "" : ",", a,
		       b ? ", and more" : "");
	return failures;
}

int
main(int argc, char **argv)
{
	CHILD_MAIN(argc, argv, roles);
	int failures = RUN_TESTS(tests);
	failures |= again("MallocNanoZone=0", "MallocMediumZone=0");
	failures |= again("MallocSpaceEfficient=1", "MallocGuardEdges=all");
	failures |= again("MallocScribble=1", NULL);
	failures |= again("MallocCheckHeapStart=1", "MallocCheckHeapEach=2000");
	return failures;
}
