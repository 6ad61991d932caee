/*
 * sums.h - blocks and bytes added up by a pair of numbers, for the commands
 * that read a million blocks once.  Entries stand in one array, 48 bytes each;
 * a table of their places finds them.
 */
#ifndef ZLEAKS_SUMS_H
#define ZLEAKS_SUMS_H

#include <stddef.h>
#include <stdint.h>

struct sum {
	int64_t a, b; /* the key */
	int64_t blocks, bytes;
	int64_t more; /* what the command adds up besides */
	int64_t mark; /* of the command; 0 at first */
};

struct sums {
	struct sum *entry; /* in the order of their first appearance */
	size_t count, room;
	uint32_t *place; /* 1 + index in entry; 0: none */
	size_t places;	 /* a power of two */
};

/* The entry of that key, made when missing; valid until the next call. */
struct sum *sums_get(struct sums *, int64_t a, int64_t b);

/* Sorts the entries; sums_get must not be called any more. */
void sums_sort(struct sums *, int (*compare)(const void *, const void *));

void sums_free(struct sums *);

#endif
