/*
 * segment.c - see segment.h.
 */
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int
segment_read(const struct segment *s, uint64_t off, void *buf, size_t n)
{
	char *out = buf;
	if (off > s->bytes || n > s->bytes - off)
		return -1;
	while (n > 0) {
		ssize_t got = pread(s->fd, out, n, (off_t)off);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		out += got;
		off += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

/* Does the table lie inside the segment, with entries of the size we know? */
static int
table_fits(const struct zs_table *t, size_t stride, uint64_t bytes)
{
	return t->stride == stride && t->offset % 8 == 0 &&
	       t->offset >= sizeof(struct zs_header) && t->offset <= bytes &&
	       t->capacity <= (bytes - t->offset) / stride;
}

static const char *
check_header(const struct zs_header *h, uint64_t bytes)
{
	if (h->magic != ZS_MAGIC)
		return "no session segment";
	if (h->version != ZS_VERSION ||
	    h->header_bytes != sizeof(struct zs_header))
		return "libzmalloc.so and zrecord are of different versions";
	if (h->bytes > bytes || h->bytes < sizeof *h || h->pool > h->bytes)
		return "damaged segment header";
	const struct {
		const struct zs_table *t;
		size_t stride;
	} tables[] = {
		{ &h->regions, sizeof(struct zs_region) },
		{ &h->zones, sizeof(struct zs_zone) },
		{ &h->nodes, sizeof(struct zs_node) },
		{ &h->stacks, sizeof(struct zs_stack) },
		{ &h->threads, sizeof(struct zs_thread) },
		{ &h->modules, sizeof(struct zs_module) },
		{ &h->groups, sizeof(struct zs_group) },
		{ &h->marks, sizeof(struct zs_mark) },
		{ &h->scans, sizeof(struct zs_scan) },
		{ &h->graph, sizeof(uint64_t) },
	};
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		if (tables[i].t->capacity &&
		    !table_fits(tables[i].t, tables[i].stride, h->bytes))
			return "damaged table in the segment";
	return NULL;
}

int
segment_open(struct segment *s, int fd, const char **why)
{
	struct stat st;
	*s = (struct segment){ .fd = fd };
	*why = "no session segment";
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
		s->bytes = (uint64_t)st.st_size;
		if (segment_read(s, 0, &s->h, sizeof s->h) == 0)
			*why = check_header(&s->h, s->bytes);
	}
	if (!*why)
		return 0;
	segment_close(s);
	return -1;
}

void
segment_close(struct segment *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->bytes = 0;
}

int
segment_refresh(struct segment *s)
{
	struct zs_header h;
	if (segment_read(s, 0, &h, sizeof h) != 0 || check_header(&h, s->bytes))
		return -1;
	s->h = h;
	return 0;
}

void
segment_request(const struct segment *s, uint32_t request)
{
	(void)!pwrite(s->fd, &request, sizeof request,
		      offsetof(struct zs_header, request));
}

void
segment_release(const struct segment *s, uint64_t off, uint64_t bytes)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t from = (off + page - 1) / page * page;
	uint64_t to = (off + bytes) / page * page;
	if (from < to && to <= s->bytes)
		(void)!fallocate(s->fd,
				 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				 (off_t)from, (off_t)(to - from));
}

void
segment_scans_read(const struct segment *s, uint32_t entries)
{
	(void)!pwrite(s->fd, &entries, sizeof entries,
		      offsetof(struct zs_header, scans_read));
}

void
segment_tick(const struct segment *s)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	uint64_t ms = (ns - s->h.start_monotonic_ns) / 1000000;
	uint32_t to = (uint32_t)ms, was = 0;
	if (ns < s->h.start_monotonic_ns || ms > UINT32_MAX ||
	    pread(s->fd, &was, sizeof was,
		  offsetof(struct zs_header, now_ms)) != sizeof was)
		return;
	if (was < to)
		(void)!pwrite(s->fd, &to, sizeof to,
			      offsetof(struct zs_header, now_ms));
}

/* Memory that the segment really has: no table can hold more than that. */
static uint64_t
bytes_present(const struct segment *s)
{
	struct stat st;
	if (fstat(s->fd, &st) != 0)
		return 0;
	return (uint64_t)st.st_blocks * 512;
}

uint32_t
segment_count(const struct segment *s, const struct zs_table *t)
{
	uint32_t n = t->count < t->capacity ? t->count : t->capacity;
	if (n == 0 || (uint64_t)n * t->stride > bytes_present(s))
		return 0;
	return n;
}

int
segment_entries(const struct segment *s, const struct zs_table *t,
		uint32_t first, uint32_t n, void *buf)
{
	return segment_read(s, t->offset + (uint64_t)first * t->stride, buf,
			    (size_t)n * t->stride);
}

void *
segment_table(const struct segment *s, const struct zs_table *t, uint32_t *n)
{
	*n = segment_count(s, t);
	if (*n == 0)
		return NULL;
	void *all = malloc((size_t)*n * t->stride);
	if (all && segment_entries(s, t, 0, *n, all) == 0)
		return all;
	free(all);
	*n = 0;
	return NULL;
}

char *
segment_string(const struct segment *s, uint64_t off, size_t max)
{
	char chunk[256];
	size_t len = 0;
	if (off == 0 || off >= s->bytes)
		return NULL;
	char *text = malloc(max + 1);
	if (!text)
		return NULL;
	while (len < max) {
		size_t n = max - len < sizeof chunk ? max - len : sizeof chunk;
		if (n > s->bytes - off)
			n = (size_t)(s->bytes - off);
		if (n == 0 || segment_read(s, off, chunk, n) != 0)
			break;
		size_t part = strnlen(chunk, n);
		memcpy(text + len, chunk, part);
		len += part;
		off += n;
		if (part < n)
			break;
	}
	text[len] = 0;
	return text;
}
