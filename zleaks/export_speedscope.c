/*
 * export_speedscope.c - the file format of https://www.speedscope.app: one
 * "sampled" profile, each stack a sample with its cost as weight.
 */
#include "export.h"

#include "json.h"
#include "text.h"

#include <stdlib.h>
#include <uthash.h>

struct known {
	const struct frame *frame;
	json_int_t index;
	UT_hash_handle hh;
};

struct speedscope {
	struct export *e;
	struct known *known;
	json_int_t frames;
	json_t *frame_list, *samples, *weights;
	uint64_t sum;
};

static json_int_t
frame_index(struct speedscope *s, const struct frame *f)
{
	struct known *k;

	HASH_FIND_PTR(s->known, &f, k);
	if (k)
		return k->index;
	k = text_alloc(sizeof *k);
	k->frame = f;
	k->index = s->frames++;
	HASH_ADD_PTR(s->known, frame, k);
	char *name = call_name(f);
	json_t *j = json_checked(json_pack("{s:o}", "name", json_text(name)));
	free(name);
	if (f->file)
		json_object_set_new(j, "file", json_text(f->file));
	if (f->file && f->line > 0)
		json_object_set_new(j, "line",
				    json_integer((json_int_t)f->line));
	json_array_append_new(s->frame_list, j);
	return k->index;
}

static void
take(void *ctx, const struct process *p, int64_t id, const struct stack *stack,
     const uint64_t cost[COSTS])
{
	struct speedscope *s = ctx;
	uint64_t weight = cost[s->e->cost];
	size_t n = stack_frames_worth_showing(stack);

	(void)p, (void)id;
	if (!weight)
		return;
	json_t *sample = json_checked(json_array());
	for (size_t i = n; i-- > 0;)
		json_array_append_new(
		    sample, json_integer(frame_index(s, stack->frames[i])));
	json_array_append_new(s->samples, sample);
	json_array_append_new(s->weights, json_integer((json_int_t)weight));
	s->sum += weight;
}

void
export_speedscope(struct export *e)
{
	struct speedscope s = { .e = e,
				.frame_list = json_checked(json_array()),
				.samples = json_checked(json_array()),
				.weights = json_checked(json_array()) };
	struct known *k, *next;

	calltree_each_stack(e->recording, e->stacks, e->settings, take, &s);
	json_t *all = json_checked(json_pack(
	    "{s:s, s:s, s:s, s:{s:o}, s:[{s:s, s:s, s:s, s:i, s:I, s:o, s:o}]}",
	    "$schema", "https://www.speedscope.app/file-format-schema.json",
	    "exporter", "zleaks", "name", e->recording->path, "shared",
	    "frames", s.frame_list, "profiles", "type", "sampled", "name",
	    cost_titles[e->cost], "unit",
	    cost_is_bytes(e->cost) ? "bytes" : "none", "startValue", 0,
	    "endValue", (json_int_t)s.sum, "samples", s.samples, "weights",
	    s.weights));
	json_dumpf(all, e->out, JSON_COMPACT);
	fputc('\n', e->out);
	json_decref(all);
	HASH_ITER(hh, s.known, k, next)
	{
		HASH_DEL(s.known, k);
		free(k);
	}
}
