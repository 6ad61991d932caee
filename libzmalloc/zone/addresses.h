/*
 * addresses.h - a growing array of addresses, to be sorted and searched.
 *
 * In metadata memory.  Called by those who walk zones: introspect.c, remote.c.
 */
#ifndef ZMALLOC_ZONE_ADDRESSES_H
#define ZMALLOC_ZONE_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed: empty. */
struct zm_addresses {
	uintptr_t *at;
	size_t count, room;
	bool failed; /* out of memory: some are missing */
};

bool zm_addresses_add(struct zm_addresses *, uintptr_t);
void zm_addresses_sort(struct zm_addresses *);
bool zm_addresses_have(const struct zm_addresses *, uintptr_t); /* sorted */
void zm_addresses_free(struct zm_addresses *);

#endif
