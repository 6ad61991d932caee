/*
 * output.h - where a page goes: standard output, or a file that is replaced
 * only when the page is complete: a program that exits in between leaves the
 * old file.  One output at a time.  Used by zleaks.
 */
#ifndef COMMON_OUTPUT_H
#define COMMON_OUTPUT_H

#include <stdio.h>

struct output {
	FILE *file;
	char *path;	 /* NULL: standard output */
	char *temporary; /* NULL: written in place (devices, pipes) */
};

/* 0, or -1 with a message.  path NULL or "-": standard output. */
int output_open(struct output *, const char *path);

/* Makes what was written permanent; 0, or -1 with a message, after which
 * the old file still stands. */
int output_close(struct output *);

#endif
