/*
 * catalog.h - modules and source locations of the report: each is written once
 * for the whole run, however many processes and stacks refer to it.
 *
 * Relies on lookup.h for names and on writer.h for rows.  stacks.c asks for
 * the place of each new frame while the program runs and for its rows later.
 */
#ifndef ZRECORD_CATALOG_H
#define ZRECORD_CATALOG_H

#include "lookup.h"
#include "symbols.h"
#include "writer.h"

struct catalog_module;
struct catalog_place; /* of one return address */

struct catalog {
	struct writer *writer;
	struct symbols *symbols; /* of the look-up thread */
	struct symbols *objects; /* of the main thread: nobody waits for those
				    of functions */
	struct lookup *lookup;
	struct catalog_module *modules; /* uthash */
	struct catalog_place *places;	/* uthash */
};

/* The locations of one return address, leaf-most first; more than one with
 * inlining. */
struct place {
	uint32_t count;
	int64_t ids[];
};

void catalog_init(struct catalog *, struct writer *);
void catalog_free(struct catalog *);

/* The module with that path and build-id; its row is written when new.  NULL
 * out of memory.  path and build_id are copied. */
struct catalog_module *catalog_module(struct catalog *, const char *path,
				      const uint8_t *build_id, size_t bytes);

/*
 * The place of a return address, given as the address in the module's file
 * (module may be NULL: an address outside of all modules); its names are
 * looked up from now on.  Owned by the catalog; NULL out of memory.
 */
struct catalog_place *catalog_place(struct catalog *,
				    struct catalog_module *module,
				    uint64_t address);

/* The place of a remark; pc is one of ZS_PC_*. */
struct catalog_place *catalog_remark(struct catalog *, uint64_t pc);

/* Are the names of the place known, so that catalog_rows need not wait? */
int catalog_ready(const struct catalog_place *);

/* The rows of a place, written now if it is new: may wait for its names.  NULL
 * out of memory. */
const struct place *catalog_rows(struct catalog *, struct catalog_place *);

/* The key of its row. */
int64_t catalog_module_id(const struct catalog_module *);

/* The object (tls: thread-local object) at an address of the module's file.
 * 0, or -1: not known. */
int catalog_object(const struct catalog_module *, uint64_t address, int tls,
		   struct symbol_object *);

/* Writes which modules bring an allocator of their own. */
void catalog_heaps(struct catalog *);

#endif
