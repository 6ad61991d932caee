/*
 * leaks_blocks.c - what groups say of their blocks one by one: threads, size
 * classes, times.  Reads block_info, a row per block, once for all the groups
 * that are asked for: the one step of the leak report whose time grows with
 * the number of blocks.
 */
#include "holder.h"
#include "leaks.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct slot { /* finds a group by what its blocks say */
	struct {
		int64_t process_id, stack_id, kind;
	} key;
	struct group *group;
	UT_hash_handle hh;
};

static void
note_distinct(struct distinct *d, int64_t value)
{
	if (value == UNKNOWN)
		return;
	for (unsigned i = 0; i < d->count; i++)
		if (d->value[i] == value)
			return;
	if (d->count == DISTINCT_MAX)
		d->more = 1;
	else
		d->value[d->count++] = value;
}

static void
note_block(struct group *g, sqlite3_stmt *st)
{
	int64_t size = column_int(st, 3);
	double t = column_real(st, 6);

	if (g->seen_blocks++ == 0)
		g->size_min = g->size_max = size;
	g->seen_bytes = count_add(g->seen_bytes, size);
	g->size_min = size < g->size_min ? size : g->size_min;
	g->size_max = size > g->size_max ? size : g->size_max;
	note_distinct(&g->classes, column_int(st, 4));
	note_distinct(&g->threads, column_int(st, 5));
	note_distinct(&g->makers, column_int(st, 7));
	note_distinct(&g->types, sqlite3_column_int64(st, 8));
	g->first = fmin(isnan(g->first) ? t : g->first, t);
	g->last = fmax(isnan(g->last) ? t : g->last, t);
}

/* Only blocks of the chosen thread, when one is chosen. */
static sqlite3_stmt *
block_query(const struct leaks *l, unsigned kinds)
{
	const char *thread = l->settings->thread;
	char *end = NULL;
	char *sql = text_format(
	    "SELECT process_id, stack_id, kind, size, size_class, thread_id,"
	    " allocated_at, made_by, %s FROM block_info"
	    " WHERE freed_at IS NULL AND (1 << kind) & ?1%s",
	    holders_there(l->recording) ? "type_id" : "NULL",
	    thread ? " AND (process_id, thread_id) IN"
		     " (SELECT process_id, thread_id FROM thread_info"
		     "  JOIN process_info USING (process_id)"
		     "  WHERE name = ?2 OR tid = ?3 OR thread_id = ?3"
		     "  OR (?2 = 'main' AND tid = pid))"
		   : "");
	sqlite3_stmt *st = recording_sql(l->recording, sql);

	free(sql);
	sqlite3_bind_int64(st, 1, kinds);
	if (thread) {
		long long number = strtoll(thread, &end, 10);
		sqlite3_bind_text(st, 2, thread, -1, SQLITE_STATIC);
		if (*thread && !*end)
			sqlite3_bind_int64(st, 3, number);
	}
	return st;
}

/* Most blocks of a large report belong to no group that is looked at: a table
 * of the low bits of the groups' stacks tells so at once. */
enum { LOW_BITS = 0xffff };

static unsigned char *
stacks_of(struct slot *slots)
{
	unsigned char *wanted = text_alloc(LOW_BITS + 1);

	for (struct slot *s = slots; s; s = s->hh.next)
		wanted[s->key.stack_id & LOW_BITS] = 1;
	return wanted;
}

static void
read_blocks(const struct leaks *l, struct slot *slots, unsigned kinds)
{
	sqlite3_stmt *st = block_query(l, kinds);
	unsigned char *wanted = stacks_of(slots);
	struct slot *s = NULL;

	while (recording_step(l->recording, st)) {
		if (!wanted[column_int(st, 1) & LOW_BITS])
			continue;
		struct slot probe = { .key = { column_int(st, 0),
					       column_int(st, 1),
					       column_int(st, 2) } };
		/* neighbours often belong together */
		if (!s || memcmp(&s->key, &probe.key, sizeof s->key) != 0)
			HASH_FIND(hh, slots, &probe.key, sizeof probe.key, s);
		if (s)
			note_block(s->group, st);
	}
	free(wanted);
	sqlite3_finalize(st);
}

void
leaks_look_at_blocks(const struct leaks *l, struct group **groups, size_t n)
{
	struct slot *slots = NULL, *s, *next;
	unsigned kinds = 0;

	for (size_t i = 0; i < n; i++) {
		s = text_alloc(sizeof *s);
		s->key.process_id = groups[i]->process->process_id;
		s->key.stack_id = groups[i]->stack_id;
		s->key.kind = groups[i]->kind;
		s->group = groups[i];
		kinds |= 1u << groups[i]->kind;
		HASH_ADD(hh, slots, key, sizeof s->key, s);
	}
	if (n)
		read_blocks(l, slots, kinds);
	HASH_ITER(hh, slots, s, next)
	{
		HASH_DEL(slots, s);
		free(s);
	}
}
