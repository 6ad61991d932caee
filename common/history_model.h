/*
 * history_model.h - what encoder and decoder of history.h guess from.
 *
 * A class is what events have in common: kind, stack and, of an allocation,
 * the size; numbered in the order in which they come.  A place is one
 * allocation of the chunk; numbered likewise.
 */
#ifndef COMMON_HISTORY_MODEL_H
#define COMMON_HISTORY_MODEL_H

#include "history.h"

enum {
	HISTORY_THREADS = 4096, /* in a chunk, at most */
	HISTORY_PAIRS = 1 << 16,
	HISTORY_BINS = 512, /* kinds of sizes */
	HISTORY_NEAR = 4,   /* freed places that are looked at */
	HISTORY_NONE = -1
};

/* Streams of a chunk, in this order. */
enum history_stream {
	STREAM_THREADS, /* number + 1, or 0 and a new thread; events of it */
	STREAM_CLASSES, /* kind, stack, size of each new class */
	STREAM_EVENTS,	/* per event: its class, as guessed */
	STREAM_PLACES,	/* per event: its address, as guessed */
	STREAM_TIMES,	/* per event: time since the one before */
	HISTORY_STREAMS
};

/* Words of STREAM_EVENTS, then 3 + class. */
enum { EVENT_AS_PAIR, EVENT_AS_LAST, EVENT_NEW, EVENT_CLASS };
/* Words of STREAM_PLACES for a free, then 3 + distance or address. */
enum { PLACE_SAME_AGE, PLACE_NEXT, PLACE_BEFORE, PLACE_FAR };

struct history_class {
	uint64_t stack, size;
	uint32_t kind;
	int32_t follower;   /* class that came after it last, or none */
	uint32_t age, last; /* of a free: the place it met last */
};

struct history_place {
	uint64_t address; /* / 16 */
	int32_t next;	  /* freed before it in the bin, or none */
	uint16_t bin;
	uint16_t live;
};

struct history_model {
	uint32_t classes, places, threads;
	uint64_t far; /* address / 16 that was last spelled out by a free */
	int32_t recent[HISTORY_THREADS][2]; /* a thread's last classes */
	int32_t pair[HISTORY_PAIRS];	    /* class that came after a pair */
	int32_t freed[HISTORY_BINS];	    /* place that was freed last */
	uint64_t near[HISTORY_BINS];	    /* address / 16 of the last one */
	struct history_class class[HISTORY_CHUNK];
	struct history_place place[HISTORY_CHUNK];
};

static inline uint64_t
history_zigzag(uint64_t a, uint64_t b)
{
	uint64_t d = a - b;
	return d << 1 ^ -(d >> 63);
}

static inline uint64_t
history_unzigzag(uint64_t v, uint64_t b)
{
	return b + (v >> 1 ^ -(v & 1));
}

/* Sizes that the allocator serves from one list fall in one bin. */
static inline uint16_t
history_bin(uint64_t size)
{
	if (size <= 1008)
		return (uint16_t)((size + 15) >> 4);
	if (size <= 32 << 10)
		return (uint16_t)(64 + ((size + 511) >> 9));
	if (size <= 8 << 20)
		return (uint16_t)(130 + ((size + 32767) >> 15));
	return HISTORY_BINS - 1;
}

void history_model_reset(struct history_model *);

/* The guesses for the next event of thread t (its number in the chunk). */
static inline int32_t *
history_pair(struct history_model *m, uint32_t t)
{
	uint32_t a = (uint32_t)m->recent[t][0] + 1;
	uint32_t b = (uint32_t)m->recent[t][1] + 1;
	uint32_t h = (a * 0x9e3779b1u ^ b * 0x85ebca6bu) >> 16;
	return &m->pair[h & (HISTORY_PAIRS - 1)];
}

/* After an event of class c in thread t. */
static inline void
history_followed(struct history_model *m, uint32_t t, int32_t c)
{
	*history_pair(m, t) = c;
	if (m->recent[t][0] >= 0)
		m->class[m->recent[t][0]].follower = c;
	m->recent[t][1] = m->recent[t][0];
	m->recent[t][0] = c;
}

/* A new place; numbers are below HISTORY_CHUNK, as there are no more events. */
static inline uint32_t
history_made(struct history_model *m, uint64_t address, uint16_t bin)
{
	m->place[m->places] =
	    (struct history_place){ .address = address, .bin = bin, .live = 1 };
	m->near[bin] = address;
	return m->places++;
}

/* A block of the chunk is freed by an event of class c. */
static inline void
history_freed(struct history_model *m, struct history_class *c, uint32_t at)
{
	struct history_place *p = &m->place[at];
	c->age = m->places - at;
	c->last = at;
	p->live = 0;
	p->next = m->freed[p->bin];
	m->freed[p->bin] = (int32_t)at;
}

/* Takes the nth freed place off its list; NULL when there are fewer. */
static inline struct history_place *
history_retake(struct history_model *m, uint16_t bin, unsigned nth)
{
	int32_t *link = &m->freed[bin];
	while (*link >= 0 && nth--)
		link = &m->place[*link].next;
	if (*link < 0)
		return NULL;
	struct history_place *p = &m->place[*link];
	*link = p->next;
	return p;
}

#endif
