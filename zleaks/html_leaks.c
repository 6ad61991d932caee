/* html_leaks.c - the leaks as the HTML page has them; see leaks.h. */
#include "html.h"

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
