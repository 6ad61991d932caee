/*
 * lookup.h - a thread that looks up source locations while the program runs.
 *
 * Symbols are what takes longest at the end of a recording: a debug file has
 * to be read, unpacked and sorted before the first name is known.  So each
 * return address is handed to this thread when it first appears; when the
 * program ends most answers are there, and the rest comes while the main thread
 * writes the live blocks.
 *
 * Relies on common/symbols.h, all of whose look-ups happen here.  Called by
 * catalog.c, from the main thread only.
 */
#ifndef ZRECORD_LOOKUP_H
#define ZRECORD_LOOKUP_H

#include "symbols.h"

#define LOOKUP_HEAP UINT64_MAX

struct lookup; /* the thread and its queue */

/* One question and its answer.  The caller owns it and keeps it in place until
 * lookup_wait has returned, or lookup_stop. */
struct lookup_job {
	struct symbol_module *module;
	uint64_t address; /* LOOKUP_HEAP: which allocator the module has */
	const char *heap;
	size_t count;		     /* 0: nothing is known */
	struct symbol_frame *frames; /* malloc'd; texts belong to symbols */
	struct lookup_job *next;     /* in the queue */
	int done;		     /* atomic */
};

/* NULL out of memory.  The thread begins with the first question, so that
 * nobody forks with it. */
struct lookup *lookup_new(void);

/* Lets the thread end after the question it is at; free()s all. */
void lookup_stop(struct lookup *);

void lookup_ask(struct lookup *, struct lookup_job *);
int lookup_done(const struct lookup_job *);
void lookup_wait(struct lookup *, struct lookup_job *);

#endif
