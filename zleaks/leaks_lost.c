/*
 * leaks_lost.c - when the blocks of a group were lost, and who held them last:
 * known of blocks that one leak scan found held and a later one lost.
 */
#include "holder.h"
#include "leaks.h"
#include "page_json.h"
#include "units.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of one group. */
static const char query[] =
    "SELECT path_id, sum(stands_for), min(held_at), max(lost_at)"
    " FROM loss_info JOIN block_info USING (process_id, address)"
    " WHERE process_id = ?1 AND stack_id = ?2 AND kind = ?3"
    " GROUP BY path_id ORDER BY 2 DESC, 1";

/* Groups of which something is known, so that the others cost no query. */
static void
mark_groups(const struct leaks *l, struct group **groups, size_t n)
{
	sqlite3_stmt *st = recording_sql(
	    l->recording, "SELECT DISTINCT process_id, stack_id, kind"
			  " FROM loss_info JOIN block_info"
			  " USING (process_id, address)");

	while (recording_step(l->recording, st))
		for (size_t i = 0; i < n; i++)
			if (groups[i]->process->process_id ==
				column_int(st, 0) &&
			    groups[i]->stack_id == column_int(st, 1) &&
			    groups[i]->kind == column_int(st, 2))
				groups[i]->loss =
				    text_alloc(sizeof(*groups[i]->loss));
	sqlite3_finalize(st);
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
		if (s->path_id == UNKNOWN) {
			s->path_id = column_int(st, 0);
			s->path_blocks = blocks;
		}
		s->blocks = count_add(s->blocks, blocks);
		s->held_at = fmin(s->held_at, column_real(st, 2));
		s->lost_at = fmax(s->lost_at, column_real(st, 3));
	}
	sqlite3_finalize(st);
}

void
leaks_look_at_losses(struct leaks *l, struct group **groups, size_t n)
{
	if (!holders_there(l->recording))
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

/* "0.512 s (after mark \"loaded\")" */
static void
print_moment(const struct leaks *l, const struct group *g, double t, FILE *out)
{
	char text[UNITS_BYTES], *mark = mark_before(l, g, t);
	char *label = mark ? text_printable(mark) : NULL;

	fputs(units_time(text, t), out);
	if (label)
		fprintf(out, " (after mark \"%s\")", label);
	free(mark);
	free(label);
}

void
leaks_print_loss(const struct leaks *l, const struct group *g,
		 const char *indent, FILE *out)
{
	const struct loss *s = g->loss;
	char n[32], m[32];

	if (!s || s->blocks == UNKNOWN)
		return;
	fputs(indent, out);
	if (s->blocks != g->blocks)
		fprintf(out, "%s of them ",
			message_number(n, sizeof n, count_shown(s->blocks)));
	fputs("lost between ", out);
	print_moment(l, g, s->held_at, out);
	fputs(" and ", out);
	print_moment(l, g, s->lost_at, out);
	if (s->path_id != UNKNOWN) {
		size_t links;
		struct holder_link *path =
		    holders_path(l->holders, s->path_id, &links);
		char *text = holders_text(l->holders, path, links);
		fprintf(out, ",\n%slast held by %s", indent, text);
		if (s->path_blocks != s->blocks)
			fprintf(out, " (%s of %s)",
				message_number(n, sizeof n,
					       count_shown(s->path_blocks)),
				message_number(m, sizeof m,
					       count_shown(s->blocks)));
		free(text);
		free(path);
	}
	fputc('\n', out);
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
