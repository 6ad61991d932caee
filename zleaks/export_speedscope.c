/*
 * export_speedscope.c - the file format of https://www.speedscope.app: one
 * "sampled" profile, each stack a sample with its cost as weight.  Written as
 * the stacks are read; weights and frames follow when all have been seen.
 */
#include "export.h"

#include "json.h"
#include "text.h"

#include <stdlib.h>

struct speedscope {
	struct export *e;
	FILE *frames, *weights;
	char *frame_text, *weight_text;
	size_t frame_bytes, weight_bytes;
	uint32_t frame_count;
	uint64_t samples, sum;
};

static void
write_json(FILE *out, json_t *j)
{
	json_checked(j);
	if (json_dumpf(j, out, JSON_COMPACT | JSON_ENCODE_ANY) != 0 &&
	    !ferror(out))
		die(EXIT_UNREADABLE, "out of memory");
	json_decref(j);
}

static uint32_t
frame_index(struct speedscope *s, struct frame *f)
{
	if (f->index)
		return f->index - 1;
	json_t *j =
	    json_checked(json_pack("{s:o}", "name", json_text(frame_name(f))));
	if (f->file)
		json_object_set_new(j, "file", json_text(f->file));
	if (f->file && f->line > 0)
		json_object_set_new(j, "line",
				    json_integer((json_int_t)f->line));
	fputs(s->frame_count ? "," : "", s->frames);
	write_json(s->frames, j);
	f->index = ++s->frame_count;
	return f->index - 1;
}

static void
take(void *ctx, const struct process *p, int64_t id, const struct stack *stack,
     const uint64_t cost[COSTS])
{
	struct speedscope *s = ctx;
	uint64_t weight = cost[s->e->cost];
	size_t n = stack_frames_worth_showing(stack);
	FILE *out = s->e->out;

	(void)p, (void)id;
	if (!weight)
		return;
	fputs(s->samples ? ",[" : "[", out);
	for (size_t i = n; i-- > 0;)
		fprintf(out, "%u%s", frame_index(s, stack->frames[i]),
			i ? "," : "");
	fputc(']', out);
	fprintf(s->weights, "%s%llu", s->samples ? "," : "",
		(unsigned long long)weight);
	s->samples++;
	s->sum += weight;
}

void
export_speedscope(struct export *e)
{
	struct speedscope s = { .e = e };
	FILE *out = e->out;

	s.frames = open_memstream(&s.frame_text, &s.frame_bytes);
	s.weights = open_memstream(&s.weight_text, &s.weight_bytes);
	if (!s.frames || !s.weights)
		die(EXIT_UNREADABLE, "out of memory");
	fputs("{\"$schema\":"
	      "\"https://www.speedscope.app/file-format-schema.json\","
	      "\"exporter\":\"zleaks\",\"name\":",
	      out);
	write_json(out, json_text(e->recording->path));
	fprintf(out,
		",\"profiles\":[{\"type\":\"sampled\",\"name\":\"%s\","
		"\"unit\":\"%s\",\"startValue\":0,\"samples\":[",
		cost_titles[e->cost],
		cost_is_bytes(e->cost) ? "bytes" : "none");
	calltree_each_stack(e->recording, e->stacks, e->settings, take, &s);
	fclose(s.frames);
	fclose(s.weights);
	fputs("],\"weights\":[", out);
	fwrite(s.weight_text, 1, s.weight_bytes, out);
	fprintf(out, "],\"endValue\":%llu}],\"shared\":{\"frames\":[",
		(unsigned long long)s.sum);
	fwrite(s.frame_text, 1, s.frame_bytes, out);
	fputs("]}}\n", out);
	free(s.frame_text);
	free(s.weight_text);
}
