/*
 * large.c - see large.h; struct zm_large in types.h.
 *
 * Death row holds freed blocks in the order of their death.  A request takes
 * the smallest of them that is big enough and less than twice the request.
 * Blocks beyond a few lose their pages when they enter (may_stay_warm); when
 * the row is full the oldest is unmapped.
 */
#include "zone/large.h"

#include <string.h>

#include "zone/arena.h"
#include "zone/directory.h"
#include "zone/lazy.h"
#include "zone/meta.h"
#include "zone/trace.h"

static struct zm_pool pool = { .lock = ZM_LOCK_INIT(ZM_RANK_DEPOT + 2),
			       .bytes = sizeof(struct zm_large),
			       .link_offset = offsetof(struct zm_large, next) };

/* What the size of the machine allows; set by the first zone. */
static struct {
	unsigned entries;
	size_t entry_max, reserve;
} row;

static const char name[] = "zmalloc large";

void
zm_large_init(struct zm_szone *z)
{
	zm_lock_init(&z->large.lock, ZM_RANK_LARGE);
	if (row.entries)
		return;
	uint64_t ram = zm_os_ram();
	bool big = ram >= zm_zone_config.large_expanded_ram;
	row.reserve = ram / 1024;
	row.entry_max = zm_arena_limited ? 1 << 20
			: big		 ? 512 << 20
					 : 128 << 20;
	row.entries = big ? ZM_DEATH_ROW_MAX : 16;
}

static void
link_live(struct zm_large_zone *z, struct zm_large *l)
{
	l->prev = NULL;
	l->next = z->live;
	if (l->next)
		l->next->prev = l;
	z->live = l;
	z->blocks++;
	z->bytes += l->r.bytes;
}

static void
unlink_live(struct zm_large_zone *z, struct zm_large *l)
{
	if (l->prev)
		l->prev->next = l->next;
	else
		z->live = l->next;
	if (l->next)
		l->next->prev = l->prev;
	z->blocks--;
	z->bytes -= l->r.bytes;
}

/* ---- death row ---------------------------------------------------------- */

static void
row_remove(struct zm_large_zone *z, unsigned i)
{
	z->row_bytes -= z->row[i]->r.bytes;
	z->row_count--;
	memmove(&z->row[i], &z->row[i + 1],
		(z->row_count - i) * sizeof(*z->row));
}

/*
 * At first only as much of the row keeps its pages as would not be noticed
 * beside what is in use.  A program that wants back what has just lost them
 * may keep more from then on, up to the reserve.
 */
enum { WARM_SHARE = 16, WARM_LEAST = 2 << 20 };
#define LATELY UINT64_C(1000000000) /* ns */

static void
missed(struct zm_large_zone *z, size_t bytes)
{
	z->missed_at = zm_os_now();
	z->warm += bytes;
	if (z->warm > row.reserve)
		z->warm = row.reserve;
}

static bool
may_stay_warm(struct zm_large_zone *z, size_t bytes)
{
	size_t most = z->bytes / WARM_SHARE + WARM_LEAST;
	if (z->row_bytes + bytes > row.reserve)
		return false;
	if (z->row_bytes + bytes <= (z->warm > most ? z->warm : most))
		return true;
	if (z->warm && zm_os_now() - z->missed_at > LATELY)
		z->warm /= 2;
	return false;
}

static struct zm_large *
row_take(struct zm_large_zone *z, size_t bytes, size_t align)
{
	unsigned best = ZM_DEATH_ROW_MAX;
	for (unsigned i = z->row_count; i-- > 0;) {
		struct zm_large *l = z->row[i];
		if (l->r.bytes < bytes || l->r.bytes - bytes >= bytes ||
		    l->r.base & (align - 1))
			continue;
		if (best == ZM_DEATH_ROW_MAX ||
		    l->r.bytes < z->row[best]->r.bytes)
			best = i;
		if (l->r.bytes == bytes)
			break;
	}
	if (best == ZM_DEATH_ROW_MAX)
		return NULL;
	struct zm_large *l = z->row[best];
	row_remove(z, best);
	if (l->clean)
		missed(z, l->r.bytes);
	return l;
}

/* Unmaps; z is not locked, l in no list. */
static void
bury(struct zm_large *l)
{
	size_t guard = l->r.base - l->span;
	zm_region_remove(&l->r, l->span_bytes - guard);
	zm_span_free(l->span, l->span_bytes);
	zm_pool_put(&pool, l);
}

/* ---- blocks ------------------------------------------------------------- */

/* Prelude of a slice and postlude of a page, where asked for. */
static struct zm_large *
map(struct zm_szone *z, size_t bytes, size_t align)
{
	bool guards = zm_zone_config.guard_edges || zm_zone_config.guard_all;
	size_t before = guards && !zm_zone_config.no_prelude
			    ? zm_round_up(ZM_SLICE, align)
			    : 0;
	size_t after =
	    guards && !zm_zone_config.no_postlude ? zm_os_page_size() : 0;
	size_t span;
	if (__builtin_add_overflow(bytes, before + after, &span) ||
	    span > PTRDIFF_MAX)
		return NULL;
	span = zm_round_up(span, ZM_SLICE);
	struct zm_large *l = zm_pool_get(&pool);
	if (!l)
		return NULL;
	l->span = zm_span_alloc(span, align, name);
	if (!l->span) {
		zm_pool_put(&pool, l);
		return NULL;
	}
	l->span_bytes = span;
	l->dying = false;
	l->clean = true;
	l->r = (struct zm_region){
		.base = l->span + before,
		.bytes = bytes,
		.tag_count = 1,
		.zone = z->id,
		.tier = ZM_TIER_LARGE,
		.owner = z,
	};
	if (zm_os_commit((void *)l->r.base, bytes) ||
	    !zm_region_add(&l->r, span - before, 0, 0)) {
		l->r.base = l->r.bytes = 0;
		zm_span_free(l->span, span);
		zm_pool_put(&pool, l);
		return NULL;
	}
	return l;
}

static struct zm_large *
row_take_locked(struct zm_szone *z, size_t bytes, size_t align)
{
	zm_lock(&z->large.lock);
	struct zm_large *l = row_take(&z->large, bytes, align);
	if (l) {
		ZM_STORE(&l->dying, false);
		link_live(&z->large, l);
	}
	zm_unlock(&z->large.lock);
	return l;
}

void *
zm_large_alloc(struct zm_szone *z, size_t bytes, size_t align, bool *zero)
{
	if (bytes > PTRDIFF_MAX)
		return NULL;
	bytes = zm_round_up(bytes ? bytes : 1, zm_os_page_size());
	struct zm_large *l = row_take_locked(z, bytes, align);
	if (!l) {
		l = map(z, bytes, align);
		if (!l) { /* what waits may be what is missing */
			if (!zm_large_relief(z))
				return NULL;
			l = map(z, bytes, align);
		}
		if (!l)
			return NULL;
		zm_lock(&z->large.lock);
		link_live(&z->large, l);
		zm_unlock(&z->large.lock);
	}
	if (zero)
		*zero = l->clean;
	l->clean = false;
	ZM_TRACE(large_malloc, z->id, bytes, l->r.base);
	return (void *)l->r.base;
}

/* z is locked.  The one that has to leave, if any. */
static struct zm_large *
row_put(struct zm_large_zone *z, struct zm_large *l)
{
	struct zm_large *out = NULL;
	if (z->row_count == row.entries) {
		out = z->row[0];
		row_remove(z, 0);
	}
	if (!may_stay_warm(z, l->r.bytes))
		l->clean = zm_os_purge((void *)l->r.base, l->r.bytes) == 0;
	else if (zm_zone_config.scribble)
		memset((void *)l->r.base, 0x55, l->r.bytes);
	z->row[z->row_count++] = l;
	z->row_bytes += l->r.bytes;
	return out;
}

void
zm_large_free(struct zm_szone *z, struct zm_large *l, void *p)
{
	struct zm_large *out = l;
	zm_lock(&z->large.lock);
	if ((uintptr_t)p != l->r.base || l->dying) {
		bool start = (uintptr_t)p == l->r.base;
		zm_unlock(&z->large.lock);
		zm_zone_fatal(start ? "pointer being freed already on death-row"
				    : "pointer being freed was not allocated",
			      p);
		return;
	}
	ZM_TRACE(large_free, z->id, p, l->r.bytes);
	unlink_live(&z->large, l);
	zm_lazy_forget(l);
	ZM_STORE(&l->dying, true);
	if (zm_zone_config.large_cache && l->r.bytes <= row.entry_max)
		out = row_put(&z->large, l);
	zm_unlock(&z->large.lock);
	if (out)
		bury(out);
}

static bool
shrink(struct zm_large *l, size_t bytes)
{
	size_t before = l->r.base - l->span, old = l->span_bytes - before;
	size_t span = zm_round_up(bytes, ZM_SLICE);
	size_t kept = span < l->r.bytes ? span : l->r.bytes;
	if (kept > bytes &&
	    zm_os_decommit((void *)(l->r.base + bytes), kept - bytes))
		return true; /* it only stays longer than asked */
	ZM_STORE(&l->r.bytes, bytes);
	if (span < old) {
		zm_region_resized(&l->r, old, span);
		zm_span_resize(l->span, l->span_bytes, before + span);
		l->span_bytes = before + span;
	}
	return true;
}

static bool
grow(struct zm_large *l, size_t bytes)
{
	size_t before = l->r.base - l->span, old = l->span_bytes - before;
	size_t span = zm_round_up(bytes, ZM_SLICE), had = l->r.bytes;
	if (span > old) {
		if (!zm_span_resize(l->span, l->span_bytes, before + span))
			return false;
		l->span_bytes = before + span;
	}
	if (zm_os_commit((void *)(l->r.base + had), bytes - had) ||
	    !zm_region_resized(&l->r, old, span)) {
		zm_span_resize(l->span, l->span_bytes, before + old);
		l->span_bytes = before + old;
		return false;
	}
	ZM_STORE(&l->r.bytes, bytes);
	return true;
}

bool
zm_large_resize(struct zm_szone *z, struct zm_large *l, size_t bytes)
{
	if (bytes > PTRDIFF_MAX)
		return false;
	bytes = zm_round_up(bytes ? bytes : 1, zm_os_page_size());
	bool guards = zm_zone_config.guard_edges || zm_zone_config.guard_all;
	if (guards && bytes != l->r.bytes)
		return false; /* a new block has its guards in place */
	bool done = true;
	zm_lock(&z->large.lock);
	size_t had = l->r.bytes;
	if (bytes < had)
		done = shrink(l, bytes);
	else if (bytes > had)
		done = grow(l, bytes);
	z->large.bytes += l->r.bytes - had;
	zm_unlock(&z->large.lock);
	return done;
}

bool
zm_large_block_at(struct zm_region *r, uintptr_t p, struct zm_block *out)
{
	uintptr_t base = ZM_LOAD(&r->base);
	size_t bytes = ZM_LOAD(&r->bytes);
	if (p - base >= bytes)
		return false;
	out->region = r;
	out->start = base;
	out->usable = bytes;
	out->index = 0;
	out->live = !ZM_LOAD(&((struct zm_large *)r)->dying);
	return true;
}

bool
zm_large_relief(struct zm_szone *z)
{
	struct zm_large *out[ZM_DEATH_ROW_MAX];
	zm_lock(&z->large.lock);
	unsigned n = z->large.row_count;
	memcpy(out, z->large.row, n * sizeof(*out));
	z->large.row_count = 0;
	z->large.row_bytes = 0;
	zm_unlock(&z->large.lock);
	for (unsigned i = 0; i < n; i++)
		bury(out[i]);
	return n > 0;
}

void
zm_large_destroy(struct zm_szone *z)
{
	zm_large_relief(z);
	while (z->large.live) {
		struct zm_large *l = z->large.live;
		unlink_live(&z->large, l);
		zm_lazy_forget(l);
		bury(l);
	}
}

/* z is locked. */
const char *
zm_large_check(struct zm_szone *z)
{
	size_t blocks = 0, bytes = 0;
	for (struct zm_large *l = z->large.live; l; l = l->next) {
		blocks++;
		bytes += l->r.bytes;
		if (l->dying)
			return "large: a dead block among the live";
		if (zm_region_of((void *)(l->r.base + l->r.bytes - 1)) != &l->r)
			return "large: block not in the slice table";
	}
	if (blocks != z->large.blocks || bytes != z->large.bytes)
		return "large: totals do not match the blocks";
	bytes = 0;
	for (unsigned i = 0; i < z->large.row_count; i++) {
		bytes += z->large.row[i]->r.bytes;
		if (!z->large.row[i]->dying)
			return "large: a live block on death row";
	}
	if (bytes != z->large.row_bytes)
		return "large: total of death row is wrong";
	return NULL;
}

void
zm_large_pool_lock(void)
{
	zm_lock(&pool.lock);
}

void
zm_large_pool_unlock(void)
{
	zm_unlock(&pool.lock);
}

void
zm_large_pool_reinit(void)
{
	zm_lock_init(&pool.lock, ZM_RANK_DEPOT + 2);
}
