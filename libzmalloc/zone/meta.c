/*
 * meta.c - memory for the allocator's own data.
 *
 * Small pieces are cut from chunks and kept in lists by size when freed; big
 * ones are mappings.  Relies on os/.  Called by all of zone/, and by malloc/.
 */
#include "zone/meta.h"

#include <string.h>

enum {
	UNIT = 64,
	BIG = 32 << 10, /* from here on a mapping of its own */
	CHUNK = 256 << 10,
	LISTS = BIG / UNIT + 1,
};

static struct zm_lock lock = ZM_LOCK_INIT(ZM_RANK_META);
static void *freed[LISTS] ZM_TABLE;
static char *chunk, *chunk_end;

static const char name[] = "zmalloc metadata";

static void *
cut(size_t bytes)
{
	if ((size_t)(chunk_end - chunk) < bytes) {
		char *p = zm_os_map(CHUNK, name);
		if (!p)
			return NULL;
		if (p != chunk_end) /* else the old chunk goes on */
			chunk = p;
		chunk_end = p + CHUNK;
	}
	void *p = chunk;
	chunk += bytes;
	return p;
}

void *
zm_meta_alloc(size_t bytes)
{
	if (bytes >= BIG) {
		if (bytes > PTRDIFF_MAX)
			return NULL;
		return zm_os_map(zm_round_up(bytes, zm_os_page_size()), name);
	}
	bytes = zm_round_up(bytes ? bytes : 1, UNIT);
	zm_lock(&lock);
	void **list = &freed[bytes / UNIT], *p = *list;
	if (p) {
		*list = *(void **)p;
		*(void **)p = NULL;
	} else {
		p = cut(bytes);
	}
	zm_unlock(&lock);
	return p;
}

void
zm_meta_free(void *p, size_t bytes)
{
	if (!p)
		return;
	if (bytes >= BIG) {
		zm_os_unmap(p, zm_round_up(bytes, zm_os_page_size()));
		return;
	}
	bytes = zm_round_up(bytes ? bytes : 1, UNIT);
	memset(p, 0, bytes);
	zm_lock(&lock);
	*(void **)p = freed[bytes / UNIT];
	freed[bytes / UNIT] = p;
	zm_unlock(&lock);
}

void *
zm_pool_get(struct zm_pool *pool)
{
	zm_lock(&pool->lock);
	char *p = pool->free;
	if (p)
		pool->free = *(void **)(p + pool->link_offset);
	size_t bytes = pool->bytes;
	zm_unlock(&pool->lock);
	return p ? p : zm_meta_alloc(bytes);
}

void
zm_pool_put(struct zm_pool *pool, void *object)
{
	zm_lock(&pool->lock);
	*(void **)((char *)object + pool->link_offset) = pool->free;
	pool->free = object;
	zm_unlock(&pool->lock);
}

void
zm_meta_lock(void)
{
	zm_lock(&lock);
}

void
zm_meta_unlock(void)
{
	zm_unlock(&lock);
}

void
zm_meta_reinit(void)
{
	zm_lock_init(&lock, ZM_RANK_META);
}
