/*
 * points.c - see points.h.
 */
#include "points.h"

#include <stddef.h>

struct point {
	int64_t code;
	const char *name;
};
#define POINT(name, code) { code, #name },
static const struct point external[] = { ZT_EXTERNAL(POINT) };
static const struct point internal[] = { ZT_INTERNAL(POINT) };
#undef POINT

enum {
	EXTERNALS = sizeof external / sizeof *external,
	INTERNALS = sizeof internal / sizeof *internal
};

void
points_names(struct writer *w)
{
	for (size_t i = 0; i < EXTERNALS; i++)
		writer_row(w, ROW_POINT, "iit", (int64_t)0, external[i].code,
			   external[i].name);
	for (size_t i = 0; i < INTERNALS; i++)
		writer_row(w, ROW_POINT, "iit", (int64_t)1, internal[i].code,
			   internal[i].name);
}

/*
 * Calls of malloc are the allocations that nothing else made, calls of free
 * the frees that nothing else made (struct zs_shard).  Other threads may count
 * while we read, and what is read may be damaged: never below 0.
 */
static int64_t
rest(uint64_t all, uint64_t others)
{
	return all > others ? (int64_t)(all - others) : 0;
}

static int64_t
calls_of(const struct process *p, int64_t code)
{
	uint64_t others = 0;
	if (code == ZT_CALL_free)
		return rest(p->total.frees, p->calls[0]);
	if (code != ZT_CALL_malloc)
		return (int64_t)p->calls[code];
	for (size_t i = 0; i < EXTERNALS; i++)
		others += p->calls[external[i].code];
	return rest(p->total.allocations, others);
}

void
points_write(const struct process *p, struct writer *w)
{
	for (size_t i = 0; i < EXTERNALS; i++)
		writer_row(w, ROW_POINT_COUNT, "iiii", p->id, (int64_t)0,
			   external[i].code, calls_of(p, external[i].code));
	for (size_t i = 0; i < INTERNALS; i++)
		writer_row(w, ROW_POINT_COUNT, "iiii", p->id, (int64_t)1,
			   internal[i].code,
			   (int64_t)p->seg.h.points[internal[i].code]);
}
