/* failon.c - see failon.h.  Relies on options.h for sizes and proposals. */
#include "failon.h"

#include "message.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_BYTES = 64 };

const char *const kind_names[KIND_COUNT + 1] = { "unscanned", "reachable",
						 "possible",  "indirect",
						 "definite",  NULL };

static int
kind_of(const char *word, char *why, size_t bytes)
{
	for (int k = 0; k < KIND_COUNT; k++)
		if (!strcmp(word, kind_names[k]))
			return k;
	const char *near = option_nearest(word, kind_names);
	if (near)
		snprintf(why, bytes, "unknown kind '%s': did you mean %s?",
			 word, near);
	else
		snprintf(why, bytes,
			 "unknown kind '%s': definite, indirect, possible, "
			 "reachable, unscanned, all or none",
			 word);
	return -1;
}

/* "10blocks" */
static int
blocks_of(const char *text, uint64_t *limit)
{
	size_t digits = strspn(text, "0123456789");
	char number[24] = "";
	long n;

	if (digits == 0 || digits >= sizeof number ||
	    (strcmp(text + digits, "blocks") && strcmp(text + digits, "block")))
		return -1;
	memcpy(number, text, digits);
	if (option_number(number, 0, INT64_MAX, &n) != 0)
		return -1;
	*limit = (uint64_t)n;
	return 0;
}

/* One KIND or KIND:LIMIT, which it takes apart. */
static int
read_rule(struct failon *f, char *word, char *why, size_t bytes)
{
	char *limit = strchr(word, ':');
	enum failon_unit unit = FAILON_BLOCKS;
	uint64_t most = 0;

	if (limit)
		*limit++ = 0;
	int kind =
	    strcmp(word, "all") ? kind_of(word, why, bytes) : KIND_UNSCANNED;
	if (kind < 0)
		return -1;
	if (limit && blocks_of(limit, &most) != 0) {
		unit = FAILON_BYTES;
		if (option_bytes(limit, &most) != 0) {
			snprintf(why, bytes,
				 "limit '%s' is no number of bytes (64K) or "
				 "blocks (10blocks)",
				 limit);
			return -1;
		}
	}
	f->rule[kind].unit = unit;
	f->rule[kind].limit = most;
	return 0;
}

int
failon_read(struct failon *f, const char *text, char *why, size_t bytes)
{
	*f = (struct failon){ 0 };
	if (!strcmp(text, "none"))
		return 0;
	for (;;) {
		size_t n = strcspn(text, ",");
		char word[WORD_BYTES];
		if (n >= sizeof word) {
			snprintf(why, bytes, "'%.20s..' is too long for a kind",
				 text);
			return -1;
		}
		memcpy(word, text, n);
		word[n] = 0;
		if (read_rule(f, word, why, bytes) != 0)
			return -1;
		if (!text[n])
			return 0;
		text += n + 1;
	}
}

static uint64_t
sum_from(const uint64_t *each, int kind)
{
	uint64_t sum = 0;

	for (; kind < KIND_COUNT; kind++)
		if (__builtin_add_overflow(sum, each[kind], &sum))
			return UINT64_MAX;
	return sum;
}

static int
broken(const struct failon *f, int kind, const uint64_t *blocks,
       const uint64_t *bytes)
{
	enum failon_unit unit = f->rule[kind].unit;

	return unit != FAILON_OFF &&
	       sum_from(unit == FAILON_BYTES ? bytes : blocks, kind) >
		   f->rule[kind].limit;
}

int
failon_broken(const struct failon *f, const uint64_t blocks[KIND_COUNT],
	      const uint64_t bytes[KIND_COUNT])
{
	int k = KIND_COUNT - 1;

	while (k >= 0 && !broken(f, k, blocks, bytes))
		k--;
	return k;
}

unsigned
failon_failing(const struct failon *f, const uint64_t blocks[KIND_COUNT],
	       const uint64_t bytes[KIND_COUNT])
{
	unsigned kinds = 0;

	for (int k = 0; k < KIND_COUNT; k++)
		if (broken(f, k, blocks, bytes))
			kinds |= (1u << KIND_COUNT) - (1u << k);
	return kinds;
}

int
failon_least(const struct failon *f)
{
	int k = 0;

	while (k < KIND_COUNT && f->rule[k].unit == FAILON_OFF)
		k++;
	return k;
}

char *
failon_words(const struct failon *f, int kind,
	     const uint64_t blocks[KIND_COUNT],
	     const uint64_t bytes[KIND_COUNT], char *buf, size_t size)
{
	char a[32], b[32], c[32];
	uint64_t n = sum_from(blocks, kind), limit = f->rule[kind].limit;
	uint64_t total = sum_from(bytes, kind);

	int used = snprintf(
	    buf, size, "%s leaks: %s byte%s in %s block%s, --fail-on allows ",
	    kind_names[kind], message_number(a, sizeof a, total),
	    total == 1 ? "" : "s", message_number(b, sizeof b, n),
	    n == 1 ? "" : "s");
	if (used < 0 || (size_t)used >= size)
		return buf;
	if (!limit)
		snprintf(buf + used, size - (size_t)used, "none");
	else
		snprintf(buf + used, size - (size_t)used, "%s %s%s",
			 message_number(c, sizeof c, limit),
			 f->rule[kind].unit == FAILON_BYTES ? "byte" : "block",
			 limit == 1 ? "" : "s");
	return buf;
}
