/*
 * malloc_remote.c - looking into the zones of another process.
 *
 * The other process is this program, started again: it is loaded at other
 * addresses.  Truth is what it knows of its blocks (malloc_remote.h), and what
 * its own enumerator says from inside about the blocks of libc and the regions.
 */
#include <fcntl.h>
#include <stdarg.h>

#include "malloc_remote.h"
#include "zone/fast.h"

static struct {
	pid_t pid;
	struct announcement said;
	struct item *item;
} other;

static malloc_introspection_t *
table(void)
{
	return malloc_zones[0]->introspect;
}

/* ---- starting it -------------------------------------------------------- */

static void
get(int fd, void *to, size_t bytes)
{
	for (char *at = to; bytes;) {
		ssize_t n = read(fd, at, bytes);
		CHECK(n > 0);
		at += n;
		bytes -= (size_t)n;
	}
}

static int
start(const char *role, struct announcement *said)
{
	int fd[2];
	char *none[] = { NULL };
	CHECK(pipe(fd) == 0);
	other.pid = child_start(role, none, fd[1]);
	close(fd[1]);
	if (said)
		get(fd[0], said, sizeof(*said));
	return fd[0];
}

static void
start_target(void)
{
	int status, fd = start("target", &other.said);
	CHECK(other.said.items && other.said.items <= ITEMS);
	other.item = malloc(other.said.items * sizeof(*other.item));
	get(fd, other.item, other.said.items * sizeof(*other.item));
	close(fd);
	CHECK(waitpid(other.pid, &status, WUNTRACED) == other.pid);
	CHECK(WIFSTOPPED(status));
}

static void
end_target(void)
{
	kill(other.pid, SIGKILL);
	waitpid(other.pid, NULL, 0);
}

/* ---- readers ------------------------------------------------------------ */

/* Through /proc/PID/mem, as through a core file: what was read stays until
 * forget_reads. */
static int mem = -1;
static struct kept {
	struct kept *next;
	char bytes[];
} * kept;

static unsigned reads; /* so far */
static void (*spoil)(vm_address_t from, vm_size_t bytes, char *local);
static bool spoilt_fails;

static kern_return_t
mem_reader(task_t task, vm_address_t from, vm_size_t bytes, void **local)
{
	(void)task;
	CHECK(bytes <= 1 << 20); /* it asks for what it needs */
	struct kept *k = malloc(sizeof(*k) + bytes);
	CHECK(k);
	k->next = kept;
	kept = k;
	reads++;
	if (pread(mem, k->bytes, bytes, (off_t)from) != (ssize_t)bytes)
		return KERN_INVALID_ADDRESS;
	spoilt_fails = false;
	if (spoil)
		spoil(from, bytes, k->bytes);
	*local = k->bytes;
	return spoilt_fails ? KERN_FAILURE : KERN_SUCCESS;
}

static void
forget_reads(void)
{
	for (struct kept *next; kept; kept = next) {
		next = kept->next;
		free(kept);
	}
	reads = 0;
}

static void
open_mem(void)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)other.pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(mem >= 0);
}

/* ---- what must come out ------------------------------------------------- */

struct found {
	struct item *at;
	size_t count, room;
};

static void
record(task_t task, void *ctx, unsigned type, vm_range_t *r, unsigned n)
{
	struct found *f = ctx;
	(void)task;
	for (unsigned i = 0; i < n; i++) {
		if (f->count == f->room) {
			f->room = f->room ? f->room * 2 : 1000;
			f->at = realloc(f->at, f->room * sizeof(*f->at));
			CHECK(f->at);
		}
		unsigned kind = type == MALLOC_PTR_IN_USE_RANGE_TYPE   ? KNOWN
				: type == MALLOC_PTR_REGION_RANGE_TYPE ? REGION
								       : ADMIN;
		CHECK(r[i].size && r[i].address + r[i].size > r[i].address);
		f->at[f->count++] =
		    (struct item){ r[i].address, r[i].size, kind, 0 };
	}
}

static int
by_start(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (int)x->kind - (int)y->kind;
}

/* The items of a zone, with libc's blocks among the known. */
static struct found
expected(unsigned zone)
{
	struct found f = { malloc(ITEMS * sizeof(*f.at)), 0, ITEMS };
	unsigned extra = 0;
	for (unsigned i = 0; i < other.said.items; i++) {
		struct item it = other.item[i];
		if (it.zone != zone || it.kind == FREED)
			continue;
		extra += it.kind == EXTRA;
		if (it.kind == EXTRA)
			it.kind = KNOWN;
		f.at[f.count++] = it;
	}
	CHECK(extra < (zone ? 1 : 32)); /* not our own freed blocks */
	qsort(f.at, f.count, sizeof(*f.at), by_start);
	return f;
}

static void
check_zone(task_t task, vm_address_t address, memory_reader_t *reader,
	   unsigned zone)
{
	struct found want = expected(zone), got = { NULL, 0, 0 };
	CHECK(table()->enumerator(task, &got, 7, address, reader, record) ==
	      KERN_SUCCESS);
	forget_reads();
	qsort(got.at, got.count, sizeof(*got.at), by_start);
	CHECK(got.count > 800 && got.count == want.count);
	size_t count = 0, bytes = 0;
	for (size_t i = 0; i < got.count; i++) {
		const struct item *g = &got.at[i], *w = &want.at[i];
		CHECK(g->start == w->start && g->kind == w->kind);
		CHECK(g->kind == KNOWN ? g->bytes >= w->bytes
				       : g->bytes == w->bytes);
		count += g->kind == KNOWN;
		bytes += g->kind == KNOWN ? g->bytes : 0;
	}
	malloc_statistics_t s, *in = &other.said.statistics[zone];
	table()->task_statistics(task, address, reader, &s);
	forget_reads();
	CHECK(s.blocks_in_use == count && s.size_in_use == bytes);
	CHECK(s.blocks_in_use == in->blocks_in_use);
	CHECK(s.size_in_use == in->size_in_use);
	CHECK(s.size_allocated == in->size_allocated);
	CHECK(s.max_size_in_use == in->max_size_in_use);
	free(want.at);
	free(got.at);
}

/* ---- tests -------------------------------------------------------------- */

static void
test_zones(void)
{
	vm_address_t *zones, *own;
	unsigned n, m;
	start_target();
	open_mem();
	for (int i = 0; i < 2; i++) {
		CHECK(!malloc_get_all_zones(other.pid, i ? mem_reader : NULL,
					    &zones, &n));
		forget_reads();
		CHECK(n == 3 && zones[0] == other.said.zone[0]);
		CHECK(zones[1] == other.said.zone[1]);
		CHECK(zones[2] == other.said.foreign);
	}
	CHECK(!malloc_get_all_zones(0, NULL, &own, &m));
	CHECK(own == (vm_address_t *)malloc_zones && m == malloc_num_zones);
	CHECK(own[0] != zones[0]); /* else this test tests little */
	end_target();
}

static void
test_equal(void)
{
	start_target();
	open_mem();
	for (unsigned zone = 0; zone < 2; zone++) {
		vm_address_t at = other.said.zone[zone];
		check_zone(other.pid, at, NULL, zone);
		check_zone(other.pid, at, mem_reader, zone);
		check_zone(-1, at, mem_reader, zone); /* no such process */
	}
	struct found got = { NULL, 0, 0 };
	CHECK(!malloc_default_zone()->introspect->enumerator(
	    other.pid, &got, MALLOC_PTR_IN_USE_RANGE_TYPE, other.said.virtual,
	    NULL, record));
	CHECK(got.count == other.said.statistics[0].blocks_in_use);
	/* nothing was written: it still runs, and ends as it should */
	int status;
	kill(other.pid, SIGCONT);
	CHECK(waitpid(other.pid, &status, 0) == other.pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static char printed[500];

static void
printer(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(printed, sizeof(printed), format, args);
	va_end(args);
}

static void
test_print(void)
{
	char want[100];
	start_target();
	table()->print_task(other.pid, 0, other.said.zone[1], NULL, printer);
	snprintf(want, sizeof(want), " garden: %u blocks, %zu bytes in use",
		 other.said.statistics[1].blocks_in_use,
		 other.said.statistics[1].size_in_use);
	CHECK(strstr(printed, want));
	table()->print_task(other.pid, 0, 0x1000, NULL, printer);
	CHECK(strstr(printed, "cannot be read"));
	end_target();
}

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

static void
test_strangers(void)
{
	vm_address_t *zones;
	unsigned n;
	struct found got = { NULL, 0, 0 };
	start_target();
	CHECK(table()->enumerator(other.pid, &got, 7, other.said.foreign, NULL,
				  record) == KERN_NOT_SUPPORTED);
	CHECK(table()->enumerator(other.pid, &got, 7, 0, NULL, record) ==
	      KERN_INVALID_ADDRESS);
	CHECK(table()->enumerator(other.pid, &got, 7, UINTPTR_MAX - 8, NULL,
				  record) == KERN_INVALID_ADDRESS);
	end_target();
	CHECK(malloc_get_all_zones(other.pid, NULL, &zones, &n) ==
	      KERN_FAILURE); /* it is gone */
	CHECK(!zones && !n);
	CHECK(malloc_get_all_zones(-5, NULL, &zones, &n) ==
	      KERN_INVALID_ARGUMENT);
	pid_t pid = fork();
	if (!pid) {
		execl("/bin/sleep", "sleep", "50", (char *)NULL);
		_exit(127);
	}
	usleep(200000);
	other.pid = pid;
	CHECK(malloc_get_all_zones(pid, NULL, &zones, &n) ==
	      KERN_NOT_SUPPORTED);
	CHECK(!zones && !n && !got.count);
	end_target();
}

/* It runs on: whatever is found then, we survive it. */
static void
test_running(void)
{
	unsigned fine = 0;
	struct found got = { NULL, 0, 0 };
	close(start("busy", &other.said));
	for (int i = 0; i < 300; i++) {
		got.count = 0;
		kern_return_t r = table()->enumerator(
		    other.pid, &got, 7, other.said.zone[0], NULL, record);
		fine += r == KERN_SUCCESS && got.count > 100;
	}
	CHECK(fine > 0);
	end_target();
}

static void *
ask(void *arg)
{
	vm_address_t *zones;
	unsigned n;
	(void)arg;
	CHECK(!malloc_get_all_zones(other.pid, NULL, &zones, &n) && n == 3);
	return zones;
}

/* The result is a thread's own, and goes with it. */
static void
test_ownership(void)
{
	vm_address_t *mine, *again;
	unsigned n;
	start_target();
	CHECK(!malloc_get_all_zones(other.pid, NULL, &mine, &n) && n == 3);
	for (int i = 0; i < 20; i++) {
		pthread_t t;
		void *theirs;
		CHECK(!pthread_create(&t, NULL, ask, NULL));
		pthread_join(t, &theirs);
		CHECK(theirs != mine && mine[0] == other.said.zone[0]);
		CHECK(!readable(theirs));
	}
	CHECK(!malloc_get_all_zones(other.pid, NULL, &again, &n));
	CHECK(again == mine);
	end_target();
}

static const struct test tests[] = {
	{ "zones of another process", test_zones },
	{ "blocks, regions, statistics equal", test_equal },
	{ "print_task", test_print },
	{ "readers that fail", test_failing },
	{ "readers that lie", test_lies },
	{ "lists that go round", test_circles },
	{ "not our library, not our zone", test_strangers },
	{ "a process that runs", test_running },
	{ "the array of zones is the thread's", test_ownership },
};

static const struct role roles[] = { { "target", target }, { "busy", busy } };

int
main(int argc, char **argv)
{
	CHILD_MAIN(argc, argv, roles);
	return RUN_TESTS(tests);
}
