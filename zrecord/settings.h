/*
 * settings.h - zrecord's command line.
 */
#ifndef ZRECORD_SETTINGS_H
#define ZRECORD_SETTINGS_H

#include "failon.h"
#include "options.h"

#include <stdint.h>
#include <sys/types.h>

struct settings {
	const char *program; /* argv[0] */
	const char *output;
	double interval;   /* seconds */
	double duration;   /* seconds; 0: until the end */
	double scan_every; /* seconds; 0: at exit alone */
	uint64_t sample;   /* bytes; 0: every block */
	uint64_t max_size; /* bytes of the report; 0: no bound */
	pid_t pid;	   /* 0, or the process to attach to */
	long depth;	   /* 0: the library's default */
	int history;	   /* every event */
	int follow;	   /* record children */
	int quiet, verbose;
	struct failon fail_on; /* none without the option */
	int serve_fd;	       /* -1: run a command */
	char **command;	       /* NULL with serve_fd or pid */
};

extern const struct option_def zrecord_options[];

/* Reads the command line; --help, --version and errors end the program. */
void settings_read(struct settings *, int argc, char **argv);

#endif
