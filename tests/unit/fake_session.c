/*
 * fake_session.c - zrecord against processes that only pretend: each child
 * builds a session segment by hand, with numbers known by construction, says
 * hello and ends in its own way.  No allocator takes part.
 *
 * The recorder is the zrecord beside this program's folder, in serve mode.
 */
#include "libzmalloc/logger/session.h"
#include "unit/fake_graph.h"
#include "unit/tools_check.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	BYTES = 64 << 20,
	NANO_BASE = 0x10000000,
	RACK_BASE = 0x20000000,
	LARGE_BYTES = (16 << 20) + 4096,
	LARGE_SIZE = LARGE_BYTES - 100,
	FREED = 1000 /* freed blocks of 50 bytes at stack 2 */
};
#define LARGE_BASE UINT64_C(0x7f0000000000)

static char report[200], folder[100];
static struct sockaddr_un address;
static socklen_t address_bytes;

/* ---- the segment ------------------------------------------------------ */

static struct zs_header *h;

static void *
at(uint64_t off)
{
	return (char *)h + off;
}

static uint64_t
pool(uint64_t bytes)
{
	uint64_t off = h->pool_used;
	h->pool_used += (bytes + 15) & ~UINT64_C(15);
	return off;
}

static uint64_t
put_text(const char *s, size_t n)
{
	uint64_t off = pool(n + 1);
	memcpy(at(off), s, n);
	return off;
}

/* The functions that the stacks point into; not static: they need a name. */
int fake_leaf(int x);
int fake_caller(int x);

__attribute__((noinline)) int
fake_leaf(int x)
{
	return x * 31 + 7;
}

__attribute__((noinline)) int
fake_caller(int x)
{
	return fake_leaf(x) + 1;
}

static int
build_id(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct zs_module *m = ctx;
	(void)size;
	m->bias = info->dlpi_addr;
	m->start = UINT64_MAX;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uint64_t from = info->dlpi_addr + p->p_vaddr;
		if (p->p_type == PT_LOAD) {
			m->start = from < m->start ? from : m->start;
			m->end = from + p->p_memsz;
		}
		const ElfW(Nhdr) *n = (const void *)from;
		if (p->p_type != PT_NOTE || n->n_type != NT_GNU_BUILD_ID)
			continue;
		m->build_id_bytes = (uint8_t)n->n_descsz;
		memcpy(m->build_id, (const char *)(n + 1) + 4, n->n_descsz);
	}
	return 1; /* the first one is the program */
}

static void
table(struct zs_table *t, size_t stride, uint32_t capacity, uint32_t count)
{
	static uint64_t next = 4096;
	if (t == &h->regions)
		next = 4096;
	*t = (struct zs_table){ next, (uint32_t)stride, capacity, count, 0 };
	next += (stride * capacity + 4095) & ~UINT64_C(4095);
	h->pool = h->pool_used = next;
}

static void
tables(void)
{
	table(&h->regions, sizeof(struct zs_region), 1000, 3);
	table(&h->zones, sizeof(struct zs_zone), ZS_ZONES_MAX, 3);
	table(&h->nodes, sizeof(struct zs_node), 10000, 4);
	table(&h->stacks, sizeof(struct zs_stack), 1000, 3);
	table(&h->threads, sizeof(struct zs_thread), 100, 3);
	table(&h->modules, sizeof(struct zs_module), 100, 2);
	table(&h->groups, sizeof(struct zs_group), 100, 1);
	table(&h->marks, sizeof(struct zs_mark), 100, 1);
	table(&h->scans, sizeof(struct zs_scan), FAKE_SCANS, 1);
	table(&h->graph, sizeof(uint64_t), FAKE_WORDS, 1);
}

static void
fill_stacks(void)
{
	struct zs_module *m = at(h->modules.offset);
	struct zs_node *n = at(h->nodes.offset);
	struct zs_stack *s = at(h->stacks.offset);
	char exe[4096];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
	dl_iterate_phdr(build_id, &m[1]);
	m[1].path = h->exe = put_text(exe, (size_t)len);
	/* return addresses: one byte behind the first instruction byte */
	n[1].pc_module = ((uint64_t)(uintptr_t)fake_caller + 1) | UINT64_C(1)
								      << 48;
	n[2] = (struct zs_node){
		((uint64_t)(uintptr_t)fake_leaf + 1) | UINT64_C(1) << 48, 1, 1
	};
	n[3] = (struct zs_node){ ZS_PC_CUT, 1, 2 };
	s[1] = (struct zs_stack){ .node = 2, .allocations = 12 };
	s[1].bytes = 10 * 20 + 300 + LARGE_SIZE;
	s[1].peak_bytes = s[1].bytes;
	s[2] = (struct zs_stack){ .node = 3,
				  .allocations = FREED,
				  .frees = FREED,
				  .bytes = FREED * 50,
				  .freed_bytes = FREED * 50,
				  .temporary = 11 };
}

static void
fill_blocks(void)
{
	static const enum zs_verdict verdicts[10] = {
		ZS_DEFINITE,  ZS_INDIRECT,  ZS_INDIRECT,  ZS_POSSIBLE,
		ZS_REACHABLE, ZS_REACHABLE, ZS_REACHABLE, ZS_REACHABLE,
		ZS_REACHABLE, ZS_REACHABLE
	};
	struct zs_region *r = at(h->regions.offset);
	uint64_t nano = pool(100 * 16), rack = pool(100 * 16), large = pool(16);
	r[0] = (struct zs_region){ NANO_BASE, 65536, nano,	   0, 100,  32,
				   1,	      0,     ZS_TIER_NANO, 0, { 0 } };
	r[1] =
	    (struct zs_region){ RACK_BASE, 1 << 20, rack,	  0, 100,  16,
				1,	   8,	    ZS_TIER_TINY, 0, { 0 } };
	r[2] = (struct zs_region){ LARGE_BASE, LARGE_BYTES, large,
				   LARGE_SIZE, 1,	    0,
				   1,	       0,	    ZS_TIER_LARGE,
				   0,	       { 0 } };
	struct zs_tag *t = at(nano);
	for (unsigned i = 0; i < 10; i++) {
		t[i].w1 = zs_tag_w1(i * 1000, 1, 0, 0);
		t[i].w0 = zs_tag_w0(1, 20, ZS_FN_MALLOC) | (uint64_t)verdicts[i]
							       << 60;
	}
	t = at(rack);
	t[3].w1 = zs_tag_w1(ZS_TAG_MS_MAX, 2, 2, 20);
	t[3].w0 = zs_tag_w0(1, 300, ZS_FN_NEW_ARRAY) | (uint64_t)ZS_DEFINITE
							   << 60;
	t = at(large);
	t[0].w1 = zs_tag_w1(5, 0, 0, 0);
	t[0].w0 = zs_tag_w0(1, UINT64_MAX, ZS_FN_CALLOC) |
		  (uint64_t)ZS_REACHABLE << 60;
	struct zs_group *g = at(h->groups.offset);
	g[0] = (struct zs_group){ NANO_BASE, 2, 40 };
}

/* Two shards: the second thread freed what the first one allocated. */
static void
fill_shards(void)
{
	uint64_t a = pool(sizeof(struct zs_shard)),
		 b = pool(sizeof(struct zs_shard));
	struct zs_shard *x = at(a), *y = at(b);
	h->shards = a;
	x->zone = y->zone = ZS_ZONE_DEFAULT;
	x->thread = 1;
	y->thread = 2;
	x->next = b;
	x->class[zs_class_index(32)] = (struct zs_counter){ 10, 0, 10 * 20, 0 };
	x->class[zs_class_index(64)] =
	    (struct zs_counter){ FREED, 0, FREED * 50, 0 };
	y->class[zs_class_index(64)] =
	    (struct zs_counter){ 0, FREED, 0, FREED * 50 };
	y->class[zs_class_index(320)] = (struct zs_counter){ 1, 0, 300, 0 };
	y->class[zs_class_index(LARGE_BYTES)] =
	    (struct zs_counter){ 1, 0, LARGE_SIZE, 0 };
}

static void
fill_rest(void)
{
	static const char command[] = "fake\0--name\0with \"quotes\"\n";
	struct timespec ts;
	struct zs_zone *z = at(h->zones.offset);
	struct zs_thread *t = at(h->threads.offset);
	struct zs_mark *m = at(h->marks.offset);
	z[1].in_use = z[2].in_use = 1;
	strcpy(z[1].name, "DefaultMallocZone");
	strcpy(z[2].name, "zmalloc logger");
	t[1] = (struct zs_thread){ 4711, 0, 0, 0, 1010, 0, 50200, "main" };
	t[2] = (struct zs_thread){ 4712, 0,	7000000, 9000000,
				   2,	 FREED, 0,	 "sixteen-bytes-xx" };
	m[0] = (struct zs_mark){ 500000000, put_text("half", 4), 12, 3456 };
	h->command = put_text(command, sizeof command);
	h->command_bytes = sizeof command;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	h->start_monotonic_ns =
	    (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	h->start_realtime_ns = UINT64_C(1700000000) * 1000000000;
	h->live_bytes = h->peak_bytes = 200 + 300 + LARGE_SIZE;
	h->peak_ns = 250000000;
	h->publish_step = 4096;
	h->scan_begin_ns = 600000000;
	h->scan_end_ns = 601000000;
	h->scan_threads = 2;
	h->inherited_frees = 3;
}

static int
build(void)
{
	int fd = memfd_create("session", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, BYTES) != 0)
		exit(99);
	h = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (h == MAP_FAILED)
		exit(99);
	h->magic = ZS_MAGIC;
	h->version = ZS_VERSION;
	h->header_bytes = sizeof *h;
	h->bytes = BYTES;
	h->pid = getpid();
	h->ppid = getppid();
	h->state = ZS_RUNNING;
	tables();
	fill_rest();
	fill_stacks();
	fill_blocks();
	fill_shards();
	fill_graph(h, at(h->scans.offset), at(h->graph.offset));
	return fd;
}

static void
say_hello(int segment)
{
	struct zs_hello hello = { ZS_MAGIC, ZS_VERSION, ZS_CAUSE_START,
				  getpid(), getppid() };
	union {
		struct cmsghdr c;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { &hello, sizeof hello };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof control };
	control.c.cmsg_level = SOL_SOCKET;
	control.c.cmsg_type = SCM_RIGHTS;
	control.c.cmsg_len = CMSG_LEN(sizeof segment);
	memcpy(CMSG_DATA(&control.c), &segment, sizeof segment);
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (connect(s, (struct sockaddr *)&address, address_bytes) != 0 ||
	    sendmsg(s, &m, 0) < 0)
		exit(98);
	close(s);
	close(segment);
}

/* ---- the actors: each runs in a process of its own --------------------- */

static void
clean(void)
{
	h->state = ZS_SCANNED;
	h->exit_status = 3;
	h->exit_status_known = 1;
	_exit(3);
}

static void
killed(void)
{
	raise(SIGKILL);
}

static void
bare_exit(void)
{
	_exit(0);
}

static void
lost(void)
{
	h->state = ZS_SCANNED;
	h->lost_events = 7;
	_exit(0);
}

static void
disagrees(void)
{
	struct zs_shard *x = at(h->shards);
	/* one thread ran on: it may be short of one event, not of two */
	x->class[0].allocations += 2;
	h->state = ZS_SCANNED;
	_exit(0);
}

static void
two_programs(void)
{
	say_hello(build()); /* as after exec: the same pid again */
	clean();
}

static void
shard_circle(void)
{
	struct zs_shard *x = at(h->shards);
	x->next = h->shards;
	h->state = ZS_SCANNED;
	_exit(0);
}

static void
wild_tables(void)
{
	struct zs_region *r = at(h->regions.offset);
	struct zs_node *n = at(h->nodes.offset);
	struct zs_stack *s = at(h->stacks.offset);
	r[0].tags = UINT64_MAX - 8;
	r[1].tag_count = UINT32_MAX;
	r[1].tag_shift = 255;
	r[2].tier = 200;
	n[1].parent = 3;
	n[2].pc_module = UINT64_MAX;
	s[1].node = UINT32_MAX;
	h->groups.count = h->marks.count = h->modules.count = UINT32_MAX;
	h->command = UINT64_MAX;
	h->state = ZS_SCANNED;
	_exit(0);
}

/* Counts that no program can reach. */
static void
wild_points(void)
{
	struct zs_shard *x = at(h->shards);
	x->calls[ZT_CALL_realloc] = UINT64_MAX;
	h->points[ZT_POINT_nano_malloc] = UINT64_MAX;
	h->state = ZS_SCANNED;
	_exit(0);
}

static void
wild_graph(void)
{
	wreck_graph(h, at(h->scans.offset), at(h->graph.offset));
	h->state = ZS_SCANNED;
	usleep(50000);
	_exit(0);
}

static void
wild_header(void)
{
	memset(&h->regions, 0xff, 8 * sizeof h->regions);
	h->shards = BYTES - 8;
	_exit(0);
}

/* Random bytes over the header's numbers and all tables: whatever is made of
 * them, the recorder has to live. */
static unsigned seed = 1;

static void
noise(void)
{
	unsigned char *bytes = (unsigned char *)h;
	uint64_t from = seed % 2 ? offsetof(struct zs_header, pool) : 4096;
	uint64_t to = seed % 2 ? sizeof *h : h->pool_used;
	for (unsigned i = 0, r = seed; i < (seed % 2 ? 20 : 20000); i++) {
		r = r * 1103515245 + 12345;
		bytes[from + (r >> 4) % (to - from)] = (unsigned char)(r >> 16);
	}
	usleep(seed % 3 * 10000);
	_exit(0);
}

static const struct {
	const char *name;
	void (*act)(void);
	const char *recording; /* as GLOB; NULL: no such row */
	int rows;
} actors[] = {
	{ "clean", clean, "complete", 1 },
	{ "killed", killed, "*signal 9*leak scan*|*without a leak scan*", 1 },
	{ "bare_exit", bare_exit, "*_exit*", 1 },
	{ "lost", lost, "7 events lost*", 1 },
	{ "disagrees", disagrees, "the counters disagree*", 1 },
	{ "two_programs", two_programs, "exec'ed another program*|complete",
	  2 },
	{ "shard_circle", shard_circle, "the *", 1 },
	{ "wild_tables", wild_tables, "the record*damaged", 1 },
	{ "wild_points", wild_points, "the record*damaged", 1 },
	{ "wild_graph", wild_graph, "complete", 1 },
	{ "wild_header", wild_header,
	  "the record*damaged|nothing recorded: damaged*", 1 },
};
#define NOISES	    40
#define TEXT_OF(x)  TEXT_OF_(x)
#define TEXT_OF_(x) #x

enum { ACTORS = sizeof actors / sizeof *actors };

/* ---- the recorder and its report --------------------------------------- */

static int
listen_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	address.sun_family = AF_UNIX;
	if (bind(fd, (struct sockaddr *)&address, sizeof address.sun_family) ||
	    listen(fd, 100) != 0)
		exit(97);
	address_bytes = sizeof address;
	getsockname(fd, (struct sockaddr *)&address, &address_bytes);
	return fd;
}

static pid_t
start_recorder(int listener)
{
	char self[4096], number[16];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 40);
	self[n > 0 ? n : 0] = 0;
	*strrchr(self, '/') = 0;
	strcat(self, "/../../zrecord");
	snprintf(number, sizeof number, "%d", listener);
	pid_t pid = fork();
	if (pid == 0) {
		execl(self, self, "--serve", number, "-o", report, "--interval",
		      "10ms", NULL);
		perror(self);
		_exit(127);
	}
	return pid;
}

static pid_t
start_actor(void (*act)(void), int hold)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		char c;
		say_hello(build());
		if (hold >= 0 && read(hold, &c, 1) != 1)
			_exit(96);
		act();
		_exit(95);
	}
	return pid;
}

/* One value of the report as text; "" when there is none. */
static const char *
value(sqlite3 *db, const char *format, ...)
{
	static char text[400];
	sqlite3_stmt *s = NULL;
	va_list args;
	va_start(args, format);
	char *sql = sqlite3_vmprintf(format, args);
	va_end(args);
	int code = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
	text[0] = 0;
	if (code == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW &&
	    sqlite3_column_type(s, 0) != SQLITE_NULL)
		snprintf(text, sizeof text, "%s",
			 (const char *)sqlite3_column_text(s, 0));
	else if (code != SQLITE_OK)
		snprintf(text, sizeof text, "%s", sqlite3_errmsg(db));
	sqlite3_finalize(s);
	sqlite3_free(sql);
	return text;
}

static void
expect(sqlite3 *db, const char *name, const char *wanted, const char *sql)
{
	const char *got = value(db, "%s", sql);
	check(strcmp(got, wanted) == 0, name, got);
}

static int
matches(const char *alternatives, const char *text)
{
	char one[200];
	while (*alternatives) {
		size_t n = strcspn(alternatives, "|");
		snprintf(one, sizeof one, "%.*s", (int)n, alternatives);
		if (sqlite3_strglob(one, text) == 0)
			return 1;
		alternatives += n + (alternatives[n] == '|');
	}
	return 0;
}

static void
check_actors(sqlite3 *db, const pid_t *pids)
{
	for (int i = 0; i < ACTORS; i++) {
		char rows[16];
		const char *n = value(
		    db, "SELECT count(*) FROM process WHERE pid=%d", pids[i]);
		snprintf(rows, sizeof rows, "%d", actors[i].rows);
		check(strcmp(n, rows) == 0, actors[i].name, n);
		const char *r =
		    value(db,
			  "SELECT recording FROM process WHERE pid=%d "
			  "ORDER BY process_id",
			  pids[i]);
		check(matches(actors[i].recording, r), actors[i].name, r);
	}
}

/* The clean process has process_id 1: it was the first. */
static void
check_numbers(sqlite3 *db)
{
	expect(db, "totals", "1012 1000 16831712 12 16781712 16781712",
	       "SELECT allocations||' '||frees||' '||bytes_allocated||' '||"
	       "live_blocks||' '||live_bytes||' '||peak_bytes FROM process "
	       "WHERE process_id=1");
	expect(db, "times", "1700000000.0 0.25 0.6 8192 3",
	       "SELECT started||' '||peak_t||' '||scan_t||' '||peak_error||' '"
	       "||inherited_frees FROM process WHERE process_id=1");
	expect(db, "exit code", "3",
	       "SELECT exit_code FROM process WHERE process_id=1");
	expect(db, "command",
	       "[\"fake\",\"--name\",\"with \\\"quotes\\\""
	       "\\u000a\"]",
	       "SELECT command FROM process WHERE process_id=1");
	expect(db, "nano block",
	       "268435520 20 32 32 DefaultMallocZone 1 2.0 "
	       "indirect malloc",
	       "SELECT address||' '||size||' '||usable_size||' '||size_class||"
	       "' '||zone||' '||thread_id||' '||allocated_at||' '||leak_kind||"
	       "' '||made_by FROM block WHERE process_id=1 AND "
	       "address=268435456+64");
	expect(db, "rack block",
	       "536871712 300 320 320 2 definite new[] time "
	       "NULL",
	       "SELECT address||' '||size||' '||usable_size||' '||size_class||"
	       "' '||thread_id||' '||leak_kind||' '||made_by||' time '||"
	       "quote(allocated_at) FROM block WHERE "
	       "process_id=1 AND address>=536870912 AND address<600000000");
	expect(db, "large block", "139637976727552 16781212 16781312 33554432",
	       "SELECT address||' '||size||' '||usable_size||' '||size_class "
	       "FROM block WHERE process_id=1 AND address>600000000");
	expect(db, "blocks", "12",
	       "SELECT count(*) FROM block WHERE process_id=1");
	expect(db, "leaks by stack",
	       "definite 2 320 2 40,indirect 2 40 0 0,possible 1 20 0 0,"
	       "reachable 7 16781332 0 0",
	       "SELECT group_concat(x) FROM (SELECT kind||' '||blocks||' '||"
	       "bytes||' '||indirect_blocks||' '||indirect_bytes x FROM "
	       "leak_by_stack WHERE process_id=1 ORDER BY kind)");
}

static void
check_holders(sqlite3 *db)
{
	expect(db, "holders", "data fake_root 8,268435584 16",
	       "SELECT group_concat(x) FROM (SELECT ifnull(r.kind||' '||"
	       "r.symbol,holder_address)||' '||holder_offset x FROM "
	       "block_holder h LEFT JOIN root r USING (root_id) WHERE "
	       "h.process_id=1 AND h.address IN (268435456+128,268435456+160) "
	       "ORDER BY h.address)");
	expect(db, "indirect block", "268435456 8",
	       "SELECT holder_address||' '||holder_offset FROM block_holder "
	       "WHERE process_id=1 AND address=268435456+64");
	expect(db, "retained", "0.5 5 100 1,0.6 2 40 1",
	       "SELECT group_concat(t||' '||blocks||' '||bytes||' '||"
	       "direct_blocks) FROM root_retained JOIN root r USING (root_id) "
	       "WHERE r.process_id=1");
	expect(db, "lost between", "0.5 0.6",
	       "SELECT held_at||' '||lost_at FROM block WHERE process_id=1 AND "
	       "address=268435456");
	expect(db, "last holder", "1 8 fake_leaf 8",
	       "SELECT group_concat(ifnull(function,l.root_id>0)||' '||"
	       "l.offset,' ') FROM block_holder b JOIN last_holder l ON "
	       "path_id=last_holder_path LEFT JOIN stack_frame f ON "
	       "f.stack_id=l.stack_id AND f.depth=0 WHERE b.process_id=1 AND "
	       "address=268435456");
}

static void
check_rest(sqlite3 *db)
{
	expect(db, "frames",
	       "fake_leaf fake_session.c,fake_caller "
	       "fake_session.c",
	       "SELECT group_concat(function||' '||replace(file,rtrim(file,"
	       "replace(file,'/','')),'')) FROM (SELECT * FROM stack_frame f "
	       "JOIN stack_total t USING (stack_id) WHERE process_id=1 AND "
	       "live_blocks=12 ORDER BY depth)");
	expect(db, "cut", "<frames left out: depth limit> 1",
	       "SELECT function||' '||frames_cut FROM stack_frame JOIN "
	       "stack_total USING (stack_id) JOIN process USING (process_id) "
	       "WHERE process_id=1 AND temporary=11 AND depth=0");
	expect(db, "threads", "4711 main,4712 sixteen-bytes-xx",
	       "SELECT group_concat(tid||' '||name) FROM thread WHERE "
	       "process_id=1");
	expect(db, "mark", "0.5 half 12 3456",
	       "SELECT t||' '||label||' '||live_blocks||' '||live_bytes "
	       "FROM mark WHERE process_id=1");
	expect(db, "growth", "1000 50000 0 0",
	       "SELECT total_blocks||' '||total_bytes||' '||live_blocks||' '||"
	       "live_bytes FROM growth_by_class WHERE process_id=1 AND "
	       "size_class=64 ORDER BY t DESC LIMIT 1");
	expect(db, "mapped", "17895424",
	       "SELECT mapped_bytes FROM process_sample WHERE process_id=1 "
	       "ORDER BY t DESC LIMIT 1");
	expect(db, "samples", "1",
	       "SELECT count(*)>=2 AND min(t)<1 AND max(rss_bytes)>0 FROM "
	       "process_sample WHERE process_id=1");
	expect(db, "integrity", "ok", "PRAGMA integrity_check");
	expect(db, "one file", "delete", "PRAGMA journal_mode");
}

int
main(void)
{
	pid_t pids[ACTORS];
	int status, listener, hold[2];
	sqlite3 *db;
	snprintf(folder, sizeof folder, "/tmp/fake_session.XXXXXX");
	if (!mkdtemp(folder) || pipe(hold) != 0)
		return 1;
	snprintf(report, sizeof report, "%s/report.db", folder);
	listener = listen_socket();
	pid_t recorder = start_recorder(listener);
	close(listener);
	/* The first one stays until the others are gone: with it the
	 * recording ends. */
	pids[0] = start_actor(actors[0].act, hold[0]);
	usleep(100000);
	for (int i = 1; i < ACTORS; i++) {
		pids[i] = start_actor(actors[i].act, -1);
		waitpid(pids[i], &status, 0);
	}
	for (seed = 1; seed <= NOISES; seed++)
		waitpid(start_actor(noise, -1), &status, 0);
	usleep(100000);
	(void)!write(hold[1], "x", 1);
	waitpid(pids[0], &status, 0);
	waitpid(recorder, &status, 0);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "recorder ends",
	      "status");
	if (sqlite3_open_v2(report, &db, SQLITE_OPEN_READONLY, NULL) !=
	    SQLITE_OK) {
		check(0, "report", sqlite3_errmsg(db));
		return 1;
	}
	expect(db, "noise", "1",
	       "SELECT count(*)>=" TEXT_OF(NOISES) " FROM process");
	check_actors(db, pids);
	check_numbers(db);
	check_holders(db);
	check_rest(db);
	sqlite3_close(db);
	unlink(report);
	rmdir(folder);
	return failures != 0;
}
