/*
 * page_json.h - members that the JSON of every page has.
 */
#ifndef ZLEAKS_PAGE_JSON_H
#define ZLEAKS_PAGE_JSON_H

#include "json.h"
#include "stack.h"

/* "complete" and "problems". */
void page_json_problems(struct json_out *, const struct recording *);

/* null for UNKNOWN */
json_t *page_json_int(int64_t);

/* The stack's "stack_id", "fingerprint" and "stack", added to an object. */
void page_json_stack(json_t *object, int64_t stack_id, const struct stack *);

#endif
