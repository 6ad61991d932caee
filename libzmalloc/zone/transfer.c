/*
 * transfer.c - see transfer.h.
 */
#include "zone/transfer.h"

#include "zone/cache.h"

enum {
	CHAIN_MAX = 32 << 10, /* bytes of a chain */
	SHARE = 20,	      /* of the bytes that a zone has touched */
	LEAST = 64 << 10,
	MOST = 1 << 20,
};

static size_t
bound(const struct zm_szone *z)
{
	size_t n = ZM_LOAD(&z->touched) / SHARE / z->nmag;
	return n < LEAST ? LEAST : n > MOST ? MOST : n;
}

/* The head is looked at without the lock, to see whether there is any. */
static void
set(struct zm_chain *at, struct zm_chain c)
{
	ZM_STORE(&at->head, c.head);
	at->count = c.count;
}

struct zm_chain
zm_transfer_put(struct zm_szone *z, unsigned mag, unsigned bin,
		struct zm_chain c)
{
	struct zm_transfer *t = &z->transfer[mag];
	size_t each = zm_bin_bytes(bin), bytes = c.count * each;
	if (bytes > CHAIN_MAX || ZM_LOAD(&t->bytes) + bytes > bound(z))
		return c;
	zm_lock(&t->lock);
	struct zm_chain *at = t->chain[bin], old = at[1];
	set(&at[1], at[0]);
	set(&at[0], c);
	ZM_STORE(&t->bytes, t->bytes + bytes - old.count * each);
	zm_unlock(&t->lock);
	return old;
}

struct zm_chain
zm_transfer_get(struct zm_szone *z, unsigned mag, unsigned bin)
{
	struct zm_transfer *t = &z->transfer[mag];
	struct zm_chain *at = t->chain[bin], c = { NULL, 0 };
	if (!ZM_LOAD(&t->bytes) || !ZM_LOAD(&at[0].head))
		return c;
	zm_lock(&t->lock);
	c = at[0];
	set(&at[0], at[1]);
	set(&at[1], (struct zm_chain){ NULL, 0 });
	ZM_STORE(&t->bytes, t->bytes - c.count * zm_bin_bytes(bin));
	zm_unlock(&t->lock);
	return c;
}

struct zm_chain
zm_transfer_any(struct zm_szone *z, unsigned *bin)
{
	for (unsigned mag = 0; mag < z->nmag; mag++)
		for (*bin = 1; ZM_LOAD(&z->transfer[mag].bytes) &&
			       *bin < ZM_TRANSFER_BINS;
		     ++*bin) {
			struct zm_chain c = zm_transfer_get(z, mag, *bin);
			if (c.count)
				return c;
		}
	return (struct zm_chain){ NULL, 0 };
}

/* Calls fn for each chain there is. */
static void
each_chain(const struct zm_szone *z,
	   void (*fn)(const struct zm_szone *, const struct zm_chain *,
		      unsigned bin, void *),
	   void *ctx)
{
	for (unsigned mag = 0; mag < z->nmag; mag++) {
		const struct zm_transfer *t = &z->transfer[mag];
		for (unsigned bin = 1; t->bytes && bin < ZM_TRANSFER_BINS;
		     bin++)
			for (unsigned i = 0; i < 2; i++)
				if (t->chain[bin][i].count)
					fn(z, &t->chain[bin][i], bin, ctx);
	}
}

struct visit {
	void (*fn)(uintptr_t, size_t, void *);
	void *ctx;
};

static void
visit_chain(const struct zm_szone *z, const struct zm_chain *c, unsigned bin,
	    void *ctx)
{
	const struct visit *v = ctx;
	uintptr_t *p = c->head;
	for (uint32_t n = c->count; p && n && zm_looks_cached(p); n--) {
		v->fn((uintptr_t)p, zm_bin_bytes(bin), v->ctx);
		p = (uintptr_t *)p[0];
	}
	(void)z;
}

void
zm_transfer_each(const struct zm_szone *z,
		 void (*fn)(uintptr_t, size_t, void *), void *ctx)
{
	struct visit v = { fn, ctx };
	if (z->cached)
		each_chain(z, visit_chain, &v);
}

struct check {
	const char *why;
	size_t bytes;
};

static void
check_chain(const struct zm_szone *z, const struct zm_chain *c, unsigned bin,
	    void *ctx)
{
	struct check *k = ctx;
	uintptr_t *p = c->head;
	for (uint32_t n = c->count; n; n--, p = (uintptr_t *)p[0]) {
		struct zm_block at;
		if (!p || !zm_looks_cached(p)) {
			k->why = "transfer: a freed block was modified";
			return;
		}
		if (!zm_block_at(p, &at) || at.start != (uintptr_t)p ||
		    at.usable != zm_bin_bytes(bin) || at.region->owner != z)
			k->why = "transfer: block in the wrong chain";
	}
	if (p)
		k->why = "transfer: count of a chain is wrong";
	k->bytes += c->count * zm_bin_bytes(bin);
}

const char *
zm_transfer_check(const struct zm_szone *z)
{
	struct check k = { NULL, 0 };
	if (!z->cached)
		return NULL;
	each_chain(z, check_chain, &k);
	for (unsigned mag = 0; mag < z->nmag; mag++)
		k.bytes -= z->transfer[mag].bytes;
	if (!k.why && k.bytes)
		k.why = "transfer: total of the chains is wrong";
	return k.why;
}

void
zm_transfer_forget(struct zm_szone *z)
{
	unsigned bin;
	struct zm_chain c;
	while (z->cached && (c = zm_transfer_any(z, &bin)).count)
		zm_chain_forget(c.head, c.count);
}
