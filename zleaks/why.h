/*
 * why.h - what the command `why` asks, and the blocks that answer it.
 */
#ifndef ZLEAKS_WHY_H
#define ZLEAKS_WHY_H

#include "holder.h"

/* A live block. */
struct why_row {
	int64_t address, size, holder, offset, root_id, stack_id, type_id;
	int64_t thread_id, held_path;
	double allocated_at, held_at, lost_at;
	int kind;
	uint8_t asked;	/* the user wants to know of it */
	uint8_t known;	/* chain is final */
	uint32_t chain; /* see struct why_chains; 0: nothing holds it */
};

/* What is asked for: an address, or else a stack. */
struct why_question {
	uint64_t address;
	int64_t stack_id;
};

struct why_chain;

/* The blocks of one process and the chains that hold those that are asked
 * for.  Chains with the same links are one, however often a link that leads
 * to one like itself comes in a row. */
struct why_chains {
	struct why_row *rows; /* by address */
	size_t count, asked;
	struct why_chain **chains; /* [0]: none */
	uint32_t chain_count;
	struct why_chain *by_key;
};

void why_load(struct why_chains *, const struct recording *,
	      const struct process *, const struct why_question *);
void why_free(struct why_chains *);

/* The links of one block's chain, from the root on; the caller's to free. */
struct holder_link *why_links(const struct why_chains *, const struct why_row *,
			      size_t *n);

#endif
