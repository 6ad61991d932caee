/*
 * arena.c - see arena.h.  Free spans are kept by size and coalesced with
 * their neighbours, which the slice table shows.
 *
 * Invariants, under the arena's lock: every slice of the arena is in exactly
 * one free span or in one span handed out; no two free spans touch; a free
 * span's slices have no region, its first and last point at its node, the
 * others at nothing; free spans are decommitted.
 */
#include "zone/arena.h"

#include <sys/mman.h>

#include "zone/meta.h"

enum {
	ARENA_LOG_MAX = 40, /* 1 TiB */
	ARENA_LOG_MIN = 36, /* less is not worth it */
	BINS = ARENA_LOG_MAX - ZM_SLICE_SHIFT + 1,
	LOOKS = 16,	      /* spans looked at in a bin */
	ROOT_SHIFT = 32,      /* a radix leaf covers 4 GiB */
	ROOT_COUNT = 1 << 16, /* 48 bits of address */
	NODE = 1 /* in a fast word: a span's node, not a region's data */
};

struct span {
	size_t start, count; /* slices */
	struct span *next, *prev;
};

struct zm_arena zm_arena;
bool zm_arena_limited;

static struct zm_lock lock = ZM_LOCK_INIT(ZM_RANK_ARENA);
static struct span *bins[BINS];
static uint64_t bins_used;
static bool started;
static struct zm_pool nodes = { .lock = ZM_LOCK_INIT(ZM_RANK_ARENA + 2),
				.bytes = sizeof(struct span),
				.link_offset = offsetof(struct span, next) };

/* Radix: NULL, a leaf of 65536 slices, or (tagged by 1) one entry that is
 * true for all of the 4 GiB. */
static uintptr_t root[ROOT_COUNT] ZM_TABLE;

static const char reserved_name[] = "zmalloc";

/* ---- free spans --------------------------------------------------------- */

static unsigned
bin_of(size_t count)
{
	return 63 - (unsigned)__builtin_clzll(count);
}

/* s NULL: no longer. */
static void
mark(const struct span *at, const struct span *s)
{
	size_t last = at->start + at->count - 1;
	uint64_t word = s ? (uintptr_t)s | NODE : 0;
	ZM_STORE(&zm_arena.slices[at->start].fast, word);
	/* the arena's end has no right neighbour that could ask */
	if (last + 1 < zm_arena.bytes >> ZM_SLICE_SHIFT)
		ZM_STORE(&zm_arena.slices[last].fast, word);
}

static void
span_insert(struct span *s)
{
	unsigned bin = bin_of(s->count);
	s->prev = NULL;
	s->next = bins[bin];
	if (s->next)
		s->next->prev = s;
	bins[bin] = s;
	bins_used |= UINT64_C(1) << bin;
	mark(s, s);
}

static void
span_remove(struct span *s)
{
	unsigned bin = bin_of(s->count);
	if (s->prev)
		s->prev->next = s->next;
	else
		bins[bin] = s->next;
	if (s->next)
		s->next->prev = s->prev;
	if (!bins[bin])
		bins_used &= ~(UINT64_C(1) << bin);
	mark(s, NULL);
}

/*
 * The free span whose first or last slice this is.  A slice that is handed out
 * may be entered in the table meanwhile, without our lock, so one word has to
 * say all.
 */
static struct span *
span_at(size_t slice)
{
	if (slice >= zm_arena.bytes >> ZM_SLICE_SHIFT)
		return NULL;
	uint64_t word = ZM_LOAD(&zm_arena.slices[slice].fast);
	return word & NODE ? (struct span *)(uintptr_t)(word - NODE) : NULL;
}

/* Puts slices back, joined with what is free beside them.  False when there
 * is no memory for a node; then they are lost to us. */
static bool
give(size_t start, size_t count)
{
	struct span *before = start ? span_at(start - 1) : NULL;
	struct span *after = span_at(start + count), *s = NULL;
	if (before) {
		span_remove(before);
		start = before->start;
		count += before->count;
		s = before;
	}
	if (after) {
		span_remove(after);
		count += after->count;
		if (s)
			zm_pool_put(&nodes, after);
		else
			s = after;
	}
	if (!s && !(s = zm_pool_get(&nodes)))
		return false;
	s->start = start;
	s->count = count;
	span_insert(s);
	return true;
}

/* The aligned start of `count` slices in s, or SIZE_MAX. */
static size_t
fits(const struct span *s, size_t count, size_t align)
{
	size_t base = zm_arena.base >> ZM_SLICE_SHIFT;
	size_t at = ((base + s->start + align - 1) & ~(align - 1)) - base;
	size_t end = s->start + s->count;
	return at <= end && end - at >= count ? at : SIZE_MAX;
}

static struct span *
find(size_t count, size_t align, size_t *at)
{
	uint64_t map = bins_used & ~UINT64_C(0) << bin_of(count);
	for (; map; map &= map - 1) {
		struct span *s = bins[__builtin_ctzll(map)];
		for (int i = 0; s && i < LOOKS; i++, s = s->next)
			if ((*at = fits(s, count, align)) != SIZE_MAX)
				return s;
	}
	return NULL;
}

static uintptr_t
take(size_t count, size_t align)
{
	size_t at;
	struct span *s = find(count, align, &at);
	if (!s)
		return 0;
	span_remove(s);
	size_t end = s->start + s->count;
	size_t before = at - s->start, after = end - at - count;
	if (before) { /* the node stays with the front, if there is one */
		s->count = before;
		span_insert(s);
	}
	if (after) {
		struct span *rest = before ? zm_pool_get(&nodes) : s;
		if (!rest) { /* undo */
			span_remove(s);
			s->count = end - s->start;
			span_insert(s);
			return 0;
		}
		rest->start = at + count;
		rest->count = after;
		span_insert(rest);
	}
	if (!before && !after)
		zm_pool_put(&nodes, s);
	return zm_arena.base + (at << ZM_SLICE_SHIFT);
}

/* ---- start -------------------------------------------------------------- */

static bool
reserve(unsigned log)
{
	size_t bytes = (size_t)1 << log;
	size_t table = (bytes >> ZM_SLICE_SHIFT) * sizeof(struct zm_slice);
	void *p = zm_os_reserve(bytes, ZM_SLICE, reserved_name);
	if (!p)
		return false;
	long t = zm_os_mmap(NULL, table, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct span *all =
	    (unsigned long)t > -4096UL ? NULL : zm_pool_get(&nodes);
	if (!all) {
		if ((unsigned long)t <= -4096UL)
			zm_os_unmap((void *)t, table);
		zm_os_unmap(p, bytes);
		return false;
	}
	zm_os_name((void *)t, table, "zmalloc slice table");
	zm_os_own_add((void *)t, table);
	zm_arena.base = (uintptr_t)p;
	zm_arena.slices = (struct zm_slice *)t;
	zm_arena.bytes = bytes;
	all->start = 0;
	all->count = bytes >> ZM_SLICE_SHIFT;
	span_insert(all);
	return true;
}

/*
 * A reservation counts against RLIMIT_AS although it uses nothing, so it is
 * made only where it takes at most a fourth of what is allowed.
 */
bool
zm_arena_start(void)
{
	zm_lock(&lock);
	if (!started) {
		size_t limit = zm_os_address_space();
		for (unsigned log = ARENA_LOG_MAX; log >= ARENA_LOG_MIN; log--)
			if ((size_t)1 << log <= limit / 4 && reserve(log))
				break;
		zm_arena_limited = zm_arena.bytes == 0;
		started = true;
	}
	zm_unlock(&lock);
	return true;
}

/* ---- spans -------------------------------------------------------------- */

static bool
in_arena(uintptr_t p)
{
	return p - zm_arena.base < zm_arena.bytes;
}

uintptr_t
zm_span_alloc(size_t bytes, size_t align, const char *name)
{
	uintptr_t p = 0;
	if (align < ZM_SLICE)
		align = ZM_SLICE;
	if (zm_arena.bytes && bytes <= zm_arena.bytes / 8) {
		zm_lock(&lock);
		p = take(bytes >> ZM_SLICE_SHIFT, align >> ZM_SLICE_SHIFT);
		zm_unlock(&lock);
		if (p && name)
			zm_os_name((void *)p, bytes, name);
	}
	if (!p)
		p = (uintptr_t)zm_os_reserve(bytes, align, name);
	return p;
}

void
zm_span_free(uintptr_t start, size_t bytes)
{
	if (!in_arena(start)) {
		zm_os_unmap((void *)start, bytes);
		return;
	}
	/* What cannot be emptied must not be used again: it would not read as
	 * zero.  Giving the pages back at least is always tried. */
	if (zm_os_decommit((void *)start, bytes)) {
		zm_os_purge((void *)start, bytes);
		return;
	}
	zm_os_name((void *)start, bytes, reserved_name);
	zm_lock(&lock);
	give((start - zm_arena.base) >> ZM_SLICE_SHIFT,
	     bytes >> ZM_SLICE_SHIFT);
	zm_unlock(&lock);
}

static bool
grow_outside(uintptr_t end, size_t more)
{
	long p = zm_os_mmap((void *)end, more, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			    -1, 0);
	if ((unsigned long)p > -4096UL)
		return false;
	if ((uintptr_t)p == end)
		return true;
	zm_os_unmap((void *)p, more); /* kernels before 4.17 take a hint */
	return false;
}

bool
zm_span_resize(uintptr_t start, size_t bytes, size_t new_bytes)
{
	if (new_bytes <= bytes) {
		if (new_bytes < bytes)
			zm_span_free(start + new_bytes, bytes - new_bytes);
		return true;
	}
	size_t more = new_bytes - bytes;
	uintptr_t end = start + bytes;
	if (!in_arena(start))
		return grow_outside(end, more);
	bool grown = false;
	zm_lock(&lock);
	struct span *s = span_at((end - zm_arena.base) >> ZM_SLICE_SHIFT);
	if (s && s->count >= more >> ZM_SLICE_SHIFT) {
		span_remove(s);
		s->start += more >> ZM_SLICE_SHIFT;
		s->count -= more >> ZM_SLICE_SHIFT;
		if (s->count)
			span_insert(s);
		else
			zm_pool_put(&nodes, s);
		grown = true;
	}
	zm_unlock(&lock);
	return grown;
}

/* ---- table -------------------------------------------------------------- */

struct zm_slice *
zm_slice_slow(uintptr_t p)
{
	uintptr_t off = p - zm_arena.base;
	if (off < zm_arena.bytes)
		return &zm_arena.slices[off >> ZM_SLICE_SHIFT];
	if (p >> ROOT_SHIFT >= ROOT_COUNT)
		return NULL;
	uintptr_t leaf =
	    __atomic_load_n(&root[p >> ROOT_SHIFT], __ATOMIC_ACQUIRE);
	if (leaf & 1)
		return (struct zm_slice *)(leaf - 1);
	if (!leaf)
		return NULL;
	return (struct zm_slice *)leaf + (p >> ZM_SLICE_SHIFT & 0xffff);
}

/* One entry for 4 GiB that lie wholly in one region, or none any more. */
static bool
set_whole(size_t index, struct zm_region *region)
{
	uintptr_t old = root[index];
	if (!region) {
		if (old & 1)
			ZM_STORE(&((struct zm_slice *)(old - 1))->region, NULL);
		return true;
	}
	if (old && !(old & 1)) /* there is a leaf already: fill it */
		return false;
	if (!old) {
		struct zm_slice *one = zm_meta_alloc(sizeof(*one));
		if (!one)
			return false;
		old = (uintptr_t)one | 1;
	}
	ZM_STORE(&((struct zm_slice *)(old - 1))->region, region);
	__atomic_store_n(&root[index], old, __ATOMIC_RELEASE);
	return true;
}

static struct zm_slice *
leaf_of(size_t index)
{
	enum { COUNT = 1 << (ROOT_SHIFT - ZM_SLICE_SHIFT) };
	uintptr_t old = root[index];
	if (old && !(old & 1))
		return (struct zm_slice *)old;
	struct zm_slice *leaf = zm_meta_alloc(COUNT * sizeof(struct zm_slice));
	if (leaf) /* a whole entry that is not in use any more is lost */
		__atomic_store_n(&root[index], (uintptr_t)leaf,
				 __ATOMIC_RELEASE);
	return leaf;
}

static bool
radix_set(uintptr_t start, uintptr_t end, struct zm_region *region,
	  uint64_t fast, uint64_t step)
{
	const uintptr_t whole = (uintptr_t)1 << ROOT_SHIFT;
	for (uintptr_t p = start; p < end;) {
		size_t index = p >> ROOT_SHIFT;
		if (index >= ROOT_COUNT)
			return false;
		if (!(p & (whole - 1)) && end - p >= whole &&
		    (region || root[index] & 1) && set_whole(index, region)) {
			p += whole;
			continue;
		}
		uintptr_t stop = (index + 1) << ROOT_SHIFT;
		struct zm_slice *leaf =
		    region || root[index] ? leaf_of(index) : NULL;
		if (!leaf && region)
			return false;
		for (; p < end && p < stop; p += ZM_SLICE, fast += step) {
			if (!leaf)
				continue;
			struct zm_slice *s =
			    leaf + (p >> ZM_SLICE_SHIFT & 0xffff);
			ZM_STORE(&s->fast, region ? fast : 0);
			__atomic_store_n(&s->region, region, __ATOMIC_RELEASE);
		}
	}
	return true;
}

bool
zm_slices_set(uintptr_t start, size_t bytes, struct zm_region *region,
	      uint64_t fast, uint64_t step)
{
	uintptr_t end = start + bytes;
	if (in_arena(start)) {
		struct zm_slice *s = zm_slice_of(start);
		for (; start < end; start += ZM_SLICE, s++, fast += step) {
			ZM_STORE(&s->fast, region ? fast : 0);
			__atomic_store_n(&s->region, region, __ATOMIC_RELEASE);
		}
		return true;
	}
	zm_lock(&lock);
	bool done = radix_set(start, end, region, fast, step);
	if (!done)
		radix_set(start, end, NULL, 0, 0);
	zm_unlock(&lock);
	return done;
}

/* ---- fork --------------------------------------------------------------- */

void
zm_arena_lock(void)
{
	zm_lock(&lock);
	zm_lock(&nodes.lock);
	zm_meta_lock();
}

void
zm_arena_unlock(void)
{
	zm_meta_unlock();
	zm_unlock(&nodes.lock);
	zm_unlock(&lock);
}

void
zm_arena_reinit(void)
{
	zm_lock_init(&lock, ZM_RANK_ARENA);
	zm_lock_init(&nodes.lock, ZM_RANK_ARENA + 2);
	zm_meta_reinit();
}
