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
	char *text;			/* the same, as text of */
	size_t text_bytes;
	uint32_t index;	   /* of an export that numbers frames; 0: none yet */
	const char *plain; /* what fingerprints take of it */
	size_t plain_bytes;
	int is_std; /* of C++'s standard library, in whatever module */
	char *name; /* of frame_name, calltree.h */
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

/* Nobody will ask for fingerprints: stacks read from now on have none. */
void stacks_without_fingerprints(struct stacks *);

/* Belongs to the table; a stack the report does not know has no frames. */
const struct stack *stacks_get(struct stacks *, int64_t stack_id);

/* 1 when the stack is one that --focus and --ignore leave. */
int stack_passes(const struct stack *, const struct regexfilter *);

/* A new reference to the frames as the contract's JSON array. */
json_t *stack_json(const struct stack *);

/* Writes that array, without building it: for very many stacks. */
void stack_json_write(const struct stack *, FILE *);

/* Innermost frames that only start the program (below main) are worth no
 * line on a page: number of frames above them. */
size_t stack_frames_worth_showing(const struct stack *);

/* Index of the frame that a reader looks for first: the innermost one of the
 * program's own code; SIZE_MAX when none stands out. */
size_t stack_own_frame(const struct stack *);

/* ---- fingerprint.c */

/* Fills in `plain` and `is_std`. */
void frame_prepare(struct frame *);
uint64_t stack_fingerprint(const struct stack *);
/* "grow" of "void ns::Pool<int>::grow<int>(int const&)": not ended by a NUL. */
const char *own_name(const char *function, size_t *bytes);
/* The same name without the return type in front. */
const char *qualified_name(const char *function);

/* ---- stack_text.c */

/* The folder below which paths are shown without it; at first the working
 * directory. */
void path_root(const char *folder);
/* The part of a path behind that folder, or the path itself. */
const char *path_from_root(const char *path);

/* "file.c:12", "libfoo.so+0x1234" or "?"; the caller's to free, printable */
char *frame_place(const struct frame *);

/* The function's name as pages show it, "?" without one; long ones lose their
 * template arguments.  The caller's to free. */
char *frame_short_name(const struct frame *);

/* Prints the frames, one per line, behind that indent. */
void stack_print(const struct stack *, const struct style *, const char *indent,
		 FILE *);
/* The innermost `most` of them, and how many more there are. */
void stack_print_inner(const struct stack *, const struct style *,
		       const char *indent, size_t most, FILE *);

#endif
