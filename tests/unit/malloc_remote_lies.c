/*
 * malloc_remote_lies.c - looking into another process whose memory cannot be
 * read, lies, or changes meanwhile.
 *
 * Whatever is read there, the one who looks gets an answer or an error, soon.
 */
#include "malloc_looking.h"
#include "zone/fast.h"

/* Each read fails in turn. */
static unsigned fail_at;

static void
fail_one(vm_address_t from, vm_size_t bytes, char *local)
{
	(void)from;
	if (reads == fail_at) {
		memset(local, 0, bytes);
		spoilt_fails = true;
	}
}

static void
test_failing(void)
{
	struct found got = { NULL, 0, 0 };
	start_target();
	open_mem();
	CHECK(!table()->enumerator(-1, &got, 7, other.said.zone[0], mem_reader,
				   record));
	unsigned all = reads;
	forget_reads();
	CHECK(all > 100);
	spoil = fail_one;
	for (unsigned i = 0; i < 200; i++) {
		fail_at = i < 20 ? i + 1 : i * (all - 1) / 200 + 1;
		kern_return_t r = table()->enumerator(
		    -1, &got, 7, other.said.zone[0], mem_reader, record);
		forget_reads();
		got.count = 0;
		/* without its head it is not known to be our library */
		CHECK(r == KERN_INVALID_ADDRESS ||
		      (r == KERN_NOT_SUPPORTED && i < 8));
	}
	end_target();
}

/* ---- lies --------------------------------------------------------------- */

static uint32_t seed = 4711;
static uint32_t one_in;
static unsigned quiet; /* reads before the lies begin */

static void
some_bytes(vm_address_t from, vm_size_t bytes, char *local)
{
	(void)from;
	if (reads > quiet && chance(&seed, one_in) == 0)
		local[chance(&seed, (uint32_t)bytes)] =
		    (char)chance(&seed, 256);
}

static void
all_bytes(vm_address_t from, vm_size_t bytes, char *local)
{
	(void)from;
	if (reads > quiet && chance(&seed, one_in) == 0)
		for (vm_size_t i = 0; i < bytes; i++)
			local[i] = (char)chance(&seed, 256);
}

/* A pointer to itself, or to what is near: lists that never end. */
static void
pointers(vm_address_t from, vm_size_t bytes, char *local)
{
	if (reads <= quiet || chance(&seed, one_in) || bytes < 16)
		return;
	vm_address_t p = from + 8 * chance(&seed, 3);
	memcpy(local + 8 * chance(&seed, (uint32_t)bytes / 8), &p, sizeof(p));
}

/* Ones: the greatest counts and lengths. */
static void
ones(vm_address_t from, vm_size_t bytes, char *local)
{
	(void)from;
	if (reads > quiet && chance(&seed, one_in) == 0)
		memset(local + 4 * chance(&seed, (uint32_t)bytes / 4), 0xff, 4);
}

/* Half of what was asked for, behind it nothing. */
static void
truncated(vm_address_t from, vm_size_t bytes, char *local)
{
	(void)from;
	if (reads > quiet && chance(&seed, one_in) == 0)
		memset(local + bytes / 2, 0, bytes - bytes / 2);
}

static void
test_lies(void)
{
	static void (*const lie[])(vm_address_t, vm_size_t,
				   char *) = { some_bytes, all_bytes, pointers,
					       ones, truncated };
	struct found got = { NULL, 0, 0 };
	unsigned failed = 0;
	start_target();
	open_mem();
	for (unsigned i = 0; i < 480; i++) {
		spoil = lie[i % 6];
		one_in = 1 + chance(&seed, i % 2 ? 20 : 1000);
		/* past the headers, where it soon gives up */
		quiet = i % 8 ? 12 + chance(&seed, 300) : 0;
		kern_return_t r =
		    table()->enumerator(-1, &got, 7, other.said.zone[i / 6 % 2],
					mem_reader, record);
		forget_reads();
		got.count = 0;
		failed += r != KERN_SUCCESS;
		CHECK(r == KERN_SUCCESS || r == KERN_FAILURE ||
		      r == KERN_INVALID_ADDRESS || r == KERN_NOT_SUPPORTED);
		vm_address_t *zones;
		unsigned n;
		if (i % 10 == 0)
			malloc_get_all_zones(other.pid, mem_reader, &zones, &n);
		forget_reads();
	}
	CHECK(failed > 100);
	end_target();
}

/* A list of caches, and then a bin's list, that goes round. */
static unsigned circle;

static void
circles(vm_address_t from, vm_size_t bytes, char *local)
{
	uintptr_t word[2], key;
	if (circle == 0 && bytes == sizeof(struct zm_cache)) {
		((struct zm_cache *)local)->next = (struct zm_cache *)from;
	} else if (circle == 1 && bytes == sizeof(word)) {
		memcpy(word, local, bytes);
		key = word[0] ^ word[1] ^ from;
		word[0] = from;
		word[1] = key;
		memcpy(local, word, bytes);
	}
}

static void
test_circles(void)
{
	struct found got = { NULL, 0, 0 };
	start_target();
	open_mem();
	spoil = circles;
	for (circle = 0; circle < 2; circle++) {
		kern_return_t r = table()->enumerator(
		    -1, &got, 1, other.said.zone[0], mem_reader, record);
		forget_reads();
		CHECK(circle ? r == KERN_SUCCESS || r == KERN_FAILURE
			     : r == KERN_FAILURE);
	}
	end_target();
}

/* It runs on: whatever is found then, we survive it. */
static void
test_running(void)
{
	unsigned fine = 0;
	struct found got = { NULL, 0, 0 };
	close(start("busy", NULL, &other.said));
	for (int i = 0; i < 300; i++) {
		got.count = 0;
		kern_return_t r = table()->enumerator(
		    other.pid, &got, 7, other.said.zone[0], NULL, record);
		fine += r == KERN_SUCCESS && got.count > 100;
	}
	CHECK(fine > 0);
	end_target();
}

static const struct test tests[] = {
	{ "readers that fail", test_failing },
	{ "readers that lie", test_lies },
	{ "lists that go round", test_circles },
	{ "a process that runs", test_running },
};

static const struct role roles[] = { { "target", target }, { "busy", busy } };

int
main(int argc, char **argv)
{
	CHILD_MAIN(argc, argv, roles);
	return RUN_TESTS(tests);
}
