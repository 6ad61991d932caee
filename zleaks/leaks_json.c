/*
 * leaks_json.c - the leak report as JSON, in the form "zleaks/1" that
 * CONTRACT and zleaks(1) describe.  Keys may be added, never changed.
 */
#include "leaks.h"
#include "page_json.h"

#include <stdlib.h>
#include <string.h>

json_t *
leaks_process_json(const struct process *p)
{
	return json_checked(json_pack(
	    "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "pid",
	    page_json_int(p->pid), "parent_pid", page_json_int(p->parent_pid),
	    "command", process_command(p), "exit_code",
	    page_json_int(p->exit_code), "signal", page_json_int(p->signal),
	    "started", json_number_or_null(p->started), "duration_s",
	    json_number_or_null(process_duration(p)), "recording",
	    json_text(p->recording)));
}

static json_t *
tally_json(const struct tally *t)
{
	return json_checked(json_pack(
	    "{s:I, s:I}", "blocks", (json_int_t)count_shown(t->blocks), "bytes",
	    (json_int_t)count_shown(t->bytes)));
}

/* A sum over the processes; null when none of them knows. */
static json_t *
sum_json(const struct recording *r, size_t member)
{
	int64_t sum = UNKNOWN;

	for (size_t i = 0; i < r->process_count; i++) {
		const char *p = (const char *)&r->processes[i];
		sum = count_add(sum, *(const int64_t *)(p + member));
	}
	return page_json_int(sum);
}

/* Peaks of several processes do not add up: the highest one. */
static json_t *
peak_json(const struct recording *r)
{
	int64_t peak = UNKNOWN;

	for (size_t i = 0; i < r->process_count; i++)
		if (r->processes[i].peak_bytes > peak)
			peak = r->processes[i].peak_bytes;
	return page_json_int(peak);
}

json_t *
leaks_summary_json(const struct leaks *l)
{
	const struct recording *r = l->recording;
	json_t *j = json_checked(json_pack(
	    "{s:o, s:o, s:o, s:o, s:o, s:o}", "allocations",
	    sum_json(r, offsetof(struct process, allocations)), "frees",
	    sum_json(r, offsetof(struct process, frees)), "bytes_allocated",
	    sum_json(r, offsetof(struct process, bytes_allocated)),
	    "peak_bytes", peak_json(r), "live_blocks",
	    sum_json(r, offsetof(struct process, live_blocks)), "live_bytes",
	    sum_json(r, offsetof(struct process, live_bytes))));

	for (int k = KIND_COUNT - 1; k >= 0; k--)
		json_object_set_new(j, kind_names[k],
				    tally_json(&l->total.kinds[k]));
	struct tally unscanned = l->total.kinds[KIND_UNSCANNED];
	unscanned.blocks = count_add(unscanned.blocks, l->total.late.blocks);
	unscanned.bytes = count_add(unscanned.bytes, l->total.late.bytes);
	json_object_set_new(j, kind_names[KIND_UNSCANNED],
			    tally_json(&unscanned));
	json_object_set_new(j, "suppressed", tally_json(&l->total.suppressed));
	if (r->sample_bytes != UNKNOWN)
		json_object_set_new(j, "estimated_from_one_in_bytes",
				    page_json_int(r->sample_bytes));
	return j;
}

static json_t *
distinct_json(const struct distinct *d)
{
	json_t *list = json_checked(json_array());

	for (unsigned i = 0; i < d->count; i++)
		json_array_append_new(list, json_integer(d->value[i]));
	return list;
}

/* The one value, null when there are several or none. */
static json_t *
only_json(const struct distinct *d)
{
	return page_json_int(d->count == 1 && !d->more ? d->value[0] : UNKNOWN);
}

static json_t *
group_json(const struct leaks *l, const struct group *g)
{
	json_t *j = json_checked(json_pack(
	    "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "kind",
	    kind_names[g->kind], "blocks", page_json_int(g->blocks), "bytes",
	    page_json_int(g->bytes), "indirect_blocks",
	    page_json_int(g->indirect_blocks), "indirect_bytes",
	    page_json_int(g->indirect_bytes), "pid",
	    page_json_int(g->process->pid), "thread", only_json(&g->threads),
	    "size_class", only_json(&g->classes)));

	json_object_set_new(j, "threads", distinct_json(&g->threads));
	json_object_set_new(j, "size_classes", distinct_json(&g->classes));
	json_object_set_new(j, "first_allocated_s",
			    json_number_or_null(g->first));
	json_object_set_new(j, "last_allocated_s",
			    json_number_or_null(g->last));
	json_object_set_new(j, "type", json_text(leaks_type(l, g)));
	leaks_loss_json(l, g, j);
	page_json_stack(j, g->stack_id, g->stack);
	return j;
}

static json_t *
limit_json(uint64_t limit)
{
	return page_json_int(limit > INT64_MAX ? UNKNOWN : (int64_t)limit);
}

static json_t *
suppression_json(const struct suppression *s)
{
	return json_checked(json_pack(
	    "{s:o, s:s, s:i, s:I, s:I, s:I, s:o, s:o, s:b}", "pattern",
	    json_text(s->pattern), "form", s->frames ? "valgrind" : "lsan",
	    "line", s->line, "groups", (json_int_t)s->groups, "blocks",
	    (json_int_t)s->blocks, "bytes", (json_int_t)s->bytes, "max_blocks",
	    limit_json(s->max_blocks), "max_bytes", limit_json(s->max_bytes),
	    "over_limit", suppression_over(s)));
}

void
leaks_json(struct leaks *l, FILE *out)
{
	const struct recording *r = l->recording;
	struct json_out o;

	json_out_begin(&o, out);
	json_out_member(&o, "format", json_string("zleaks/1"));
	page_json_problems(&o, r);
	json_out_array(&o, "processes");
	for (size_t i = 0; i < r->process_count; i++)
		json_out_element(&o, leaks_process_json(&r->processes[i]));
	json_out_array_end(&o);
	json_out_member(&o, "summary", leaks_summary_json(l));
	json_out_array(&o, "leaks");
	for (size_t i = 0; i < r->process_count; i++)
		for (size_t j = 0; j < l->sections[i].shown_count; j++)
			json_out_element(
			    &o, group_json(l, l->sections[i].shown[j]));
	json_out_array_end(&o);
	json_out_member(&o, "groups_left_out",
			json_integer(l->total.left_out.sites));
	if (l->settings->suppressions) {
		json_out_array(&o, "suppressions");
		for (size_t i = 0; i < l->suppressions.count; i++)
			json_out_element(
			    &o, suppression_json(&l->suppressions.list[i]));
		json_out_array_end(&o);
	}
	json_out_end(&o);
}
