/*
 * history.h - the events of --history as BLOBs, and back.
 *
 * A chunk holds up to HISTORY_CHUNK events in the order in which they
 * happened and needs no other chunk.  Everything repeats in a program: which
 * event follows which two, which freed block is taken next, how long ago a
 * block that is freed now was made.  Encoder and decoder make the same guesses
 * (struct history_model) and only what was guessed wrong takes room; zstd does
 * the rest.  FORMAT.md describes the bytes.
 *
 * zrecord encodes, zleaks decodes; not thread-safe.  Decoding takes any bytes.
 */
#ifndef COMMON_HISTORY_H
#define COMMON_HISTORY_H

#include <stddef.h>
#include <stdint.h>

enum {
	HISTORY_CHUNK = 1 << 15,
	HISTORY_UNIT_NS = 100000 /* resolution of times in a chunk */
};

enum history_kind { /* 8 and up: an allocation by that enum zs_fn */
		    HISTORY_FREE = 1,
		    HISTORY_FREE_OTHER = 2, /* by realloc, or with its zone */
		    HISTORY_ALLOC = 8,
		    HISTORY_KINDS = 16
};

struct history_event {
	uint64_t time;	  /* in units of HISTORY_UNIT_NS */
	uint64_t address; /* a multiple of 16 */
	uint64_t size;	  /* of an allocation; 0 for a free */
	uint64_t stack;
	uint32_t thread;
	uint32_t kind; /* enum history_kind */
};

struct history_encoder;

/* NULL out of memory. */
struct history_encoder *history_encoder_new(void);
void history_encoder_free(struct history_encoder *);

/* Adds an event.  1: not added, the chunk is full; after history_chunk there is
 * room. */
int history_add(struct history_encoder *, const struct history_event *);

/* Events added since the last chunk. */
uint32_t history_pending(const struct history_encoder *);

/* Ends the chunk.  *blob is the encoder's and valid until the next call of
 * any function; returns its length, 0 when there is nothing or no memory (the
 * events are lost then). */
size_t history_chunk(struct history_encoder *, const void **blob);

/*
 * Calls fn for each event of a chunk, until it returns other than 0.  Returns
 * what fn returned, 0 at the end, -1 when the bytes are no chunk or break off
 * (fn was called for those before).
 */
int history_decode(const void *blob, size_t bytes,
		   int (*fn)(const struct history_event *, void *ctx),
		   void *ctx);

#endif
