/*
 * cache.c - see cache.h and fast.h.
 *
 * A bin's limit starts small and doubles each time the bin was empty or full
 * too soon, up to a bound that depends on the length of its blocks; the sum
 * of all limits of a cache is bounded in bytes (renew_budget).  When the sum is
 * used up, other bins are made smaller in turn.  Empty bins are filled, full
 * ones emptied by half, in chains (transfer.h), so that a lock is taken once
 * for many blocks.
 *
 * Long blocks (medium) are kept only where a block of that length was asked
 * for a moment ago: a program that uses one buffer after the other finds it
 * again, one that asks for ever different lengths has nothing lying about.
 * The last bin is for one block of more than 1 MiB, of whatever length; a few
 * threads may have one.
 */
#include "zone/cache.h"

#include "zone/meta.h"
#include "zone/nano.h"
#include "zone/rack.h"
#include "zone/trace.h"
#include "zone/transfer.h"

enum {
	CHAIN = 64,
	BUDGET_MIN = 256 << 10,
	BUDGET_MAX = 4 << 20,
	BUDGET_SHARE = 10, /* of the bytes in use */
	SWING_MAX = 2560 << 10,
	BIN_MAX = 2 << 20, /* bytes of a bin */
	FIRST = 1 << 20,   /* a bin's first block may exceed the budget */
	EPOCH = 256,	   /* slow visits */
	LOOKS = 4,	   /* bins looked at in search of room */
	BIG_BINS = 8,	   /* threads that may keep a block of over 1 MiB */
	RECENT = 8,	   /* slow visits: "a moment ago" for long blocks */
};

uintptr_t zm_cache_key;
__thread struct zm_cache *zm_cache_current;

static struct zm_cache none; /* no bin of it is ever filled or has room */
__thread struct zm_cache *zm_cache_fast = &none;

static struct zm_lock lock = ZM_LOCK_INIT(ZM_RANK_CACHES);
static struct zm_cache *caches;
static unsigned cache_count; /* atomic */
static unsigned big_bins;    /* atomic: limits of ZM_BIN_BIG that are 1 */

static const char damaged[] = "Incorrect checksum for freed object: probably "
			      "modified after being freed, or freed twice";

unsigned
zm_bin_for(size_t size)
{
	if (size <= ZM_TINY_MAX)
		return size ? (unsigned)((size + 15) >> 4) : 1;
	if (size <= ZM_SMALL_MAX)
		return ZM_BIN_SMALL + (unsigned)((size + 511) >> 9);
	if (size <= ZM_CACHED_MAX)
		return ZM_BIN_MEDIUM + (unsigned)((size + 32767) >> 15);
	return 0;
}

size_t
zm_bin_bytes(unsigned bin)
{
	if (bin < ZM_BIN_SMALL)
		return (size_t)bin << 4;
	if (bin < ZM_BIN_MEDIUM)
		return (size_t)(bin - ZM_BIN_SMALL) << 9;
	return (size_t)(bin - ZM_BIN_MEDIUM) << 15;
}

/* ---- to and from the magazines ------------------------------------------ */

static unsigned
fetch(struct zm_cache *c, unsigned bin, unsigned count, void **out)
{
	struct zm_szone *z = c->zone;
	if (bin <= ZM_NANO_CLASSES && z->nano)
		return zm_nano_take(z, c->mag, bin, count, out);
	if (bin < ZM_BIN_SMALL)
		return zm_rack_take(&z->rack[0], c->mag, bin, count, out);
	if (bin < ZM_BIN_MEDIUM)
		return zm_rack_take(&z->rack[1], c->mag, bin - ZM_BIN_SMALL,
				    count, out);
	return zm_rack_take(&z->rack[2], c->mag, bin - ZM_BIN_MEDIUM, count,
			    out);
}

/* Blocks of one length, which nano and tiny may both have made. */
static void
give_back(struct zm_szone *z, void **blocks, unsigned count)
{
	void *rack[CHAIN];
	unsigned racks = 0, nanos = 0;
	struct zm_rack *k = NULL;
	for (unsigned i = 0; i < count; i++) {
		struct zm_region *r = zm_region_of(blocks[i]);
		if (!r || r->owner != z) {
			zm_zone_fatal("Double free of object", blocks[i]);
		} else if (r->tier == ZM_TIER_NANO) {
			blocks[nanos++] = blocks[i];
		} else {
			k = &z->rack[r->tier - ZM_TIER_TINY];
			rack[racks++] = blocks[i];
		}
	}
	if (nanos)
		zm_nano_give(z, blocks, nanos);
	if (racks)
		zm_rack_give(k, rack, racks);
}

/* Frees a chain; it may be shorter than its owner believes. */
static void
give_chain(struct zm_szone *z, uintptr_t *p)
{
	void *chain[CHAIN];
	unsigned got = 0;
	while (p) {
		if (!zm_looks_cached(p)) {
			zm_zone_fatal(damaged, p);
			break;
		}
		chain[got++] = p;
		uintptr_t *next = (uintptr_t *)p[0];
		p[0] = p[1] = 0; /* if it is in the list twice, it is caught */
		p = next;
		if (got == CHAIN) {
			give_back(z, chain, got);
			got = 0;
		}
	}
	if (got)
		give_back(z, chain, got);
}

/* Cuts a bin down to its `keep` latest blocks; the rest is returned. */
static struct zm_chain
cut_off(struct zm_bin *b, uint32_t keep)
{
	uintptr_t **link = &b->head;
	uint32_t n = 0;
	for (; *link && n < keep; n++) {
		if (!zm_looks_cached(*link))
			break;
		link = (uintptr_t **)*link;
	}
	struct zm_chain rest = { *link, b->count > n ? b->count - n : 0 };
	b->count = n;
	if (n) { /* the new end of the list */
		uintptr_t *last = (uintptr_t *)link;
		last[0] = 0;
		last[1] = (uintptr_t)last ^ zm_cache_key;
	} else {
		b->head = NULL;
	}
	return rest;
}

static void
drain(struct zm_cache *c, struct zm_bin *b, uint32_t keep)
{
	give_chain(c->zone, cut_off(b, keep).head);
}

/* The same, but the blocks may wait for the next that needs such. */
static void
pass_on(struct zm_cache *c, unsigned bin, uint32_t keep)
{
	struct zm_chain rest = cut_off(&c->bin[bin], keep);
	if (bin < ZM_TRANSFER_BINS && rest.count)
		rest = zm_transfer_put(c->zone, c->mag, bin, rest);
	give_chain(c->zone, rest.head);
}

static bool
take_over(struct zm_cache *c, unsigned bin)
{
	struct zm_chain chain = { NULL, 0 };
	if (bin < ZM_TRANSFER_BINS)
		chain = zm_transfer_get(c->zone, c->mag, bin);
	c->bin[bin].head = chain.head;
	c->bin[bin].count = chain.count;
	return chain.count;
}

/* ---- limits ------------------------------------------------------------- */

static uint32_t
bound(size_t bytes, size_t each, uint32_t low, uint32_t high)
{
	size_t n = bytes / each;
	return n < low ? low : n > high ? high : (uint32_t)n;
}

static size_t
cached_bytes(const struct zm_cache *c)
{
	size_t sum = 0;
	for (unsigned bin = 1; bin < ZM_BIN_BIG; bin++)
		sum += c->bin[bin].count * zm_bin_bytes(bin);
	return sum;
}

/* Bytes of live blocks that are this thread's: those of its magazines, by the
 * number of threads that share them. */
static size_t
live_bytes(const struct zm_cache *c, unsigned sharers)
{
	const struct zm_szone *z = c->zone;
	size_t used = z->nano ? ZM_LOAD(&z->nano_mags[c->mag].bytes) : 0;
	for (unsigned i = 0; i < ZM_RACKS; i++)
		used += ZM_LOAD(&z->rack[i].mags[c->mag % z->rack[i].nmag].used)
			<< z->rack[i].qshift;
	size_t cached = cached_bytes(c);
	return used > cached ? (used - cached) / sharers : 0;
}

/*
 * The budget is a share of what is live, or as much as the live bytes went up
 * and down lately: what was live a moment ago can wait here as well as in a
 * magazine.
 */
static void
renew_budget(struct zm_cache *c)
{
	unsigned sharers = ZM_LOAD(&cache_count) / c->zone->nmag;
	sharers += !sharers;
	size_t live = live_bytes(c, sharers);
	if (live > c->high) { /* growth is no swing */
		c->low += live - c->high;
		c->high = live;
	}
	if (live < c->low)
		c->low = live;
	c->high -= (c->high - live) / 16;
	c->low += (live - c->low) / 16;
	/* visits do not see the ends of it: twice what they see */
	size_t swing = 2 * (c->high - c->low), share = live / BUDGET_SHARE;
	if (swing > SWING_MAX)
		swing = SWING_MAX;
	if (share < swing)
		share = swing;
	c->budget = share < BUDGET_MIN	 ? BUDGET_MIN
		    : share > BUDGET_MAX ? BUDGET_MAX
					 : share;
}

static uint16_t
epoch_of(const struct zm_cache *c)
{
	return (uint16_t)(c->slow / EPOCH);
}

static bool
asked_lately(const struct zm_cache *c, unsigned bin)
{
	return (uint16_t)(c->slow - c->bin[bin].epoch) < RECENT;
}

static bool
is_idle(const struct zm_cache *c, unsigned bin)
{
	return bin < ZM_BIN_MEDIUM
		   ? (uint16_t)(epoch_of(c) - c->bin[bin].epoch) >= 2
		   : !asked_lately(c, bin);
}

/*
 * Empties the next bin in turn if it was not in use lately: a few forgotten
 * blocks would keep whole slabs and regions from going back.
 */
static void
tidy(struct zm_cache *c)
{
	unsigned bin = c->sweep = (c->sweep + 1) % ZM_BIN_BIG;
	struct zm_bin *b = &c->bin[bin];
	struct zm_chain chain;
	if (!is_idle(c, bin))
		return;
	c->reserved -= b->limit * zm_bin_bytes(bin);
	b->limit = 0;
	if (b->head)
		drain(c, b, 0);
	while (bin < ZM_TRANSFER_BINS &&
	       (chain = zm_transfer_get(c->zone, c->mag, bin)).count)
		give_chain(c->zone, chain.head);
}

/* Makes bins smaller that were not in use lately, a few at each call, until
 * `bytes` more fit in; false: they do not. */
static bool
make_room(struct zm_cache *c, size_t bytes)
{
	for (unsigned looks = LOOKS; looks; looks--) {
		if (c->reserved + bytes <= c->budget)
			return true;
		unsigned victim = c->hand = (c->hand + 1) % ZM_BIN_BIG;
		struct zm_bin *b = &c->bin[victim];
		uint16_t less = (uint16_t)(b->limit - b->limit / 2);
		if (!less || !is_idle(c, victim))
			continue;
		b->limit = (uint16_t)(b->limit - less);
		c->reserved -= less * zm_bin_bytes(victim);
		if (b->count > b->limit)
			drain(c, b, b->limit);
	}
	return c->reserved + bytes <= c->budget;
}

static bool
has_room(struct zm_cache *c, size_t bytes)
{
	return c->reserved + bytes <= c->budget ||
	       (!(c->slow & 3) && make_room(c, bytes));
}

/* The bin was empty or full: lets it hold more, if there is room. */
static void
widen(struct zm_cache *c, unsigned bin)
{
	struct zm_bin *b = &c->bin[bin];
	size_t each = zm_bin_bytes(bin);
	uint32_t most = bin < ZM_BIN_MEDIUM ? bound(BIN_MAX, each, 2, 256)
					    : bound(BIN_MAX, each, 1, 1);
	uint32_t to = b->limit ? b->limit * 2u : bound(2048, each, 1, 32);
	if (bin < ZM_BIN_MEDIUM)
		b->epoch = epoch_of(c);
	if (to > most)
		to = most;
	if (to <= b->limit)
		return;
	size_t bytes = (to - b->limit) * each;
	if (!has_room(c, bytes)) { /* not twice, but some more? */
		to = b->limit + b->limit / 4;
		bytes = (to - b->limit) * each;
		if (b->limit ? !bytes || c->reserved + bytes > c->budget
			     : c->reserved > FIRST)
			return;
		if (!b->limit)
			bytes = each, to = 1;
	}
	b->limit = (uint16_t)to;
	c->reserved += bytes;
}

/* Housekeeping of each slow visit. */
static void
visit(struct zm_cache *c)
{
	if (ZM_UNLIKELY(ZM_LOAD(&c->flush)))
		zm_cache_flush(c);
	if (!(++c->slow & 3))
		tidy(c);
	if ((c->slow & 63) == 1)
		renew_budget(c);
}

/* ---- slow paths --------------------------------------------------------- */

struct zm_cache *
zm_cache_of(struct zm_szone *z)
{
	struct zm_cache *c = zm_cache_current;
	if (!c || !z->cached)
		return NULL;
	if (!c->zone) {
		c->mag = __atomic_fetch_add(&z->next_mag, 1, __ATOMIC_RELAXED) %
			 z->nmag;
		ZM_TRACE_MAG(refreshIndex, z->id, c->mag);
		ZM_STORE(&c->zone, z);
	}
	return c->zone == z ? c : NULL;
}

static void *
pop(struct zm_bin *b)
{
	uintptr_t *p = b->head;
	if (!p)
		return NULL;
	if (!zm_looks_cached(p)) {
		b->head = NULL;
		b->count = 0;
		zm_zone_fatal(damaged, p);
		return NULL;
	}
	b->head = (uintptr_t *)p[0];
	b->count--;
	p[0] = p[1] = 0;
	return p;
}

void *
zm_cache_alloc(struct zm_cache *c, unsigned bin)
{
	struct zm_bin *b = &c->bin[bin];
	void *p = pop(b), *chain[CHAIN];
	if (p)
		return p;
	visit(c);
	widen(c, bin);
	if (take_over(c, bin))
		return pop(b);
	/* A block is written to when it is put in a bin, so of long ones only
	 * those are fetched that are needed. */
	uint32_t count = (b->limit + 1) / 2;
	uint32_t most = bound(8 << 10, zm_bin_bytes(bin), 1, CHAIN);
	if (count > most)
		count = most;
	unsigned got = fetch(c, bin, count ? count : 1, chain);
	if (!got)
		return NULL;
	for (unsigned i = got; i-- > 1;)
		zm_bin_push(b, chain[i]);
	return chain[0];
}

void
zm_cache_asked(struct zm_cache *c, unsigned bin)
{
	visit(c);
	c->bin[bin].epoch = (uint16_t)c->slow;
}

bool
zm_cache_put(struct zm_cache *c, unsigned bin, void *p)
{
	struct zm_bin *b = &c->bin[bin];
	if (b->count >= b->limit) {
		visit(c);
		if (bin < ZM_BIN_MEDIUM || asked_lately(c, bin))
			widen(c, bin);
		if (b->count >= b->limit) {
			if (!b->limit)
				return false;
			pass_on(c, bin, b->limit / 2);
		}
	}
	zm_bin_push(b, p);
	return true;
}

/* ---- one block of over 1 MiB --------------------------------------------- */

void *
zm_cache_take_big(struct zm_cache *c, size_t bytes)
{
	struct zm_bin *b = &c->bin[ZM_BIN_BIG];
	if (b->head && c->big_bytes == bytes)
		return pop(b);
	zm_cache_asked(c, ZM_BIN_BIG);
	if (!b->head)
		c->big_bytes = bytes;
	return NULL;
}

bool
zm_cache_put_big(struct zm_cache *c, void *p, size_t bytes)
{
	struct zm_bin *b = &c->bin[ZM_BIN_BIG];
	if (c->big_bytes != bytes) {
		if (b->head)
			drain(c, b, 0);
		return false;
	}
	if (!b->limit) {
		if (ZM_LOAD(&big_bins) >= BIG_BINS)
			return false;
		__atomic_fetch_add(&big_bins, 1, __ATOMIC_RELAXED);
		b->limit = 1;
	}
	if (b->head)
		drain(c, b, 0);
	zm_bin_push(b, p);
	return true;
}

static void
big_release(struct zm_cache *c)
{
	struct zm_bin *b = &c->bin[ZM_BIN_BIG];
	if (b->limit)
		__atomic_fetch_sub(&big_bins, 1, __ATOMIC_RELAXED);
	b->limit = 0;
}

void
zm_cache_flush(struct zm_cache *c)
{
	ZM_STORE(&c->flush, false);
	for (unsigned bin = 0; c->zone && bin < ZM_BIN_BIG; bin++) {
		if (c->bin[bin].head)
			drain(c, &c->bin[bin], 0);
		c->bin[bin].limit = 0;
	}
	if (c->bin[ZM_BIN_BIG].head)
		drain(c, &c->bin[ZM_BIN_BIG], 0);
	big_release(c);
	c->reserved = 0;
}

/* ---- all caches --------------------------------------------------------- */

void
zm_cache_use(struct zm_cache *c)
{
	zm_cache_current = c;
	zm_cache_fast = c ? c : &none;
}

struct zm_cache *
zm_cache_create(void)
{
	struct zm_cache *c = zm_meta_alloc(sizeof(*c));
	if (!c)
		return NULL;
	zm_lock(&lock);
	c->next = caches;
	if (c->next)
		c->next->prev = c;
	caches = c;
	ZM_STORE(&cache_count, cache_count + 1);
	zm_unlock(&lock);
	return c;
}

void
zm_cache_destroy(struct zm_cache *c)
{
	if (!c)
		return;
	zm_cache_flush(c);
	zm_lock(&lock);
	if (c->prev)
		c->prev->next = c->next;
	else
		caches = c->next;
	if (c->next)
		c->next->prev = c->prev;
	ZM_STORE(&cache_count, cache_count - 1);
	zm_unlock(&lock);
	zm_meta_free(c, sizeof(*c));
}

static size_t
bytes_in(const struct zm_cache *c, unsigned bin)
{
	return bin == ZM_BIN_BIG ? c->big_bytes : zm_bin_bytes(bin);
}

static void
each_in_bin(const struct zm_szone *z, const struct zm_bin *b, size_t bytes,
	    void (*fn)(uintptr_t, size_t, void *), void *ctx)
{
	uintptr_t *p = ZM_LOAD(&b->head);
	for (uint32_t n = b->limit + CHAIN; p && n; n--) {
		struct zm_region *r = zm_region_of(p);
		if (!r || r->owner != z || (uintptr_t)p & 15 ||
		    !zm_looks_cached(p))
			return;
		fn((uintptr_t)p, bytes, ctx);
		p = (uintptr_t *)p[0];
	}
}

/* The list of caches is locked. */
void
zm_cache_each(const struct zm_szone *z, void (*fn)(uintptr_t, size_t, void *),
	      void *ctx)
{
	for (struct zm_cache *c = caches; c; c = c->next)
		for (unsigned bin = 0; ZM_LOAD(&c->zone) == z && bin < ZM_BINS;
		     bin++)
			each_in_bin(z, &c->bin[bin], bytes_in(c, bin), fn, ctx);
}

/* The memory may be used again as it is: no block must look cached then. */
void
zm_chain_forget(uintptr_t *p, uint32_t n)
{
	for (; p && n && zm_looks_cached(p); n--) {
		uintptr_t *next = (uintptr_t *)p[0];
		p[0] = p[1] = 0;
		p = next;
	}
}

static void
forget(struct zm_cache *c)
{
	big_release(c);
	for (unsigned bin = 0; bin < ZM_BINS; bin++) {
		struct zm_bin *b = &c->bin[bin];
		zm_chain_forget(b->head, b->count);
		*b = (struct zm_bin){ .head = NULL };
	}
	c->reserved = 0;
	ZM_STORE(&c->zone, NULL);
}

void
zm_cache_forget(const struct zm_szone *z)
{
	zm_lock(&lock);
	for (struct zm_cache *c = caches; c; c = c->next)
		if (ZM_LOAD(&c->zone) == z)
			forget(c);
	zm_unlock(&lock);
}

void
zm_cache_flush_chains(struct zm_szone *z)
{
	unsigned bin;
	struct zm_chain chain;
	while ((chain = zm_transfer_any(z, &bin)).count)
		give_chain(z, chain.head);
	zm_lock(&lock);
	for (struct zm_cache *c = caches; c; c = c->next)
		if (c != zm_cache_current && ZM_LOAD(&c->zone) == z)
			ZM_STORE(&c->flush, true);
	zm_unlock(&lock);
}

/*
 * The owners are gone, perhaps in the middle of a push or pop: a list is
 * followed as far as its blocks are sound.  The structs stay, in case that
 * somebody still points at them.
 */
static void
reap(struct zm_cache *c)
{
	for (unsigned bin = 0; bin < ZM_BINS; bin++) {
		uintptr_t *p = c->bin[bin].head;
		for (uint32_t n = c->bin[bin].limit + CHAIN; p && n; n--) {
			struct zm_region *r = zm_region_of(p);
			if (!r || r->owner != c->zone || (uintptr_t)p & 15 ||
			    !zm_looks_cached(p))
				break;
			uintptr_t *next = (uintptr_t *)p[0];
			void *one = p;
			p[0] = p[1] = 0;
			give_back(c->zone, &one, 1);
			p = next;
		}
		c->bin[bin].head = NULL;
	}
	forget(c);
}

void
zm_cache_reap(const struct zm_szone *z)
{
	for (struct zm_cache *c = caches; c; c = c->next)
		if (c != zm_cache_current && c->zone == z)
			reap(c);
}

const char *
zm_cache_check(const struct zm_szone *z)
{
	const struct zm_cache *c = zm_cache_current;
	size_t reserved = 0;
	if (!c || c->zone != z)
		return NULL;
	for (unsigned bin = 0; bin < ZM_BINS; bin++) {
		const struct zm_bin *b = &c->bin[bin];
		uint32_t n = 0;
		for (uintptr_t *p = b->head; p; p = (uintptr_t *)p[0], n++) {
			struct zm_block at;
			if (n > b->count || !zm_looks_cached(p))
				return "cache: a freed block was modified";
			if (!zm_block_at(p, &at) || at.start != (uintptr_t)p ||
			    at.usable != bytes_in(c, bin))
				return "cache: block in the wrong bin";
		}
		if (n != b->count || n > b->limit + (uint32_t)CHAIN)
			return "cache: count of a bin is wrong";
		if (bin < ZM_BIN_BIG)
			reserved += b->limit * zm_bin_bytes(bin);
	}
	return reserved == c->reserved ? NULL : "cache: sum of limits is wrong";
}

void
zm_cache_lock(void)
{
	zm_lock(&lock);
}

void
zm_cache_unlock(void)
{
	zm_unlock(&lock);
}

void
zm_cache_reinit(void)
{
	zm_lock_init(&lock, ZM_RANK_CACHES);
}
