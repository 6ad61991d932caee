/*
 * history.c - the stream of events for --history: rings in the segment.
 *
 * Each thread has a ring that it alone writes and the recorder empties; see
 * struct zs_ring.  Events carry the processor's time stamp, by which the
 * recorder puts those of all threads in order.  When a ring is full the thread
 * waits for the recorder; when that is gone there is no more history, and the
 * program goes on.  Called by hook.c.
 */
#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

#include "logger/logger.h"
#include "malloc/options.h"
#include "os/os.h"

enum {
	NESTED = 256, /* events that signal handlers may write meanwhile */
	STEP_NS = 200000,
	DOUBT_NS = 100000000,	  /* without a sign of life: is it gone? .. */
	PATIENCE_NS = 3000000000u /* .. and when that cannot be told */
};

bool zm_history_on;
static bool use_tsc;

/* ---- time ------------------------------------------------------------- */

/* A time stamp counter that runs at one speed on all processors? */
static bool
tsc_is_steady(void)
{
#if defined(__x86_64__)
	unsigned a, b, c, d;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & 1 << 8);
#elif defined(__aarch64__)
	return true;
#else
	return false;
#endif
}

static inline uint64_t
ticks(void)
{
	if (__builtin_expect(!use_tsc, 0))
		return zm_os_now();
#if defined(__x86_64__)
	return __rdtsc();
#elif defined(__aarch64__)
	uint64_t t;
	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
	return t;
#else
	return 0;
#endif
}

void
zm_history_start(void)
{
	struct zs_header *h = zm_session.h;

	zm_history_on = zm_options.tracing_history;
	if (!zm_history_on)
		return;
	use_tsc = tsc_is_steady();
	h->tick_source = use_tsc ? ZS_TICKS_TSC : ZS_TICKS_NS;
	h->start_ticks = ticks();
}

/* ---- rings ------------------------------------------------------------ */

static struct zs_ring *
ring_reuse(uint32_t owner)
{
	uint64_t off = __atomic_load_n(&zm_session.h->rings, __ATOMIC_ACQUIRE);

	while (off) {
		struct zs_ring *r = (void *)(zm_session.base + off);
		uint32_t none = 0;
		if (__atomic_compare_exchange_n(&r->owner, &none, owner, false,
						__ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return r;
		off = r->next;
	}
	return NULL;
}

static struct zs_ring *
ring_new(uint32_t owner)
{
	struct zs_header *h = zm_session.h;
	uint64_t off = zm_pool_alloc(sizeof(struct zs_ring) +
				     sizeof(struct zs_event) * ZS_RING_EVENTS);
	struct zs_ring *r = (void *)(zm_session.base + off);

	if (!off)
		return NULL;
	r->owner = owner;
	r->events = ZS_RING_EVENTS;
	r->next = __atomic_load_n(&h->rings, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&h->rings, &r->next, off, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	return r;
}

static void
stop(void)
{
	zm_trouble(ZS_TROUBLE_HISTORY);
	__atomic_store_n(&zm_history_on, false, __ATOMIC_RELAXED);
}

/* Waits until an event and its handlers' have room.  False: no more. */
static bool
wait_for_room(const struct zs_ring *r)
{
	uint64_t since = zm_os_now(), doubt = DOUBT_NS;
	uint32_t beat = 0;

	while (r->reserved - __atomic_load_n(&r->read, __ATOMIC_ACQUIRE) >
	       ZS_RING_EVENTS - NESTED) {
		uint32_t b = __atomic_load_n(&zm_session.h->recorder_beat,
					     __ATOMIC_RELAXED);
		uint64_t now = zm_os_now();
		if (b != beat) {
			beat = b;
			since = now;
			doubt = DOUBT_NS;
		}
		bool gone = now - since > doubt && !zm_handover_answers();
		if (now - since > doubt)
			doubt += DOUBT_NS;
		if (gone || !zm_history_on || now - since > PATIENCE_NS) {
			stop();
			return false;
		}
		zm_os_sleep(STEP_NS);
	}
	return true;
}

/* ---- events ----------------------------------------------------------- */

static void
put(struct zs_ring *r, uint64_t stamp, uint64_t where, uint32_t stack,
    uint32_t size)
{
	uint64_t i;
#if defined(__x86_64__)
	/* one instruction: a signal handler may do the same */
	i = 1;
	__asm__ volatile("xaddq %0, %1" : "+r"(i), "+m"(r->reserved) : : "cc");
#else
	i = __atomic_fetch_add(&r->reserved, 1, __ATOMIC_RELAXED);
#endif
	r->event[i % ZS_RING_EVENTS] =
	    (struct zs_event){ stamp, where, stack, size };
}

static void
begin(struct zs_ring *r)
{
	zm_add_own(&r->busy, 1);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* A handler that comes between the two lines of the loop sets written too. */
static void
end(struct zs_ring *r)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	zm_add_own(&r->busy, (uint64_t)-1);
	if (r->busy)
		return;
	uint64_t all;
	do {
		all = *(volatile uint64_t *)&r->reserved;
		__atomic_store_n(&r->written, all, __ATOMIC_RELEASE);
	} while (all != *(volatile uint64_t *)&r->reserved);
}

/* Thread 0 has no number of its own: all ones. */
static struct zs_ring *
ring_get(struct zm_lthread *t)
{
	uint32_t who = t->index ? t->index : UINT32_MAX;
	struct zs_ring *r = ring_reuse(who);

	if (!r)
		r = ring_new(who);
	if (!r) {
		stop();
		return NULL;
	}
	begin(r);
	if (wait_for_room(r))
		put(r, ticks(), ZS_EVENT_THREAD, 0, t->index);
	end(r);
	t->ring = r;
	return r;
}

void
zm_history_event(struct zm_lthread *t, unsigned kind, const void *p,
		 size_t size, uint32_t stack)
{
	struct zs_ring *r = t->ring ? t->ring : ring_get(t);
	uint32_t small = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;

	if (!r)
		return;
	begin(r);
	uint64_t stamp = ticks();
	if (__builtin_expect(
		r->reserved - __atomic_load_n(&r->read, __ATOMIC_RELAXED) >
		    ZS_RING_EVENTS - NESTED,
		0) &&
	    !wait_for_room(r)) {
		end(r);
		return;
	}
	if (__builtin_expect(small == UINT32_MAX, 0))
		put(r, size, ZS_EVENT_WIDE, 0, 0);
	put(r, stamp, (uintptr_t)p | kind, stack, small);
	end(r);
}

void
zm_history_exit(struct zm_lthread *t)
{
	if (t->ring)
		__atomic_store_n(&t->ring->owner, 0, __ATOMIC_RELEASE);
	t->ring = NULL;
}
