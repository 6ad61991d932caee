/*
 * zleaks.h - what the files of zleaks share: the commands, their settings and
 * the report that is open.
 *
 *   zleaks.c     main: commands, help
 *   settings.c   the option table and what the options mean
 *   recording.c   opening a report, its processes, what is missing in it
 *   problem.c    what is missing in a recording, and how pages say it
 *   process.c    a process in words
 *   moment.c     moments that --from and --to name
 *   stack.c      frames, fingerprints, filters by frame; stack_text.c
 *                prints them
 *   suppress.c   suppression files; see suppress.h for the others
 *   leaks.c      command `leaks`; leaks_groups.c: which groups, how much in
 *                all; leaks_blocks.c looks at single blocks, leaks_lost.c at
 *                what was lost when; leaks_text.c, leaks_end.c, leaks_json.c,
 *                leaks_sarif.c, leaks_junit.c print
 *   diff.c       command `diff`; diff_sums.c: what is compared; diff_text.c and
 *                diff_json.c print
 *   growth.c     command `growth`: the curves; trend.c judges them,
 *                growth_sums.c makes those of zones and threads,
 *                growth_memory.c those of the process, rounds.c those from
 *                mark to mark, top.c and risers.c find who is behind them,
 *                growth_text.c, growth_findings.c and growth_json.c print
 *   live_at.c    live bytes of stacks at those moments
 *   calltree.c   all stacks as one tree
 *   stacks.c     command `stacks`
 *   threads.c    command `threads`; threads_text.c and threads_json.c print
 *   classes.c    command `classes`; classes_regions.c and classes_pins.c find
 *                who holds memory, classes_text.c and classes_json.c print
 *   live.c       command `top`; live_text.c prints it, live_screen.c keeps it
 *                on a terminal
 *   sums.c       blocks added up by two numbers
 *   page_text.c  lines that several pages have; page_json.c: members
 *   html.c       command `html`; html_*.c write a part of its data each,
 *                web/ has the page, assets.c brings it into zleaks
 *   flame.c      what a flame graph draws of a large tree
 *   flamegraph.c  command `flamegraph`
 *   export.c     command `export`; export_*.c write a format each
 *   events.c     the events of --history
 *   history.c    command `history`
 *   why.c        command `why`; why_chains.c finds what holds what
 *   roots.c      command `roots`
 *   holder.c     holders in words
 *   doctor.c     command `doctor`
 *   query.c      command `query`; event_table.c: the events as tables
 *   style.c      colour, spark lines
 *
 * zleaks has one thread and one report.  Everything that comes out of the
 * report is untrusted: sizes are bounded where it is read (report.c, stack.c)
 * and text is made printable where it is printed (text.h).
 */
#ifndef ZLEAKS_H
#define ZLEAKS_H

#include "completion.h"
#include "failon.h"
#include "message.h"
#include "output.h"
#include "regexfilter.h"

#include <jansson.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { /* which commands an option belongs to */
       FOR_LEAKS = 1,
       FOR_GROWTH = 2,
       FOR_QUERY = 4,
       FOR_HISTORY = 8,
       FOR_STACKS = 16,
       FOR_EXPORT = 32,
       FOR_DOCTOR = 64,
       FOR_THREADS = 128,
       FOR_CLASSES = 256,
       FOR_TOP = 512,
       FOR_SUPPRESS = 1 << 16,
       FOR_DIFF = 1 << 17,
       FOR_WHY = 1 << 18,
       FOR_ROOTS = 1 << 19,
       FOR_HTML = 1 << 20,
       FOR_FLAMEGRAPH = 1 << 21
};

enum sort { SORT_DEFAULT, SORT_BYTES, SORT_BLOCKS, SORT_AGE, SORT_RATE };
enum by { BY_CLASS, BY_ZONE, BY_STACK, BY_THREAD };
enum color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct settings {
	int json, csv, help, version;
	unsigned kinds; /* bits 1 << kind; 0: the default ones */
	struct failon fail_on;
	enum sort sort;
	long top; /* -1: the page's default; 0: all */
	uint64_t min_bytes;
	struct regexfilter filter;
	const char *thread; /* name or number, NULL: all */
	int64_t pid;	    /* 0: all */
	const char *suppressions, *output;
	const char *completion; /* of the build: a shell */
	const char *from, *to;	/* moments, see moment.h; NULL: not given */
	enum color color;
	enum by by;
	int by_given;
	int cost;	    /* enum cost */
	const char *format; /* settings_format */
	int limits;
	int bottom_up;
	unsigned given;	 /* groups of all options seen, ANDed */
	const char *odd; /* the option that narrowed `given` to 0 */
};

/* 1: there is a command of that name. */
int command_known(const char *name);

struct command {
	const char *name;
	unsigned group; /* FOR_ bit of its options */
	const char *operands, *summary;
	/* operands without the command's name; returns the exit status */
	int (*run)(const struct settings *, int argc, char **argv);
};

int leaks_main(const struct settings *, int argc, char **argv);
int growth_main(const struct settings *, int argc, char **argv);
int stacks_main(const struct settings *, int argc, char **argv);
int html_main(const struct settings *, int argc, char **argv);
int flamegraph_main(const struct settings *, int argc, char **argv);
int export_main(const struct settings *, int argc, char **argv);
int why_main(const struct settings *, int argc, char **argv);
int roots_main(const struct settings *, int argc, char **argv);
int history_main(const struct settings *, int argc, char **argv);
int suppress_main(const struct settings *, int argc, char **argv);
int diff_main(const struct settings *, int argc, char **argv);
int doctor_main(const struct settings *, int argc, char **argv);
int query_main(const struct settings *, int argc, char **argv);
int top_main(const struct settings *, int argc, char **argv);
int threads_main(const struct settings *, int argc, char **argv);
int classes_main(const struct settings *, int argc, char **argv);

/* ---- settings.c */

/* Reads all options; the operands are argv[return..].  -1: message written. */
int settings_parse(struct settings *, int argc, char **argv);
void settings_help(FILE *, unsigned group);
/* Which of a NULL-terminated list --format names, or FORMAT_NONE without the
 * option, or FORMAT_BAD with a message. */
int settings_format(const struct settings *, const char *const *formats);
enum { FORMAT_NONE = -1, FORMAT_BAD = -2 };
/* Prints completion for that shell; -1: message written. */
int settings_completion(FILE *, const char *shell,
			const struct completion_command *);
/* Only `one` operand: its text, or NULL with a message. */
const char *settings_report(const char *command, int argc, char **argv);
/* -1 with a message when both --json and --csv were given. */
int settings_one_format(const char *command, const struct settings *);

/* ---- report.c */

#define UNKNOWN INT64_MIN /* SQL NULL in an integer; doubles: NAN */

struct process {
	int64_t process_id, pid, parent_pid;
	char *command, *exe, *recording; /* as stored; NULL: unknown */
	double started, ended, scan_t, scan_seconds, first_t, last_t;
	int64_t exit_code, signal;
	int64_t allocations, frees, bytes_allocated, live_blocks, live_bytes;
	int64_t peak_bytes, lost_events, frames_cut, scan_threads;
	int64_t scan_threads_missed, threads;
	int64_t judged_blocks; /* that have a kind */
};

struct problem {
	const struct process *process; /* NULL: concerns the whole report */
	char *what;		       /* printable */
};

struct recording {
	sqlite3 *db;
	const char *path;
	struct process *processes; /* those that --pid leaves */
	size_t process_count;
	/* what is missing in the recording; none: it is complete */
	struct problem *problems;
	size_t problem_count;
	uint64_t places, places_resolved;
	int64_t sample_bytes; /* zrecord --sample; UNKNOWN: every block */
};

/* Opens a report, waits for a recorder that is about to finish it, begins
 * the one read transaction and reads the processes.  On failure: ends the
 * program with status 3. */
struct recording *recording_open(const char *path, const struct settings *);
void recording_close(struct recording *);
const struct process *recording_process(const struct recording *, int64_t id);

/* Closes a page that says what is missing; the exit status: 3 when something
 * is, or when the page could not be written. */
int page_close(struct output *, const struct recording *);

/* A prepared statement; -1 as argument count ends the bindings.  Errors end
 * the program with status 3. */
sqlite3_stmt *recording_sql(const struct recording *, const char *sql);
/* 1: a row, 0: no more; errors end the program with status 3. */
int recording_step(const struct recording *, sqlite3_stmt *);
void recording_fail(const struct recording *) __attribute__((noreturn));

/* 1 when a table of the report has that column: older ones lack some. */
int recording_has(const struct recording *, const char *table,
		  const char *column);

int64_t column_int(sqlite3_stmt *, int column);
double column_real(sqlite3_stmt *, int column);
char *column_text(sqlite3_stmt *, int column); /* copy; NULL for NULL */

/* Sum of two counts from a report: unknown adds nothing, never overflows. */
int64_t count_add(int64_t a, int64_t b);
/* For printing: unknown and negative are 0. */
unsigned long long count_shown(int64_t n);

/* ---- problem.c */

void problem_add(struct recording *, const struct process *, const char *format,
		 ...) __attribute__((format(printf, 3, 4)));
void problems_free(struct recording *);
/* For output that has no place for them: a message for each, and the exit
 * status of a command that finds nothing else wrong. */
int recording_warn(const struct recording *);

/* ---- process.c */

/* The words of the command: an array of strings, a new reference. */
json_t *process_command(const struct process *);
/* The process's command as one printable line, and its short name; both the
 * caller's to free. */
char *process_line(const struct process *);
char *process_name(const struct process *);
/* "exit 0", "killed by signal 9 (Killed)", "still running": into buf */
char *process_end(const struct process *, char *buf, size_t bytes);
int process_complete(const struct process *);
/* It went on as another program by exec: its own row in the report. */
int process_replaced(const struct process *);
/* Its recorder has not seen its end. */
int process_unfinished(const struct process *);
/* Wall-clock seconds it ran, NAN when unknown. */
double process_duration(const struct process *);

/* ---- style.c */

struct style {
	const char *bold, *red, *yellow, *green, *dim, *off;
	int utf8;
	size_t columns; /* of the terminal; 0: none, lines may be long */
	int whole;	/* -n 0: nothing is left out */
};
struct style style_for(const struct settings *, FILE *);
/* The first lines of a page: what is missing, nothing when all is there. */
void problems_print(const struct recording *, const struct style *, FILE *);
/* A curve of n values as one character each; the caller's to free. */
char *style_spark(const struct style *, const double *values, size_t n);

#endif
