/* page_json.c - see page_json.h. */
#include "page_json.h"

#include <inttypes.h>

json_t *
page_json_int(int64_t n)
{
	return n == UNKNOWN ? json_null() : json_checked(json_integer(n));
}

void
page_json_problems(struct json_out *o, const struct recording *r)
{
	json_out_member(o, "complete", json_boolean(r->problem_count == 0));
	json_out_array(o, "problems");
	for (size_t i = 0; i < r->problem_count; i++) {
		const struct problem *p = &r->problems[i];
		int64_t pid = p->process ? p->process->pid : UNKNOWN;
		json_out_element(o, json_checked(json_pack(
					"{s:o, s:o}", "pid", page_json_int(pid),
					"problem", json_text(p->what))));
	}
	json_out_array_end(o);
}

void
page_json_stack(json_t *object, int64_t stack_id, const struct stack *stack)
{
	char fingerprint[24];

	snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64,
		 stack->fingerprint);
	json_object_set_new(object, "stack_id", page_json_int(stack_id));
	json_object_set_new(object, "fingerprint",
			    json_checked(json_string(fingerprint)));
	if (stack->type)
		json_object_set_new(object, "type", json_text(stack->type));
	json_object_set_new(object, "stack", stack_json(stack));
}
