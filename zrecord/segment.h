/*
 * segment.h - reading a recorded process's session segment.
 *
 * Every byte of a segment is untrusted: a wild write of the program may have
 * hit it, and any program of the same user may send one.  So all access goes
 * through these functions.  They use pread, not a mapping: a segment that is
 * truncated under us cannot fault, holes stay holes (touching them through a
 * mapping would allocate pages), and what was checked is a copy that nobody
 * can change afterwards.
 *
 * Relies on logger/session.h for the layout; called by process.c, sampler.c
 * and finish*.c.
 */
#ifndef ZRECORD_SEGMENT_H
#define ZRECORD_SEGMENT_H

#include "libzmalloc/logger/session.h"

struct segment {
	int fd; /* -1: none */
	uint64_t bytes;
	struct zs_header h; /* the last copy that passed the checks */
};

/*
 * Takes over the descriptor and checks that it holds a segment.  0, or -1 with
 * *why set to a constant text; the descriptor is closed then.
 */
int segment_open(struct segment *, int fd, const char **why);
void segment_close(struct segment *);

/* Reads the header anew.  0; -1 when it no longer passes the checks: s->h then
 * stays what it was. */
int segment_refresh(struct segment *s);

/* Tells the target what is wanted of it: enum zs_request. */
void segment_request(const struct segment *, uint32_t request);

/* Sets the time that the target gives to its events. */
void segment_tick(const struct segment *);

/* Copies n bytes at off.  0, or -1 when they are not all inside. */
int segment_read(const struct segment *, uint64_t off, void *buf, size_t n);

/*
 * Copies entries [first, first + n) of a table of s->h.  The caller keeps
 * first + n <= segment_count.
 */
int segment_entries(const struct segment *, const struct zs_table *,
		    uint32_t first, uint32_t n, void *buf);

/* Used entries of a table, the unused entry 0 included; never more than lie
 * inside the segment and in memory that is really there. */
uint32_t segment_count(const struct segment *, const struct zs_table *);

/*
 * All used entries as one malloc'd array, *n of them.  NULL when there are
 * none or they cannot be read.
 */
void *segment_table(const struct segment *, const struct zs_table *,
		    uint32_t *n);

/* Gives back the memory of the pages that lie in these bytes wholly: they were
 * read and nobody needs them. */
void segment_release(const struct segment *, uint64_t off, uint64_t bytes);

/* Tells the target that so many entries of its table of scans were read. */
void segment_scans_read(const struct segment *, uint32_t entries);

/* A malloc'd copy of a NUL-terminated string of at most max bytes (cut there);
 * NULL when off is 0 or out of range. */
char *segment_string(const struct segment *, uint64_t off, size_t max);

#endif
