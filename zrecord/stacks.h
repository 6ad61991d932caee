/*
 * stacks.h - from the trie of a segment to each stack's list of locations.
 *
 * Frames of new stacks are looked up while the program runs and their rows
 * written when the names are there, so that little is left to do at the end
 * and a report whose recorder was killed has names too.
 */
#ifndef ZRECORD_STACKS_H
#define ZRECORD_STACKS_H

#include "process.h"

/* Has the names of all frames that were not there before looked up; returns
 * at once. */
void stacks_ask(struct process *p, struct catalog *c);

/* Writes the frames of stacks whose names are all known by now. */
void stacks_progress(struct process *p, struct writer *w, struct catalog *c);

/* Writes locations, frames and totals of all stacks of p, and sets
 * p->frames_cut. */
void stacks_write(struct process *p, struct writer *w, struct catalog *c);

void stacks_free(struct process *p);

/* A module of the process by its index in the segment's table, once stacks_ask
 * has seen it; else NULL. */
struct catalog_module *stacks_module(const struct process *, uint32_t index);

#endif
