/*
 * leaks_lost.c - when the blocks of a group were lost, and who held them last:
 * known of blocks that one leak scan found held and a later one lost.
 */
#include "holder.h"
#include "leaks.h"
#include "page_json.h"
#include "page_text.h"
#include "units.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PATHS_MAX = 1000 }; /* chains of a group that are compared */

/* Of one group. */
static const char query[] =
    "SELECT path_id, sum(stands_for), min(held_at), max(lost_at)"
    " FROM loss_info JOIN block_info USING (process_id, address)"
    " WHERE process_id = ?1 AND stack_id = ?2 AND kind = ?3"
    " GROUP BY path_id ORDER BY 2 DESC, 1";

static int
by_key(const void *pa, const void *pb)
{
	const struct group *a = *(struct group *const *)pa;
	const struct group *b = *(struct group *const *)pb;

	if (a->process != b->process)
		return a->process < b->process ? -1 : 1;
	if (a->stack_id != b->stack_id)
		return a->stack_id < b->stack_id ? -1 : 1;
	return (a->kind > b->kind) - (a->kind < b->kind);
}

/* Groups of which something is known, so that the others cost no query. */
static void
mark_groups(const struct leaks *l, struct group **groups, size_t n)
{
	sqlite3_stmt *st = recording_sql(
	    l->recording, "SELECT DISTINCT process_id, stack_id, kind"
			  " FROM loss_info JOIN block_info"
			  " USING (process_id, address)");
	struct group **sorted = text_alloc((n + 1) * sizeof *sorted);

	memcpy(sorted, groups, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, by_key);
	while (recording_step(l->recording, st)) {
		struct group probe = { .process = recording_process(
					   l->recording, column_int(st, 0)),
				       .stack_id = column_int(st, 1),
				       .kind = (int)column_int(st, 2) };
		struct group *key = &probe, **g;
		g = bsearch(&key, sorted, n, sizeof *sorted, by_key);
		if (g && !(*g)->loss)
			(*g)->loss = text_alloc(sizeof(*(*g)->loss));
	}
	sqlite3_finalize(st);
	free(sorted);
}

/* Whether two chains differ at most in where in the root they begin. */
static int
alike(const struct holder_link *a, size_t n, const struct holder_link *b,
      size_t m)
{
	for (size_t i = 0; n == m && i < n; i++)
		if (a[i].root_id != b[i].root_id ||
		    a[i].stack_id != b[i].stack_id ||
		    a[i].type_id != b[i].type_id || a[i].times != b[i].times ||
		    (i > 0 && a[i].offset != b[i].offset))
			return 0;
	return n == m;
}

/* One more chain that held some of the group's blocks; the first is the most
 * frequent one. */
static void
note_path(const struct leaks *l, struct loss *s, int64_t path_id,
	  int64_t blocks)
{
	size_t n, m;

	if (path_id == UNKNOWN)
		return;
	if (s->path_id == UNKNOWN) {
		s->path_id = path_id;
		s->path_blocks = blocks;
		return;
	}
	if (s->paths++ == PATHS_MAX)
		return;
	struct holder_link *a = holders_path(l->holders, s->path_id, &n);
	struct holder_link *b = holders_path(l->holders, path_id, &m);
	if (alike(a, n, b, m)) {
		s->path_blocks = count_add(s->path_blocks, blocks);
		s->places++;
	}
	free(a);
	free(b);
}

static void
read_loss(const struct leaks *l, struct group *g)
{
	struct loss *s = g->loss;
	sqlite3_stmt *st = recording_sql(l->recording, query);

	*s = (struct loss){ .path_id = UNKNOWN,
			    .blocks = UNKNOWN,
			    .held_at = NAN,
			    .lost_at = NAN };
	sqlite3_bind_int64(st, 1, g->process->process_id);
	sqlite3_bind_int64(st, 2, g->stack_id);
	sqlite3_bind_int64(st, 3, g->kind);
	while (recording_step(l->recording, st)) {
		int64_t blocks = column_int(st, 1);
		note_path(l, s, column_int(st, 0), blocks);
		s->blocks = count_add(s->blocks, blocks);
		s->held_at = fmin(s->held_at, column_real(st, 2));
		s->lost_at = fmax(s->lost_at, column_real(st, 3));
	}
	sqlite3_finalize(st);
}

void
leaks_look_at_losses(struct leaks *l, struct group **groups, size_t n)
{
	if (!n || !holders_there(l->recording))
		return;
	l->holders = holders_new(l->recording, l->stacks);
	mark_groups(l, groups, n);
	for (size_t i = 0; i < n; i++)
		if (groups[i]->loss)
			read_loss(l, groups[i]);
}

/* ---- text ------------------------------------------------------------- */

/* The last mark up to then; the caller's to free, NULL: none. */
static char *
mark_before(const struct leaks *l, const struct group *g, double t)
{
	sqlite3_stmt *st = recording_sql(
	    l->recording, "SELECT label FROM mark WHERE process_id = ?1"
			  " AND t <= ?2 ORDER BY t DESC LIMIT 1");
	char *label = NULL;

	sqlite3_bind_int64(st, 1, g->process->process_id);
	sqlite3_bind_double(st, 2, t);
	if (recording_step(l->recording, st))
		label = column_text(st, 0);
	sqlite3_finalize(st);
	return label;
}

/* "0.512 s (after mark "loaded")"; the caller's to free. */
static char *
moment_text(const struct leaks *l, const struct group *g, double t)
{
	char time[UNITS_BYTES], *mark = mark_before(l, g, t);
	char *label = mark ? text_printable(mark) : NULL;
	char *text = label ? text_format("%s (after mark \"%s\")",
					 units_time(time, t), label)
			   : text_copy(units_time(time, t));

	free(mark);
	free(label);
	return text;
}

static char *
lost_text(const struct leaks *l, const struct group *g)
{
	const struct loss *s = g->loss;
	char *from = moment_text(l, g, s->held_at), n[48] = "";
	char *to = moment_text(l, g, s->lost_at), *text;

	if (s->blocks != g->blocks) {
		message_number(n, 32, count_shown(s->blocks));
		strcat(n, " of them ");
	}
	text = text_format("%slost between %s and %s%s", n, from, to,
			   s->path_id != UNKNOWN ? "," : "");
	free(from);
	free(to);
	return text;
}

static char *
holder_text(const struct leaks *l, const struct loss *s)
{
	size_t links;
	struct holder_link *path = holders_path(l->holders, s->path_id, &links);
	char *chain = holders_text(l->holders, path, links), n[32], m[32];
	char places[80] = "", share[80] = "", *text;

	if (s->places)
		snprintf(places, sizeof places,
			 ", alike at %s other place%s in it",
			 message_number(n, sizeof n, (uint64_t)s->places),
			 s->places == 1 ? "" : "s");
	if (s->path_blocks != s->blocks)
		snprintf(
		    share, sizeof share, " (%s of %s)",
		    message_number(n, sizeof n, count_shown(s->path_blocks)),
		    message_number(m, sizeof m, count_shown(s->blocks)));
	text = text_format("last held by %s%s%s", chain, places, share);
	free(chain);
	free(path);
	return text;
}

void
leaks_print_loss(const struct leaks *l, const struct group *g,
		 const struct style *style, const char *indent, FILE *out)
{
	const struct loss *s = g->loss;

	if (!s || s->blocks == UNKNOWN)
		return;
	char *text = lost_text(l, g);
	page_parts(text, " and ", style->columns, style, indent, out);
	free(text);
	if (s->path_id == UNKNOWN)
		return;
	text = holder_text(l, s);
	page_parts(text, " -> ", style->columns, style, indent, out);
	free(text);
}

/* ---- JSON ------------------------------------------------------------- */

static json_t *
moment_json(const struct leaks *l, const struct group *g, double t)
{
	char *mark = mark_before(l, g, t);
	json_t *j =
	    json_checked(json_pack("{s:o, s:o}", "t", json_number_or_null(t),
				   "mark", json_text(mark)));

	free(mark);
	return j;
}

void
leaks_loss_json(const struct leaks *l, const struct group *g, json_t *to)
{
	const struct loss *s = g->loss;
	json_t *j;

	if (!s || s->blocks == UNKNOWN)
		return;
	j = json_checked(json_pack("{s:o, s:o, s:o}", "blocks",
				   page_json_int(s->blocks), "held",
				   moment_json(l, g, s->held_at), "lost",
				   moment_json(l, g, s->lost_at)));
	if (s->path_id != UNKNOWN) {
		size_t links;
		struct holder_link *path =
		    holders_path(l->holders, s->path_id, &links);
		json_object_set_new(j, "last_held_by",
				    holders_json(l->holders, path, links));
		free(path);
	}
	json_object_set_new(to, "lost", j);
}

/* ---- types ------------------------------------------------------------ */

const char *
leaks_type(const struct leaks *l, const struct group *g)
{
	if (!l->holders || g->types.count != 1 || g->types.more ||
	    g->types.value[0] == 0)
		return NULL;
	return holders_type(l->holders, g->types.value[0]);
}
