/*
 * roots.c - the memory where the program's pointers begin.
 *
 * Every private writable mapping of /proc/self/maps: data of modules, [heap],
 * anonymous mappings, thread-local storage, stacks from the stack pointer
 * upwards; without the blocks of our zones and without our own memory.
 * Memory is copied out by the kernel, so that a mapping that vanishes is an
 * error number and not a fault; pages that are not there are not touched.
 * Called by scan.c while the other threads are stopped.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "logger/logger.h"
#include "malloc/options.h"
#include "os/os.h"
#include "scan/scan.h"

enum {
	LINE = 8192,
	PIECE = 64 << 10, /* bytes copied at once; slices of the arena */
	PAGE = 4096,
	SPARSE_MIN = 32 * PAGE, /* from here on look which pages are there */
	ENTRIES = 512,
	DESCRIPTOR = 4096 /* bytes of libc's struct of a thread, at most */
};

#define PRESENT (UINT64_C(3) << 62) /* in memory or swapped out */

struct mapping {
	uintptr_t start, end;
	char perms[5];
	const char *path;
};

/* ---- /proc/self/maps -------------------------------------------------- */

static uintptr_t
hex(const char **s)
{
	uintptr_t v = 0;

	for (;; ++*s) {
		char c = **s;
		if (c >= '0' && c <= '9')
			v = v << 4 | (uintptr_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uintptr_t)(c - 'a' + 10);
		else
			return v;
	}
}

static bool
parse(const char *line, struct mapping *m)
{
	const char *s = line;

	m->start = hex(&s);
	if (*s++ != '-')
		return false;
	m->end = hex(&s);
	if (*s++ != ' ' || strlen(s) < 5 || m->end < m->start)
		return false;
	memcpy(m->perms, s, 4);
	m->perms[4] = 0;
	for (int i = 0; i < 4; i++) {
		s = strchr(s, ' ');
		if (!s)
			return false;
		while (*s == ' ')
			s++;
	}
	m->path = s;
	return true;
}

/* Calls fn for each mapping.  0 or -errno. */
static int
each_mapping(struct zm_scan *s,
	     void (*fn)(struct zm_scan *, const struct mapping *))
{
	char buf[LINE + 1];
	size_t have = 0;
	ssize_t n;
	int fd = zm_os_open("/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	while ((n = zm_os_read(fd, buf + have, LINE - have)) > 0) {
		char *line = buf, *nl;
		struct mapping m;
		have += (size_t)n;
		buf[have] = 0;
		for (; (nl = memchr(line, '\n', (size_t)(buf + have - line)));
		     line = nl + 1) {
			*nl = 0;
			if (parse(line, &m))
				fn(s, &m);
		}
		have = (size_t)(buf + have - line);
		memmove(buf, line, have);
	}
	zm_os_close(fd);
	return (int)n;
}

/* ---- what cannot be read ---------------------------------------------- */

static void
note_hole(struct zm_scan *s, const struct mapping *m)
{
	if (m->perms[0] == 'r' || m->end <= s->lo || m->start >= s->hi)
		return;
	if (s->holes && s->hole[s->holes - 1].end == m->start) {
		s->hole[s->holes - 1].end = m->end;
		return;
	}
	if (s->holes < s->hole_room)
		s->hole[s->holes++] = (struct zm_hole){ m->start, m->end };
}

int
zm_scan_holes(struct zm_scan *s)
{
	s->holes = 0;
	int err = each_mapping(s, note_hole);
	return err == 0 && s->holes == s->hole_room ? -E2BIG : err;
}

bool
zm_scan_readable_slow(const struct zm_scan *s, uintptr_t start, size_t bytes)
{
	uint32_t lo = 0, hi = s->holes;

	while (lo < hi) { /* the first hole that ends behind start */
		uint32_t mid = (lo + hi) / 2;
		if (s->hole[mid].end <= start)
			lo = mid + 1;
		else
			hi = mid;
	}
	uintptr_t from = lo ? s->hole[lo - 1].end : 0;
	uintptr_t to = lo < s->holes ? s->hole[lo].start : UINTPTR_MAX;
	if (start >= from && start < to)
		*s->clear = (struct zm_hole){ from, to };
	return to >= start + bytes;
}

/* ---- pages ------------------------------------------------------------ */

void
zm_scan_present(struct zm_scan *s, uintptr_t start, uintptr_t end,
		void (*fn)(struct zm_scan *, uintptr_t, uintptr_t))
{
	size_t page = zm_os_page_size();
	uint64_t entry[ENTRIES];
	uintptr_t run = 0; /* start of the present pages before at */

	if (s->pagemap < 0 || end - start < SPARSE_MIN) {
		fn(s, start, end);
		return;
	}
	uintptr_t at = start & ~(page - 1);
	while (at < end) {
		ssize_t n = zm_os_pread(s->pagemap, entry, sizeof entry,
					(int64_t)(at / page * 8));
		if (n < 8) { /* cannot tell */
			fn(s, run ? run : at > start ? at : start, end);
			return;
		}
		for (ssize_t i = 0; i < n / 8 && at < end; i++, at += page) {
			bool present = entry[i] & PRESENT;
			if (present && !run)
				run = at > start ? at : start;
			if (!present && run) {
				fn(s, run, at);
				run = 0;
			}
		}
	}
	if (run)
		fn(s, run, end);
}

/* Copies and marks; what has become unreadable is skipped page by page. */
static void
read_root(struct zm_scan *s, uintptr_t at, uintptr_t end)
{
	size_t page = zm_os_page_size();
	int pid = zm_os_getpid();

	while (at < end) {
		size_t n = end - at < PIECE ? end - at : PIECE;
		ssize_t got =
		    zm_os_process_vm_read(pid, s->buffer, (void *)at, n);
		if (got == -ENOSYS || got == -EPERM) {
			/* Not allowed here: read it where it is. */
			memcpy(s->buffer, (void *)at, n);
			got = (ssize_t)n;
		}
		if (got <= 0) {
			at = (at + page) & ~(page - 1);
			continue;
		}
		zm_graph_root(s, at);
		zm_mark_words(s, (uintptr_t *)s->buffer,
			      (size_t)got / sizeof(uintptr_t), 0);
		s->root_bytes += (uint64_t)got;
		at += (uintptr_t)got & ~(uintptr_t)7;
	}
}

/* ---- roots ------------------------------------------------------------ */

/* The library's own data, unless it is linked into the program. */
static struct zm_hole
own_data(void)
{
	unsigned own = zm_module_of((uintptr_t)&own_data);
	const struct zs_module *m = &zm_session.modules[own];

	if (!own || !m->path ||
	    (zm_session.h->exe && !strcmp(zm_session.base + zm_session.h->exe,
					  zm_session.base + m->path)))
		return (struct zm_hole){ 0, 0 };
	return (struct zm_hole){ m->start, m->end };
}

/* Whether `at` lies in a range; if not, *clear ends where that begins. */
static size_t
inside(struct zm_hole r, uintptr_t at, size_t *clear)
{
	if (at >= r.start && at < r.end)
		return r.end - at;
	if (at<r.start && * clear> r.start - at)
		*clear = r.start - at;
	return 0;
}

/* A thread's own data at a fixed distance from its thread pointer: static
 * thread-local storage and libc's descriptor, which holds pthread keys. */
static struct zm_hole
thread_data(const struct zm_scan *s, uintptr_t tp)
{
#if defined(__x86_64__)
	struct zm_hole r = { tp, tp + DESCRIPTOR };
#else
	struct zm_hole r = { tp - DESCRIPTOR, tp };
#endif

	for (unsigned i = 0; i < s->graph.tls_count; i++) {
		uintptr_t at = tp + s->graph.tls[i].at;
		uintptr_t end = at + s->graph.tls[i].bytes;
		r.start = at < r.start ? at : r.start;
		r.end = end > r.end ? end : r.end;
	}
	r.start &= ~(uintptr_t)7;
	return r;
}

/* Bytes from `at` that belong to a thread, as above. */
static size_t
threads_own(const struct zm_scan *s, uintptr_t at, size_t *clear)
{
	size_t n = inside(thread_data(s, zm_thread_pointer()), at, clear);

	for (uint32_t i = 0; !n && i < s->stop.count; i++)
		n = inside(thread_data(s, s->stop.thread[i].tp), at, clear);
	return n;
}

/* Bytes from `at` that are ours, 0 when none are; *clear: bytes that are
 * not. */
static size_t
ours(const struct zm_scan *s, uintptr_t at, size_t *clear)
{
	struct zm_hole scan = { (uintptr_t)s->memory,
				(uintptr_t)s->memory + s->memory_bytes };
	size_t n;

	if ((n = zm_os_own(at, clear)) || (n = inside(scan, at, clear)) ||
	    (n = inside(s->own, at, clear)) || (n = zm_ended_stack(at, clear)))
		return n;
	if (!zm_options.scan_thread_local && (n = threads_own(s, at, clear)))
		return n;
	if (at + *clear <= s->lo || at >= s->hi)
		return 0;
	struct zm_region *r = zm_region_of((void *)at);
	uintptr_t slice = (at | (PIECE - 1)) + 1;
	if (r)
		return r->base + r->bytes > at ? r->base + r->bytes - at
					       : slice - at;
	if (*clear > slice - at)
		*clear = slice - at;
	return 0;
}

static void
read_mapping(struct zm_scan *s, uintptr_t at, uintptr_t end)
{
	while (at < end) {
		size_t clear = end - at;
		size_t skip = ours(s, at, &clear);
		if (skip) {
			if (skip >= end - at)
				return;
			at += skip;
			continue;
		}
		if (clear > end - at)
			clear = end - at;
		zm_scan_present(s, at, at + clear, read_root);
		at += clear;
	}
}

/* The lowest live word of the stacks in a mapping; UINTPTR_MAX: it has none. */
static uintptr_t
live_part(const struct zm_scan *s, const struct mapping *m)
{
	uintptr_t from = UINTPTR_MAX;

	if (s->sp >= m->start && s->sp < m->end)
		from = s->sp;
	for (uint32_t i = 0; i < s->stop.count; i++) {
		uintptr_t sp = s->stop.thread[i].sp & ~(uintptr_t)7;
		if (sp >= m->start && sp < m->end && sp < from)
			from = sp;
	}
	return from;
}

/* The threads' own data in a mapping whose stacks are left out. */
static void
read_thread_data(struct zm_scan *s, const struct mapping *m)
{
	for (uintptr_t at = m->start; at < m->end;) {
		size_t clear = m->end - at;
		size_t n = threads_own(s, at, &clear);
		if (n > m->end - at)
			n = m->end - at;
		if (n)
			read_mapping(s, at, at + n);
		at += n ? n : clear;
	}
}

static void
root_mapping(struct zm_scan *s, const struct mapping *m)
{
	if (m->perms[0] != 'r' || m->perms[1] != 'w' || m->perms[3] != 'p')
		return;
	if (!strncmp(m->path, "/dev/", 5) && strcmp(m->path, "/dev/zero") != 0)
		return;
	zm_graph_mapping(s, m->start, m->end, m->path);
	uintptr_t from = live_part(s, m);
	bool stack = from != UINTPTR_MAX, data = zm_module_of(m->start) != 0;
	if (stack  ? zm_options.scan_stacks
	    : data ? zm_options.scan_data
		   : zm_options.scan_mappings)
		read_mapping(s, stack ? from : m->start, m->end);
	else
		read_thread_data(s, m);
}

/*
 * libc keeps a thread's table of dynamic thread-local blocks by the address of
 * its second entry: it counts as the table's start.
 */
static void
read_table(struct zm_scan *s, uintptr_t tp)
{
#if defined(__x86_64__)
	enum { TABLE = 8 };
#else
	enum { TABLE = 0 };
#endif
	uintptr_t table = 0;

	ssize_t got = zm_os_process_vm_read(zm_os_getpid(), &table,
					    (void *)(tp + TABLE), sizeof table);
	if (got == -ENOSYS || got == -EPERM)
		memcpy(&table, (void *)(tp + TABLE), sizeof table);
	else if (got != (ssize_t)sizeof table)
		return;
	table -= 2 * sizeof(void *);
	zm_mark_words(s, &table, 1, 0);
}

static void
read_tables(struct zm_scan *s)
{
	zm_graph_registers(s, s->tid);
	read_table(s, zm_thread_pointer());
	for (uint32_t i = 0; i < s->stop.count; i++) {
		zm_graph_registers(s, s->stop.thread[i].tid);
		read_table(s, s->stop.thread[i].tp);
	}
	zm_ended_each(read_table, s);
}

static void
read_registers(struct zm_scan *s)
{
	zm_graph_registers(s, s->tid);
	zm_mark_words(s, s->reg, s->regs, 0);
	zm_mark_words(s, s->vec, s->vecs, 0);
	for (uint32_t i = 0; i < s->stop.count; i++) {
		const struct zm_stopped *t = &s->stop.thread[i];
		zm_graph_registers(s, t->tid);
		zm_mark_words(s, t->reg, t->count, 0);
		zm_mark_words(s, t->vec, t->vecs, 0);
	}
}

int
zm_scan_roots(struct zm_scan *s)
{
	s->own = own_data();
	if (zm_options.scan_registers)
		read_registers(s);
	if (zm_options.scan_thread_local)
		read_tables(s);
	return each_mapping(s, root_mapping);
}
