/*
 * zone_region.c - the promises of region.h: regions announced before their
 * first block and after their last, tags unique in every tier whatever
 * memalign and resize do, foreign addresses rejected; guards, scribble, fork.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "os/os.h"
#include "zone/arena.h"
#include "zone_util.h"

enum { REGIONS = 4096, BLOCKS = 3000 };

static struct {
	struct zm_region *r;
	uint64_t *seen; /* our tags: one word per index */
} known[REGIONS];
static unsigned known_count, added_count, removed_count;

static void
added(struct zm_region *r)
{
	added_count++;
	if (r->id >= REGIONS || known[r->id].r || !r->tag_count) {
		fail("region %u announced twice, or its id is wild", r->id);
		return;
	}
	known[r->id].r = r;
	r->tags = test_map(16 * (size_t)r->tag_count);
	known_count++;
}

static void
removed(struct zm_region *r)
{
	removed_count++;
	if (r->id >= REGIONS || known[r->id].r != r) {
		fail("unknown region removed");
		return;
	}
	for (uint32_t i = 0; i < r->tag_count; i++)
		if (r->tags[2 * i])
			fail("region removed with a block in it");
	munmap(r->tags, 16 * (size_t)r->tag_count);
	known[r->id].r = NULL;
	known_count--;
}

static const struct zm_region_observer observer = { added, removed };

/* The tag of a live block is its own; another block's would be overwritten. */
static void
tag(void *p, bool live)
{
	struct zm_region *r = zm_region_of(p);
	if (!r || !r->tags || known[r->id].r != r) {
		fail("%p: region without tags", p);
		return;
	}
	uint32_t i = zm_tag_index(r, (uintptr_t)p);
	uint64_t want = live ? 0 : (uintptr_t)p;
	if (i >= r->tag_count || r->tags[2 * i] != want)
		fail("%p: tag %u of %u holds %#lx", p, i, r->tag_count,
		     (unsigned long)r->tags[2 * i]);
	else
		r->tags[2 * i] = live ? (uintptr_t)p : 0;
}

static void
tags_are_unique(unsigned flags, const char *name)
{
	static void *block[BLOCKS];
	uint64_t r = 3;
	struct zm_szone *z = zm_szone_create(5, flags);
	zm_region_observe(&observer);
	for (int i = 0; i < 120000 && !test_why; i++) {
		unsigned k = rnd(&r) % BLOCKS;
		size_t size = random_size(&r) % (3 << 20);
		if (!block[k]) {
			size_t align = (size_t)1 << rnd(&r) % 15;
			block[k] = rnd(&r) % 3
				       ? zm_szone_malloc(z, size)
				       : zm_szone_memalign(z, align, size);
			tag(block[k], true);
		} else if (rnd(&r) % 3 == 0) {
			size = zm_block_size(block[k]);
			zm_szone_resize(z, block[k], rnd(&r) % (size * 2));
			tag(block[k], false);
			tag(block[k], true);
		} else {
			tag(block[k], false);
			zfree(z, block[k]);
			block[k] = NULL;
		}
	}
	for (unsigned k = 0; k < BLOCKS; k++) {
		if (block[k]) {
			tag(block[k], false);
			zfree(z, block[k]);
		}
		block[k] = NULL;
	}
	sound(z);
	zm_szone_destroy(z);
	CHECK(known_count == 0);
	CHECK(added_count == removed_count && added_count > 10);
	zm_region_observe(NULL);
	result(name);
}

/* Observation that begins late sees all that exists. */
static void
late_observer(void)
{
	struct zm_szone *z = zm_szone_create(5, ZM_SZONE_NO_CACHE);
	void *p[5];
	for (int i = 0; i < 5; i++)
		p[i] = zm_szone_malloc(z, (size_t)16 << 6 * i);
	zm_region_observe(&observer);
	for (int i = 0; i < 5; i++)
		tag(p[i], true);
	for (int i = 0; i < 5; i++)
		tag(p[i], false);
	zm_szone_destroy(z);
	zm_region_observe(NULL);
	result("zone_region late observer");
}

static void
foreign(void)
{
	struct zm_szone *z = zm_szone_create(5, ZM_SZONE_NO_CACHE);
	struct zm_block b;
	uint64_t r = 1;
	char *p = zm_szone_malloc(z, 100);
	void *m = test_map(1 << 20);
	CHECK(!zm_region_of(NULL) && !zm_region_of(&b) && !zm_region_of(m));
	CHECK(!zm_region_of((void *)foreign) && !zm_region_of(z));
	CHECK(!zm_region_of((void *)-1) && !zm_region_of((void *)(1ul << 47)));
	CHECK(zm_region_of(p) && zm_szone_of(zm_region_of(p)) == z);
	for (int i = 0; i < 100000; i++) {
		const char *q = (const char *)rnd(&r);
		if (zm_block_at(q, &b) && (b.start > (uintptr_t)q ||
					   b.start + b.usable <= (uintptr_t)q))
			fail("block_at(%p) is nonsense", (const void *)q);
	}
	CHECK(!zm_block_size(p + 1) && !zm_block_size(m));
	zfree(z, p);
	CHECK(!zm_block_size(p));
	zm_szone_destroy(z);
	result("zone_region foreign addresses");
}

/*
 * Entering a region takes several stores, and a neighbouring span may be freed
 * between any two of them: what is half entered is not a free span.
 */
static void
half_entered(void)
{
	enum { SPANS = 64 };
	const size_t bytes = 65536;
	uintptr_t span[SPANS];
	for (int i = 0; i < SPANS; i++)
		span[i] = zm_span_alloc(bytes, bytes, NULL);
	for (int i = 1; i < SPANS; i += 2)
		zm_slice_of(span[i])->fast = UINT64_C(17) << 48 | 0x1000;
	for (int i = 0; i < SPANS; i += 2)
		zm_span_free(span[i], bytes);
	for (int i = 1; i < SPANS; i += 2) {
		zm_slice_of(span[i])->fast = 0;
		zm_span_free(span[i], bytes);
	}
	/* all of it is one span again: the same place is found */
	uintptr_t all = zm_span_alloc(SPANS * bytes, bytes, NULL);
	CHECK(all && all <= span[SPANS - 1]);
	zm_span_free(all, SPANS * bytes);
	result("zone_region half-entered neighbour");
}

static bool
dies_writing(volatile char *p)
{
	int status;
	pid_t pid = fork();
	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		*p = 1;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void
guards(void)
{
	zm_zone_config.guard_edges = zm_zone_config.guard_all = true;
	struct zm_szone *z = zm_szone_create(6, ZM_SZONE_NO_CACHE);
	for (int i = 0; i < 3; i++) {
		size_t size = ((size_t)10 << 20) + (size_t)i * 61440;
		char *p = zm_szone_malloc(z, size);
		size_t usable = zm_block_size(p);
		memset(p, 1, usable);
		CHECK(dies_writing(p - 1));
		CHECK(dies_writing(p + usable));
		zfree(z, p);
	}
	char *p = zm_szone_malloc(z, 700);
	struct zm_region *r = zm_region_of(p);
	CHECK(dies_writing((char *)r->base - 1));
	CHECK(dies_writing((char *)r->base + r->bytes));
	zm_szone_destroy(z);
	zm_zone_config.guard_edges = zm_zone_config.guard_all = false;
	result("zone_region guards");
}

static void
scribble(void)
{
	zm_zone_config.scribble = true;
	struct zm_szone *z = zm_szone_create(6, 0);
	static const size_t sizes[] = { 16, 200, 900, 20000, 100000, 9 << 20 };
	for (unsigned i = 0; i < 6; i++) {
		unsigned char *p = zm_szone_malloc(z, sizes[i]);
		for (size_t k = 0; k < sizes[i]; k++)
			CHECK(p[k] == 0xaa);
		zfree(z, p);
		CHECK(p[0] == 0x55 || i == 5);
		CHECK(p[sizes[i] - 1] == 0x55 || i == 5);
		p = zm_szone_calloc(z, sizes[i]);
		CHECK(!p[0] && !p[sizes[i] - 1]);
	}
	zm_szone_destroy(z);
	zm_zone_config.scribble = false;
	result("zone_region scribble");
}

static struct zm_szone *fork_zone;
static bool stop;

static void *
churn(void *arg)
{
	uint64_t r = (uintptr_t)arg;
	void *p[64] = { 0 };
	zm_cache_use(zm_cache_create());
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		void **q = &p[rnd(&r) % 64];
		if (*q)
			zfree(fork_zone, *q);
		*q = zm_szone_malloc(fork_zone, random_size(&r) % 100000);
	}
	return NULL;
}

static void
fork_while_threads_run(void)
{
	pthread_t id[2];
	struct zm_szone *z = fork_zone = zm_szone_create(1, 0);
	zm_cache_use(zm_cache_create());
	pthread_create(&id[0], NULL, churn, (void *)1);
	pthread_create(&id[1], NULL, churn, (void *)2);
	for (int i = 0; i < 40; i++) {
		int status = -1;
		zm_szone_lock(z);
		zm_zone_globals_lock();
		pid_t pid = fork();
		if (!pid) {
			zm_zone_globals_reinit();
			zm_szone_reinit_locks(z);
			zm_zone_after_fork(z);
			CHECK(!zm_szone_locked(z));
			sound(z);
			uint64_t r = 1;
			for (int k = 0; k < 3000; k++) {
				void *p = zm_szone_malloc(z, random_size(&r) %
								 100000);
				zfree(z, p);
			}
			zm_szone_pressure_relief(z, 0);
			sound(z);
			if (test_why)
				fprintf(stderr, "%s\n", test_why);
			_exit(test_why != NULL);
		}
		zm_zone_globals_unlock();
		zm_szone_unlock(z);
		waitpid(pid, &status, 0);
		if (status)
			fail("child %d: status %#x", i, status);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(id[0], NULL);
	pthread_join(id[1], NULL);
	zm_szone_destroy(z);
	result("zone_region fork while threads run");
}

int
main(void)
{
	tags_are_unique(0, "zone_region tags");
	zm_cache_use(zm_cache_create());
	tags_are_unique(0, "zone_region tags, cached");
	tags_are_unique(ZM_SZONE_NO_NANO, "zone_region tags without nano");
	late_observer();
	foreign();
	half_entered();
	guards();
	scribble();
	fork_while_threads_run();
	return test_failures != 0;
}
