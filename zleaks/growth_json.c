/*
 * growth_json.c - growth as JSON.  A row's samples stand where its value
 * changed, and at the first and the last sample; between two of them the
 * earlier one holds.
 */
#include "growth.h"
#include "page_json.h"

static void
append_sample(json_t *list, double t, const struct point *p)
{
	json_array_append_new(
	    list, json_checked(json_pack("[o, I, I]", json_number_or_null(t),
					 (json_int_t)p->blocks,
					 (json_int_t)p->bytes)));
}

static json_t *
samples_json(const struct curve *c)
{
	const struct clock *clock = c->clock;
	json_t *list = json_checked(json_array());
	size_t i = 0;

	append_sample(list, clock->times[0], &c->first);
	for (; i < c->point_count; i++)
		if (c->points[i].at > 0)
			append_sample(list, clock->times[c->points[i].at],
				      &c->points[i]);
	if (clock->count > 1 && c->points[i - 1].at + 1 < clock->count)
		append_sample(list, clock->times[clock->count - 1], &c->last);
	return list;
}

static json_t *
top_json(const struct growth *g, const struct curve *c)
{
	json_t *list = json_checked(json_array());

	for (size_t i = 0; i < c->top_count; i++) {
		const struct top_stack *t = &c->top[i];
		json_t *j = json_checked(json_pack(
		    "{s:I, s:I}", "live_blocks", (json_int_t)t->blocks,
		    "live_bytes", (json_int_t)t->bytes));
		page_json_stack(j, t->stack_id,
				stacks_get(g->stacks, t->stack_id));
		json_array_append_new(list, j);
	}
	return list;
}

/* The members that name the row: its own key per --by. */
static json_t *
key_json(const struct growth *g, const struct curve *c)
{
	json_t *key = json_checked(json_object());

	if (g->settings->by == BY_STACK) {
		page_json_stack(key, c->stack_id,
				stacks_get(g->stacks, c->stack_id));
		return key;
	}
	json_object_set_new(key, "zone", json_text(c->zone));
	if (g->settings->by == BY_CLASS)
		json_object_set_new(key, "size_class",
				    json_integer(c->size_class));
	return key;
}

static json_t *
curve_json(const struct growth *g, const struct curve *c)
{
	json_t *growing = c->trend.verdict == TREND_TOO_SHORT
			      ? json_null()
			      : json_boolean(c->trend.verdict == TREND_GROWING);
	json_t *row = key_json(g, c);
	json_t *rest = json_checked(json_pack(
	    "{s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "pid",
	    (json_int_t)c->clock->process->pid, "first_blocks",
	    (json_int_t)c->first.blocks, "last_blocks",
	    (json_int_t)c->last.blocks, "first_bytes",
	    (json_int_t)c->first.bytes, "last_bytes", (json_int_t)c->last.bytes,
	    "bytes_per_second", json_number_or_null(c->trend.bytes_per_second),
	    "growing", growing, "samples", samples_json(c), "top_stacks",
	    top_json(g, c)));

	json_object_update(row, rest);
	json_decref(rest);
	return row;
}

void
growth_json(const struct growth *g, FILE *out)
{
	const struct recording *r = g->recording;
	struct json_out o;

	json_out_begin(&o, out);
	json_out_member(&o, "format", json_string("zleaks/1"));
	json_out_member(&o, "by", json_string(by_names[g->settings->by]));
	page_json_problems(&o, r);
	json_out_array(&o, "rows");
	for (size_t i = 0; i < g->curve_count; i++)
		json_out_element(&o, curve_json(g, &g->curves[i]));
	json_out_array_end(&o);
	json_out_end(&o);
}
