/*
 * threads.h - what the command `threads` found, for its renderings.
 */
#ifndef ZLEAKS_THREADS_H
#define ZLEAKS_THREADS_H

#include "moment.h"
#include "stack.h"
#include "sums.h"

struct thread {
	const struct process *process;
	int64_t thread_id, tid; /* UNKNOWN: blocks whose thread is not known */
	char *name;
	double started, ended;		   /* NAN: not known, not seen to end */
	int64_t allocations, frees, bytes; /* of all the recording */
	/* blocks that are alive at the end of it, allocated from --from to
	 * --to, with stacks that the filters leave; UNKNOWN while it runs */
	int64_t live_blocks, live_bytes;
	const struct sum *top; /* by stack (b), most bytes first */
	size_t top_count;
};

struct threads {
	struct recording *recording;
	const struct settings *settings;
	struct stacks *stacks;
	struct span *spans; /* one per process */
	struct thread *thread;
	size_t count, room, left_out;
	int64_t live_blocks, live_bytes; /* of all, those left out too */
	struct sums sums;		 /* by index in thread, then stack_id */
};

/* "main", the name, "name (3)" or "not known"; printable, the caller's. */
char *thread_label(const struct thread *);

void threads_text(const struct threads *, FILE *);
void threads_json(const struct threads *, FILE *);
void threads_csv(const struct threads *, FILE *);

#endif
