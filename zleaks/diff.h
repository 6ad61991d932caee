/*
 * diff.h - what the command `diff` found between two recordings, or between
 * two moments of one, for its two renderings.
 *
 * A leak is its kind and its fingerprint, a stack its fingerprint, a size
 * class its zone and size; all processes of a report count together.
 */
#ifndef ZLEAKS_DIFF_H
#define ZLEAKS_DIFF_H

#include "leaks.h"

#include "sums.h"

enum { OLD, NEW, SIDES };

enum verdict { FRESH, GROWN, SHRUNK, GONE, SAME, VERDICTS };
extern const char *const verdict_names[VERDICTS];

struct change {
	const struct stack *stack; /* NULL: a size class */
	uint64_t fingerprint;
	int kind, was_kind; /* of leaks; was_kind: the one in OLD, or -1 */
	const char *zone;   /* of size classes */
	int64_t size_class;
	int64_t blocks[SIDES], bytes[SIDES];
};

struct changes {
	struct change *list;
	size_t count, room;
	struct sums index; /* finds one by two numbers */
};

struct totals {
	int64_t allocations, frees, bytes_allocated, live_blocks, live_bytes;
	int64_t peak_bytes; /* the highest of the processes; UNKNOWN */
};

struct diff {
	const struct settings *settings;
	const char *path[SIDES];
	struct leaks leaks[SIDES]; /* of two moments only OLD's */
	int moments;
	struct changes leak, stack, size_class;
	struct totals totals[SIDES];
	size_t verdicts[VERDICTS]; /* of leaks */
};

/* The report of a side: of two moments the same one. */
const struct recording *diff_recording(const struct diff *, int side);

/* "the report old.db", "1.5 s"; the caller's to free, printable. */
char *diff_side_name(const struct diff *, int side);

enum verdict change_verdict(const struct change *);
int64_t change_bytes(const struct change *);
int64_t change_blocks(const struct change *);

/* Blocks and bytes that came by new and grown leaks, of each kind. */
struct found diff_found(const struct diff *);

/* ---- diff_sums.c */

/* The entry of two numbers, made when missing; valid until the next call. */
struct change *changes_get(struct changes *, int64_t a, int64_t b);
void changes_free(struct changes *);

/* What was live by stack and size class at the end of that side, or at its
 * moment, and the totals. */
void diff_sum_up(struct diff *, int side);
/* The leaks that were there at the two moments. */
void diff_leaks_at_moments(struct diff *);

void diff_text(const struct diff *, FILE *);
void diff_json(const struct diff *, FILE *);

#endif
