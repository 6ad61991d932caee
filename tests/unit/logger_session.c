/*
 * logger_session.c - what the recorder writes into the session segment.
 *
 * The test runs itself again as the recorded program, plays the recorder's
 * part and reads the segment.  Truth is what the program was told to do, and
 * for stacks glibc's own backtrace(), which the program leaves in marks.
 */
#include <dirent.h>
#include <execinfo.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "logger/session.h"
#include "unit/malloc_check.h"
#include "zmalloc/record.h"

#define NOINLINE __attribute__((noinline))

enum { SEGMENTS = 8, FRAMES = 512 };

static const char *segment[SEGMENTS];
static int segments, status;

/* ---- the recorded program --------------------------------------------- */

static void *volatile keep[1000];

static void
child_counts(void)
{
	for (int i = 0; i < 1000; i++)
		keep[i] = malloc((size_t)i * 37 % 5000);
	for (int i = 0; i < 1000; i += 2)
		free(keep[i]);
	keep[1] = realloc(keep[1], 100000);
	keep[3] = calloc(7, 11);
}

/* A mark that holds the stack as glibc sees it, from the caller on. */
static NOINLINE void
mark_stack(void)
{
	void *pc[FRAMES];
	char text[256];
	int n = backtrace(pc, FRAMES);

	for (int i = 1; i < n; i++) {
		snprintf(text, sizeof text, "%p", pc[i]);
		zmalloc_record_mark(text);
	}
}

static NOINLINE void
descend(int depth)
{
	if (depth) {
		descend(depth - 1);
		__asm__ volatile("");
		return;
	}
	mark_stack();
	keep[0] = malloc(4711);
	__asm__ volatile("");
}

static void
child_stack(void)
{
	void *pc[4];

	backtrace(pc, 4); /* what it loads and allocates is not our matter */
	descend(20);
}

static void
child_deep(void)
{
	descend(300);
}

static void *
thread_body(void *arg)
{
	void **hand = arg;

	for (int i = 0; i < 20000; i++) {
		free(malloc((size_t)i % 300));
		void *old = __atomic_exchange_n(&hand[i % 64], malloc(50),
						__ATOMIC_ACQ_REL);
		free(old);
	}
	return NULL;
}

static void
child_threads(void)
{
	static void *hand[64];
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, thread_body, hand);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 64; i++)
		keep[i] = hand[i];
}

static void
child_killed(void)
{
	for (int i = 0; i < 100; i++)
		keep[i] = malloc(1234);
	kill(getpid(), SIGKILL);
}

static void
child_fork(void)
{
	keep[0] = malloc(100);
	keep[1] = malloc(200);
	pid_t pid = fork();
	if (pid == 0) {
		free(keep[0]);
		keep[2] = malloc(300);
		exit(7);
	}
	waitpid(pid, NULL, 0);
}

static void
handler(int sig)
{
	(void)sig;
	keep[0] = malloc(333);
}

static void
child_signal(void)
{
	signal(SIGUSR1, handler);
	raise(SIGUSR1);
}

static int
open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d && readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Nothing of ours is open: 0, 1, 2, the folder itself, "." and "..". */
static void
child_files(void)
{
	keep[0] = malloc(10);
	if (open_files() != 6)
		abort();
}

static const struct {
	const char *name;
	void (*run)(void);
} children[] = {
	{ "counts", child_counts }, { "stack", child_stack },
	{ "deep", child_deep },	    { "threads", child_threads },
	{ "killed", child_killed }, { "fork", child_fork },
	{ "signal", child_signal }, { "files", child_files },
};

/* ---- the recorder's part ---------------------------------------------- */

static int
receive(int sock)
{
	struct zs_hello hello;
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &hello, sizeof hello };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof control };
	int fd = -1;

	if (recvmsg(sock, &m, 0) == sizeof hello && CMSG_FIRSTHDR(&m) &&
	    hello.magic == ZS_MAGIC)
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
	return fd;
}

static void
take(int listener)
{
	int sock = accept(listener, NULL, NULL);
	int fd = receive(sock);
	struct stat st;

	close(sock);
	CHECK(fd >= 0);
	CHECK(segments < SEGMENTS);
	CHECK(fstat(fd, &st) == 0);
	segment[segments] = mmap(NULL, (size_t)st.st_size, PROT_READ,
				 MAP_SHARED | MAP_NORESERVE, fd, 0);
	CHECK(segment[segments] != MAP_FAILED);
	segments++;
	close(fd);
}

static void
record(const char *name, const char *depth)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int done = 0;

	snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "logger-test.%d",
		 (int)getpid());
	CHECK(bind(sock, (struct sockaddr *)&a,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			       strlen(a.sun_path + 1))) == 0);
	CHECK(listen(sock, 16) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		for (int fd = 3; fd < 1024; fd++)
			close(fd);
		setenv("MallocTracing", "1", 1);
		setenv("MallocTracingSession", a.sun_path + 1, 1);
		setenv("MallocTracingDepth", depth, 1);
		execl("/proc/self/exe", "recorded", name, (char *)NULL);
		_exit(127);
	}
	while (!done) {
		struct pollfd p = { sock, POLLIN, 0 };
		done = waitpid(pid, &status, WNOHANG) == pid;
		while (poll(&p, 1, done ? 0 : 10) > 0)
			take(sock);
	}
	close(sock);
	CHECK(segments > 0);
}

static const struct zs_header *
header(int i)
{
	return (const void *)segment[i];
}

struct sums {
	uint64_t allocations, frees, bytes, live_blocks, live_bytes;
};

static struct sums
sum_shards(int i)
{
	struct sums s = { 0 };

	for (uint64_t off = header(i)->shards; off;) {
		const struct zs_shard *sh = (const void *)(segment[i] + off);
		for (int c = 0; c < ZS_CLASSES; c++) {
			s.allocations += sh->class[c].allocations;
			s.frees += sh->class[c].frees;
			s.bytes += sh->class[c].bytes;
			s.live_bytes +=
			    sh->class[c].bytes - sh->class[c].freed_bytes;
		}
		off = sh->next;
	}
	s.live_blocks = s.allocations - s.frees;
	return s;
}

static struct sums
sum_stacks(int i)
{
	const struct zs_header *h = header(i);
	const struct zs_stack *st =
	    (const void *)(segment[i] + h->stacks.offset);
	struct sums s = { 0 };

	for (uint32_t k = 1; k < h->stacks.count; k++) {
		s.allocations += st[k].allocations;
		s.frees += st[k].frees;
		s.bytes += st[k].bytes;
		s.live_bytes += st[k].bytes - st[k].freed_bytes;
	}
	for (uint64_t off = h->chunks; off;) {
		const struct zs_chunk *c = (const void *)(segment[i] + off);
		for (int k = 0; k < ZS_TALLIES; k++) {
			s.allocations += c->tally[k].allocations;
			s.frees += c->tally[k].frees;
			s.bytes += c->tally[k].bytes;
			s.live_bytes +=
			    c->tally[k].bytes - c->tally[k].freed_bytes;
		}
		off = c->next;
	}
	s.live_blocks = s.allocations - s.frees;
	return s;
}

/* Calls fn for each live tag. */
static void
each_tag(int i,
	 void (*fn)(int, const struct zs_region *, const struct zs_tag *,
		    void *),
	 void *ctx)
{
	const struct zs_header *h = header(i);
	const struct zs_region *r =
	    (const void *)(segment[i] + h->regions.offset);

	for (uint32_t k = 0; k < h->regions.count; k++) {
		const struct zs_tag *t = (const void *)(segment[i] + r[k].tags);
		if (r[k].tier == ZS_TIER_NONE || !r[k].tags)
			continue;
		for (uint32_t n = 0; n < r[k].tag_count; n++) {
			if (t[n].w0)
				fn(i, &r[k], &t[n], ctx);
		}
	}
}

static uint64_t
size_of(const struct zs_region *r, const struct zs_tag *t)
{
	return r->tier == ZS_TIER_LARGE ? r->large_size : zs_tag_size(t->w0);
}

static void
add_tag(int i, const struct zs_region *r, const struct zs_tag *t, void *ctx)
{
	struct sums *s = ctx;

	(void)i;
	s->live_blocks++;
	s->live_bytes += size_of(r, t);
}

/* The three independent sums agree; returns the shards'. */
static struct sums
agreed(int i)
{
	struct sums a = sum_shards(i), b = sum_stacks(i), c = { 0 };

	each_tag(i, add_tag, &c);
	CHECK(a.allocations == b.allocations);
	CHECK(a.frees == b.frees);
	CHECK(a.bytes == b.bytes);
	CHECK(a.live_bytes == b.live_bytes);
	CHECK(a.live_blocks == c.live_blocks);
	CHECK(a.live_bytes == c.live_bytes);
	CHECK(header(i)->lost_events == 0);
	CHECK(header(i)->trouble == 0);
	return a;
}

/* ---- tests ------------------------------------------------------------ */

struct wanted {
	uint64_t size;
	uint32_t stack;
	unsigned verdict, found;
};

static void
want_tag(int i, const struct zs_region *r, const struct zs_tag *t, void *ctx)
{
	struct wanted *w = ctx;

	(void)i;
	if (size_of(r, t) != w->size)
		return;
	w->found++;
	w->stack = zs_tag_stack(t->w0);
	w->verdict = zs_tag_verdict(t->w0);
}

static struct wanted
find(int i, uint64_t size)
{
	struct wanted w = { .size = size };

	each_tag(i, want_tag, &w);
	return w;
}

static void
test_counts(void)
{
	uint64_t bytes = 0, live = 0;

	record("counts", "128");
	for (int i = 0; i < 1000; i++) {
		bytes += (uint64_t)i * 37 % 5000;
		live += i % 2 ? (uint64_t)i * 37 % 5000 : 0;
	}
	struct sums s = agreed(0);
	CHECK(s.allocations == 1002);
	CHECK(s.frees == 501);
	CHECK(s.bytes == bytes + 100000 + 77);
	CHECK(s.live_bytes == live - 37 + 100000 + 77);
	CHECK(header(0)->live_bytes == s.live_bytes);
	CHECK(header(0)->peak_bytes >= bytes);
	CHECK(header(0)->state == ZS_SCANNED);
	CHECK(header(0)->exit_status_known && header(0)->exit_status == 0);
	/* keep[3] was overwritten by the block of 77 bytes. */
	CHECK(find(0, 3 * 37).verdict == ZS_DEFINITE);
	CHECK(find(0, 77).verdict == ZS_REACHABLE);
}

/* The stack of the block of 4711 bytes, leaf first. */
static unsigned
stack_of(uint64_t *pc)
{
	const struct zs_header *h = header(0);
	const struct zs_node *node =
	    (const void *)(segment[0] + h->nodes.offset);
	const struct zs_stack *st =
	    (const void *)(segment[0] + h->stacks.offset);
	struct wanted w = find(0, 4711);
	unsigned n = 0;

	CHECK(w.found == 1);
	for (uint32_t k = st[w.stack].node; k && n < FRAMES; k = node[k].parent)
		pc[n++] = zs_node_pc(&node[k]);
	return n;
}

/* The same as glibc saw it. */
static unsigned
marked(uint64_t *pc)
{
	const struct zs_header *h = header(0);
	const struct zs_mark *m = (const void *)(segment[0] + h->marks.offset);

	for (uint32_t k = 1; k < h->marks.count && k <= FRAMES; k++)
		pc[k - 1] = strtoull(segment[0] + m[k].label, NULL, 16);
	return h->marks.count - 1;
}

static void
test_stack_is_glibcs(void)
{
	uint64_t ours[FRAMES], theirs[FRAMES];

	record("stack", "128");
	unsigned n = stack_of(ours), m = marked(theirs);
	CHECK(n == m);
	CHECK(n > 21);
	/* The two calls differ in the leaf frame alone. */
	CHECK(ours[0] != theirs[0]);
	CHECK(ours[0] - theirs[0] < 64);
	for (unsigned i = 1; i < n; i++)
		CHECK(ours[i] == theirs[i]);
}

static void
test_depth_limit(void)
{
	uint64_t ours[FRAMES], theirs[FRAMES];

	record("deep", "9");
	unsigned n = stack_of(ours), m = marked(theirs);
	CHECK(n == 10);
	CHECK(m > 300);
	CHECK(ours[5] == ZS_PC_CUT);
	for (unsigned i = 1; i < 5; i++)
		CHECK(ours[i] == theirs[i]);
	for (unsigned i = 1; i <= 4; i++)
		CHECK(ours[n - i] == theirs[m - i]);
}

static void
test_threads(void)
{
	record("threads", "128");
	struct sums s = agreed(0);
	/* Each of four: 20000 pairs and 20000 blocks that change hands; then
	 * what libc needs for a thread itself, one block each at most. */
	CHECK(s.allocations >= 160000 && s.allocations <= 160004);
	CHECK(s.live_blocks >= 64 && s.live_blocks <= 68);
	CHECK(find(0, 50).found == 64);
	CHECK(header(0)->threads.count == 6);
}

static void
test_killed(void)
{
	record("killed", "128");
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	struct sums s = agreed(0);
	CHECK(s.allocations == 100 && s.bytes == 123400);
	CHECK(header(0)->state == ZS_RUNNING);
	CHECK(find(0, 1234).found == 100);
	CHECK(find(0, 1234).verdict == ZS_UNSCANNED);
}

static void
test_fork(void)
{
	record("fork", "128");
	CHECK(segments == 2);
	struct sums parent = agreed(0), kid = agreed(1);
	CHECK(parent.allocations == 2 && parent.frees == 0);
	CHECK(kid.allocations == 1 && kid.frees == 0 && kid.bytes == 300);
	CHECK(header(1)->cause == ZS_CAUSE_FORK);
	CHECK(header(1)->ppid == header(0)->pid);
	CHECK(header(1)->inherited_frees == 1);
	CHECK(header(1)->exit_status == 7);
	CHECK(find(1, 300).verdict == ZS_REACHABLE);
}

static void
test_signal(void)
{
	record("signal", "128");
	CHECK(agreed(0).allocations == 1);
	CHECK(find(0, 333).verdict == ZS_REACHABLE);
}

static void
test_no_descriptor_stays(void)
{
	record("files", "128");
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int
main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "counts and verdicts", test_counts },
		{ "the stack is glibc's", test_stack_is_glibcs },
		{ "depth limit keeps leaf and root", test_depth_limit },
		{ "threads", test_threads },
		{ "killed: nothing is lost", test_killed },
		{ "fork", test_fork },
		{ "signal handler", test_signal },
		{ "no descriptor stays open", test_no_descriptor_stays },
	};

	for (size_t i = 0;
	     argc == 2 && i < sizeof children / sizeof children[0]; i++) {
		if (!strcmp(argv[1], children[i].name)) {
			children[i].run();
			return 0;
		}
	}
	return RUN_TESTS(tests);
}
