/*
 * options.h - command-line options, described once: the table that drives
 * getopt_long is the one that --help prints and that tests compare with the
 * man pages.  Used by zrecord and zleaks.  Errors are one line through
 * message(); an unknown option is named and the nearest known one suggested.
 */
#ifndef COMMON_OPTIONS_H
#define COMMON_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

struct option_def {
	int id;		      /* what options_next returns; > 255 */
	char letter;	      /* short form, or 0 */
	const char *name;     /* long form without dashes, never NULL */
	const char *argument; /* its name for --help; NULL: takes none;
				 in brackets, "[WHEN]": optional */
	const char *help;     /* one line; NULL: not shown */
	unsigned groups;      /* bits chosen by the tool, 0: everywhere */
};

struct options {
	const struct option_def *defs; /* ends with id 0 */
	unsigned group; /* options whose groups miss this bit are unknown;
			   0: all are known */
	int argc;
	char **argv;
	int stop_at_operand; /* 1: options end at the first operand */
	/* set by options_next */
	const char *value; /* the argument, or NULL */
	int next;	   /* index in argv of the first operand, at the end;
			      the operands then lie behind all options */
	int begun;
};

enum { OPTIONS_END = 0, OPTIONS_ERROR = -1 };

/* The id of the next option, OPTIONS_END, or OPTIONS_ERROR (message
 * written).  One parse at a time: getopt's state is global. */
int options_next(struct options *);

/* The aligned list of options of that group for --help. */
void options_help(FILE *, const struct option_def *, unsigned group);

/*
 * Values.  0, or -1 when the text is not of that form or out of range; they
 * write no message.
 */
/* seconds: "100ms", "1.5s", "10m", "2h", "1d", "50us"; no unit: seconds */
int option_time(const char *text, double *seconds);
/* bytes: "64K", "1.5G" (powers of 1024, also KiB, KB), no unit: bytes */
int option_bytes(const char *text, uint64_t *bytes);
int option_number(const char *text, long min, long max, long *number);

/* The word of a NULL-terminated list that is most like text, or NULL when
 * none is like it: for "did you mean". */
const char *option_nearest(const char *text, const char *const *words);

#endif
