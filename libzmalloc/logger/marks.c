/*
 * marks.c - moments that the program names, each with what was live then, so
 * that growth can be said per request, frame or round.
 *
 * A mark takes less than a microsecond and 32 bytes of the segment; a label
 * that was used lately is not stored again.  Called by programs
 * (zmalloc/record.h) and by record.c.
 */
#include <errno.h>
#include <string.h>

#include "logger/logger.h"
#include "malloc/state.h"
#include "os/lock.h"
#include "zmalloc/record.h"

enum { LABEL_MAX = 255, RECENT = 8 };

static struct zm_lock lock = ZM_LOCK_INIT(ZM_RANK_LOGGER);

/* Labels of this session, by offset; guarded by the lock. */
static struct {
	uint32_t generation, next;
	uint64_t label[RECENT];
} recent;

void
zm_marks_reset(void)
{
	zm_lock_init(&lock, ZM_RANK_LOGGER);
}

/* Offset of the label in the pool; 0 when that is full. */
static uint64_t
label_get(const char *label, size_t n)
{
	if (recent.generation != zm_session.generation) {
		memset(&recent, 0, sizeof recent);
		recent.generation = zm_session.generation;
	}
	for (unsigned i = 0; i < RECENT; i++) {
		const char *s = zm_session.base + recent.label[i];
		if (recent.label[i] && !strncmp(s, label, n) && !s[n])
			return recent.label[i];
	}
	uint64_t off = zm_pool_string(label, n);
	if (off)
		recent.label[recent.next++ % RECENT] = off;
	return off;
}

ZM_EXPORT int
zmalloc_record_mark(const char *label)
{
	struct zs_mark mark = { 0 };

	if (!label)
		return EINVAL;
	if (!zm_session_active())
		return ENOTCONN;
	int done = ENOMEM;
	struct zs_table *m = &zm_session.h->marks;
	zm_live_totals(&mark.live_blocks, &mark.live_bytes);
	mark.t_ns = zm_session_ns();
	zm_lock(&lock);
	mark.label = label_get(label, strnlen(label, LABEL_MAX));
	if (mark.label && m->count < m->capacity &&
	    zm_table_open(m, m->count)) {
		zm_session.marks[m->count] = mark;
		/* what is allocated from now on is later than the mark */
		zm_clock_set(mark.t_ns / 1000000 + 1);
		__atomic_store_n(&m->count, m->count + 1, __ATOMIC_RELEASE);
		done = 0;
	}
	zm_unlock(&lock);
	return done;
}
