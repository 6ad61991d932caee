/*
 * malloc_remote.c - looking into the zones of another process.
 *
 * The other process is this program, started again: it is loaded at other
 * addresses.  Truth is what it knows of its blocks (malloc_remote.h), and what
 * its own enumerator says from inside about the blocks of libc and the regions.
 */
#include <stdarg.h>

#include "malloc_looking.h"

/* ---- what must come out ------------------------------------------------- */

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

/* Other shapes of zones. */
static void
test_settings(void)
{
	static const char *const with[][2] = {
		{ "target", "MallocNanoZone=0" },
		{ "target", "MallocMediumZone=0" },
		{ "target", "MallocGuardEdges=all" },
		{ "target", "MallocMaxMagazines=1" },
		{ "target", "MallocSpaceEfficient=1" },
		{ "limited", NULL }
	};
	for (unsigned i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
		start_as(with[i][0], with[i][1]);
		for (unsigned zone = 0; zone < 2; zone++)
			check_zone(other.pid, other.said.zone[zone], NULL,
				   zone);
		end_target();
		free(other.item);
	}
}

static char printed[500];

__attribute__((format(printf, 1, 2))) static void
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
	int fd[2];
	char c;
	CHECK(pipe2(fd, O_CLOEXEC) == 0);
	pid_t pid = fork();
	if (!pid) {
		execl("/bin/sleep", "sleep", "50", (char *)NULL);
		_exit(127);
	}
	close(fd[1]);
	CHECK(read(fd[0], &c, 1) == 0); /* it is another program now */
	other.pid = pid;
	CHECK(malloc_get_all_zones(pid, NULL, &zones, &n) ==
	      KERN_NOT_SUPPORTED);
	CHECK(!zones && !n && !got.count);
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
	{ "zones of other shapes", test_settings },
	{ "print_task", test_print },
	{ "not our library, not our zone", test_strangers },
	{ "the array of zones is the thread's", test_ownership },
};

static const struct role roles[] = { { "target", target },
				     { "limited", limited } };

int
main(int argc, char **argv)
{
	CHILD_MAIN(argc, argv, roles);
	return RUN_TESTS(tests);
}
