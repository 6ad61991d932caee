/*
 * model_ops.h - model.c's operations on blocks: each makes, changes, ends or
 * looks at blocks in one of the ways the family has, and verifies what must
 * be true of the answer.
 */
#ifndef TESTS_STRESS_MODEL_OPS_H
#define TESTS_STRESS_MODEL_OPS_H

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "zoneview.h"

enum {
	THREADS_MAX = 64,
	SLOTS = 1200,
	MAIL = 256,
	FREED = 64,	   /* remembered pointers of freed blocks, per thread */
	SHARED_ZONES = 3,  /* used by all threads */
	PRIVATE_ZONES = 2, /* of each thread */
	GENERATIONS = 3,
	OTHERS = 500, /* most blocks that libc may have of its own */
};

struct self {
	pthread_t id;
	unsigned number;
	uint64_t r;
	struct block slot[SLOTS];
	unsigned fill; /* slots in use at present; changes in waves */
	size_t bytes;  /* in blocks, asked for */
	malloc_zone_t *zone[PRIVATE_ZONES];
	void *freed[FREED];
	unsigned freed_next;
	struct set want, got; /* for the private zones */
};

static size_t budget = 48 << 20; /* bytes per thread */
static bool limited, scribble;
static unsigned long refused;

static struct block mail[MAIL];
static pthread_mutex_t mail_lock = PTHREAD_MUTEX_INITIALIZER;
static malloc_zone_t *default_zone, *shared[SHARED_ZONES];

static bool
private_zone(const struct self *t, const void *z)
{
	for (int i = 0; i < PRIVATE_ZONES; i++)
		if (z && t->zone[i] == z)
			return true;
	return false;
}

static malloc_zone_t *
pick_zone(struct self *t)
{
	unsigned k = rnd(&t->r) % 8;
	malloc_zone_t *z = k < SHARED_ZONES ? shared[k]
			   : k < SHARED_ZONES + PRIVATE_ZONES
			       ? t->zone[k - SHARED_ZONES]
			       : NULL;
	return z ? z : default_zone;
}

/* NULL is an error, unless memory is short. */
static void
no_block(size_t size, int error)
{
	if (!limited || error != ENOMEM)
		fail("%zu bytes: NULL, errno %d", size, error);
	__atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
}

/* ---- making blocks ------------------------------------------------------ */

struct ask {
	size_t size, align;
	bool zero, old; /* old: has contents already */
	malloc_zone_t *zone;
};

static void *
make_aligned(struct self *t, struct ask *a)
{
	void *p = NULL;
	unsigned how = rnd(&t->r) % 6;
	a->align = (size_t)1 << (3 + rnd(&t->r) % (rnd(&t->r) % 32 ? 10 : 20));
	switch (how) {
	case 0:
		return memalign(a->align, a->size);
	case 1:
		return aligned_alloc(a->align, a->size);
	case 2:
		a->align = 4096;
		return rnd(&t->r) % 2 ? valloc(a->size) : pvalloc(a->size);
	case 3:
		a->zone = pick_zone(t);
		return malloc_zone_memalign(a->zone, a->align, a->size);
	case 4:
		a->zone = pick_zone(t);
		a->align = 4096;
		return malloc_zone_valloc(a->zone, a->size);
	default:
		errno = posix_memalign(&p, a->align, a->size);
		return p;
	}
}

static void *
make_in_zone(struct self *t, struct ask *a)
{
	a->zone = pick_zone(t);
	switch (rnd(&t->r) % 4) {
	case 0:
		a->zero = true;
		return malloc_zone_calloc(a->zone, 1, a->size);
	case 1:
		a->zero = rnd(&t->r) % 2;
		a->align = (size_t)16 << rnd(&t->r) % 8;
		a->size &= -a->align;
		return malloc_zone_malloc_with_options(
		    a->zone, a->align, a->size,
		    a->zero ? MALLOC_OPTION_CLEAR : 0);
	case 2:
		return malloc_zone_realloc(a->zone, NULL, a->size);
	default:
		return malloc_zone_malloc(a->zone, a->size);
	}
}

static void *
make(struct self *t, struct ask *a)
{
	switch (rnd(&t->r) % 16) {
	case 0 ... 2:
		a->zero = true;
		return a->size % 7 ? calloc(1, a->size)
				   : calloc(a->size / 7, 7);
	case 3:
		return realloc(NULL, a->size);
	case 4:
		return reallocarray(NULL, a->size, 1);
	case 5 ... 6:
		return make_aligned(t, a);
	case 7 ... 9:
		return make_in_zone(t, a);
	default:
		return malloc(a->size);
	}
}

/* What must be true of every new block. */
static void
enter(struct self *t, struct block *b, void *p, const struct ask *a)
{
	*b = (struct block){ .p = p, .size = a->size, .zone = a->zone };
	b->usable = malloc_usable_size(p);
	if ((uintptr_t)p % (a->align > 16 ? a->align : 16))
		fail("%p is not aligned to %zu", p, a->align);
	if (b->usable < b->size || malloc_size(p) != b->usable)
		fail("%p of %zu: usable %zu, malloc_size %zu", p, b->size,
		     b->usable, malloc_size(p));
	if (malloc_zone_from_ptr(p) != a->zone)
		fail("%p is in zone %p, not in %p", p,
		     (void *)malloc_zone_from_ptr(p), (void *)a->zone);
	if (a->zero)
		block_is(p, a->size, 0, "not zeroed");
	else if (scribble && !a->old && a->align <= 16)
		block_is(p, a->size, 0xAA, "not scribbled");
	block_fill(b, rnd(&t->r));
	t->bytes += b->size;
}

static size_t
pick_size(struct self *t)
{
	return random_size(&t->r, t->bytes < budget ? budget - t->bytes : 0);
}

static void
new_block(struct self *t, struct block *b)
{
	struct ask a = { .size = pick_size(t), .zone = default_zone };
	errno = 0;
	void *p = make(t, &a);
	if (p)
		enter(t, b, p, &a);
	else
		no_block(a.size, errno);
}

static void
new_batch(struct self *t)
{
	void *p[40];
	struct ask a = { .size = rnd(&t->r) % 1500, .zone = pick_zone(t) };
	unsigned want = 1 + rnd(&t->r) % 40,
		 got = malloc_zone_batch_malloc(a.zone, a.size, p, want);
	if (got > want)
		fail("batch of %u: %u", want, got);
	if (got < want)
		no_block(a.size, limited ? ENOMEM : 0);
	for (unsigned i = 0, k = 0; i < got; i++) {
		while (k < SLOTS && t->slot[k].p)
			k++;
		if (k < SLOTS)
			enter(t, &t->slot[k], p[i], &a);
		else
			malloc_zone_free(a.zone, p[i]);
	}
}

/* ---- ending blocks ------------------------------------------------------ */

/* The record ends before the block does: from then on it is another's. */
static void *
leave(struct self *t, struct block *b)
{
	void *p = b->p;
	block_verify(b, b->p, b->usable, "free");
	t->bytes -= b->size;
	t->freed[t->freed_next++ % FREED] = p;
	b->p = NULL;
	return p;
}

static void
end_block(struct self *t, struct block *b)
{
	malloc_zone_t *z = b->zone;
	void *p = leave(t, b);
	errno = 77;
	switch (rnd(&t->r) % 8) {
	case 0:
		malloc_zone_free(z, p);
		break;
	case 1:
		if (realloc(p, 0))
			fail("realloc to 0 returned a block");
		break;
	case 2:
		z->free_definite_size(z, p, b->size);
		break;
	default:
		free(p);
	}
	if (errno != 77)
		fail("free changed errno to %d", errno);
}

static void
end_batch(struct self *t)
{
	void *p[20];
	unsigned n = 0, k = rnd(&t->r) % SLOTS;
	malloc_zone_t *z = pick_zone(t);
	for (; n < 20 && k < SLOTS; k++)
		if (t->slot[k].p && t->slot[k].zone == z)
			p[n++] = leave(t, &t->slot[k]);
	if (n < 20)
		p[n++] = NULL;
	malloc_zone_batch_free(z, p, n);
}

/* ---- changing them ------------------------------------------------------ */

static size_t
new_size(struct self *t, const struct block *b)
{
	switch (rnd(&t->r) % 4) {
	case 0:
		return pick_size(t);
	case 1:
		return b->size + 1 + rnd(&t->r) % 64;
	case 2:
		return b->size / 2 + 1;
	default:
		return 1 + rnd(&t->r) % (b->size + b->size / 2 + 1);
	}
}

static void
change_block(struct self *t, struct block *b)
{
	size_t n = new_size(t, b), kept;
	unsigned how = rnd(&t->r) % 4;
	void *p;
	if (!n || (n > b->size && t->bytes + n > budget))
		return;
	block_verify(b, b->p, b->usable, "before realloc");
	errno = 0;
	p = how == 0   ? malloc_zone_realloc(b->zone, b->p, n)
	    : how == 1 ? reallocarray(b->p, 1, n)
		       : realloc(b->p, n);
	if (!p) {
		no_block(n, errno);
		block_verify(b, b->p, b->usable, "failed realloc");
		return;
	}
	kept = n < b->size ? n : b->size;
	block_verify(b, p, kept, "realloc");
	t->bytes -= b->size;
	enter(t, b, p,
	      &(struct ask){ .size = n, .old = true, .zone = b->zone });
}

/* Sizes that nobody has; the block stays as it is. */
static void
impossible(struct self *t, struct block *b)
{
	volatile size_t huge = PTRDIFF_MAX + rnd(&t->r) % 2 * (SIZE_MAX / 4);
	void *p = NULL;
	errno = 0;
	if (malloc(huge + 1) || calloc(huge / 8, 17) ||
	    realloc(b->p, huge + 1) || reallocarray(b->p, huge / 8, 17) ||
	    memalign(64, huge + 1) || malloc_zone_malloc(b->zone, huge + 1) ||
	    errno != ENOMEM || posix_memalign(&p, 64, huge + 1) != ENOMEM)
		fail("got more memory than there is, or errno %d", errno);
	block_verify(b, b->p, b->usable, "impossible realloc");
}

static void
look(struct self *t, const struct block *b)
{
	size_t at = 1 + rnd(&t->r) % (b->usable > 1 ? b->usable - 1 : 1);
	if (malloc_usable_size(b->p) != b->usable)
		fail("usable size of %p was %zu, is %zu", (void *)b->p,
		     b->usable, malloc_usable_size(b->p));
	if (at < b->usable && malloc_size(b->p + at))
		fail("malloc_size(%p + %zu) is %zu", (void *)b->p, at,
		     malloc_size(b->p + at));
	if (!malloc_claimed_address(b->p) ||
	    !malloc_zone_claimed_address(b->zone, b->p))
		fail("%p is not claimed", (void *)b->p);
	if (malloc_zone_from_ptr(b->p) != b->zone)
		fail("%p changed its zone", (void *)b->p);
	if (malloc_good_size(b->size) < b->size)
		fail("good size of %zu is %zu", b->size,
		     malloc_good_size(b->size));
	block_verify(b, b->p, b->usable, "look");
}

/* Gives the block away for one that another thread put there. */
static void
exchange(struct self *t, struct block *b)
{
	if (private_zone(t, b->zone))
		return;
	struct block *other = &mail[rnd(&t->r) % MAIL], mine = *b;
	pthread_mutex_lock(&mail_lock);
	*b = *other;
	*other = mine;
	pthread_mutex_unlock(&mail_lock);
	t->bytes += (b->p ? b->size : 0) - mine.size;
}

#endif
