/*
 * scan.c - one scan from beginning to end.
 *
 * Threads stop first, then memory is mapped for states and lists (their number
 * is known only now), then roots, marks and verdicts.  When anything fails the
 * blocks stay "unscanned" and the header says so.  Called by logger/record.c,
 * leave.c and snapshot.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "logger/logger.h"
#include "os/os.h"
#include "scan/scan.h"
#include "zone/szone.h"

enum { WORK_ROOM = 1 << 20, HOLE_ROOM = 1 << 16, BUFFER = 64 << 10 };

/* ---- memory ----------------------------------------------------------- */

static size_t
carve(size_t *at, size_t bytes)
{
	size_t mine = *at;

	*at += (bytes + 63) & ~(size_t)63;
	return mine;
}

/* Counts regions and states; an id beyond its region's life is left out. */
static void
survey(struct zm_scan *s)
{
	s->lo = UINTPTR_MAX;
	s->ids = zm_ledger_end;
	for (uint32_t id = 0; id < s->ids; id++) {
		struct zm_region *r = zm_ledger_region(id);
		if (!r)
			continue;
		s->regions++;
		s->states += r->tag_count;
		s->heap_bytes += r->bytes;
		if (r->base < s->lo)
			s->lo = r->base;
		if (r->base + r->bytes > s->hi)
			s->hi = r->base + r->bytes;
	}
	s->states++; /* 0: no state */
}

static int
get_memory(struct zm_scan *s)
{
	size_t n = 0;
	size_t order = carve(&n, s->regions * sizeof *s->order);
	size_t first = carve(&n, s->ids * sizeof *s->first);
	size_t state = carve(&n, s->states);
	size_t work = carve(&n, WORK_ROOM * sizeof *s->work);
	size_t hole = carve(&n, (HOLE_ROOM + 1) * sizeof *s->hole);
	size_t buffer = carve(&n, BUFFER);
	/* Not zm_os_map: a stopped thread may hold its register's lock. */
	long at =
	    zm_os_mmap(NULL, n, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at < 0)
		return -ENOMEM;
	char *p = (char *)(uintptr_t)at;
	zm_os_madvise(p, n, MADV_HUGEPAGE); /* states are read in no order */
	s->memory = p;
	s->memory_bytes = n;
	s->order = (void *)(p + order);
	s->first = (void *)(p + first);
	s->state = (void *)(p + state);
	s->work = (void *)(p + work);
	s->work_room = WORK_ROOM;
	s->hole = (void *)(p + hole);
	s->hole_room = HOLE_ROOM;
	s->clear = s->hole + HOLE_ROOM;
	s->buffer = p + buffer;
	return 0;
}

static uintptr_t
base_of(uint32_t id)
{
	return zm_ledger_region(id)->base;
}

/* Shell's sort: no recursion, no memory, mostly sorted already. */
static void
sort_regions(uint32_t *id, uint32_t n)
{
	static const uint32_t gaps[] = { 88573, 29524, 9841, 3280, 1093, 364,
					 121,	40,    13,   4,	   1 };

	for (unsigned g = 0; g < sizeof gaps / sizeof gaps[0]; g++) {
		uint32_t gap = gaps[g];
		for (uint32_t i = gap; i < n; i++) {
			uint32_t v = id[i], k = i;
			uintptr_t base = base_of(v);
			for (; k >= gap && base_of(id[k - gap]) > base;
			     k -= gap)
				id[k] = id[k - gap];
			id[k] = v;
		}
	}
}

static void
lay_out(struct zm_scan *s)
{
	uint64_t at = 1;
	uint32_t n = 0;

	for (uint32_t id = 0; id < s->ids && n < s->regions; id++) {
		struct zm_region *r = zm_ledger_region(id);
		if (!r || at + r->tag_count > s->states)
			continue;
		s->first[id] = at;
		at += r->tag_count;
		s->order[n++] = id;
	}
	s->regions = n;
	sort_regions(s->order, n);
}

/* ---- the scan --------------------------------------------------------- */

static void
note_free(uintptr_t p, size_t bytes, void *ctx)
{
	struct zm_scan *s = ctx;
	struct zm_block b;

	(void)bytes;
	if (!zm_block_at((void *)p, &b) || b.start != p ||
	    b.region->id >= s->ids || !s->first[b.region->id])
		return;
	s->state[s->first[b.region->id] + b.index] = ZM_STATE_FREE;
}

static int
run(struct zm_scan *s)
{
	survey(s);
	int err = get_memory(s);
	if (err < 0)
		return err;
	lay_out(s);
	/* without tags, the marks alone would call these live */
	if (s->frozen && zm_szone_cached())
		zm_szone_waiting(zm_szone_cached(), note_free, s);
	zm_graph_start(s);
	s->pagemap = zm_os_open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
	err = zm_scan_holes(s);
	if (err == 0) {
		s->pass = ZM_PASS_REACH;
		err = zm_scan_roots(s);
	}
	if (err == 0) {
		zm_mark_drain(s);
		zm_verdicts(s);
	}
	if (s->pagemap >= 0)
		zm_os_close(s->pagemap);
	zm_os_syscall(SYS_munmap, (long)s->memory, (long)s->memory_bytes, 0, 0,
		      0, 0);
	return err;
}

void
zm_scan_prepare(struct zm_scan *s, const struct zm_self *self, bool locks)
{
	*s = (struct zm_scan){ .sp = self->sp,
			       .reg = self->reg,
			       .regs = self->regs,
			       .vec = self->vec,
			       .vecs = self->vecs,
			       .tid = zm_os_gettid() };
	s->follow_untagged =
	    zm_session.cause != ZS_CAUSE_START || zm_session.sample;
	__atomic_fetch_add(&zm_session.h->scans_begun, 1, __ATOMIC_RELAXED);
	if (locks)
		zm_modules_refresh();
	zm_graph_prepare(s, locks);
}

int
zm_scan_stop(struct zm_scan *s)
{
	s->begin_ns = zm_session_ns();
	/* what is allocated from now on is later than the scan */
	zm_clock_set(s->begin_ns / 1000000 + 1);
	return zm_stop_threads(&s->stop);
}

int
zm_scan_run(struct zm_scan *s)
{
	struct zs_header *h = zm_session.h;
	int err = run(s);

	if (err < 0)
		return err;
	uint64_t end = zm_session_ns();
	h->scan_begin_ns = s->begin_ns;
	h->scan_threads = s->stop.count + 1;
	h->scan_threads_missed = s->stop.missed;
	h->scan_root_bytes = s->root_bytes;
	h->scan_bytes = s->block_bytes;
	h->scan_end_ns = end;
	zm_graph_finish(s, s->begin_ns, end);
	__atomic_fetch_add(&h->scans_done, 1, __ATOMIC_RELEASE);
	return 0;
}

int
zm_scan(const struct zm_self *self, bool locks, struct zm_stop *stay)
{
	struct zm_scan s;

	zm_scan_prepare(&s, self, locks);
	int stopped = zm_scan_stop(&s);
	__atomic_store_n(&zm_session.h->groups.count, 1, __ATOMIC_RELEASE);
	int err = zm_scan_run(&s);
	/* what threads that run on allocate is later than the scan */
	zm_clock_set(zm_session_ns() / 1000000 + 1);
	if (stay)
		*stay = s.stop;
	else
		zm_resume_threads(&s.stop);
	if (stopped < 0)
		zm_session.h->scan_threads_missed = 1;
	if (stopped < 0 || s.stop.missed)
		zm_trouble(ZS_TROUBLE_THREADS_MISSED);
	if (err < 0)
		zm_trouble(ZS_TROUBLE_SCAN_FAILED);
	return err;
}
