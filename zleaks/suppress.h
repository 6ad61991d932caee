/*
 * suppress.h - files of known leaks, in two forms that may stand in one file.
 *
 * LeakSanitizer's: a line "leak:PATTERN", matched against function, source
 * file and module of every frame; '*' stands for anything, '^' and '$' tie the
 * pattern to begin and end; '#' begins a comment line.
 *
 * Valgrind's: an entry in braces, whose frames are matched one by one from the
 * allocation function on.  Entries for other tools and errors are skipped.
 *
 * A comment line of ours gives the next entry a limit, which LeakSanitizer and
 * Valgrind do not see:
 *	# zleaks: max-bytes=64K max-blocks=10
 * What goes beyond the limit is not suppressed: all that the entry matches
 * then counts.
 *
 *   suppress.c           the entries and what they match
 *   suppress_read.c      reads a file
 *   suppress_valgrind.c  matches and converts Valgrind's frames
 *   suppress_print.c     the command `suppress`: writes entries
 */
#ifndef ZLEAKS_SUPPRESS_H
#define ZLEAKS_SUPPRESS_H

#include "stack.h"

enum suppressed_by { BY_FUNCTION, BY_OBJECT, BY_SOURCE, BY_ANY };

struct suppressed_frame { /* a line of a Valgrind entry */
	enum suppressed_by by;
	char *pattern; /* as in the file */
	char *plain;   /* of a mangled C++ name: for demangled ones, or NULL */
};

struct suppression {
	char *pattern; /* LeakSanitizer's; of a Valgrind entry its name */
	struct suppressed_frame *frames; /* NULL: LeakSanitizer's form */
	size_t frame_count;
	unsigned kinds; /* bits 1 << kind */
	int line;
	uint64_t max_blocks, max_bytes; /* UINT64_MAX: any number */
	int64_t blocks, bytes, groups;	/* that it matched */
};

struct suppressions {
	struct suppression *list;
	size_t count;
	int by_maker; /* some entry asks which function allocated */
};

/* Reads the file; ends the program with status 2 when it cannot be read or
 * holds something else.  path NULL: no suppressions. */
void suppressions_read(struct suppressions *, const char *path);
void suppressions_free(struct suppressions *);

/* The entry that matches first, looking at the innermost frame first as
 * LeakSanitizer does, or NULL.  makers: bits 1 << made_by, 0: not known. */
struct suppression *suppressions_match(const struct suppressions *,
				       const struct stack *, int kind,
				       unsigned makers);

/* 1 when it matched more than its limit. */
int suppression_over(const struct suppression *);

/* LeakSanitizer's rule for one pattern and one text. */
int suppression_matches(const char *pattern, const char *text);

/* ---- suppress_valgrind.c */

/* 1 when the entry's frames match the stack. */
int valgrind_matches(const struct suppression *, const struct stack *,
		     unsigned makers);

/* From "fun:NAME", "obj:PATH", "src:FILE" or "..."; -1: something else. */
int valgrind_frame(struct suppressed_frame *, const char *line);

/* A pattern for the name that Valgrind has for a frame's function; the caller's
 * to free. */
char *valgrind_function(const struct frame *);

#endif
