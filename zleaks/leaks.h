/*
 * leaks.h - what the command `leaks` found, for its two renderings.
 *
 * Glossary
 *   group    the live blocks of one kind with the same stack in one process
 *   section  a process with its groups
 *   listed   a group of a wanted kind that no filter and no suppression took
 *   shown    a listed group that --top leaves
 */
#ifndef ZLEAKS_LEAKS_H
#define ZLEAKS_LEAKS_H

#include "stack.h"
#include "suppress.h"

enum { DISTINCT_MAX = 4 }; /* size classes and threads told apart */

/* Up to DISTINCT_MAX different numbers, and whether there were more. */
struct distinct {
	int64_t value[DISTINCT_MAX];
	unsigned count;
	int more;
};

struct group {
	const struct process *process;
	int64_t stack_id;
	int kind;
	/* indirect: lost with these definite blocks; UNKNOWN: not known */
	int64_t blocks, bytes, indirect_blocks, indirect_bytes;
	const struct stack *stack; /* NULL until needed: leaks_stack */
	struct suppression *by;	   /* the entry that matches, or NULL */

	/* of its blocks one by one, when they were looked at */
	struct distinct classes, threads, makers, types; /* type 0: none */
	int64_t size_min, size_max, seen_blocks, seen_bytes;
	double first, last; /* allocated; NAN */
	struct loss *loss;  /* NULL: nothing is known */
};

/* Of blocks that one leak scan found held and the next one lost. */
struct loss {
	int64_t blocks;		      /* of which that is known */
	int64_t path_id, path_blocks; /* who held the most of them last */
	int64_t paths, places;	      /* other chains; those of them that begin
					 elsewhere in the same root */
	double held_at, lost_at;
};

struct tally {
	int64_t blocks, bytes, sites;
};

struct section {
	const struct process *process;
	struct tally kinds[KIND_COUNT], suppressed;
	struct tally left_out; /* listed, not shown */
	struct tally late;     /* unscanned: allocated after the scan */
	struct group **shown;  /* the listed ones, shown_count of them shown */
	size_t shown_count, listed_count;
};

struct leaks {
	struct recording *recording;
	const struct settings *settings;
	struct stacks *stacks;
	struct holders *holders; /* NULL: nothing is known of them */
	struct suppressions suppressions;
	struct group *groups;
	size_t group_count;
	struct section *sections; /* one per process */
	struct section total;	  /* of all, without groups */
	unsigned listed_kinds;
	int looked_at_all;    /* leaks_look_at_blocks, at every group */
	int all_shown;	      /* without --top */
	int no_blocks;	      /* nobody asks for the second half of a group */
	int top_of_each_kind; /* --top counts each kind for itself */
};

/* Reads and chooses the groups; recording, stacks, settings, all_shown and
 * top_of_each_kind are set.  leaks_free leaves these alone. */
void leaks_find(struct leaks *);
void leaks_free(struct leaks *);

/* The same with the report.  Ends the program with status 3 or 2 when the
 * report or the suppressions cannot be read. */
enum {
	LEAKS_ALL = 1,	     /* --top has no default */
	LEAKS_NO_BLOCKS = 2, /* groups without what their blocks say */
};
void leaks_open(struct leaks *, const struct settings *, const char *path,
		unsigned how);
void leaks_close(struct leaks *);

const struct stack *leaks_stack(struct leaks *, struct group *);

/* What was found in all of it. */
struct found {
	uint64_t blocks[KIND_COUNT], bytes[KIND_COUNT];
};
struct found leaks_found(const struct leaks *);

/* Direct and indirect bytes or blocks together. */
int64_t group_bytes(const struct group *);
int64_t group_blocks(const struct group *);

/* 1 when some of it counts as a leak: anything but reachable. */
int section_leaks(const struct section *);

/* Fills in the second half of these groups; with --thread, of that thread's
 * blocks only. */
void leaks_look_at_blocks(const struct leaks *, struct group **, size_t n);

/* leaks_lost.c: fills in loss of these groups; prints it; adds it. */
void leaks_look_at_losses(struct leaks *, struct group **, size_t n);
void leaks_print_loss(const struct leaks *, const struct group *,
		      const struct style *, const char *indent, FILE *);
void leaks_loss_json(const struct leaks *, const struct group *, json_t *to);
/* The C++ type of all its blocks; NULL: not known, or several. */
const char *leaks_type(const struct leaks *, const struct group *);

/* The listed groups of all processes with the same kind and fingerprint. */
struct site {
	int kind;
	uint64_t fingerprint;
	int64_t blocks, bytes; /* indirect ones included */
	int64_t indirect_blocks, indirect_bytes;
	const struct group *group; /* the largest of them */
};

struct sites {
	struct site *list; /* by falling kind, then bytes */
	size_t count;
};

struct sites leaks_sites(struct leaks *);
void sites_free(struct sites *);

void leaks_text(struct leaks *, FILE *);
void leaks_json(struct leaks *, FILE *);
void leaks_sarif(struct leaks *, FILE *);
void leaks_junit(struct leaks *, FILE *);

/* Parts of the JSON page: objects as CONTRACT has them, new references. */
json_t *leaks_process_json(const struct process *);
json_t *leaks_summary_json(const struct leaks *);

#endif
