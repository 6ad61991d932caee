/*
 * stacks.h - from the trie of a segment to each stack's list of locations.
 */
#ifndef ZRECORD_STACKS_H
#define ZRECORD_STACKS_H

#include "process.h"

/* Writes modules, locations, frames and totals of all stacks of p, and sets
 * p->frames_cut. */
void stacks_write(struct process *p, struct writer *w, struct catalog *c);

#endif
