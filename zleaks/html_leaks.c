/*
 * html_leaks.c - the leaks as the HTML page has them, see leaks.h, and who
 * keeps what is reachable.
 */
#include "holder.h"
#include "html.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

static json_t *
numbers(const struct distinct *d)
{
	json_t *list = json_checked(json_array());

	for (unsigned i = 0; i < d->count; i++)
		json_array_append_new(list, json_integer(d->value[i]));
	if (d->more)
		json_array_append_new(list, json_null());
	return list;
}

/* When it was lost and who held it last, in lines; null: not known. */
static json_t *
loss_json(const struct html *h, const struct group *g)
{
	const struct style plain = { .columns = 0 };
	char *text = NULL;
	size_t bytes;

	if (!g->loss)
		return json_null();
	FILE *f = open_memstream(&text, &bytes);
	if (!f)
		die(EXIT_UNREADABLE, "out of memory");
	leaks_print_loss(&h->leaks, g, &plain, "", f);
	if (fclose(f) != 0)
		die(EXIT_UNREADABLE, "out of memory");
	json_t *j = bytes ? json_text(text) : json_null();
	free(text);
	return j;
}

/* A list that ends with null has more than its numbers. */
static json_t *
group_json(const struct html *h, const struct group *g)
{
	json_t *j = json_checked(json_pack(
	    "{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "kind", kind_names[g->kind],
	    "process", html_process(h, g->process), "blocks",
	    page_json_int(g->blocks), "bytes", page_json_int(g->bytes),
	    "indirect_blocks", page_json_int(g->indirect_blocks),
	    "indirect_bytes", page_json_int(g->indirect_bytes), "stack",
	    book_stack(h->book, g->stack_id)));

	json_object_set_new(j, "threads", numbers(&g->threads));
	json_object_set_new(j, "size_classes", numbers(&g->classes));
	json_object_set_new(j, "first", html_time(g->first));
	json_object_set_new(j, "last", html_time(g->last));
	json_object_set_new(j, "type",
			    book_text(h->book, leaks_type(&h->leaks, g)));
	json_object_set_new(j, "loss", loss_json(h, g));
	return j;
}

void
html_leaks(struct html *h)
{
	const struct leaks *l = &h->leaks;
	struct tally rest = { 0 };

	json_out_member(&h->out, "summary", leaks_summary_json(l));
	json_out_array(&h->out, "leaks");
	for (size_t i = 0; i < h->recording->process_count; i++) {
		const struct section *s = &l->sections[i];
		for (size_t j = 0; j < s->shown_count; j++)
			json_out_element(&h->out, group_json(h, s->shown[j]));
		rest.sites += s->left_out.sites;
		rest.blocks = count_add(rest.blocks, s->left_out.blocks);
		rest.bytes = count_add(rest.bytes, s->left_out.bytes);
	}
	json_out_array_end(&h->out);
	json_out_member(&h->out, "leaks_left_out",
			json_pack("{s:I, s:I, s:I}", "groups",
				  (json_int_t)rest.sites, "blocks",
				  (json_int_t)rest.blocks, "bytes",
				  (json_int_t)rest.bytes));
}

/* ---- who keeps it ------------------------------------------------------ */

/* What the last scan found; a row of root_scan holds until the next one. */
static const char root_query[] =
    "SELECT process_id, root_id, x.blocks, x.bytes, direct_blocks"
    " FROM root_info JOIN root_scan x USING (root_id)"
    " WHERE scan = (SELECT max(scan) FROM root_scan y"
    "  WHERE y.root_id = x.root_id) AND x.blocks > 0"
    " ORDER BY x.bytes DESC, root_id";

/* [[process, name, bytes, blocks, blocks held directly]] */
static json_int_t
write_roots(struct html *h, struct holders *holders, int64_t *rest)
{
	sqlite3_stmt *st = recording_sql(h->recording, root_query);
	json_int_t n = 0, left_out = 0;

	while (recording_step(h->recording, st)) {
		const struct process *p =
		    recording_process(h->recording, column_int(st, 0));
		if (!p)
			continue;
		if (++n > HTML_ROOTS) {
			left_out++;
			*rest = count_add(*rest, column_int(st, 3));
			continue;
		}
		char *name = holders_root_text(holders, column_int(st, 1));
		json_out_element(
		    &h->out, json_pack("[o, o, o, o, o]", html_process(h, p),
				       book_text(h->book, name),
				       page_json_int(column_int(st, 3)),
				       page_json_int(column_int(st, 2)),
				       page_json_int(column_int(st, 4))));
		free(name);
	}
	sqlite3_finalize(st);
	return left_out;
}

void
html_roots(struct html *h)
{
	json_int_t left_out = 0;
	int64_t rest = 0;

	json_out_array(&h->out, "roots");
	if (holders_there(h->recording)) {
		struct holders *holders = holders_new(h->recording, h->stacks);
		left_out = write_roots(h, holders, &rest);
		holders_free(holders);
	}
	json_out_array_end(&h->out);
	json_out_member(&h->out, "roots_left_out",
			json_pack("{s:I, s:I}", "roots", left_out, "bytes",
				  (json_int_t)rest));
}
