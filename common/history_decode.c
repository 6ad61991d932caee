/*
 * history_decode.c - chunks to events: see history.h.  Every number is checked
 * against what it indexes.
 */
#include "history_model.h"

#include <stdlib.h>
#include <zstd.h>

enum { STREAM_BYTES_MAX = 30 * HISTORY_CHUNK };

struct reader {
	const unsigned char *at, *end;
	int bad; /* read past the end, or a number too long */
};

struct decoder {
	struct history_model *model;
	uint32_t events;
	uint64_t time;
	uint32_t thread_id[HISTORY_THREADS];
	struct reader stream[HISTORY_STREAMS];
	unsigned char *bytes[HISTORY_STREAMS];
};

static uint64_t
number(struct reader *r)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (r->at == r->end)
			break;
		unsigned char b = *r->at++;
		v |= (uint64_t)(b & 127) << shift;
		if (b < 128)
			return v;
	}
	r->bad = 1;
	return 0;
}

/* ---- opening ---------------------------------------------------------- */

static int
open_stream(struct decoder *d, int i, uint64_t raw, const void *packed,
	    size_t n)
{
	if (raw > STREAM_BYTES_MAX)
		return -1;
	d->bytes[i] = malloc(raw ? raw : 1);
	if (!d->bytes[i])
		return -1;
	size_t got = ZSTD_decompress(d->bytes[i], raw, packed, n);
	if (ZSTD_isError(got) || got != raw)
		return -1;
	d->stream[i] = (struct reader){ d->bytes[i], d->bytes[i] + raw, 0 };
	return 0;
}

static int
open_chunk(struct decoder *d, const void *blob, size_t bytes)
{
	struct reader r = { blob, (const unsigned char *)blob + bytes, 0 };
	uint64_t raw[HISTORY_STREAMS], packed[HISTORY_STREAMS];
	uint64_t version = number(&r), events = number(&r);
	d->time = number(&r);
	for (int i = 0; i < HISTORY_STREAMS; i++) {
		raw[i] = number(&r);
		packed[i] = number(&r);
	}
	if (r.bad || version != 1 || events > HISTORY_CHUNK)
		return -1;
	d->events = (uint32_t)events;
	for (int i = 0; i < HISTORY_STREAMS; i++) {
		if (packed[i] > (uint64_t)(r.end - r.at) ||
		    open_stream(d, i, raw[i], r.at, packed[i]) != 0)
			return -1;
		r.at += packed[i];
	}
	history_model_reset(d->model);
	return 0;
}

/* ---- one event -------------------------------------------------------- */

/* The thread of the next run, or HISTORY_THREADS. */
static uint32_t
take_thread(struct decoder *d)
{
	struct history_model *m = d->model;
	struct reader *r = &d->stream[STREAM_THREADS];
	uint64_t word = number(r);
	if (word)
		return word <= m->threads ? (uint32_t)word - 1
					  : HISTORY_THREADS;
	uint64_t id = number(r);
	if (id > UINT32_MAX || m->threads == HISTORY_THREADS)
		return HISTORY_THREADS;
	m->recent[m->threads][0] = m->recent[m->threads][1] = HISTORY_NONE;
	d->thread_id[m->threads] = (uint32_t)id;
	return m->threads++;
}

/* -1 when the class is none. */
static int32_t
take_class(struct decoder *d, uint32_t t)
{
	struct history_model *m = d->model;
	struct reader *r = &d->stream[STREAM_CLASSES];
	uint64_t word = number(&d->stream[STREAM_EVENTS]);
	int32_t last = m->recent[t][0];
	if (word == EVENT_AS_PAIR)
		return *history_pair(m, t);
	if (word == EVENT_AS_LAST)
		return last >= 0 ? m->class[last].follower : -1;
	if (word != EVENT_NEW)
		return word - EVENT_CLASS < m->classes
			   ? (int32_t)(word - EVENT_CLASS)
			   : -1;
	struct history_class c = { .follower = HISTORY_NONE };
	uint64_t kind = number(r);
	c.stack = number(r);
	c.kind = (uint32_t)kind;
	if (kind >= HISTORY_ALLOC)
		c.size = number(r);
	if (r->bad || !kind || kind >= HISTORY_KINDS ||
	    m->classes == HISTORY_CHUNK)
		return -1;
	m->class[m->classes] = c;
	return (int32_t)m->classes++;
}

static int
take_alloc(struct decoder *d, struct history_event *v)
{
	struct history_model *m = d->model;
	uint64_t word = number(&d->stream[STREAM_PLACES]), address;
	uint16_t bin = history_bin(v->size);
	if (word < HISTORY_NEAR) {
		const struct history_place *p =
		    history_retake(m, bin, (unsigned)word);
		if (!p)
			return -1;
		address = p->address;
	} else {
		address = history_unzigzag(word - HISTORY_NEAR, m->near[bin]);
		history_retake(m, bin, 0);
	}
	history_made(m, address, bin);
	v->address = address << 4;
	return 0;
}

static int
take_free(struct decoder *d, struct history_class *c, struct history_event *v)
{
	struct history_model *m = d->model;
	uint64_t word = number(&d->stream[STREAM_PLACES]), at;
	if (word >= PLACE_FAR && (word - PLACE_FAR) & 1) {
		m->far = history_unzigzag((word - PLACE_FAR) >> 1, m->far);
		v->address = m->far << 4;
		return 0;
	}
	if (word == PLACE_SAME_AGE)
		at = (uint64_t)m->places - c->age;
	else if (word == PLACE_NEXT)
		at = (uint64_t)c->last + 1;
	else if (word == PLACE_BEFORE)
		at = (uint64_t)c->last - 1;
	else
		at = history_unzigzag((word - PLACE_FAR) >> 1, c->last);
	if (at >= m->places || !m->place[at].live)
		return -1;
	v->address = m->place[at].address << 4;
	history_freed(m, c, (uint32_t)at);
	return 0;
}

static int
take_event(struct decoder *d, uint32_t t, struct history_event *v)
{
	struct history_model *m = d->model;
	d->time += number(&d->stream[STREAM_TIMES]);
	int32_t n = take_class(d, t);
	if (n < 0)
		return -1;
	struct history_class *c = &m->class[n];
	*v = (struct history_event){ .time = d->time,
				     .size = c->size,
				     .stack = c->stack,
				     .thread = d->thread_id[t],
				     .kind = c->kind };
	history_followed(m, t, n);
	int bad =
	    c->kind >= HISTORY_ALLOC ? take_alloc(d, v) : take_free(d, c, v);
	for (int i = 0; i < HISTORY_STREAMS; i++)
		bad |= d->stream[i].bad;
	return bad ? -1 : 0;
}

static int
decode(struct decoder *d, int (*fn)(const struct history_event *, void *),
       void *ctx)
{
	struct reader *threads = &d->stream[STREAM_THREADS];
	struct history_event v;
	for (uint32_t done = 0; done < d->events;) {
		uint32_t t = take_thread(d);
		uint64_t run = number(threads);
		if (threads->bad || t == HISTORY_THREADS || !run ||
		    run > d->events - done)
			return -1;
		for (; run; run--, done++) {
			if (take_event(d, t, &v) != 0)
				return -1;
			int stop = fn(&v, ctx);
			if (stop)
				return stop;
		}
	}
	return 0;
}

int
history_decode(const void *blob, size_t bytes,
	       int (*fn)(const struct history_event *, void *), void *ctx)
{
	struct decoder *d = calloc(1, sizeof *d);
	int result = -1;
	if (d)
		d->model = malloc(sizeof *d->model);
	if (d && d->model && open_chunk(d, blob, bytes) == 0)
		result = decode(d, fn, ctx);
	for (int i = 0; d && i < HISTORY_STREAMS; i++)
		free(d->bytes[i]);
	free(d ? d->model : NULL);
	free(d);
	return result;
}
