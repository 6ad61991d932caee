/*
 * export.h - a report in the formats of other tools.  export.c has the
 * command, export_*.c a format each.
 */
#ifndef ZLEAKS_EXPORT_H
#define ZLEAKS_EXPORT_H

#include "calltree.h"

struct export
{
	const struct settings *settings;
	struct recording *recording;
	struct stacks *stacks;
	enum cost cost;
	FILE *out;
};

/* In export_pprof.c: a gzip'ed profile.proto with all costs. */
void export_pprof(struct export *);
/* In export_massif.c: Valgrind's massif.out. */
void export_massif(struct export *);
/* In export_speedscope.c */
void export_speedscope(struct export *);

#endif
