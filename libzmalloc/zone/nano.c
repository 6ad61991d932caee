/*
 * nano.c - see nano.h, and struct zm_slab in types.h.
 *
 * A slab's state is a bitmap beside it, nothing is kept in the blocks; what
 * makes single operations cheap is the threads' caches in front (cache.c).
 * Empty slabs go to a pool that all zones share (slabs.c).
 */
#include "zone/nano.h"

#include <string.h>

#include "zone/arena.h"
#include "zone/directory.h"
#include "zone/fast.h"
#include "zone/meta.h"
#include "zone/populate.h"
#include "zone/slabs.h"
#include "zone/trace.h"

enum {
	EMPTIES_MAX = 1, /* free slabs a magazine keeps in a class */
};

/* ---- slabs -------------------------------------------------------------- */

uint32_t
zm_nano_magic(unsigned class)
{
	unsigned size = class * 16;
	return (uint32_t)(((UINT64_C(1) << 32) + size - 1) / size);
}

static void
list_push(struct zm_nano_mag *m, struct zm_slab *s)
{
	struct zm_slab **head = &m->partial[s->class];
	s->prev = NULL;
	s->next = *head;
	if (s->next)
		s->next->prev = s;
	*head = s;
	s->listed = true;
}

static void
list_drop(struct zm_nano_mag *m, struct zm_slab *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		m->partial[s->class] = s->next;
	if (s->next)
		s->next->prev = s->prev;
	s->listed = false;
}

/*
 * Bits are numbered by the 16 bytes at which a slot starts, so that free needs
 * no division.  starts[class] has those of all slots.
 */
static uint64_t starts[ZM_NANO_CLASSES + 1][ZM_SLAB_WORDS] ZM_TABLE;

/* Threads that do it at once write the same. */
static void
find_starts(unsigned class)
{
	uint64_t bits[ZM_SLAB_WORDS] = { 0 };
	for (unsigned at = 0; at + class <= ZM_SLICE / 16; at += class)
		bits[at / 64] |= UINT64_C(1) << at % 64;
	for (unsigned w = 0; w < ZM_SLAB_WORDS; w++)
		ZM_STORE(&starts[class][w], bits[w]);
}

static bool
is_set(const struct zm_slab *s, size_t offset)
{
	return ZM_LOAD(&s->bits[offset / 1024]) >> offset / 16 % 64 & 1;
}

static struct zm_slab *
slab_new(struct zm_szone *z, unsigned mag, unsigned class)
{
	struct zm_slab *s = zm_slab_get();
	if (!s)
		return NULL;
	uintptr_t base = s->slice;
	s->class = (uint8_t) class;
	s->mag = (uint16_t)mag;
	s->slots = (uint16_t)(ZM_SLICE / (class * 16));
	s->used = s->hint = 0;
	memset(s->bits, 0, sizeof(s->bits));
	if (!ZM_LOAD(&starts[class][0]))
		find_starts(class);
	struct zm_region *r = &s->r;
	r->base = base;
	r->bytes = (size_t)s->slots * class * 16;
	r->tag_count = s->slots;
	r->quantum = class * 16;
	r->slot_magic = zm_nano_magic(class);
	r->zone = z->id;
	r->tag_shift = 0;
	r->tier = ZM_TIER_NANO;
	r->owner = z;
	uint64_t fast = (uintptr_t)s->bits;
	if (z->cached)
		fast |= (uint64_t) class << ZM_KIND_SHIFT;
	if (!zm_region_add(r, ZM_SLICE, fast, 0)) {
		r->bytes = 0;
		zm_slab_put(s);
		return NULL;
	}
	struct zm_nano_mag *m = &z->nano_mags[mag];
	m->slabs++;
	m->empties[class]++;
	list_push(m, s);
	return s;
}

static void
slab_release(struct zm_nano_mag *m, struct zm_slab *s)
{
	if (s->listed)
		list_drop(m, s);
	m->slabs--;
	zm_region_remove(&s->r, ZM_SLICE);
	zm_slab_put(s);
}

static void
slab_take(struct zm_nano_mag *m, struct zm_slab *s, unsigned count, void **out,
	  unsigned *got)
{
	unsigned first = *got;
	if (!s->used && *got < count)
		m->empties[s->class]--;
	for (unsigned w = s->hint; w < ZM_SLAB_WORDS && *got < count; w++) {
		uint64_t free = ZM_LOAD(&starts[s->class][w]) & ~s->bits[w];
		uint64_t taken = 0;
		while (free && *got < count) {
			unsigned bit = (unsigned)__builtin_ctzll(free);
			free &= free - 1;
			taken |= UINT64_C(1) << bit;
			out[(*got)++] =
			    (void *)(s->r.base + (w * 64u + bit) * 16);
			s->used++;
		}
		ZM_STORE(&s->bits[w], s->bits[w] | taken);
		s->hint = (uint16_t)(free ? w : w + 1);
	}
	if (*got > first) /* they ascend */
		zm_touch_ahead(s->r.owner, s->r.base, &s->touched,
			       (uintptr_t)out[*got - 1] - s->r.base +
				   s->r.quantum,
			       ZM_SLICE);
	if (s->used == s->slots)
		list_drop(m, s);
}

unsigned
zm_nano_take(struct zm_szone *z, unsigned mag, unsigned class, unsigned count,
	     void **out)
{
	unsigned most = zm_zone_config.max_nano_magazines, got = 0;
	mag = most && mag >= most ? mag % most : mag;
	struct zm_nano_mag *m = &z->nano_mags[mag];
	zm_lock(&m->lock);
	while (got < count) {
		struct zm_slab *s = m->partial[class];
		if (!s && (got || !(s = slab_new(z, mag, class))))
			break;
		slab_take(m, s, count, out, &got);
	}
	m->blocks += got;
	ZM_STORE(&m->bytes, m->bytes + (size_t)got * class * 16);
	zm_unlock(&m->lock);
	if (got)
		ZM_TRACE(nano_malloc, z->id, class * 16, out[0], got);
	return got;
}

bool
zm_nano_is_start(const struct zm_region *r, uintptr_t p)
{
	uintptr_t off = p - r->base;
	return off < r->bytes && !(off & 15) &&
	       is_set((const struct zm_slab *)r, off);
}

/* Frees one block; m is locked and owns the slab. */
static void
give_one(struct zm_nano_mag *m, struct zm_slab *s, void *p)
{
	uintptr_t off = (uintptr_t)p - s->r.base;
	unsigned w = (unsigned)(off / 1024) % ZM_SLAB_WORDS;
	if (!zm_nano_is_start(&s->r, (uintptr_t)p)) {
		bool slot =
		    !(off & 15) && starts[s->class][w] >> off / 16 % 64 & 1;
		zm_zone_fatal(slot ? "Double free of object"
				   : "pointer being freed was not allocated",
			      p);
		return;
	}
	ZM_STORE(&s->bits[w], s->bits[w] & ~(UINT64_C(1) << off / 16 % 64));
	s->used--;
	if (w < s->hint)
		s->hint = (uint16_t)w;
	m->blocks--;
	ZM_STORE(&m->bytes, m->bytes - s->r.quantum);
	if (!s->listed)
		list_push(m, s);
	if (!s->used) {
		if (m->empties[s->class] < EMPTIES_MAX)
			m->empties[s->class]++;
		else
			slab_release(m, s);
	}
}

/* Blocks of several magazines: one pass under each one's lock. */
void
zm_nano_give(struct zm_szone *z, void **blocks, unsigned count)
{
	ZM_TRACE(nano_free, z->id, blocks[0], count);
	while (count) {
		struct zm_slab *s = (struct zm_slab *)zm_region_of(blocks[0]);
		unsigned mag = ZM_LOAD(&s->mag), left = 0;
		struct zm_nano_mag *m = &z->nano_mags[mag];
		zm_lock(&m->lock);
		for (unsigned i = 0; i < count; i++) {
			struct zm_region *r = zm_region_of(blocks[i]);
			if (!r || r->tier != ZM_TIER_NANO || r->owner != z)
				zm_zone_fatal("Double free of object",
					      blocks[i]);
			else if (((struct zm_slab *)r)->mag != mag)
				blocks[left++] = blocks[i];
			else
				give_one(m, (struct zm_slab *)r, blocks[i]);
		}
		zm_unlock(&m->lock);
		count = left;
	}
}

bool
zm_nano_block_at(struct zm_region *r, uintptr_t p, struct zm_block *out)
{
	const struct zm_slab *s = (const struct zm_slab *)r;
	uintptr_t base = ZM_LOAD(&r->base);
	uint64_t off = p - base;
	if (off >= ZM_LOAD(&r->bytes))
		return false;
	uint32_t slot = (uint32_t)(off * r->slot_magic >> 32);
	if (slot >= ZM_SLICE / r->quantum)
		return false;
	out->region = r;
	out->start = base + (uintptr_t)slot * r->quantum;
	out->usable = r->quantum;
	out->index = slot;
	out->live = is_set(s, (size_t)slot * r->quantum);
	return true;
}

/* ---- zone-wide ---------------------------------------------------------- */

void
zm_nano_init(struct zm_szone *z)
{
	for (unsigned i = 0; i < z->nmag; i++)
		zm_lock_init_zeroed(&z->nano_mags[i].lock, ZM_RANK_NANO);
}

/* Gives back whole pages of a slab without a live slot. */
static void
slab_purge(struct zm_slab *s)
{
	size_t page = zm_os_page_size(), q = s->r.quantum;
	for (size_t at = 0; at < ZM_SLICE; at += page) {
		size_t i = at / q, end = (at + page + q - 1) / q;
		bool used = false;
		for (; i < end && i < s->slots && !used; i++)
			used = is_set(s, i * q);
		void *p = (void *)(s->r.base + at);
		if (!used && zm_os_resident(p, page))
			zm_os_purge(p, page);
	}
}

static void
mag_relief(struct zm_nano_mag *m)
{
	for (unsigned c = 1; c <= ZM_NANO_CLASSES; c++)
		for (struct zm_slab *s = m->partial[c], *next; s; s = next) {
			next = s->next;
			if (s->used) {
				slab_purge(s);
				continue;
			}
			m->empties[c]--;
			slab_release(m, s);
		}
}

void
zm_nano_relief(struct zm_szone *z)
{
	size_t begin = zm_os_release_begin();
	for (unsigned i = 0; z->nano && i < z->nmag; i++) {
		zm_lock(&z->nano_mags[i].lock);
		mag_relief(&z->nano_mags[i]);
		zm_unlock(&z->nano_mags[i].lock);
	}
	zm_slabs_relief();
	ZM_TRACE(nano_memory_pressure, z->id, zm_os_released(begin));
	zm_os_release_end();
}

struct destroy {
	struct zm_slab *list;
};

static void
collect(struct zm_region *r, void *ctx)
{
	struct destroy *d = ctx;
	struct zm_slab *s = (struct zm_slab *)r;
	if (r->tier != ZM_TIER_NANO)
		return;
	s->next = d->list;
	d->list = s;
}

void
zm_nano_destroy(struct zm_szone *z)
{
	struct destroy d = { NULL };
	zm_region_each_of(z, collect, &d);
	for (struct zm_slab *s = d.list, *next; s; s = next) {
		next = s->next;
		zm_region_remove(&s->r, ZM_SLICE);
		zm_slab_put(s);
	}
}

struct check {
	const char *why;
	size_t blocks, bytes;
};

static void
check_slab(struct zm_region *r, void *ctx)
{
	struct check *c = ctx;
	struct zm_slab *s = (struct zm_slab *)r;
	if (r->tier != ZM_TIER_NANO || c->why)
		return;
	unsigned used = 0;
	for (unsigned w = 0; w < ZM_SLAB_WORDS; w++) {
		used += (unsigned)__builtin_popcountll(s->bits[w]);
		if (w < s->hint && starts[s->class][w] & ~s->bits[w])
			c->why = "nano: free slot before the hint";
		if (s->bits[w] & ~starts[s->class][w])
			c->why = "nano: a mark where no slot starts";
	}
	if (used != s->used)
		c->why = "nano: count of used slots is wrong";
	if (s->listed != (used < s->slots))
		c->why = "nano: slab wrongly listed";
	if (zm_region_of((void *)r->base) != r)
		c->why = "nano: slab not in the slice table";
	c->blocks += used;
	c->bytes += (size_t)used * r->quantum;
}

/* The zone is locked. */
const char *
zm_nano_check(struct zm_szone *z)
{
	struct check c = { NULL, 0, 0 };
	zm_region_each_of(z, check_slab, &c);
	for (unsigned i = 0; z->nano && i < z->nmag; i++) {
		struct zm_nano_mag *m = &z->nano_mags[i];
		c.blocks -= m->blocks;
		c.bytes -= m->bytes;
		for (unsigned k = 1; k <= ZM_NANO_CLASSES; k++)
			for (struct zm_slab *s = m->partial[k]; s; s = s->next)
				if (!s->listed || s->mag != i || s->class != k)
					c.why = "nano: partial list is wrong";
	}
	if (!c.why && (c.blocks || c.bytes))
		c.why = "nano: totals do not match the slabs";
	return c.why;
}
