/*
 * memory.c - see memory.h.
 *
 * Neighbouring anonymous mappings may be merged by the kernel and names of
 * mappings are an option of its build, so what is the allocator's is told by
 * address: regions from the directory in the segment, all else that the
 * library has mapped from a table in the process (header.own_ranges).  All
 * three change while we read: a page counts for what it is when it is met.
 */
#include "memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* A look is followed by so many times its own CPU time without one: less when
 * the resident memory has changed by a sixty-fourth. */
#define LOOK_SHARE_IDLE 400
#define LOOK_SHARE	100
#define LOOK_LEAST	0.05 /* seconds between looks */
enum {
	OWN_MAX = 1 << 16,   /* entries of the table in the process */
	PAGES_READ = 4096,   /* of pagemap at a time */
	PAGES_MAX = 1 << 28, /* in all regions: 1 TiB */
};
#define ENTRY_PRESENT (UINT64_C(1) << 63)

struct spot { /* a region at the time of the look */
	uint64_t base, end;
	uint64_t resident; /* bytes */
	size_t first;	   /* of its pages in memory.bits */
	uint32_t region, generation;
	int logger;
};

struct range {
	uint64_t start, end;
};

struct memory {
	double t; /* of the look, since the session's zero */
	uint64_t part[PARTS];
	uint64_t live, slack; /* by the counters at that time */
	int own_known;
	int written;   /* while it runs */
	uint64_t page; /* bytes */
	struct spot *spot;
	uint32_t *of_region; /* 1 + index in spot; 0: not there */
	uint32_t spots, regions;
	uint64_t *bits; /* resident pages */
	size_t pages;
	struct range *own; /* sorted; only during the look */
	size_t owns;
};

/* ---- what is whose ---------------------------------------------------- */

static int
by_base(const void *pa, const void *pb)
{
	const struct spot *a = pa, *b = pb;
	return (a->base > b->base) - (a->base < b->base);
}

static int
by_start(const void *pa, const void *pb)
{
	const struct range *a = pa, *b = pb;
	return (a->start > b->start) - (a->start < b->start);
}

/* The regions that exist now.  0, or -1. */
static int
read_regions(struct memory *m, const struct segment *seg)
{
	uint32_t n;
	struct zs_region *r = segment_table(seg, &seg->h.regions, &n);
	m->regions = n;
	m->spot = calloc(n ? n : 1, sizeof *m->spot);
	m->of_region = calloc(n ? n : 1, sizeof *m->of_region);
	for (uint32_t i = 0; r && m->spot && m->of_region && i < n; i++) {
		uint64_t end;
		if (r[i].tier == ZS_TIER_NONE || r[i].base % m->page != 0 ||
		    __builtin_add_overflow(r[i].base, r[i].bytes, &end) ||
		    r[i].bytes / m->page + 1 > PAGES_MAX - m->pages)
			continue;
		m->spot[m->spots++] =
		    (struct spot){ .base = r[i].base,
				   .end = end,
				   .first = m->pages,
				   .region = i,
				   .generation = r[i].generation,
				   .logger = r[i].zone == ZS_ZONE_LOGGER };
		m->pages += (size_t)(r[i].bytes / m->page) + 1;
	}
	free(r);
	m->bits = calloc(m->pages / 64 + 1, sizeof *m->bits);
	if (!m->spot || !m->of_region || !m->bits)
		return -1;
	qsort(m->spot, m->spots, sizeof *m->spot, by_base);
	for (uint32_t i = 0; i < m->spots; i++)
		m->of_region[m->spot[i].region] = i + 1;
	return 0;
}

/* The library's table of its own mappings: start and end, start 0: unused. */
static void
read_own(struct memory *m, const struct process *p)
{
	const struct zs_header *h = &p->seg.h;
	size_t n = h->own_count, used = 0;
	if (!h->own_ranges || n == 0 || n > OWN_MAX)
		return;
	m->own = calloc(n, sizeof *m->own);
	struct iovec here = { m->own, n * sizeof *m->own };
	/* an address of the other process */
	struct iovec there = { (void *)(uintptr_t)h->own_ranges,
			       n * sizeof *m->own };
	if (!m->own || process_vm_readv(p->pid, &here, 1, &there, 1, 0) !=
			   (ssize_t)here.iov_len)
		return;
	for (size_t i = 0; i < n; i++)
		if (m->own[i].start && m->own[i].end > m->own[i].start)
			m->own[used++] = m->own[i];
	qsort(m->own, used, sizeof *m->own, by_start);
	m->owns = used;
	m->own_known = used != 0;
}

/* How many spots begin at or before addr. */
static size_t
spots_up_to(const struct memory *m, uint64_t addr)
{
	size_t low = 0, high = m->spots;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (m->spot[middle].base <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The same of own mappings. */
static size_t
owns_up_to(const struct memory *m, uint64_t addr)
{
	size_t low = 0, high = m->owns;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (m->own[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct spot *
spot_at(const struct memory *m, uint64_t addr)
{
	size_t n = spots_up_to(m, addr);
	return n && addr < m->spot[n - 1].end ? &m->spot[n - 1] : NULL;
}

static int
is_own(const struct memory *m, uint64_t addr)
{
	size_t n = owns_up_to(m, addr);
	return n && addr < m->own[n - 1].end;
}

/* Does any region or own mapping touch [start, end)? */
static int
touches(const struct memory *m, uint64_t start, uint64_t end)
{
	return spot_at(m, start) || is_own(m, start) ||
	       spots_up_to(m, end - 1) > spots_up_to(m, start) ||
	       owns_up_to(m, end - 1) > owns_up_to(m, start);
}

/* ---- pages ------------------------------------------------------------ */

/* A resident page that is not of a file. */
static void
take_page(struct memory *m, uint64_t addr, struct spot **last)
{
	struct spot *s = *last;
	if (!s || addr < s->base || addr >= s->end)
		*last = s = spot_at(m, addr);
	if (!s) {
		m->part[is_own(m, addr) ? PART_METADATA : PART_ANONYMOUS] +=
		    m->page;
		return;
	}
	size_t bit = s->first + (size_t)((addr - s->base) / m->page);
	m->bits[bit / 64] |= UINT64_C(1) << bit % 64;
	s->resident += m->page;
	m->part[s->logger ? PART_LOGGER : PART_HEAP] += m->page;
}

/* Shares a mapping of which `resident` bytes are resident out among regions,
 * own mappings and the rest. */
static void
take_pages(struct memory *m, int pagemap, uint64_t start, uint64_t end,
	   uint64_t resident)
{
	uint64_t entry[PAGES_READ], seen = 0;
	struct spot *last = NULL;
	for (uint64_t at = start; at < end && seen < resident;) {
		uint64_t n = (end - at) / m->page;
		if (n > PAGES_READ)
			n = PAGES_READ;
		ssize_t got = pread(pagemap, entry, (size_t)n * 8,
				    (off_t)(at / m->page * 8));
		if (got < 8)
			break;
		for (ssize_t i = 0; i < got / 8; i++, at += m->page) {
			if (!(entry[i] & ENTRY_PRESENT))
				continue;
			take_page(m, at, &last);
			seen += m->page;
		}
	}
	/* what came or went between the two readings */
	if (seen < resident)
		m->part[PART_ANONYMOUS] += resident - seen;
}

/* ---- mappings --------------------------------------------------------- */

struct mapping {
	uint64_t start, end;
	char perms[8];
	char *path; /* inside the line; "" */
	enum memory_part part;
	int split; /* by pages */
};

static int
begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* What a mapping is; file_end: where the file mapping before it ended. */
static void
judge(const struct memory *m, struct mapping *v, uint64_t file_end)
{
	int shared = v->perms[3] == 's';
	v->split = 0;
	if (begins(v->path, "/memfd:zmalloc-session"))
		v->part = PART_SESSION;
	else if (shared &&
		 (begins(v->path, "/memfd:") || begins(v->path, "/dev/shm/") ||
		  begins(v->path, "/dev/zero") || begins(v->path, "/SYSV") ||
		  !v->path[0]))
		v->part = PART_SHARED;
	else if (begins(v->path, "[stack]"))
		v->part = PART_STACK;
	else if (v->path[0] == '/' || begins(v->path, "[vdso") ||
		 begins(v->path, "[vvar"))
		v->part = PART_FILES;
	else if (touches(m, v->start, v->end))
		v->split = 1;
	else if (v->start == file_end) /* .bss */
		v->part = PART_FILES;
	else
		v->part = PART_ANONYMOUS;
}

/* The first line of a mapping; 0 when it is another line. */
static int
read_mapping(char *line, struct mapping *v)
{
	unsigned long long start, end;
	int path = 0;
	if (sscanf(line, "%llx-%llx %7s %*s %*s %*s %n", &start, &end, v->perms,
		   &path) < 3 ||
	    !path)
		return 0;
	v->start = start;
	v->end = end;
	v->path = line + path;
	v->path[strcspn(v->path, "\n")] = 0;
	return 1;
}

static int
read_smaps(struct memory *m, FILE *smaps, int pagemap)
{
	struct mapping v = { 0 };
	uint64_t file_end = 0;
	char *line = NULL;
	size_t room = 0;
	int any = 0;
	while (getline(&line, &room, smaps) > 0) {
		unsigned long long kib;
		if (line[0] < 'A' || line[0] > 'Z') {
			if (!read_mapping(line, &v))
				continue;
			judge(m, &v, file_end);
			if (!v.split && v.part == PART_FILES)
				file_end = v.end;
		} else if (sscanf(line, "Rss: %llu", &kib) == 1 && kib) {
			any = 1;
			if (v.split)
				take_pages(m, pagemap, v.start, v.end,
					   kib << 10);
			else
				m->part[v.part] += kib << 10;
		}
	}
	free(line);
	return any ? 0 : -1;
}

/* ---- the look --------------------------------------------------------- */

static void
discard(struct memory *m)
{
	if (!m)
		return;
	free(m->spot);
	free(m->of_region);
	free(m->bits);
	free(m->own);
	free(m);
}

static struct memory *
look(const struct process *p)
{
	char path[40];
	struct memory *m = calloc(1, sizeof *m);
	if (!m || p->pid <= 0)
		return m;
	m->page = (uint64_t)sysconf(_SC_PAGESIZE);
	snprintf(path, sizeof path, "/proc/%d/pagemap", (int)p->pid);
	int pagemap = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof path, "/proc/%d/smaps", (int)p->pid);
	FILE *smaps = pagemap >= 0 ? fopen(path, "re") : NULL;
	int good = smaps && read_regions(m, &p->seg) == 0;
	if (good) {
		read_own(m, p);
		good = read_smaps(m, smaps, pagemap) == 0;
	}
	if (smaps)
		fclose(smaps);
	if (pagemap >= 0)
		close(pagemap);
	free(m->own);
	m->own = NULL;
	if (good)
		return m;
	discard(m);
	return NULL;
}

/* Live bytes and slack as of the last sample.  Usable bytes follow from the
 * class, but for large blocks. */
static void
read_counters(struct memory *m, const struct process *p)
{
	for (unsigned z = 0; z < ZS_ZONES_MAX; z++)
		for (unsigned i = 0; p->classes[z] && i < ZS_CLASSES; i++) {
			const struct zs_counter *c = &p->classes[z][i].now;
			uint64_t bytes = c->bytes - c->freed_bytes;
			uint64_t held =
			    (c->allocations - c->frees) * zs_class_bytes(i);
			/* frees may be newer than their allocations */
			if (c->frees > c->allocations ||
			    c->freed_bytes > c->bytes)
				continue;
			m->live += bytes;
			if (i < ZS_CLASS_LARGE && held > bytes)
				m->slack += held - bytes;
		}
}

static double
cpu_seconds(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static uint64_t
resident_then(const struct memory *m)
{
	uint64_t sum = 0;
	for (int i = 0; i < PARTS; i++)
		sum += m->part[i];
	return sum;
}

static int
has_changed(const struct process *p)
{
	uint64_t then = p->memory ? resident_then(p->memory) : 0;
	uint64_t now = p->resident > 0 ? (uint64_t)p->resident : then;
	return (now > then ? now - then : then - now) > then / 64;
}

/* Is the program looking for leaks?  What that takes is gone at once. */
static int
is_scanning(const struct zs_header *h)
{
	return h->scans_begun != h->scans_done &&
	       !(h->trouble & ZS_TROUBLE_SCAN_FAILED);
}

void
memory_look(struct process *p)
{
	double begin = seconds_now(), cpu = cpu_seconds();
	if (begin < p->next_memory ||
	    (begin < p->idle_memory && !has_changed(p)))
		return;
	/* regions that came since the last sample are to be known */
	if (segment_refresh(&p->seg) == 0 && p->memory &&
	    is_scanning(&p->seg.h))
		return;
	uint32_t scans = p->seg.h.scans_begun;
	struct memory *m = look(p);
	if (m && p->memory && segment_refresh(&p->seg) == 0 &&
	    p->seg.h.scans_begun != scans) {
		discard(m);
		m = NULL;
	}
	double end = seconds_now();
	cpu = cpu_seconds() - cpu;
	p->next_memory = end + LOOK_LEAST + cpu * LOOK_SHARE;
	p->idle_memory = end + LOOK_LEAST + cpu * LOOK_SHARE_IDLE;
	if (!m)
		return; /* the last one still tells something */
	m->t = begin - p->start;
	read_counters(m, p);
	discard(p->memory);
	p->memory = m;
}

void
memory_free(struct process *p)
{
	discard(p->memory);
	p->memory = NULL;
}

/* ---- asking ----------------------------------------------------------- */

static const struct spot *
spot_of(const struct memory *m, uint32_t region, const struct zs_region *r)
{
	if (!m || region >= m->regions || !m->of_region[region])
		return NULL;
	const struct spot *s = &m->spot[m->of_region[region] - 1];
	return s->base == r->base && s->generation == r->generation ? s : NULL;
}

uint64_t
memory_resident(const struct memory *m, uint32_t region,
		const struct zs_region *r, uint64_t from, uint64_t to)
{
	const struct spot *s = spot_of(m, region, r);
	uint64_t sum = 0;
	if (!s)
		return 0;
	if (from < s->base)
		from = s->base;
	if (to > s->end)
		to = s->end;
	while (from < to) {
		uint64_t page = (from - s->base) / m->page;
		uint64_t end = s->base + (page + 1) * m->page;
		size_t bit = s->first + (size_t)page;
		if (end > to)
			end = to;
		if (m->bits[bit / 64] >> bit % 64 & 1)
			sum += end - from;
		from = end;
	}
	return sum;
}

uint64_t
memory_region(const struct memory *m, uint32_t region,
	      const struct zs_region *r)
{
	const struct spot *s = spot_of(m, region, r);
	return s ? s->resident : UINT64_MAX;
}

/* ---- rows ------------------------------------------------------------- */

static void
row(const struct process *p, struct writer *w, const char *part, uint64_t bytes)
{
	writer_row(w, ROW_MEMORY, "idti", p->id, p->memory->t, part,
		   bytes == UINT64_MAX ? NO_INTEGER : (int64_t)bytes);
}

/* All parts but those of the heap. */
static void
write_rest(const struct process *p, struct writer *w)
{
	static const char *const names[PARTS] = { "heap",      "metadata",
						  "logger",    "session",
						  "files",     "stack",
						  "anonymous", "shared" };
	const struct memory *m = p->memory;
	for (int i = PART_HEAP + 1; i < PARTS; i++)
		row(p, w, names[i],
		    i == PART_METADATA && !m->own_known ? UINT64_MAX
							: m->part[i]);
	row(p, w, "rss", resident_then(m));
}

/* The heap's parts: blocks that have no tag look free. */
static void
write_heap(const struct process *p, struct writer *w, uint64_t live,
	   uint64_t slack)
{
	uint64_t heap = p->memory->part[PART_HEAP];
	if (p->seg.h.sample_bytes) {
		row(p, w, "heap", heap);
		return;
	}
	if (live > heap)
		live = heap;
	if (slack > heap - live)
		slack = heap - live;
	row(p, w, "live", live);
	row(p, w, "slack", slack);
	row(p, w, p->seg.h.before_blocks ? "unrecorded" : "free",
	    heap - live - slack);
}

void
memory_progress(struct process *p, struct writer *w)
{
	struct memory *m = p->memory;
	if (!m || m->written)
		return;
	m->written = 1;
	write_heap(p, w, m->live, m->slack);
	write_rest(p, w);
}

void
memory_write(const struct process *p, struct writer *w, uint64_t live,
	     uint64_t slack)
{
	const struct memory *m = p->memory;
	if (!m)
		return;
	writer_row(w, ROW_FORGET_MEMORY, "i", p->id);
	write_rest(p, w);
	/* much came or went between the look and the end: the blocks of the
	 * end say nothing of that moment */
	uint64_t then = m->live, now = p->total.bytes - p->total.freed_bytes;
	if ((now > then ? now - then : then - now) > then / 16)
		write_heap(p, w, m->live, m->slack);
	else
		write_heap(p, w, live, slack);
}
