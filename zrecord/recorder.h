/*
 * recorder.h - the main loop: takes in processes, samples them, finishes them.
 */
#ifndef ZRECORD_RECORDER_H
#define ZRECORD_RECORDER_H

#include "attach.h"
#include "launch.h"
#include "process.h"
#include "settings.h"

enum { PEERS_MAX = 64 };

struct recorder {
	const struct settings *settings;
	const struct signals *signals;
	struct writer writer;
	struct catalog catalog;
	int listener;
	char session[64]; /* its abstract name, without the leading NUL */
	/* connections whose hello has not come yet */
	struct {
		int fd;
		double since;
	} peers[PEERS_MAX];
	struct process *processes; /* newest first; finished ones stay */
	struct process *first;	   /* of serve mode */
	pid_t command;		   /* 0: serve mode, or it has ended */
	pid_t command_pid;	   /* stays */
	struct ending command_ending;
	double begun, last_totals, stopped_since;
	double command_ended; /* 0: not yet */
	int recording;	      /* 0 after --duration */
	int told_to_end;
	struct attach attach;	 /* pid 0: none */
	int attaching;		 /* no answer yet */
	int patience_told;	 /* .. and the user knows that we wait */
	int64_t command_refused; /* row of a command whose hello was refused */
};

/* Creates the socket (or takes the one of --serve). */
void recorder_init(struct recorder *, const struct settings *,
		   const struct signals *);

/* Asks a process that runs to take part.  Dies when it cannot be asked. */
void recorder_attach(struct recorder *, const struct attach *);

/* Runs until the command, or in serve mode every process, has ended, and
 * finishes all of them. */
void recorder_run(struct recorder *);

/* Fills in what was not known before and ends the report.  0, or -1 with
 * r->writer.why set. */
int recorder_close(struct recorder *);

/* summary.c: a row for a process of which nothing could be recorded. */
void recorder_nothing(struct recorder *, pid_t pid, const char *why);

/* summary.c: the last lines on stderr; returns zrecord's exit status. */
int summary(struct recorder *, int closed);

#endif
