/*
 * classes_json.c - size classes, slack and fragmentation as JSON; as CSV the
 * size classes alone.
 */
#include "classes.h"
#include "csv.h"
#include "page_json.h"

#include <math.h>

enum { STACKS_LISTED = 20 };

static json_t *
memory_json(const struct part *part)
{
	json_t *parts = json_checked(json_object());

	if (!part->memory_count) {
		json_decref(parts);
		return json_null();
	}
	for (size_t i = 0; i < part->memory_count; i++)
		json_object_set_new(parts, part->memory[i].name,
				    page_json_int(part->memory[i].bytes));
	return json_checked(json_pack("{s:o, s:o}", "t",
				      json_number_or_null(part->memory_t),
				      "bytes", parts));
}

static json_t *
rows_json(const struct part *part)
{
	json_t *list = json_checked(json_array());

	for (size_t i = 0; i < part->row_count; i++) {
		const struct class_row *r = &part->row[i];
		json_array_append_new(
		    list,
		    json_checked(json_pack(
			"{s:o, s:o, s:I, s:I, s:I, s:I}", "zone",
			json_text(r->zone), "size_class",
			page_json_int(r->size_class), "blocks",
			(json_int_t)r->blocks, "bytes", (json_int_t)r->asked,
			"usable_bytes", (json_int_t)r->usable, "slack_bytes",
			(json_int_t)(r->usable - r->asked))));
	}
	return list;
}

static json_t *
tiers_json(const struct part *part)
{
	json_t *list = json_checked(json_array());

	for (size_t i = 0; i < part->tier_count; i++) {
		const struct tier_row *r = &part->tier[i];
		json_array_append_new(
		    list, json_checked(json_pack(
			      "{s:o, s:s, s:I, s:I, s:o, s:o, s:o}", "zone",
			      json_text(r->zone), "tier", tier_names[r->tier],
			      "regions", (json_int_t)r->regions, "bytes",
			      (json_int_t)r->bytes, "resident_bytes",
			      page_json_int(r->resident), "live_blocks",
			      page_json_int(r->live_blocks), "usable_bytes",
			      page_json_int(r->usable))));
	}
	return list;
}

/* `bytes` and `more` are named by the caller. */
static json_t *
stacks_json(const struct classes *c, const struct sum *stack, size_t count,
	    const char *bytes, const char *more)
{
	json_t *list = json_checked(json_array());

	for (size_t i = 0; i < count && i < STACKS_LISTED; i++) {
		json_t *j = json_checked(json_pack(
		    "{s:I, s:I, s:I}", "blocks", (json_int_t)stack[i].blocks,
		    bytes, (json_int_t)stack[i].bytes, more,
		    (json_int_t)stack[i].more));
		page_json_stack(j, stack[i].b,
				stacks_get(c->stacks, stack[i].b));
		json_array_append_new(list, j);
	}
	return list;
}

static json_t *
pins_json(const struct classes *c, const struct pins *p, const char *unit)
{
	return json_checked(json_pack(
	    "{s:I, s:I, s:I, s:I, s:I, s:o}", "count", (json_int_t)p->all,
	    "bytes", (json_int_t)p->bytes, "thin", (json_int_t)p->thin,
	    "thin_blocks", (json_int_t)p->blocks, "kept_bytes",
	    (json_int_t)p->kept, "stacks",
	    stacks_json(c, p->stack, p->stack_count, "kept_bytes", unit)));
}

static json_t *
part_json(const struct classes *c, const struct part *part)
{
	return json_checked(json_pack(
	    "{s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "pid",
	    (json_int_t)part->process->pid, "blocks", (json_int_t)part->blocks,
	    "bytes", (json_int_t)part->asked, "usable_bytes",
	    (json_int_t)part->usable, "memory", memory_json(part), "classes",
	    rows_json(part), "slack_stacks",
	    stacks_json(c, part->slack, part->slack_count, "slack_bytes",
			"bytes"),
	    "regions", tiers_json(part), "pages",
	    pins_json(c, &part->pages, "pages"), "thin_regions",
	    pins_json(c, &part->regions, "regions")));
}

void
classes_json(const struct classes *c, FILE *out)
{
	struct json_out o;

	json_out_begin(&o, out);
	json_out_member(&o, "format", json_string("zleaks/1"));
	page_json_problems(&o, c->recording);
	json_out_member(&o, "page_bytes", json_integer(c->page));
	json_out_array(&o, "processes");
	for (size_t i = 0; i < c->recording->process_count; i++)
		json_out_element(&o, part_json(c, &c->part[i]));
	json_out_array_end(&o);
	json_out_end(&o);
}

void
classes_csv(const struct classes *c, FILE *out)
{
	fputs("pid,zone,size_class,blocks,bytes,usable_bytes,slack_bytes\r\n",
	      out);
	for (size_t i = 0; i < c->recording->process_count; i++)
		for (size_t j = 0; j < c->part[i].row_count; j++) {
			const struct class_row *r = &c->part[i].row[j];
			csv_int(out, c->part[i].process->pid, 1);
			csv_field(out, r->zone, 0);
			csv_int(out, r->size_class, 0);
			csv_int(out, r->blocks, 0);
			csv_int(out, r->asked, 0);
			csv_int(out, r->usable, 0);
			csv_int(out, r->usable - r->asked, 0);
			csv_end_line(out);
		}
}
