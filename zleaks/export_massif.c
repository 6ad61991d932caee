/*
 * export_massif.c - the format of Valgrind's massif, for ms_print(1) and
 * massif-visualizer: a snapshot for each sample of a process, and the tree of
 * calls of what is alive at the last one.
 *
 * Massif's trees have callers below callees, so ours is read bottom-up.
 */
#include "export.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>

#define SMALL 0.01 /* of all: as massif's --threshold */
enum { DEPTH_MAX = 100 };

struct snapshot {
	double t;
	uint64_t bytes;
};

static struct snapshot *
read_snapshots(const struct export *e, const struct process *p, size_t *n)
{
	struct snapshot *list = NULL;
	size_t room = 0;
	sqlite3_stmt *st = recording_sql(
	    e->recording, "SELECT t, live_bytes FROM sample"
			  " WHERE process_id = ? ORDER BY sample");

	sqlite3_bind_int64(st, 1, p->process_id);
	for (*n = 0; recording_step(e->recording, st); ++*n) {
		if (*n == room) {
			room = room ? 2 * room : 256;
			list = text_grow(list, room, sizeof *list);
		}
		int64_t bytes = column_int(st, 1);
		list[*n].t = column_real(st, 0);
		list[*n].bytes = bytes > 0 ? (uint64_t)bytes : 0;
	}
	sqlite3_finalize(st);
	return list;
}

static void
print_node(const struct export *e, const struct calltree *t, uint32_t node,
	   unsigned depth)
{
	const struct call_node *n = &t->node[node];
	uint64_t least = (uint64_t)((double)t->node[0].all[e->cost] * SMALL);
	uint32_t *child;
	size_t count = calltree_children(t, node, e->cost, &child), shown = 0;
	uint64_t rest = 0;

	while (shown < count && depth < DEPTH_MAX &&
	       t->node[child[shown]].all[e->cost] >= least)
		shown++;
	for (size_t i = shown; i < count; i++)
		rest += t->node[child[i]].all[e->cost];
	char *place = n->frame ? frame_place(n->frame) : NULL;
	fprintf(e->out, "%*sn%zu: %llu ", (int)depth, "",
		shown + (shown < count), (unsigned long long)n->all[e->cost]);
	if (n->frame)
		fprintf(e->out, "0x%llX: %s (%s)\n",
			(unsigned long long)(n->frame->offset > 0
						 ? n->frame->offset
						 : 0),
			n->name, place);
	else
		fputs("(heap allocation functions) malloc/new/new[], "
		      "--alloc-fns, etc.\n",
		      e->out);
	free(place);
	for (size_t i = 0; i < shown; i++)
		print_node(e, t, child[i], depth + 1);
	if (shown < count)
		fprintf(e->out,
			"%*sn0: %llu in %zu places, all below "
			"massif's threshold (1.00%%)\n",
			(int)depth + 1, "", (unsigned long long)rest,
			count - shown);
	free(child);
}

void
export_massif(struct export *e)
{
	const struct recording *r = e->recording;
	const struct process *p = r->process_count ? &r->processes[0] : NULL;
	size_t n = 0;
	if (r->process_count > 1 || e->cost != COST_LIVE)
		die(EXIT_USAGE, "export: massif shows %s",
		    e->cost != COST_LIVE ? "live bytes: no other --cost"
					 : "one process: choose it with --pid");
	struct snapshot *list = p ? read_snapshots(e, p, &n) : NULL;
	struct calltree *t = calltree_read(r, e->stacks, e->settings, 1);
	if (n) /* the tree must not be more than the sum */
		list[n - 1].bytes = t->node[0].all[COST_LIVE];
	char *line = p ? process_line(p) : text_copy("?");

	fprintf(e->out, "desc: zleaks export, %s\ncmd: %s\ntime_unit: ms\n",
		cost_titles[e->cost], line);
	for (size_t i = 0; i < n; i++) {
		int last = i + 1 == n;
		fprintf(e->out,
			"#-----------\nsnapshot=%zu\n#-----------\ntime=%.0f\n"
			"mem_heap_B=%llu\nmem_heap_extra_B=0\nmem_stacks_B=0\n"
			"heap_tree=%s\n",
			i, isnan(list[i].t) ? 0 : list[i].t * 1000,
			(unsigned long long)list[i].bytes,
			last ? "detailed" : "empty");
		if (last)
			print_node(e, t, 0, 0);
	}
	free(line);
	free(list);
	calltree_free(t);
}
