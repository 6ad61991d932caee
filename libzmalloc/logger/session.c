/*
 * session.c - creates the session segment and lays it out.
 *
 * Runs at the first malloc of the process, when libc may not be initialised,
 * and again at the first event of each fork child.  Relies on system calls
 * alone; whatever fails means that the program runs unrecorded and does not
 * notice.  Called by hook.c and record.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "logger/logger.h"
#include "logger/rules.h"
#include "malloc/options.h"
#include "os/os.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

enum {
	PAGE = 4096,
	ALIGN = 64 << 10, /* of areas: the largest page there is */
	COMMAND_MAX = 1 << 20
};
#define SEGMENT_MAX (UINT64_C(256) << 30)
#define SEGMENT_MIN (UINT64_C(64) << 20)

struct zm_session zm_session;

static uint32_t flag_missing; /* before boot: never active */
volatile uint32_t *zm_session_flag = &flag_missing;

/* ---- time ------------------------------------------------------------- */

static uint64_t
clock_ns(clockid_t id)
{
	struct timespec ts = { 0 };

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t
zm_session_ns(void)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	return now > zm_session.zero_ns ? now - zm_session.zero_ns : 0;
}

void
zm_clock_set(uint64_t ms)
{
	uint32_t *now = &zm_session.h->now_ms;
	uint32_t to = ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
	uint32_t was = __atomic_load_n(now, __ATOMIC_RELAXED);

	while (was < to &&
	       !__atomic_compare_exchange_n(now, &was, to, true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

void
zm_clock_look(struct zm_lthread *t)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC_COARSE);

	t->clock_events = ZM_CLOCK_EVENTS - 1;
	if (now > zm_session.zero_ns)
		zm_clock_set((now - zm_session.zero_ns) / 1000000);
}

/* ---- small writers ---------------------------------------------------- */

void
zm_trouble(uint32_t bits)
{
	if (zm_session_active())
		__atomic_fetch_or(&zm_session.h->trouble, bits,
				  __ATOMIC_RELAXED);
}

void
zm_lost(void)
{
	if (zm_session_active())
		__atomic_fetch_add(&zm_session.h->lost_events, 1,
				   __ATOMIC_RELAXED);
}

uint32_t
zm_table_take(struct zs_table *t)
{
	uint32_t i = __atomic_load_n(&t->count, __ATOMIC_RELAXED);

	do {
		if (i >= t->capacity || !zm_table_open(t, i))
			return 0;
	} while (!__atomic_compare_exchange_n(
	    &t->count, &i, i + 1, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
	return i;
}

/* ---- the pool --------------------------------------------------------- */

uint64_t
zm_pool_alloc(size_t bytes)
{
	struct zm_session *s = &zm_session;
	uint64_t off = __atomic_load_n(&s->pool_used, __ATOMIC_RELAXED);
	uint64_t end;

	do {
		if (bytes > s->bytes || off > s->bytes - bytes) {
			zm_trouble(ZS_TROUBLE_NO_MEMORY);
			return 0;
		}
		end = (off + bytes + 63) & ~UINT64_C(63);
	} while (!__atomic_compare_exchange_n(&s->pool_used, &off, end, true,
					      __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	uint64_t seen = __atomic_load_n(&s->h->pool_used, __ATOMIC_RELAXED);
	while (seen < end &&
	       !__atomic_compare_exchange_n(&s->h->pool_used, &seen, end, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	return zm_pool_open(end) ? off : 0;
}

uint64_t
zm_pool_string(const char *str, size_t len)
{
	uint64_t off = zm_pool_alloc(len + 1);

	if (off)
		memcpy(zm_session.base + off, str, len);
	return off;
}

/* ---- layout ----------------------------------------------------------- */

static uint64_t
place(struct zs_table *t, uint64_t off, uint32_t stride, uint64_t capacity)
{
	t->offset = off;
	t->stride = stride;
	t->capacity = (uint32_t)capacity;
	t->count = 1;
	off += capacity * stride;
	return (off + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
}

/* entries, or fewer when the segment is small: at most 1/part of it. */
static uint64_t
fit(uint64_t entries, uint64_t stride, uint64_t part)
{
	uint64_t most = zm_session.bytes / part / stride;

	return entries < most ? entries : most;
}

static uint64_t
lay_tables(struct zs_header *h)
{
	uint64_t at = ALIGN;

	at = place(&h->regions, at, sizeof(struct zs_region),
		   fit(1 << 20, sizeof(struct zs_region), 16));
	at = place(&h->zones, at, sizeof(struct zs_zone), ZS_ZONES_MAX);
	at = place(&h->nodes, at, sizeof(struct zs_node),
		   fit(1 << 26, sizeof(struct zs_node), 8));
	at = place(&h->stacks, at, sizeof(struct zs_stack),
		   fit(1 << 24, sizeof(struct zs_stack), 8));
	at = place(&h->threads, at, sizeof(struct zs_thread),
		   fit(1 << 20, sizeof(struct zs_thread), 32));
	at = place(&h->modules, at, sizeof(struct zs_module),
		   fit(65535, sizeof(struct zs_module), 32));
	at = place(&h->groups, at, sizeof(struct zs_group),
		   fit(1 << 24, sizeof(struct zs_group), 32));
	at = place(&h->marks, at, sizeof(struct zs_mark),
		   fit(1 << 16, sizeof(struct zs_mark), 64));
	at = place(&h->scans, at, sizeof(struct zs_scan),
		   fit(1 << 20, sizeof(struct zs_scan), 64));
	return place(&h->graph, at, sizeof(uint64_t),
		     fit(1 << 30, sizeof(uint64_t), 16));
}

static void
find_tables(struct zm_session *s)
{
	struct zs_header *h = s->h;

	s->regions = (void *)(s->base + h->regions.offset);
	s->zones = (void *)(s->base + h->zones.offset);
	s->nodes = (void *)(s->base + h->nodes.offset);
	s->stacks = (void *)(s->base + h->stacks.offset);
	s->threads = (void *)(s->base + h->threads.offset);
	s->modules = (void *)(s->base + h->modules.offset);
	s->groups = (void *)(s->base + h->groups.offset);
	s->marks = (void *)(s->base + h->marks.offset);
	s->scans = (void *)(s->base + h->scans.offset);
	s->graph = (void *)(s->base + h->graph.offset);
}

/* Reads a whole file of /proc into the pool; sets *bytes. */
static uint64_t
pool_file(const char *path, uint64_t *bytes)
{
	int fd = zm_os_open(path, O_RDONLY | O_CLOEXEC, 0);
	uint64_t off = zm_session.pool_used;
	uint64_t n = 0;

	if (fd < 0)
		return 0;
	while (n < COMMAND_MAX) {
		uint64_t at = zm_pool_alloc(PAGE);
		if (!at)
			break;
		ssize_t got =
		    zm_os_read(fd, zm_session.base + off + n, PAGE - n % PAGE);
		if (got <= 0)
			break;
		n += (uint64_t)got;
	}
	zm_os_close(fd);
	*bytes = n;
	return n ? off : 0;
}

static void
describe_process(struct zs_header *h)
{
	char path[PAGE];
	ssize_t n;

	h->command = pool_file("/proc/self/cmdline", &h->command_bytes);
	n = zm_os_readlink("/proc/self/exe", path, sizeof path);
	if (n > 0)
		h->exe = zm_pool_string(path, (size_t)n);
}

static bool
fill_header(struct zm_session *s, uint64_t pool_at)
{
	struct zs_header *h = s->h;
	uint64_t first = lay_tables(h);

	h->bytes = s->bytes;
	h->pool = first;
	s->pool_used = pool_at > first ? pool_at : first;
	h->pool_used = s->pool_used;
	h->version = ZS_VERSION;
	h->header_bytes = sizeof *h;
	h->pid = zm_os_getpid();
	h->ppid = zm_os_getppid();
	h->cause = s->cause;
	h->depth = s->depth;
	h->sample_bytes = s->sample;
	h->start_realtime_ns = clock_ns(CLOCK_REALTIME);
	s->zero_ns = clock_ns(CLOCK_MONOTONIC);
	h->start_monotonic_ns = s->zero_ns;
	h->own_ranges = (uintptr_t)zm_os_own_table(&h->own_count);
	zm_history_start();
	find_tables(s);
	return zm_areas_start(first, s->pool_used);
}

/* ---- creating it ------------------------------------------------------ */

static uint64_t
limit_of(int resource)
{
	uint64_t soft, hard;

	return zm_os_getrlimit(resource, &soft, &hard) < 0 ? UINT64_MAX : soft;
}

/* A sparse file of the given size: its descriptor, or -errno.  Never longer
 * than RLIMIT_FSIZE, which would raise SIGXFSZ. */
static int
make_file(uint64_t bytes)
{
	int fd = zm_os_memfd("zmalloc-session", MFD_CLOEXEC);

	if (fd < 0)
		return fd;
	int err = zm_os_ftruncate(fd, (int64_t)bytes);
	if (err < 0) {
		zm_os_close(fd);
		return err;
	}
	return fd;
}

static long
map_file(int fd, uint64_t bytes, void *at)
{
	long p = zm_os_mmap(at, bytes, PROT_NONE,
			    MAP_SHARED | MAP_NORESERVE | (at ? MAP_FIXED : 0),
			    fd, 0);

	if (p >= 0)
		zm_os_madvise((void *)p, bytes, MADV_DONTDUMP);
	return p;
}

static uint64_t
largest_size(void)
{
	uint64_t bytes = SEGMENT_MAX;
	uint64_t space = limit_of(RLIMIT_AS);
	uint64_t file = limit_of(RLIMIT_FSIZE);

	/* A limited program keeps three quarters of its room. */
	while (bytes > SEGMENT_MIN && (bytes > space / 4 || bytes > file))
		bytes /= 2;
	return bytes > file ? 0 : bytes;
}

/* Creates and maps the segment: its descriptor, or -errno. */
static int
create_segment(struct zm_session *s)
{
	long p = -ENOMEM;

	for (uint64_t n = largest_size(); n >= SEGMENT_MIN; n /= 2) {
		int fd = make_file(n);
		if (fd < 0) {
			p = fd;
			continue;
		}
		p = map_file(fd, n, NULL);
		if (p >= 0) {
			s->base = (char *)p;
			s->bytes = n;
			return fd;
		}
		zm_os_close(fd);
	}
	return (int)p;
}

static int
make_flag(void)
{
	void *p = zm_os_map(PAGE, "zmalloc session flag");

	if (!p)
		return -ENOMEM;
	/* Kernels before 4.14 refuse; then the fork handler alone clears it. */
	zm_os_madvise(p, PAGE, MADV_WIPEONFORK);
	zm_session_flag = p;
	return 0;
}

/* Makes the segment valid, hands it over, lets writers in. */
static int
open_session(struct zm_session *s, int fd, uint64_t pool_at)
{
	s->h = (struct zs_header *)s->base;
	if (zm_os_protect(s->base, ALIGN, PROT_READ | PROT_WRITE) < 0 ||
	    !fill_header(s, pool_at)) {
		zm_os_close(fd);
		return -ENOMEM;
	}
	s->generation++;
	describe_process(s->h);
	s->h->zones.count = ZS_ZONES_MAX;
	__atomic_store_n(&s->h->state, ZS_STARTING, __ATOMIC_RELAXED);
	__atomic_store_n(&s->h->magic, ZS_MAGIC, __ATOMIC_RELEASE);
	int err = zm_handover(fd);
	zm_os_close(fd);
	if (err < 0)
		return err;
	__atomic_store_n(&s->h->state, ZS_RUNNING, __ATOMIC_RELEASE);
	return 0;
}

int
zm_session_boot(void)
{
	struct zm_session *s = &zm_session;
	int err = make_flag();

	if (err < 0)
		return err;
	s->depth = (uint32_t)zm_options.tracing_depth;
	s->sample = (uint64_t)zm_options.tracing_sample;
	s->cause = ZS_CAUSE_START;
	if (zm_options.tracing_session)
		zm_handover_name(zm_options.tracing_session,
				 strlen(zm_options.tracing_session));
	else if ((err = zm_launch_recorder()) < 0)
		return err;
	int fd = create_segment(s);
	if (fd < 0)
		return fd;
	err = open_session(s, fd, 0);
	if (err == 0)
		err = zm_ledger_boot(s->h->regions.capacity);
	if (err < 0) {
		zm_os_unmap(s->base, s->bytes);
		s->base = NULL;
	} else {
		*zm_session_flag = 1;
	}
	return err;
}

/*
 * A new segment takes the place of an old one, of this process or its parent,
 * so that every pointer to a tag stays valid and reads as "not recorded".
 */
static int
replace_segment(struct zm_session *s)
{
	int fd =
	    limit_of(RLIMIT_FSIZE) < s->bytes ? -EFBIG : make_file(s->bytes);

	if (fd < 0)
		return fd;
	long p = map_file(fd, s->bytes, s->base);
	if (p >= 0)
		return fd;
	zm_os_close(fd);
	return (int)p;
}

static void
reset_tables(void)
{
	zm_stacks_reset();
	zm_rules_after_fork();
	zm_modules_reset();
	zm_threads_reset();
	zm_hook_zones();
}

int
zm_session_refork(void)
{
	struct zm_session *s = &zm_session;
	uint64_t pool_at = s->pool_used;
	int fd = zm_options.tracing_process ? -EPERM : replace_segment(s);

	if (fd < 0)
		return fd;
	s->cause = ZS_CAUSE_FORK;
	int err = open_session(s, fd, pool_at);
	if (err < 0)
		return err;
	reset_tables();
	zm_ledger_rebuild();
	*zm_session_flag = 1;
	return 0;
}

int
zm_session_begin(void)
{
	struct zm_session *s = &zm_session;
	uint64_t pool_at = s->base ? s->pool_used : 0;
	int err = zm_session_flag == &flag_missing ? make_flag() : 0;

	if (err < 0)
		return err;
	int fd = s->base ? replace_segment(s) : create_segment(s);
	if (fd < 0)
		return fd;
	s->cause = ZS_CAUSE_ATTACH;
	err = open_session(s, fd, pool_at);
	if (err == 0)
		err = zm_ledger_boot(s->h->regions.capacity);
	if (err < 0) {
		zm_areas_drop();
		return err;
	}
	s->failed = 0;
	reset_tables();
	zm_ledger_resume();
	zm_ledger_observe();
	return 0;
}

void
zm_session_close(uint32_t state)
{
	__atomic_store_n(&zm_session.h->state, state, __ATOMIC_RELEASE);
	*zm_session_flag = 0;
	zm_session.failed = 1;
}
