/*
 * malloc_errors.c - the environment variables about errors, messages and heap
 * checks, each by what a process does that runs with it and without it.
 *
 * The errors are made here, so what has to be noticed is known.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <zmalloc/malloc.h>

#include "malloc/options.h"
#include "malloc_child.h"

static void *volatile sink; /* the compiler must not know what it frees */

/* ---- roles -------------------------------------------------------------- */

static int
role_nothing(void)
{
	sink = malloc(10);
	return 0;
}

/* An error that is none of the heap's structure. */
static int
role_error(void)
{
	static malloc_zone_t stranger;
	malloc_zone_unregister(&stranger);
	return 0;
}

static int
role_no_memory(void)
{
	sink = malloc((size_t)PTRDIFF_MAX);
	return sink || errno != ENOMEM;
}

/* Double frees in every tier, and pointers that are none. */
static int
role_corrupt(void)
{
	static const size_t sizes[] = { 40, 700, 5000, 100000, 9 << 20 };
	long local[8];
	for (int i = 0; i < 5; i++) {
		sink = malloc(sizes[i]);
		free(sink);
		free(sink);
	}
	sink = local;
	free(sink);
	if (realloc(sink, 100))
		return 1;
	for (int i = 0; i < 2000; i++) {
		char *p = malloc((size_t)i * 7);
		if (!p)
			return 2;
		memset(p, i, (size_t)i * 7);
		free(p);
	}
	return 0;
}

/* Operation 10001 or so is the last good one: then a freed block is written
 * to.  Two operations follow. */
static int
role_damage(void)
{
	char *p[3];
	for (int i = 0; i < 3; i++)
		p[i] = malloc(64);
	for (int i = 0; i < 5000; i++) {
		void *volatile q = malloc(200);
		free(q);
	}
	for (int i = 0; i < 3; i++)
		free(p[i]);
	p[1][0] ^= 0x55;
	free(malloc(3000));
	free(malloc(3000));
	return 0;
}

static int
role_secure(void)
{
	return getauxval(AT_SECURE) ? 0 : SKIPPED;
}

static const struct role roles[] = {
	{ "nothing", role_nothing },	 { "error", role_error },
	{ "no-memory", role_no_memory }, { "corrupt", role_corrupt },
	{ "damage", role_damage },	 { "secure", role_secure },
};

/* ---- errors ------------------------------------------------------------- */

static int
count(const char *text, const char *what)
{
	int n = 0;
	for (const char *p = text; (p = strstr(p, what)); p++)
		n++;
	return n;
}

#define ABORTED (1000 + SIGABRT)

static void
test_error_stop(void)
{
	struct outcome o =
	    child_run("error", "MallocErrorStop=1", NULL, NULL, NULL);
	CHECK(o.stopped && WSTOPSIG(o.status) == SIGSTOP);
	CHECK(count(o.text, "*** error for object") == 1);
	CHECK(count(o.text, "SIGSTOP") == 1);
	o = child_run("error", NULL, NULL, NULL, NULL);
	CHECK(!o.stopped && o.status == 0);
	CHECK(count(o.text, "*** error for object") == 1);
	o = child_run("corrupt", "MallocErrorStop=1", NULL, NULL, NULL);
	CHECK(o.stopped && count(o.text, "Double free") == 1);
}

/* State of a process as ps(1) shows it. */
static char
state_of(pid_t pid)
{
	char path[40], line[400];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "r");
	if (!f || !fgets(line, sizeof(line), f))
		return '?';
	fclose(f);
	return strrchr(line, ')')[2];
}

static void
test_error_sleep(void)
{
	char *env[] = { (char *)"MallocErrorSleep=1", NULL };
	struct outcome o = { .stopped = false };
	int out = memfd_create("child", 0);
	pid_t pid = child_start("error", env, out);
	while (!strstr(o.text, "sleeping")) {
		CHECK(waitpid(pid, NULL, WNOHANG) == 0);
		usleep(2000);
		child_text(out, &o);
	}
	while (state_of(pid) != 'S')
		usleep(2000);
	CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
test_error_abort(void)
{
	CHECK(child_exit("error", NULL, NULL, NULL) == 0);
	CHECK(child_exit("error", "MallocErrorAbort=1", NULL, NULL) == ABORTED);
	CHECK(child_exit("error", "MallocErrorAbort=0", NULL, NULL) == 0);
	CHECK(child_exit("no-memory", NULL, NULL, NULL) == 0);
	CHECK(child_exit("no-memory", "MallocErrorAbort=1", NULL, NULL) ==
	      ABORTED);
}

static void
test_corruption_abort(void)
{
	CHECK(child_exit("corrupt", NULL, NULL, NULL) == ABORTED);
	CHECK(child_exit("corrupt", "MallocCorruptionAbort=1", NULL, NULL) ==
	      ABORTED);
	struct outcome o =
	    child_run("corrupt", "MallocCorruptionAbort=0", NULL, NULL, NULL);
	CHECK(o.status == 0);
	CHECK(count(o.text, "*** error for object") == 7);
	CHECK(count(o.text, "pointer being freed was not allocated") == 1);
	CHECK(count(o.text, "pointer being realloc'd was not allocated") == 1);
	CHECK(child_exit("corrupt", "MallocCorruptionAbort=0",
			 "MallocErrorAbort=1", NULL) == ABORTED);
}

/* ---- messages ----------------------------------------------------------- */

static void
test_debug_report(void)
{
	struct outcome o =
	    child_run("error", "MallocDebugReport=none", NULL, NULL, NULL);
	CHECK(o.status == 0 && !*o.text);
	o = child_run("error", "MallocDebugReport=crash", NULL, NULL, NULL);
	CHECK(o.status == 0 && !*o.text);
	o = child_run("error", "MallocDebugReport=stderr", NULL, NULL, NULL);
	CHECK(count(o.text, "*** error") == 1);
	o = child_run("corrupt", "MallocDebugReport=crash", NULL, NULL, NULL);
	CHECK(WIFSIGNALED(o.status) && count(o.text, "*** error") == 1);
	o = child_run("corrupt", "MallocDebugReport=none", NULL, NULL, NULL);
	CHECK(WIFSIGNALED(o.status) && !*o.text);
}

static void
test_log_file(void)
{
	char path[] = "/tmp/malloc_errors.XXXXXX", text[1000] = "", var[64];
	int fd = mkstemp(path);
	CHECK(fd >= 0 && write(fd, "first\n", 6) == 6);
	snprintf(var, sizeof(var), "MallocLogFile=%s", path);
	struct outcome o = child_run("error", var, NULL, NULL, NULL);
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	unlink(path);
	CHECK(o.status == 0 && !*o.text && n > 6);
	CHECK(strncmp(text, "first\n", 6) == 0 && count(text, "*** error"));
	/* made when missing */
	o = child_run("error", var, NULL, NULL, NULL);
	struct stat st;
	int made = stat(path, &st);
	unlink(path);
	CHECK(!*o.text && made == 0 && st.st_size > 0);
	/* it cannot be written to */
	o = child_run("error", "MallocLogFile=/no/such/folder/f", NULL, NULL,
		      NULL);
	CHECK(o.status == 0 && count(o.text, "*** error") == 1);
}

/* One message for a bad value, whatever the variable, and nothing else. */
static void
test_bad_values(void)
{
	char var[100], want[100];
	int tried = 0;
	for (size_t i = 0; i < zm_option_count; i++) {
		const struct zm_option *opt = &zm_option_table[i];
		if (opt->type == ZM_OPTION_FLAG || opt->type == ZM_OPTION_TEXT)
			continue;
		snprintf(var, sizeof(var), "_%s=bogus", opt->name);
		snprintf(want, sizeof(want), "%s: bad value, ignored\n",
			 opt->name);
		struct outcome o = child_run("nothing", var, NULL, NULL, NULL);
		CHECK(o.status == 0 && count(o.text, want) == 1);
		CHECK(count(o.text, "\n") == 1);
		tried++;
	}
	CHECK(tried > 15);
}

static void
test_help(void)
{
	struct outcome o =
	    child_run("nothing", "MallocHelp=1", NULL, NULL, NULL);
	CHECK(o.status == 0);
	for (size_t i = 0; i < zm_option_count; i++)
		CHECK(count(o.text, zm_option_table[i].name) >= 1);
	CHECK(count(o.text, "stderr") >= 1 && count(o.text, "warning") == 1);
	o = child_run("nothing", "MallocHelp=0", NULL, NULL, NULL);
	CHECK(o.status == 0 && !*o.text);
}

/* A copy of this program that belongs to somebody else and runs with that
 * one's rights. */
static void
test_secure(void)
{
	char path[] = "/tmp/malloc_secure.XXXXXX", buf[65536];
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int fd = mkstemp(path);
	ssize_t n;
	while ((n = read(in, buf, sizeof(buf))) > 0)
		CHECK(write(fd, buf, (size_t)n) == n);
	bool can = getuid() == 0 && fchown(fd, 65534, 65534) == 0 &&
		   fchmod(fd, 04755) == 0;
	close(fd);
	child_program = path;
	unlink("/tmp/malloc_secure_log");
	struct outcome o =
	    child_run("secure", "MallocHelp=1",
		      "MallocLogFile=/tmp/malloc_secure_log", NULL, NULL);
	unlink(path);
	if (!can || WEXITSTATUS(o.status) == SKIPPED)
		skip_test("no set-user-ID programs here");
	CHECK(o.status == 0 && !*o.text);
	CHECK(access("/tmp/malloc_secure_log", F_OK) != 0);
}

/* ---- heap checks -------------------------------------------------------- */

static void
test_check_heap(void)
{
	struct outcome o =
	    child_run("damage", "MallocCheckHeapStart=1",
		      "MallocCheckHeapEach=1", "MallocCheckHeapAbort=1", NULL);
	CHECK(WIFSIGNALED(o.status) && WTERMSIG(o.status) == SIGABRT);
	CHECK(count(o.text, "is damaged at operation") == 1);
	CHECK(count(o.text, "it was good at operation") == 1);
	/* without the damage, or before anybody looks, there is nothing */
	CHECK(child_exit("nothing", "MallocCheckHeapStart=1",
			 "MallocCheckHeapEach=1",
			 "MallocCheckHeapAbort=1") == 0);
	o = child_run("damage", "MallocCheckHeapStart=1000000",
		      "MallocCheckHeapEach=1", "MallocCheckHeapAbort=1", NULL);
	CHECK(o.status == 0 && !*o.text);
	o = child_run("damage", "MallocCheckHeapStart=-1",
		      "MallocCheckHeapEach=1000000", "MallocCheckHeapAbort=1",
		      NULL);
	CHECK(o.status == 0 && !*o.text);
}

/* Four checks find the damage; it sleeps each time, never, or once. */
static void
test_check_heap_sleep(void)
{
	struct outcome o =
	    child_run("damage", "MallocCheckHeapStart=9000",
		      "MallocCheckHeapEach=0", "MallocCheckHeapSleep=0", NULL);
	CHECK(o.status == 0 && !count(o.text, "sleeping"));
	int found = count(o.text, "is damaged at operation");
	CHECK(found >= 2);
	o = child_run("damage", "MallocCheckHeapStart=9000",
		      "MallocCheckHeapEach=1", "MallocCheckHeapSleep=-1", NULL);
	CHECK(o.status == 0 && count(o.text, "sleeping for 1 second") == 1);
	CHECK(count(o.text, "is damaged at operation") == found);
	o = child_run("damage", "MallocCheckHeapStart=9000",
		      "MallocCheckHeapEach=1", "MallocCheckHeapSleep=1", NULL);
	CHECK(count(o.text, "sleeping for 1 second") == found);
}

int
main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "MallocErrorStop", test_error_stop },
		{ "MallocErrorSleep", test_error_sleep },
		{ "MallocErrorAbort", test_error_abort },
		{ "MallocCorruptionAbort", test_corruption_abort },
		{ "MallocDebugReport", test_debug_report },
		{ "MallocLogFile", test_log_file },
		{ "bad values: one message", test_bad_values },
		{ "MallocHelp", test_help },
		{ "set-user-ID programs listen to nothing", test_secure },
		{ "MallocCheckHeapStart, Each, Abort", test_check_heap },
		{ "MallocCheckHeapSleep", test_check_heap_sleep },
	};
	CHILD_MAIN(argc, argv, roles);
	return RUN_TESTS(tests);
}
