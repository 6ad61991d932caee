/*
 * events.c - see events.h.
 */
#include "events.h"
#include "history.h"
#include "sampler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

enum {
	RINGS_MAX = 1 << 16,
	COPY = 4096,		/* events at a time */
	MARGIN_NS = 100000,	/* a store becomes visible long before */
	STALLED_NS = 1000000000 /* a thread that is busy for longer is not
				   waited for */
};
#define CHUNK_SECONDS 5.0 /* age at which a chunk is written anyway */

struct ring {
	uint64_t offset; /* in the segment */
	uint64_t read;
	uint64_t last;	 /* ticks of the last event that was copied */
	uint32_t thread; /* whose events come next */
	uint64_t wide;	 /* size of the next event; 0: as it says */
	struct history_event *event; /* copied; times are ticks still */
	size_t first, count, room;
};

struct history {
	struct ring *rings;
	size_t ring_count;
	struct history_encoder *encoder;
	double chunk_begun, next;
	double ns_per_tick;
	uint64_t bound; /* of the last call: all before it was passed on */
	uint64_t stalled_at;
	uint64_t first, last; /* time of the chunk's events, in units */
	uint64_t events, bytes;
	uint32_t beat;
};

static uint64_t
ticks_now(const struct zs_header *h)
{
	if (h->tick_source == ZS_TICKS_TSC) {
#if defined(__x86_64__)
		return __rdtsc();
#elif defined(__aarch64__)
		uint64_t t;
		__asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
		return t;
#endif
	}
	return (uint64_t)(seconds_now() * 1e9);
}

struct history *
events_open(struct process *p)
{
	if (!p->seg.h.start_ticks)
		return NULL;
	struct history *y = calloc(1, sizeof *y);
	if (y)
		y->encoder = history_encoder_new();
	if (y && !y->encoder) {
		free(y);
		y = NULL;
	}
	if (!y)
		p->damaged = 1;
	return y;
}

/* ---- copying ---------------------------------------------------------- */

static struct history_event *
room_for_one(struct ring *r)
{
	if (r->first && r->first == r->count)
		r->first = r->count = 0;
	if (r->count == r->room) {
		size_t room = r->room ? 2 * r->room : COPY;
		void *more = realloc(r->event, room * sizeof *r->event);
		if (!more)
			return NULL;
		r->event = more;
		r->room = room;
	}
	return &r->event[r->count++];
}

/* The report's number of a stack of this process; its row is made. */
static uint64_t
stack_id(struct process *p, struct writer *w, uint32_t stack)
{
	if (!stack || sample_stack_state(p, stack) != 0)
		return 0;
	struct stack_state *s = &p->stacks[stack];
	if (!s->id)
		s->id = writer_row(w, ROW_STACK, "i", p->id);
	return (uint64_t)s->id;
}

static void
accept(struct process *p, struct writer *w, struct ring *r,
       const struct zs_event *e)
{
	unsigned kind = e->where & 15;
	if (kind == ZS_EVENT_THREAD) {
		r->thread = e->size;
		return;
	}
	if (kind == ZS_EVENT_WIDE) {
		r->wide = e->ticks;
		return;
	}
	if (kind != ZS_EVENT_FREE && kind != ZS_EVENT_FREE_OTHER &&
	    kind < ZS_EVENT_ALLOC) {
		p->damaged = 1;
		return;
	}
	struct history_event *v = room_for_one(r);
	if (!v) {
		p->damaged = 1;
		return;
	}
	if (e->ticks > r->last)
		r->last = e->ticks; /* a handler's may be a little earlier */
	*v = (struct history_event){
		.time = r->last,
		.address = e->where & ~UINT64_C(15),
		.size = kind < ZS_EVENT_ALLOC ? 0
			: r->wide	      ? r->wide
					      : e->size,
		.stack = stack_id(p, w, e->stack),
		.thread = r->thread,
		.kind = kind,
	};
	r->wide = 0;
}

static int
copy(struct process *p, struct writer *w, struct ring *r, uint64_t end)
{
	struct zs_event part[COPY];
	uint64_t base = r->offset + sizeof(struct zs_ring);
	while (r->read != end) {
		uint64_t at = r->read % ZS_RING_EVENTS, n = end - r->read;
		if (n > ZS_RING_EVENTS - at)
			n = ZS_RING_EVENTS - at;
		if (n > COPY)
			n = COPY;
		if (segment_read(&p->seg, base + at * sizeof *part, part,
				 n * sizeof *part) != 0)
			return -1;
		for (uint64_t i = 0; i < n; i++)
			accept(p, w, r, &part[i]);
		r->read += n;
	}
	return 0;
}

static void
store(struct process *p, uint64_t off, const void *value, size_t bytes)
{
	ssize_t n;
	do
		n = pwrite(p->seg.fd, value, bytes, (off_t)off);
	while (n < 0 && errno == EINTR);
}

/*
 * Copies what a ring holds.  *bound sinks to the ticks of its last event when
 * its owner is about to write another one.  busy is read before written: when
 * it was 0 all that happened until then is there.
 */
static uint64_t
empty_ring(struct process *p, struct writer *w, struct ring *r, uint64_t *bound)
{
	struct zs_ring head;
	uint64_t written, from = r->read;
	if (segment_read(&p->seg, r->offset, &head,
			 offsetof(struct zs_ring, unused)) != 0 ||
	    segment_read(&p->seg, r->offset + offsetof(struct zs_ring, written),
			 &written, sizeof written) != 0 ||
	    head.events != ZS_RING_EVENTS) {
		p->damaged = 1;
		return 0;
	}
	if (written - from > ZS_RING_EVENTS) {
		/* a publication that a signal handler outran, for a moment */
		if (from - written > ZS_RING_EVENTS)
			p->damaged = 1;
		return 0;
	}
	if (copy(p, w, r, written) != 0)
		p->damaged = 1;
	if (written != from)
		store(p, r->offset + offsetof(struct zs_ring, read), &r->read,
		      sizeof r->read);
	if (head.busy && r->last < *bound)
		*bound = r->last;
	return written - from;
}

/* ---- new rings -------------------------------------------------------- */

static int
ring_add(struct history *y, uint64_t off)
{
	struct ring *more =
	    realloc(y->rings, (y->ring_count + 1) * sizeof(*more));
	if (!more)
		return -1;
	y->rings = more;
	y->rings[y->ring_count++] = (struct ring){ .offset = off };
	return 0;
}

/* New rings are in front of those that are known. */
static void
find_rings(struct process *p)
{
	struct history *y = p->history;
	struct zs_ring head;
	uint64_t off = p->seg.h.rings;
	uint64_t known = y->ring_count ? y->rings[y->ring_count - 1].offset : 0;
	size_t begin = y->ring_count;
	while (off && off != known && y->ring_count < RINGS_MAX) {
		if (segment_read(&p->seg, off, &head, sizeof head) != 0 ||
		    ring_add(y, off) != 0) {
			p->damaged = 1;
			break;
		}
		off = head.next;
	}
	/* the newest last */
	for (size_t i = begin, j = y->ring_count; i + 1 < j; i++) {
		struct ring t = y->rings[i];
		y->rings[i] = y->rings[--j];
		y->rings[j] = t;
	}
}

/* ---- chunks ----------------------------------------------------------- */

static void
write_chunk(struct process *p, struct writer *w)
{
	struct history *y = p->history;
	const void *blob;
	uint32_t events = history_pending(y->encoder);
	size_t n = history_chunk(y->encoder, &blob);
	if (!events)
		return;
	if (!n) {
		p->damaged = 1;
		return;
	}
	const double unit = HISTORY_UNIT_NS * 1e-9;
	sqlite3_stmt *s = writer_begin_row(w, ROW_HISTORY);
	if (!s)
		return;
	sqlite3_bind_int64(s, 1, p->id);
	sqlite3_bind_double(s, 2, (double)y->first * unit);
	sqlite3_bind_double(s, 3, (double)y->last * unit);
	sqlite3_bind_int64(s, 4, events);
	sqlite3_bind_blob64(s, 5, blob, n, SQLITE_STATIC);
	writer_end_row(w, s);
	y->events += events;
	y->bytes += n;
}

static void
pass_on(struct process *p, struct writer *w, const struct history_event *v)
{
	struct history *y = p->history;
	struct history_event e = *v;
	uint64_t since =
	    v->time > p->seg.h.start_ticks ? v->time - p->seg.h.start_ticks : 0;
	e.time = (uint64_t)((double)since * y->ns_per_tick / HISTORY_UNIT_NS);
	if (history_add(y->encoder, &e) != 0) {
		write_chunk(p, w);
		history_add(y->encoder, &e);
	}
	if (history_pending(y->encoder) == 1) {
		y->first = e.time;
		y->chunk_begun = seconds_now();
	}
	y->last = e.time;
}

/* ---- order ------------------------------------------------------------ */

static uint64_t
ring_head(const struct ring *r)
{
	return r->first < r->count ? r->event[r->first].time : UINT64_MAX;
}

/* The ring with the earliest event; *next: the earliest of the others. */
static struct ring *
earliest(struct history *y, uint64_t *next)
{
	struct ring *best = NULL;
	uint64_t least = UINT64_MAX;
	*next = UINT64_MAX;
	for (size_t i = 0; i < y->ring_count; i++) {
		uint64_t t = ring_head(&y->rings[i]);
		if (t < least) {
			*next = least;
			least = t;
			best = &y->rings[i];
		} else if (t < *next) {
			*next = t;
		}
	}
	return best;
}

/* All events up to the bound, in order. */
static void
merge(struct process *p, struct writer *w, uint64_t bound)
{
	struct history *y = p->history;
	for (;;) {
		uint64_t next;
		struct ring *r = earliest(y, &next);
		if (!r || ring_head(r) > bound)
			return;
		next = next < bound ? next : bound;
		do
			pass_on(p, w, &r->event[r->first++]);
		while (ring_head(r) <= next);
	}
}

/* ---- the loop --------------------------------------------------------- */

/* Measured anew each time: ever more exact. */
static uint64_t
look_at_clock(struct process *p)
{
	struct history *y = p->history;
	const struct zs_header *h = &p->seg.h;
	uint64_t ticks = ticks_now(h);
	double ns = seconds_now() * 1e9 - (double)h->start_monotonic_ns;
	uint64_t since = ticks - h->start_ticks;
	y->ns_per_tick = 1;
	if (h->tick_source == ZS_TICKS_TSC && since && ns > 0)
		y->ns_per_tick = ns / (double)since;
	return ticks;
}

/* A thread that was stopped while it wrote must not hold up all others. */
static uint64_t
not_before(struct history *y, uint64_t bound, uint64_t now)
{
	uint64_t long_ago = (uint64_t)(STALLED_NS / y->ns_per_tick);
	if (bound < y->bound)
		bound = y->bound;
	if (now - bound > long_ago && now > long_ago)
		bound = now - long_ago;
	return y->bound = bound;
}

double
events_take(struct process *p, struct writer *w)
{
	struct history *y = p->history;
	uint64_t most = 0;
	if (segment_refresh(&p->seg) != 0)
		p->damaged = 1;
	uint64_t now = look_at_clock(p);
	uint64_t bound = now - (uint64_t)(MARGIN_NS / y->ns_per_tick);
	y->beat++;
	store(p, offsetof(struct zs_header, recorder_beat), &y->beat,
	      sizeof y->beat);
	find_rings(p);
	for (size_t i = 0; i < y->ring_count; i++) {
		uint64_t n = empty_ring(p, w, &y->rings[i], &bound);
		if (n > most)
			most = n;
	}
	merge(p, w, not_before(y, bound, now));
	if (history_pending(y->encoder) &&
	    seconds_now() - y->chunk_begun > CHUNK_SECONDS)
		write_chunk(p, w);
	if (most > ZS_RING_EVENTS / 4)
		return 0;
	return most ? 0.002 : 0.02;
}

void
events_close(struct process *p, struct writer *w)
{
	struct history *y = p->history;
	uint64_t bound = UINT64_MAX - 1;
	if (!y)
		return;
	if (segment_refresh(&p->seg) != 0)
		p->damaged = 1;
	look_at_clock(p);
	find_rings(p);
	for (size_t i = 0; i < y->ring_count; i++)
		empty_ring(p, w, &y->rings[i], &bound);
	merge(p, w, UINT64_MAX - 1);
	write_chunk(p, w);
	for (size_t i = 0; i < y->ring_count; i++)
		free(y->rings[i].event);
	free(y->rings);
	history_encoder_free(y->encoder);
	free(y);
	p->history = NULL;
}
