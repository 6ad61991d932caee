/*
 * process.h - one recorded process: from its hello to its last row.
 *
 * A process row is one program image: exec in the same pid begins a new one.
 * Its segment is read by the sampler while it runs and by finish once it has
 * ended; both keep their state here.
 */
#ifndef ZRECORD_PROCESS_H
#define ZRECORD_PROCESS_H

#include "catalog.h"
#include "segment.h"
#include "writer.h"

#include <sys/types.h>

/* What the last written row of a size class said. */
struct class_state {
	struct zs_counter now;	   /* sums of this sample */
	struct zs_counter written; /* sums of the last row */
};

struct stack_state {
	int64_t id;			  /* in the report; 0: no row yet */
	uint64_t live_blocks, live_bytes; /* of the last row */
	uint32_t sample;		  /* number of the last row */
	int64_t type; /* type_id of its blocks; 0: none was met, -1: none or
			 several */
};

struct totals {
	uint64_t allocations, frees, bytes, freed_bytes;
};

/* How a process ended, as far as anybody could tell. */
struct ending {
	int known;  /* status is valid */
	int status; /* as waitpid gives it */
};

enum stop_reason {
	STOP_RUNNING,
	STOP_ENDED,    /* the process is gone */
	STOP_EXEC,     /* the process runs another program now */
	STOP_DURATION, /* --duration is over */
	STOP_DETACHED, /* zrecord --pid was told to end */
	STOP_SWITCHED, /* the program ended its recording */
	STOP_COMMAND   /* the command ended, this one runs on */
};

struct process {
	int64_t id;
	pid_t pid;
	int pidfd; /* -1: none */
	struct segment seg;
	int damaged; /* something in the segment cannot be true */
	dev_t exe_dev;
	ino_t exe_ino;

	/* sampler */
	double start; /* monotonic seconds of the session's zero */
	double next_sample, next_tick;
	double interval;
	uint32_t samples; /* number of the next one */
	uint32_t taken;	  /* samples that the report has */
	uint32_t step;	  /* distance of those that were merged; thin.h */
	uint32_t merged, premerged; /* up to these numbers; thin.c */
	uint32_t looked;	    /* the last one that thin.c has seen */
	uint32_t fine;		    /* so many at each end are not merged */
	uint64_t stack_rows;	    /* that the report has */
	struct class_state *classes[ZS_ZONES_MAX];
	struct stack_state *stacks;
	uint32_t stack_count;
	struct stack_names *names; /* stacks.c */
	struct totals total;
	uint64_t calls[ZT_CALLS]; /* as in struct zs_shard */

	double next_scan;  /* when one is to be asked for */
	double next_look;  /* .. and when to see whether one has ended */
	uint32_t scans;	   /* those whose verdicts the report has */
	int kinds_written; /* .. of such a scan */
	uint32_t marks;	   /* of the segment's that were looked at */

	struct memory *memory; /* memory.h; NULL: no look yet */
	double next_memory;    /* when one is due; .. */
	double idle_memory;    /* .. if little changed */
	uint64_t named_events; /* at the last process_progress */
	int64_t resident;      /* bytes, of the last sample */

	struct history *history; /* of --history, else NULL */
	double next_history;	 /* when its rings are to be emptied */

	struct holders *holders; /* holders.c; NULL: no scan so far */

	/* finish */
	enum stop_reason stopped;
	uint64_t kind_blocks[5], kind_bytes[5]; /* by enum zs_verdict */
	uint64_t late_blocks, late_bytes; /* not in these: unscanned because
					     they came after the leak scan */
	uint64_t live_blocks, live_bytes; /* by tags */
	uint64_t live_peak;		  /* highest live bytes that was seen */
	int64_t frames_cut;  /* stacks with a cut; NO_INTEGER: not counted */
	char recording[160]; /* as in the report */
	int complete;

	struct process *next;
};

/*
 * Starts recording the process whose segment arrived as fd (taken over).
 * pidfd may be -1.  NULL with *why set when the segment is not valid.
 */
struct process *process_new(struct writer *, int fd, pid_t pid, int pidfd,
			    double interval, const char **why);

/* The same while it runs, for readers of the growing report: when something
 * has happened, and unless there are very many threads. */
void process_progress(struct process *, struct writer *);

/* Writes what the names of zones, threads and marks are by now. */
void process_names(struct process *, struct writer *);

/* Has the target write no more.  Returns whether it said so. */
int process_halt(struct process *);

/* Reads what is left, writes all remaining rows, and frees all but the
 * summary's figures. */
void process_finish(struct process *, struct writer *, struct catalog *,
		    enum stop_reason, struct ending);

/* Writes that it has ended just now, long after its recording did. */
void process_ended(const struct process *, struct writer *);

/* Writes exit_code and signal. */
void process_status(struct process *, struct writer *, struct ending);

/* Did the process exec a program since its hello? */
int process_exe_changed(const struct process *);

void process_free(struct process *);

#endif
