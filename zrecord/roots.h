/*
 * roots.h - what the roots of a scan are: a global variable, a thread-local
 * one, a thread's stack, a mapping.
 *
 * Roots of one process are the same from scan to scan.  Names come from the
 * symbol tables of its modules.  Called by holders.c.
 */
#ifndef ZRECORD_ROOTS_H
#define ZRECORD_ROOTS_H

#include "catalog.h"
#include "graph.h"
#include "process.h"

/* As in the report's table root_info; the order is that in which they are
 * preferred as holders. */
enum root_kind {
	ROOT_DATA,    /* a variable of a module, or all without a name */
	ROOT_TLS,     /* a thread-local variable of one thread */
	ROOT_HEAP,    /* what the program got with brk */
	ROOT_MAPPING, /* an anonymous mapping, or one of a file */
	ROOT_THREAD,  /* what libc keeps of a thread: pthread keys, .. */
	ROOT_STACK = GRAPH_PASSING,
	ROOT_REGISTERS
};

struct root {
	enum root_kind kind;
	int64_t id;		    /* of its row */
	struct graph_share written; /* by the last row of root_scan */
	int reported;
};

struct roots; /* of a process */

struct roots *roots_new(void);
void roots_free(struct roots *);

/* Sets root and root_offset of all starts; writes the rows of new roots. */
void roots_resolve(struct roots *, struct process *, struct writer *,
		   struct catalog *, struct graph *);

uint32_t roots_count(const struct roots *);
struct root *roots_get(const struct roots *, uint32_t index);

#endif
