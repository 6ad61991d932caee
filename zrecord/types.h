/*
 * types.h - C++ types of blocks, from the table of virtual functions that their
 * first word points to.
 *
 * By the Itanium C++ ABI the pointer of a whole object of type X leads two
 * words into the symbol "vtable for X".  Only that is taken for a type.
 * Called by holders.c.
 */
#ifndef ZRECORD_TYPES_H
#define ZRECORD_TYPES_H

#include "graph.h"
#include "process.h"

struct types; /* of a process */

struct types *types_new(void);
void types_free(struct types *);

/* Sets the type of each node whose first word tells it; writes the rows of new
 * types. */
void types_resolve(struct types *, const struct process *, struct writer *,
		   struct graph *);

/* The key of the row of a type that is not 0. */
int64_t types_id(const struct types *, uint32_t type);

#endif
