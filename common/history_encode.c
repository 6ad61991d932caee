/*
 * history_encode.c - events to chunks: see history.h.
 */
#include "history_model.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum {
	LEVEL = 1, /* of zstd: more costs more than it saves */
	SLOTS = 2 * HISTORY_CHUNK,
	THREAD_SLOTS = 2 * HISTORY_THREADS,
	HEAD_MAX = 128,
	WORD_MAX = 10 /* bytes of a number */
};

struct buffer {
	unsigned char *at, *end;
	unsigned char *bytes;
};

struct history_encoder {
	struct history_model model;
	uint32_t events, thread, run; /* run: events of the thread so far */
	uint32_t named;		      /* threads that a run has named */
	uint64_t first, time;
	struct buffer stream[HISTORY_STREAMS];
	/* numbers plus one, by hash; 0: empty */
	uint32_t class_at[SLOTS], place_at[SLOTS];
	uint32_t thread_at[THREAD_SLOTS], thread_id[HISTORY_THREADS];
	unsigned char *blob;
	size_t room;
	ZSTD_CCtx *zstd;
};

/* Bytes that a stream can have at most, per event. */
static const unsigned widest[HISTORY_STREAMS] = { 3 * WORD_MAX, 3 * WORD_MAX,
						  WORD_MAX, WORD_MAX,
						  WORD_MAX };

static void
reset(struct history_encoder *e)
{
	history_model_reset(&e->model);
	e->events = e->run = e->named = 0;
	memset(e->class_at, 0, sizeof e->class_at);
	memset(e->place_at, 0, sizeof e->place_at);
	memset(e->thread_at, 0, sizeof e->thread_at);
	for (int i = 0; i < HISTORY_STREAMS; i++)
		e->stream[i].at = e->stream[i].bytes;
}

struct history_encoder *
history_encoder_new(void)
{
	struct history_encoder *e = calloc(1, sizeof *e);
	if (!e)
		return NULL;
	e->zstd = ZSTD_createCCtx();
	int bad = !e->zstd;
	for (int i = 0; i < HISTORY_STREAMS; i++) {
		e->stream[i].bytes =
		    malloc((size_t)HISTORY_CHUNK * widest[i] + WORD_MAX);
		bad |= !e->stream[i].bytes;
	}
	reset(e);
	if (!bad)
		return e;
	history_encoder_free(e);
	return NULL;
}

void
history_encoder_free(struct history_encoder *e)
{
	if (!e)
		return;
	for (int i = 0; i < HISTORY_STREAMS; i++)
		free(e->stream[i].bytes);
	ZSTD_freeCCtx(e->zstd);
	free(e->blob);
	free(e);
}

uint32_t
history_pending(const struct history_encoder *e)
{
	return e->events;
}

static unsigned char *
number(unsigned char *at, uint64_t v)
{
	while (v >= 128) {
		*at++ = (unsigned char)(v | 128);
		v >>= 7;
	}
	*at++ = (unsigned char)v;
	return at;
}

static inline void
put(struct history_encoder *e, enum history_stream s, uint64_t v)
{
	e->stream[s].at = number(e->stream[s].at, v);
}

static inline uint32_t
mix(uint64_t x)
{
	x *= UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(x >> 32 ^ x >> 47);
}

/* ---- which thread ----------------------------------------------------- */

static void
end_run(struct history_encoder *e)
{
	if (!e->run)
		return;
	if (e->thread == e->named) {
		put(e, STREAM_THREADS, 0);
		put(e, STREAM_THREADS, e->thread_id[e->thread]);
		e->named++;
	} else {
		put(e, STREAM_THREADS, e->thread + 1);
	}
	put(e, STREAM_THREADS, e->run);
	e->run = 0;
}

/* The number of a thread in this chunk; HISTORY_THREADS: there are too many. */
static uint32_t
thread_number(struct history_encoder *e, uint32_t id)
{
	struct history_model *m = &e->model;
	uint32_t i = mix(id) & (THREAD_SLOTS - 1);
	for (; e->thread_at[i]; i = (i + 1) & (THREAD_SLOTS - 1))
		if (e->thread_id[e->thread_at[i] - 1] == id)
			return e->thread_at[i] - 1;
	if (m->threads == HISTORY_THREADS)
		return HISTORY_THREADS;
	m->recent[m->threads][0] = m->recent[m->threads][1] = HISTORY_NONE;
	e->thread_id[m->threads] = id;
	e->thread_at[i] = ++m->threads;
	return m->threads - 1;
}

/* ---- what happened ---------------------------------------------------- */

static int32_t
class_of(struct history_encoder *e, const struct history_event *v, int *is_new)
{
	struct history_model *m = &e->model;
	uint32_t i = mix(v->stack ^ v->size << 24 ^ (uint64_t)v->kind << 56) &
		     (SLOTS - 1);
	for (; e->class_at[i]; i = (i + 1) & (SLOTS - 1)) {
		const struct history_class *c = &m->class[e->class_at[i] - 1];
		if (c->stack == v->stack && c->size == v->size &&
		    c->kind == v->kind)
			return (int32_t)e->class_at[i] - 1;
	}
	*is_new = 1;
	m->class[m->classes] = (struct history_class){
		.stack = v->stack,
		.size = v->size,
		.kind = v->kind,
		.follower = HISTORY_NONE,
	};
	e->class_at[i] = ++m->classes;
	return (int32_t)m->classes - 1;
}

static struct history_class *
put_class(struct history_encoder *e, uint32_t t, const struct history_event *v)
{
	struct history_model *m = &e->model;
	int is_new = 0;
	int32_t c = class_of(e, v, &is_new);
	int32_t last = m->recent[t][0];
	if (is_new) {
		put(e, STREAM_EVENTS, EVENT_NEW);
		put(e, STREAM_CLASSES, v->kind);
		put(e, STREAM_CLASSES, v->stack);
		if (v->kind >= HISTORY_ALLOC)
			put(e, STREAM_CLASSES, v->size);
	} else if (*history_pair(m, t) == c) {
		put(e, STREAM_EVENTS, EVENT_AS_PAIR);
	} else if (last >= 0 && m->class[last].follower == c) {
		put(e, STREAM_EVENTS, EVENT_AS_LAST);
	} else {
		put(e, STREAM_EVENTS, EVENT_CLASS + (uint64_t)c);
	}
	history_followed(m, t, c);
	return &m->class[c];
}

/* ---- where ------------------------------------------------------------ */

static uint32_t *
place_slot(struct history_encoder *e, uint64_t address)
{
	const struct history_model *m = &e->model;
	uint32_t i = mix(address) & (SLOTS - 1);
	while (e->place_at[i] &&
	       m->place[e->place_at[i] - 1].address != address)
		i = (i + 1) & (SLOTS - 1);
	return &e->place_at[i];
}

static void
put_alloc(struct history_encoder *e, uint64_t address, uint16_t bin)
{
	struct history_model *m = &e->model;
	int32_t at = m->freed[bin];
	unsigned nth = 0;
	for (; at >= 0 && nth < HISTORY_NEAR; nth++) {
		if (m->place[at].address == address)
			break;
		at = m->place[at].next;
	}
	if (at >= 0 && nth < HISTORY_NEAR) {
		put(e, STREAM_PLACES, nth);
	} else {
		nth = 0; /* the guess was bad: not again */
		put(e, STREAM_PLACES,
		    HISTORY_NEAR + history_zigzag(address, m->near[bin]));
	}
	history_retake(m, bin, nth);
	*place_slot(e, address) = history_made(m, address, bin) + 1;
}

static void
put_free(struct history_encoder *e, struct history_class *c, uint64_t address)
{
	struct history_model *m = &e->model;
	uint32_t at = *place_slot(e, address) - 1;
	if (at == UINT32_MAX || !m->place[at].live) {
		uint64_t far = history_zigzag(address, m->far);
		put(e, STREAM_PLACES, PLACE_FAR + (far << 1 | 1));
		m->far = address;
		return;
	}
	if (m->places - at == c->age)
		put(e, STREAM_PLACES, PLACE_SAME_AGE);
	else if (at == c->last + 1)
		put(e, STREAM_PLACES, PLACE_NEXT);
	else if (at + 1 == c->last)
		put(e, STREAM_PLACES, PLACE_BEFORE);
	else
		put(e, STREAM_PLACES,
		    PLACE_FAR + (history_zigzag(at, c->last) << 1));
	history_freed(m, c, at);
}

int
history_add(struct history_encoder *e, const struct history_event *v)
{
	uint32_t t = thread_number(e, v->thread);
	if (t == HISTORY_THREADS || e->events == HISTORY_CHUNK)
		return 1;
	if (t != e->thread)
		end_run(e);
	e->thread = t;
	e->run++;
	if (!e->events++)
		e->first = e->time = v->time;
	uint64_t time = v->time > e->time ? v->time : e->time;
	put(e, STREAM_TIMES, time - e->time);
	e->time = time;
	struct history_class *c = put_class(e, t, v);
	if (v->kind >= HISTORY_ALLOC)
		put_alloc(e, v->address >> 4, history_bin(v->size));
	else
		put_free(e, c, v->address >> 4);
	return 0;
}

/* ---- the chunk -------------------------------------------------------- */

static int
make_room(struct history_encoder *e)
{
	size_t need = HEAD_MAX;
	for (int i = 0; i < HISTORY_STREAMS; i++)
		need += ZSTD_compressBound(
		    (size_t)(e->stream[i].at - e->stream[i].bytes));
	if (need <= e->room)
		return 0;
	free(e->blob);
	e->blob = malloc(need);
	e->room = e->blob ? need : 0;
	return e->blob ? 0 : -1;
}

size_t
history_chunk(struct history_encoder *e, const void **blob)
{
	unsigned char head[HEAD_MAX], *h = head;
	if (!e->events || make_room(e) != 0) {
		reset(e);
		return 0;
	}
	end_run(e);
	h = number(h, 1); /* version of this format */
	h = number(h, e->events);
	h = number(h, e->first);
	unsigned char *at = e->blob + HEAD_MAX, *end = e->blob + e->room;
	for (int i = 0; i < HISTORY_STREAMS; i++) {
		const struct buffer *s = &e->stream[i];
		size_t raw = (size_t)(s->at - s->bytes);
		size_t n = ZSTD_compressCCtx(e->zstd, at, (size_t)(end - at),
					     s->bytes, raw, LEVEL);
		if (ZSTD_isError(n)) {
			reset(e);
			return 0;
		}
		h = number(h, raw);
		h = number(h, n);
		at += n;
	}
	/* the head goes right before the streams */
	size_t bytes = (size_t)(h - head);
	unsigned char *start = e->blob + HEAD_MAX - bytes;
	memcpy(start, head, bytes);
	*blob = start;
	reset(e);
	return (size_t)(at - start);
}
