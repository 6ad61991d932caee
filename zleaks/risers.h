/*
 * risers.h - who is behind growth of which no block is left, by the stacks' own
 * curves: the program has freed it in the end, or still runs.
 */
#ifndef ZLEAKS_RISERS_H
#define ZLEAKS_RISERS_H

#include "growth.h"

struct riser {
	int64_t stack_id;
	double gained; /* bytes, since the warm-up, saw-teeth left out */
	double size;   /* of its blocks, on average, when there were most */
	int one_size;  /* all of them, as far as can be seen */
};

/* Of one process; read when they are needed. */
struct risers {
	const struct clock *clock;
	struct riser *all;
	size_t count, room;
};

/* Adds the stacks behind a growing class or zone to its `top`: first those
 * whose blocks are of that class, then those with blocks of several sizes. */
void risers_of_curve(struct growth *, struct risers *, struct curve *);
void risers_free(struct risers *);

/* The same for rounds: what the stacks gained between the samples in them. */
void risers_of_rounds(struct growth *, struct rounds *);

#endif
