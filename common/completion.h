/*
 * completion.h - shell completion from the option tables, for bash and zsh.
 * The build has each tool print its own (`TOOL --completion=SHELL`), make
 * install puts them where the shells look.
 */
#ifndef COMMON_COMPLETION_H
#define COMMON_COMPLETION_H

#include "options.h"

struct completion_words { /* what the argument of an option may be */
	int id;
	const char *const *words; /* ends with NULL */
	int list;		  /* several, with commas */
};

struct completion_command {
	const char *name, *summary;
	unsigned group; /* of its options */
};

struct completion {
	const char *tool;
	const struct option_def *options;
	const struct completion_words *words; /* ends with id 0 */
	/* ends with name NULL; NULL: the operands are a command to run */
	const struct completion_command *commands;
};

/* -1 with a message when the shell is neither bash nor zsh. */
int completion_print(FILE *, const char *shell, const struct completion *);

#endif
