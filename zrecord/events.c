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
	STAGE = 1024,		/* events that are copied at a time */
	MARGIN_NS = 100000,	/* a store becomes visible long before */
	STALLED_NS = 1000000000 /* a thread that is busy for longer is not
				   waited for */
};
#define CHUNK_SECONDS 5.0 /* age at which a chunk is written anyway */

/* What is in [read, written) of the ring is still to be passed on; stage has
 * the first events of it. */
struct ring {
	uint64_t offset; /* in the segment */
	uint64_t read, written;
	uint64_t last;	 /* ticks of the last event that was looked at */
	uint32_t thread; /* whose events come next */
	uint64_t wide;	 /* size of the next event; 0: as it says */
	uint32_t first, count;
	struct zs_event stage[STAGE];
};

struct history {
	struct ring **rings;
	struct ring **active; /* those with events; as long as rings */
	size_t ring_count, active_count;
	struct history_encoder *encoder;
	double chunk_begun;
	double ns_per_tick;
	uint64_t bound; /* of the last call: all before it was passed on */
	uint64_t first, last; /* time of the chunk's events, in units */
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

/* ---- rings ------------------------------------------------------------ */

static void
store(struct process *p, uint64_t off, const void *value, size_t bytes)
{
	ssize_t n;
	do
		n = pwrite(p->seg.fd, value, bytes, (off_t)off);
	while (n < 0 && errno == EINTR);
}

static int
copy(struct process *p, const struct ring *r, uint64_t from, uint64_t n,
     struct zs_event *to)
{
	uint64_t at = r->offset + sizeof(struct zs_ring) +
		      from % ZS_RING_EVENTS * sizeof *to;
	if (segment_read(&p->seg, at, to, n * sizeof *to) == 0)
		return 0;
	p->damaged = 1;
	return -1;
}

/* Copies the next events; 0 when there are none.  What was copied before makes
 * room for the thread. */
static int
refill(struct process *p, struct ring *r)
{
	r->read += r->count;
	r->first = r->count = 0;
	uint64_t n = r->written - r->read;
	if (n > ZS_RING_EVENTS - r->read % ZS_RING_EVENTS)
		n = ZS_RING_EVENTS - r->read % ZS_RING_EVENTS;
	if (n > STAGE)
		n = STAGE;
	if (n && copy(p, r, r->read, n, r->stage) != 0)
		n = r->written - (r->read = r->written);
	r->count = (uint32_t)n;
	store(p, r->offset + offsetof(struct zs_ring, read), &r->read,
	      sizeof r->read);
	return n != 0;
}

static int
is_event(unsigned kind)
{
	return kind >= ZS_EVENT_ALLOC || kind == ZS_EVENT_FREE ||
	       kind == ZS_EVENT_FREE_OTHER;
}

/* Ticks of a ring's next event, which then is stage[first]; all ones when
 * there is none.  A handler's event may be a little earlier than the one before
 * it. */
static uint64_t
ring_head(struct process *p, struct ring *r)
{
	for (;;) {
		if (r->first == r->count && !refill(p, r))
			return UINT64_MAX;
		const struct zs_event *e = &r->stage[r->first];
		unsigned kind = e->where & 15;
		if (is_event(kind)) {
			if (e->ticks > r->last)
				r->last = e->ticks;
			return r->last;
		}
		if (kind == ZS_EVENT_THREAD)
			r->thread = e->size;
		else if (kind == ZS_EVENT_WIDE)
			r->wide = e->ticks;
		else
			p->damaged = 1;
		r->first++;
	}
}

/*
 * How far a ring is written.  *bound sinks to the ticks of its last event when
 * its owner is about to write another one.  busy is read before written: when
 * it was 0 all that happened until then is there.
 */
static uint64_t
look_at_ring(struct process *p, struct ring *r, uint64_t *bound)
{
	struct zs_ring head;
	struct zs_event last;
	uint64_t written;
	if (segment_read(&p->seg, r->offset, &head,
			 offsetof(struct zs_ring, unused)) != 0 ||
	    segment_read(&p->seg, r->offset + offsetof(struct zs_ring, written),
			 &written, sizeof written) != 0 ||
	    head.events != ZS_RING_EVENTS) {
		p->damaged = 1;
		return 0;
	}
	/* else a publication that a signal handler outran, for a moment */
	if (written - r->read <= ZS_RING_EVENTS)
		r->written = written;
	else if (r->read - written > ZS_RING_EVENTS)
		p->damaged = 1;
	if (head.busy && r->written &&
	    copy(p, r, r->written - 1, 1, &last) == 0 && last.ticks < *bound)
		*bound = last.ticks;
	return r->written - r->read;
}

static int
ring_add(struct history *y, uint64_t off)
{
	size_t n = y->ring_count + 1;
	void *rings = realloc(y->rings, n * sizeof(*y->rings));
	if (rings)
		y->rings = rings;
	void *active = realloc(y->active, n * sizeof(*y->active));
	if (active)
		y->active = active;
	struct ring *r = calloc(1, sizeof *r);
	if (!rings || !active || !r) {
		free(r);
		return -1;
	}
	r->offset = off;
	y->rings[y->ring_count++] = r;
	return 0;
}

/* New rings are in front of those that are known. */
static void
find_rings(struct process *p)
{
	struct history *y = p->history;
	struct zs_ring head;
	uint64_t off = p->seg.h.rings;
	uint64_t known =
	    y->ring_count ? y->rings[y->ring_count - 1]->offset : 0;
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
		struct ring *t = y->rings[i];
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

static uint64_t
size_of(const struct ring *r, const struct zs_event *e, unsigned kind)
{
	if (kind < ZS_EVENT_ALLOC)
		return 0;
	return r->wide ? r->wide : e->size;
}

/* The ring's next event. */
static void
pass_on(struct process *p, struct writer *w, struct ring *r)
{
	struct history *y = p->history;
	const struct zs_event *e = &r->stage[r->first++];
	unsigned kind = e->where & 15;
	uint64_t start = p->seg.h.start_ticks;
	double since = r->last > start ? (double)(r->last - start) : 0;
	struct history_event v = {
		.time = (uint64_t)(since * y->ns_per_tick / HISTORY_UNIT_NS),
		.address = e->where & ~UINT64_C(15),
		.size = size_of(r, e, kind),
		.stack = stack_id(p, w, e->stack),
		.thread = r->thread,
		.kind = kind,
	};
	r->wide = 0;
	if (history_add(y->encoder, &v) != 0) {
		write_chunk(p, w);
		history_add(y->encoder, &v);
	}
	if (history_pending(y->encoder) == 1) {
		y->first = v.time;
		y->chunk_begun = seconds_now();
	}
	y->last = v.time;
}

/* ---- order ------------------------------------------------------------ */

/* The ring with the earliest event; *next: the earliest of the others. */
static struct ring *
earliest(struct process *p, uint64_t *next)
{
	struct history *y = p->history;
	struct ring *best = NULL;
	uint64_t least = UINT64_MAX;
	*next = UINT64_MAX;
	for (size_t i = 0; i < y->active_count; i++) {
		uint64_t t = ring_head(p, y->active[i]);
		if (t < least) {
			*next = least;
			least = t;
			best = y->active[i];
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
	for (;;) {
		uint64_t next;
		struct ring *r = earliest(p, &next);
		if (!r || ring_head(p, r) > bound)
			return;
		next = next < bound ? next : bound;
		do
			pass_on(p, w, r);
		while (ring_head(p, r) <= next);
	}
}

/* Looks how far the rings are written; the most events in one. */
static uint64_t
look_at_rings(struct process *p, uint64_t *bound)
{
	struct history *y = p->history;
	uint64_t most = 0;
	find_rings(p);
	y->active_count = 0;
	for (size_t i = 0; i < y->ring_count; i++) {
		uint64_t n = look_at_ring(p, y->rings[i], bound);
		if (n)
			y->active[y->active_count++] = y->rings[i];
		most = n > most ? n : most;
	}
	return most;
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
	if (segment_refresh(&p->seg) != 0)
		p->damaged = 1;
	uint64_t now = look_at_clock(p);
	uint64_t bound = now - (uint64_t)(MARGIN_NS / y->ns_per_tick);
	y->beat++;
	store(p, offsetof(struct zs_header, recorder_beat), &y->beat,
	      sizeof y->beat);
	uint64_t most = look_at_rings(p, &bound);
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
	look_at_rings(p, &bound);
	merge(p, w, UINT64_MAX - 1);
	write_chunk(p, w);
	for (size_t i = 0; i < y->ring_count; i++)
		free(y->rings[i]);
	free(y->rings);
	free(y->active);
	history_encoder_free(y->encoder);
	free(y);
	p->history = NULL;
}
