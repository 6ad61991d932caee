/*
 * registry.h - the table of zones.
 *
 * Zone objects
 *   ours      struct zm_zone: an szone behind Apple's table of functions.
 *             Its page is read-only, so that a stray write or an attacker
 *             cannot bend the pointers.
 *   virtual   the object that malloc_default_zone returns: its functions pass
 *             everything to the first zone of the table.
 *   foreign   a malloc_zone_t that the program brought along.
 *
 * The table, malloc_zones[0 .. malloc_num_zones), is read-only memory except
 * while it is changed, under ZM_RANK_REGISTRY.  Readers take no lock.  A
 * pointer to a zone read from it is good between zm_registry_enter and
 * zm_registry_leave: unregistering waits for readers that came before.  Zones
 * of ours are found through their regions and need neither.
 */
#ifndef ZMALLOC_MALLOC_REGISTRY_H
#define ZMALLOC_MALLOC_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmalloc/malloc.h>

#include "zone/szone.h"

enum {
	ZM_ZONE_ID_MAIN = 1,
	ZM_ZONE_ID_LOGGER = 2,
	ZM_ZONE_ID_FIRST = 3, /* of those that programs make */
	ZM_ZONES = 4096,      /* ids, and entries of the table */
	ZM_ZONE_NAME = 256    /* bytes of a name, the NUL included */
};

struct zm_zone {
	malloc_zone_t pub; /* first: its address is the zone's */
	struct zm_szone *szone;
	uint16_t id;
	char name[ZM_ZONE_NAME];
};

/* Read-only after relocation, like the zones' pages. */
extern const malloc_zone_t zm_virtual_zone;
extern const malloc_introspection_t zm_zone_introspection;
extern const malloc_introspection_t zm_virtual_introspection;

#define ZM_VIRTUAL ((malloc_zone_t *)&zm_virtual_zone)

/* zone_object.c: makes, names and unmakes a zone of ours, unregistered.  NULL:
 * no memory or no id (id 0: the next free one). */
struct zm_zone *zm_zone_new(uint16_t id, unsigned flags, const char *name);
void zm_zone_delete(struct zm_zone *);
void zm_zone_rename(struct zm_zone *, const char *name);

/* The zone of ours that this szone belongs to. */
struct zm_zone *zm_zone_of_szone(const struct zm_szone *);
struct zm_zone *zm_zone_by_id(unsigned id); /* NULL: no such */
/* malloc_default_purgeable_zone's. */
bool zm_zone_is_purgeable(const malloc_zone_t *);
/* All ids in use are below; under the registry's lock. */
extern unsigned zm_zone_id_end;

/* The logger zone, made and registered when missing. */
struct zm_zone *zm_logger_zone(void);

/* NULL when the zone is foreign. */
static inline struct zm_zone *
zm_zone_ours(malloc_zone_t *zone)
{
	return zone->introspect == &zm_zone_introspection
		   ? (struct zm_zone *)zone
		   : NULL;
}

/* registry.c */
bool zm_registry_add(malloc_zone_t *);
bool zm_registry_remove(malloc_zone_t *); /* false: was not in it */

unsigned zm_registry_enter(void);
void zm_registry_leave(unsigned);
unsigned zm_registry_count(void);
malloc_zone_t *zm_registry_get(unsigned i); /* NULL past the end */

/* The zone of the first entry. */
malloc_zone_t *zm_registry_default(void);

/* The foreign zone that says p is a block of its own, and the block's size;
 * NULL when none does. */
malloc_zone_t *zm_registry_foreign(const void *p, size_t *size);

/* Calls fn for the zones that the program brought along; locked. */
void zm_registry_each_foreign(void (*fn)(malloc_zone_t *));

/* Where the table is; its twin in another process says where that one's is.
 * (A program that names malloc_zones may have it in its own data.) */
extern const struct zm_registry_image {
	const unsigned *count;
	malloc_zone_t *const *const *zones;
} zm_registry_image;

void zm_registry_lock(void);
void zm_registry_unlock(void);
void zm_registry_reinit(void);

#endif
