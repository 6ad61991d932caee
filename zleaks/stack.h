/*
 * stack.h - call stacks of a report: read on demand, each place in the code
 * once.  Used by the commands that print stacks.
 */
#ifndef ZLEAKS_STACK_H
#define ZLEAKS_STACK_H

#include "zleaks.h"

struct frame {
	char *function, *file, *module; /* NULL: unknown */
	int64_t line, offset;		/* UNKNOWN */
	int inlined;			/* into the next frame */
	json_t *json;			/* made at first use */
};

struct stack {
	struct frame **frames; /* [0] called the allocation function */
	size_t count;
	/* of the chain of functions, without lines and addresses, so that it
	 * stays the same when the program is built again */
	uint64_t fingerprint;
	char *type; /* C++ type of all its blocks; NULL: none is known */
};

struct stacks;

struct stacks *stacks_new(const struct recording *);
void stacks_free(struct stacks *);

/* Belongs to the table; a stack the report does not know has no frames. */
const struct stack *stacks_get(struct stacks *, int64_t stack_id);

/* 1 when the stack is one that --focus and --ignore leave. */
int stack_passes(const struct stack *, const struct regexfilter *);

/* A new reference to the frames as the contract's JSON array. */
json_t *stack_json(const struct stack *);

/* Innermost frames that only start the program (below main) are worth no
 * line on a page: number of frames above them. */
size_t stack_frames_worth_showing(const struct stack *);

/* Index of the frame that a reader looks for first: the innermost one of the
 * program's own code; SIZE_MAX when none stands out. */
size_t stack_own_frame(const struct stack *);

int frame_is_std(const struct frame *);

/* ---- stack_text.c */

/* "file.c:12", "libfoo.so+0x1234" or "?"; the caller's to free, printable */
char *frame_place(const struct frame *);

/* Prints the frames, one per line, behind that indent. */
void stack_print(const struct stack *, const struct style *, const char *indent,
		 FILE *);
/* The innermost `most` of them, and how many more there are. */
void stack_print_inner(const struct stack *, const struct style *,
		       const char *indent, size_t most, FILE *);

#endif
