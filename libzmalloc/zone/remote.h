/*
 * remote.h - a zone of another process, walked without touching it.
 *
 * The other process runs the same build of the library.  What is read of it is
 * copied first and believed only as far as it was checked: a process that is
 * running, damaged or malicious costs an error, never more than that.  No lock
 * of the other process is looked at, so it had better stand still; then the
 * walk reports exactly what zm_szone_enumerate would there.
 *
 * Relies on the layout in types.h and fast.h.  Called by malloc/remote.c and
 * zone_introspect.c.
 */
#ifndef ZMALLOC_ZONE_REMOTE_H
#define ZMALLOC_ZONE_REMOTE_H

#include "zone/addresses.h"
#include "zone/types.h"

struct zm_cache;

/* Where the static data of a file is; the twin in the other process holds the
 * other's addresses. */
struct zm_region_image {
	uintptr_t *const *directory; /* [chunks] of [chunk] entries */
	const uint32_t *id_end;
	uint32_t chunk, chunks;
};
struct zm_cache_image {
	struct zm_cache *const *caches; /* the first, NULL: none */
	const uintptr_t *key;
};
extern const struct zm_region_image zm_region_image; /* region.c */
extern const struct zm_cache_image zm_cache_image;   /* cache.c */

enum zm_remote_error {
	ZM_REMOTE_FINE,
	ZM_REMOTE_UNREADABLE,
	ZM_REMOTE_CONTRADICTORY,
	ZM_REMOTE_NO_MEMORY
};

struct zm_remote {
	/* By the caller: copies bytes of the other process, false when they
	 * cannot be read; what to add to the address of static data of ours to
	 * get its twin's. */
	bool (*read)(void *ctx, uintptr_t from, void *to, size_t bytes);
	void *ctx;
	uintptr_t shift;

	enum zm_remote_error error; /* the first one */
	uintptr_t at;		    /* of the zone */
	struct zm_szone zone;	    /* bool members are not to be looked at */
	struct zm_addresses regions;
	size_t blocks_max; /* more than there can be in the regions */
};

/* Reads, or fails with m->error set. */
bool zm_remote_get(struct zm_remote *, uintptr_t from, void *to, size_t bytes);
/* Sets the error, if it is the first one; false. */
bool zm_remote_fail(struct zm_remote *, enum zm_remote_error);

/* Finds the zone's regions.  zone: its address in the other process; id: what
 * its id should be.  To be closed also when it failed.  This and the functions
 * below return false with m->error set; what was found so far has been
 * reported then. */
bool zm_remote_open(struct zm_remote *, uintptr_t zone, uint16_t id);
void zm_remote_close(struct zm_remote *);

/* As zm_szone_enumerate, zm_szone_regions, zm_szone_statistics. */
bool zm_remote_blocks(struct zm_remote *,
		      void (*fn)(uintptr_t start, size_t usable, void *ctx),
		      void *ctx);
bool zm_remote_regions(struct zm_remote *,
		       void (*fn)(uintptr_t start, size_t bytes, bool metadata,
				  void *),
		       void *ctx);
bool zm_remote_statistics(struct zm_remote *, struct zm_statistics *);

/* remote_cache.c: adds the blocks that wait in threads' caches. */
bool zm_remote_waiting(struct zm_remote *, struct zm_addresses *);

#endif
