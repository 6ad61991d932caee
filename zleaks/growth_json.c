/*
 * growth_json.c - growth as JSON.  A row's samples stand where its value
 * changed, and at the first and the last sample; between two of them the
 * earlier one holds.  "marks" is growth from mark to mark, "memory" the process
 * as the kernel sees it: samples of time, resident and mapped bytes.
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
		    "{s:I, s:I, s:o}", "live_blocks", (json_int_t)t->blocks,
		    "live_bytes", (json_int_t)t->bytes, "gained_bytes",
		    page_json_int(t->gained)));
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
	if (g->settings->by == BY_THREAD) {
		char *name = growth_thread_name(g, c);
		json_object_set_new(key, "thread", json_text(name));
		json_object_set_new(key, "thread_id",
				    page_json_int(c->thread_id));
		free(name);
		return key;
	}
	json_object_set_new(key, "zone", json_text(c->zone));
	if (g->settings->by == BY_CLASS)
		json_object_set_new(key, "size_class",
				    json_integer(c->size_class));
	return key;
}

static json_t *
verdict_json(const struct trend *t)
{
	return t->verdict == TREND_TOO_SHORT
		   ? json_null()
		   : json_boolean(t->verdict == TREND_GROWING);
}

static json_t *
confidence_json(const struct trend *t)
{
	const char *word = trend_confidences[t->confidence];
	return word ? json_text(word) : json_null();
}

static json_t *
curve_json(const struct growth *g, const struct curve *c)
{
	json_t *row = key_json(g, c);
	json_t *rest = json_checked(json_pack(
	    "{s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "pid",
	    (json_int_t)c->clock->process->pid, "first_blocks",
	    (json_int_t)c->first.blocks, "last_blocks",
	    (json_int_t)c->last.blocks, "first_bytes",
	    (json_int_t)c->first.bytes, "last_bytes", (json_int_t)c->last.bytes,
	    "bytes_per_second", json_number_or_null(c->trend.bytes_per_second),
	    "growing", verdict_json(&c->trend), "confidence",
	    confidence_json(&c->trend), "samples", samples_json(c),
	    "top_stacks", top_json(g, c)));

	json_object_update(row, rest);
	json_decref(rest);
	return row;
}

/* ---- from mark to mark, and the process as a whole --------------------- */

static json_t *
rounds_json(const struct growth *g, const struct rounds *r)
{
	json_t *stacks = json_checked(json_array());

	for (size_t i = 0; i < r->top_count; i++) {
		const struct top_stack *t = &r->top[i];
		json_t *j = json_checked(json_pack(
		    "{s:f, s:f}", "blocks_per_mark",
		    (double)t->late_blocks / r->blocks_steps, "bytes_per_mark",
		    (double)t->late_bytes / r->blocks_steps));
		page_json_stack(j, t->stack_id,
				stacks_get(g->stacks, t->stack_id));
		json_array_append_new(stacks, j);
	}
	return json_checked(json_pack(
	    "{s:I, s:o, s:I, s:I, s:f, s:f, s:f, s:f, s:o, s:o, s:o}", "pid",
	    (json_int_t)r->clock->process->pid, "label", json_text(r->label),
	    "marks", (json_int_t)r->marks, "steps", (json_int_t)r->steps,
	    "blocks_per_mark", r->blocks, "bytes_per_mark", r->bytes,
	    "blocks_sd", r->blocks_sd, "bytes_sd", r->bytes_sd, "growing",
	    verdict_json(&r->trend), "confidence", confidence_json(&r->trend),
	    "top_stacks", stacks));
}

static json_t *
memory_json(const struct growth *g, const struct clock *c)
{
	struct explained e = growth_explained(g, c);
	json_t *list = json_checked(json_array());

	for (size_t i = 0; i < c->rss_count; i++) {
		const struct point *p = &c->rss[i],
				   *m = trend_at(c->mapped, c->mapped_count,
						 p->at);
		json_array_append_new(
		    list, json_checked(json_pack(
			      "[o, I, o]", json_number_or_null(c->times[p->at]),
			      (json_int_t)p->bytes,
			      page_json_int(m ? m->bytes : UNKNOWN))));
	}
	return json_checked(json_pack(
	    "{s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "pid",
	    (json_int_t)c->process->pid, "rss_gained", (json_int_t)e.rss,
	    "live_gained", (json_int_t)e.live, "slack_gained",
	    (json_int_t)e.slack, "recorder_gained", (json_int_t)e.tags,
	    "heap_share", json_number_or_null(e.share), "rss_growing",
	    verdict_json(&e.trend), "growing", verdict_json(&c->trend),
	    "confidence", confidence_json(&c->trend), "samples", list));
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
	json_out_array(&o, "marks");
	for (size_t i = 0; i < g->rounds_count; i++)
		json_out_element(&o, rounds_json(g, &g->rounds[i]));
	json_out_array_end(&o);
	json_out_array(&o, "memory");
	for (size_t i = 0; i < r->process_count; i++)
		json_out_element(&o, memory_json(g, &g->clocks[i]));
	json_out_array_end(&o);
	json_out_end(&o);
}
