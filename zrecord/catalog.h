/*
 * catalog.h - modules and source locations of the report: each is written once
 * for the whole run, however many processes and stacks refer to it.
 *
 * Relies on common/symbols.h for names and on writer.h for rows; called when a
 * process is finished.
 */
#ifndef ZRECORD_CATALOG_H
#define ZRECORD_CATALOG_H

#include "symbols.h"
#include "writer.h"

struct catalog_module;
struct catalog_place;

struct catalog {
	struct writer *writer;
	struct symbols *symbols;
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
 * The locations of a return address, given as the address in the module's file
 * (module may be NULL: an address outside of all modules).  Owned by the
 * catalog; NULL out of memory.
 */
const struct place *catalog_place(struct catalog *,
				  struct catalog_module *module,
				  uint64_t address);

/* The location of a remark; pc is one of ZS_PC_*. */
const struct place *catalog_remark(struct catalog *, uint64_t pc);

#endif
