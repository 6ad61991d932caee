/*
 * live.h - what the command `top` shows: what is alive in a report as of its
 * last sample, by stack, class or zone, and how fast it changes.
 */
#ifndef ZLEAKS_LIVE_H
#define ZLEAKS_LIVE_H

#include "stack.h"

enum { LIVE_ROWS_MAX = 500, LIVE_WINDOW = 10 /* seconds of the rate */ };

struct live_row {
	size_t process;			       /* index in recording */
	int64_t stack_id, zone_id, size_class; /* UNKNOWN where not of it */
	int64_t blocks, bytes;
	double rate; /* bytes per second; NAN: one sample only */
};

struct live_process {
	int shown;	/* it runs, or nothing does */
	double t, then; /* of the last sample and of the one compared to */
	int64_t then_sample;
	int64_t blocks, bytes, rss; /* UNKNOWN */
	double rate;
};

/* How it is looked at: begins as the options say, keys change it. */
struct live_view {
	enum sort sort; /* SORT_BYTES, SORT_RATE or SORT_BLOCKS */
	enum by by;	/* BY_STACK, BY_CLASS or BY_ZONE */
	size_t rows;	/* at most so many */
};

struct live {
	struct recording *recording;
	const struct settings *settings;
	struct stacks *stacks;
	struct live_view view;
	struct live_process *process;
	struct live_row *row;
	size_t count, room, all; /* all: also those that were cut */
	int running;
};

/* Opens the report and reads it; ends the program when it cannot. */
struct live *live_read(const char *path, const struct settings *,
		       const struct live_view *);
void live_free(struct live *);

/* A head of lines for the processes, an empty line, the table with its
 * titles.  live_head_lines: how many lines come before the first row. */
void live_text(const struct live *, FILE *);
size_t live_head_lines(const struct live *);
void live_json(const struct live *, FILE *);

/* live_screen.c: shows it on the terminal until the user has enough; -1 when
 * the terminal cannot do that. */
int live_screen(const char *path, const struct settings *, struct live_view *);

#endif
