/*
 * failon.h - which leaks make a run fail: what --fail-on means, in zleaks and
 * in zrecord.
 *
 * The option is a list of KIND or KIND:LIMIT.  A rule concerns the leaks of
 * its kind and of the surer ones together, and is broken when they are more
 * than the limit: bytes ("64K"), blocks ("10blocks"), without one 0 blocks.
 * No state, no locks.
 */
#ifndef COMMON_FAILON_H
#define COMMON_FAILON_H

#include <stddef.h>
#include <stdint.h>

/* Leak kinds by rising certainty, as in the report's table leak_kind. */
enum kind {
	KIND_UNSCANNED,
	KIND_REACHABLE,
	KIND_POSSIBLE,
	KIND_INDIRECT,
	KIND_DEFINITE,
	KIND_COUNT
};
extern const char *const kind_names[KIND_COUNT + 1]; /* ends with NULL */

enum failon_unit { FAILON_OFF, FAILON_BLOCKS, FAILON_BYTES };

struct failon {
	struct {
		enum failon_unit unit;
		uint64_t limit; /* that is still allowed */
	} rule[KIND_COUNT];
};

/* Reads the option's value; -1 with what is wrong in why, words that complete
 * "--fail-on: ". */
int failon_read(struct failon *, const char *text, char *why, size_t bytes);

/* The kind of the surest rule that so many blocks and bytes of each kind
 * break, or -1. */
int failon_broken(const struct failon *, const uint64_t blocks[KIND_COUNT],
		  const uint64_t bytes[KIND_COUNT]);

/* Bits 1 << kind of all kinds that a broken rule concerns. */
unsigned failon_failing(const struct failon *,
			const uint64_t blocks[KIND_COUNT],
			const uint64_t bytes[KIND_COUNT]);

/* The least certain kind that has a rule, KIND_COUNT without any. */
int failon_least(const struct failon *);

/* "definite leaks: 2,300 bytes in 5 blocks, --fail-on allows 1,024 bytes" of a
 * broken rule, into buf; returns buf. */
char *failon_words(const struct failon *, int kind,
		   const uint64_t blocks[KIND_COUNT],
		   const uint64_t bytes[KIND_COUNT], char *buf, size_t size);

#endif
