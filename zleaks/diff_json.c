/*
 * diff_json.c - the page of `diff` as JSON, as zleaks(1) describes it.  Keys
 * may be added, never changed.
 */
#include "diff.h"

#include "page_json.h"

static json_t *
amount_json(const struct change *c, int side)
{
	return json_checked(json_pack(
	    "{s:I, s:I}", "blocks", (json_int_t)count_shown(c->blocks[side]),
	    "bytes", (json_int_t)count_shown(c->bytes[side])));
}

static json_t *
change_json(const struct change *c)
{
	return json_checked(json_pack(
	    "{s:s, s:o, s:o}", "change", verdict_names[change_verdict(c)],
	    "old", amount_json(c, OLD), "new", amount_json(c, NEW)));
}

static void
put_stack(json_t *j, const struct change *c)
{
	char fingerprint[24];

	snprintf(fingerprint, sizeof fingerprint, "%016llx",
		 (unsigned long long)c->fingerprint);
	json_object_set_new(j, "fingerprint", json_string(fingerprint));
	json_object_set_new(j, "stack", stack_json(c->stack));
}

static void
leaks(struct json_out *o, const struct changes *c)
{
	json_out_array(o, "leaks");
	for (size_t i = 0; i < c->count; i++) {
		json_t *j = change_json(&c->list[i]);
		int was = c->list[i].was_kind;
		json_object_set_new(j, "kind",
				    json_string(kind_names[c->list[i].kind]));
		json_object_set_new(j, "was_kind",
				    was < 0 ? json_null()
					    : json_string(kind_names[was]));
		put_stack(j, &c->list[i]);
		json_out_element(o, j);
	}
	json_out_array_end(o);
}

static void
stacks(struct json_out *o, const struct changes *c)
{
	json_out_array(o, "stacks");
	for (size_t i = 0; i < c->count; i++) {
		json_t *j = change_json(&c->list[i]);
		put_stack(j, &c->list[i]);
		json_out_element(o, j);
	}
	json_out_array_end(o);
}

static void
classes(struct json_out *o, const struct changes *c)
{
	json_out_array(o, "classes");
	for (size_t i = 0; i < c->count; i++) {
		json_t *j = change_json(&c->list[i]);
		json_object_set_new(j, "zone", json_text(c->list[i].zone));
		json_object_set_new(j, "size_class",
				    page_json_int(c->list[i].size_class));
		json_out_element(o, j);
	}
	json_out_array_end(o);
}

static json_t *
side_json(const struct diff *d, int side)
{
	const struct totals *t = &d->totals[side];
	json_t *j = json_checked(json_pack(
	    "{s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "report",
	    json_text(d->path[side]), "complete",
	    diff_recording(d, side)->problem_count == 0, "allocations",
	    page_json_int(t->allocations), "frees", page_json_int(t->frees),
	    "bytes_allocated", page_json_int(t->bytes_allocated), "peak_bytes",
	    page_json_int(t->peak_bytes), "live_blocks",
	    page_json_int(t->live_blocks), "live_bytes",
	    page_json_int(t->live_bytes)));

	if (d->moments) {
		const struct settings *s = d->settings;
		json_object_set_new(j, "moment",
				    json_text(side == OLD ? s->from : s->to));
	}
	return j;
}

void
diff_json(const struct diff *d, FILE *out)
{
	struct json_out o;
	json_t *counts = json_checked(json_object());

	for (int v = 0; v < VERDICTS; v++)
		json_object_set_new(counts, verdict_names[v],
				    json_integer((json_int_t)d->verdicts[v]));
	json_out_begin(&o, out);
	json_out_member(&o, "format", json_string("zleaks/1"));
	json_out_member(&o, "old", side_json(d, OLD));
	json_out_member(&o, "new", side_json(d, NEW));
	json_out_member(&o, "summary", counts);
	leaks(&o, &d->leak);
	stacks(&o, &d->stack);
	classes(&o, &d->size_class);
	json_out_end(&o);
}
