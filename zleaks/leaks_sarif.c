/*
 * leaks_sarif.c - the leak report as SARIF 2.1.0 (OASIS standard), for code
 * scanning: a result for each kind and fingerprint.
 *
 * The place of a result is the program's own frame that lies nearest to the
 * allocation; the whole stack is there as `stacks` and, from main on, as
 * `codeFlows`, which is what viewers show.  Paths below --source-root (or the
 * working directory) are relative to SRCROOT.
 */
#include "leaks.h"

#include "page_json.h"
#include "text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct rule {
	const char *id, *name, *level, *what, *help;
} rules[] = {
	{ "unscanned", "NotScanned", "warning",
	  "Memory was alive when the program ended without a leak scan",
	  "The program was killed, or left by _exit. Let it end by exit, or "
	  "make a snapshot before." },
	{ "reachable", "StillReachable", "note",
	  "Memory is still in use at the end",
	  "A pointer to its start was found. Free it at the end, or leave it "
	  "to the kernel." },
	{ "possible", "PossiblyLost", "warning",
	  "Only a pointer into the inside of the block is left",
	  "Either the program keeps such pointers on purpose, or the block is "
	  "lost." },
	{ "indirect", "IndirectlyLost", "error",
	  "Only lost blocks point to the block",
	  "Free it together with the block that owns it." },
	{ "definite", "DefinitelyLost", "error",
	  "No pointer to the block was found",
	  "Free the block before its last pointer goes." }
};

static json_t *
text_object(const char *text)
{
	return json_checked(json_pack("{s:o}", "text", json_text(text)));
}

static json_t *
rules_json(void)
{
	json_t *list = json_checked(json_array());

	for (int k = 0; k < KIND_COUNT; k++) {
		const struct rule *r = &rules[k];
		char *id = text_format("leak/%s", r->id);
		json_array_append_new(
		    list,
		    json_checked(json_pack(
			"{s:s, s:s, s:o, s:o, s:o, s:{s:s}, s:{s:[s,s]}}", "id",
			id, "name", r->name, "shortDescription",
			text_object(r->what), "fullDescription",
			text_object(r->what), "help", text_object(r->help),
			"defaultConfiguration", "level", r->level, "properties",
			"tags", "memory", "leak")));
		free(id);
	}
	return list;
}

/* ---- places ----------------------------------------------------------- */

/* Percent-encoded; "./" and "//" left out.  The caller's to free. */
static char *
uri_of(const char *path)
{
	char *uri = text_alloc(strlen(path) * 3 + 16), *out = uri;

	if (*path == '/')
		out = stpcpy(out, "file://");
	for (const char *p = path; *p; p++) {
		int first = p == path || p[-1] == '/';
		if (first && p[0] == '.' && p[1] == '/') {
			p++;
			continue;
		}
		if (*p == '/' && p > path && p[-1] == '/')
			continue;
		if (isalnum((unsigned char)*p) || strchr("-._~/+@", *p))
			*out++ = *p;
		else
			out += sprintf(out, "%%%02X", (unsigned char)*p);
	}
	*out = 0;
	return uri;
}

/* NULL when neither file nor module is known. */
static json_t *
physical_location(const struct frame *f)
{
	const char *path = f->file ? f->file : f->module;

	if (!path)
		return NULL;
	const char *shown = path_from_root(path);
	char *uri = uri_of(shown);
	json_t *artifact = json_checked(json_pack("{s:s}", "uri", uri));
	if (shown != path)
		json_object_set_new(artifact, "uriBaseId",
				    json_string("SRCROOT"));
	json_t *location =
	    json_checked(json_pack("{s:o}", "artifactLocation", artifact));
	if (f->file && f->line > 0)
		json_object_set_new(
		    location, "region",
		    json_checked(
			json_pack("{s:I}", "startLine", (json_int_t)f->line)));
	free(uri);
	return location;
}

static json_t *
location_json(const struct frame *f, const char *message)
{
	json_t *j = json_checked(json_object());
	json_t *physical = physical_location(f);

	if (physical)
		json_object_set_new(j, "physicalLocation", physical);
	if (f->function)
		json_object_set_new(
		    j, "logicalLocations",
		    json_checked(json_pack("[{s:o, s:s}]", "fullyQualifiedName",
					   json_text(f->function), "kind",
					   "function")));
	if (message)
		json_object_set_new(j, "message", text_object(message));
	return j;
}

/* From main to the allocation, as a debugger would step. */
static json_t *
code_flows(const struct stack *stack, size_t n)
{
	json_t *steps = json_checked(json_array());

	for (size_t i = n; i-- > 0;) {
		const struct frame *f = stack->frames[i];
		char *message =
		    i ? text_format("calls %s",
				    stack->frames[i - 1]->function
					? stack->frames[i - 1]->function
					: "a function without name")
		      : text_copy("allocates here");
		json_array_append_new(
		    steps, json_checked(json_pack("{s:o}", "location",
						  location_json(f, message))));
		free(message);
	}
	return json_checked(
	    json_pack("[{s:[{s:o}]}]", "threadFlows", "locations", steps));
}

static json_t *
stacks_json(const struct stack *stack, size_t n)
{
	json_t *frames = json_checked(json_array());

	for (size_t i = 0; i < n; i++) {
		const struct frame *f = stack->frames[i];
		json_t *frame = json_checked(
		    json_pack("{s:o}", "location", location_json(f, NULL)));
		if (f->module)
			json_object_set_new(frame, "module",
					    json_text(f->module));
		json_array_append_new(frames, frame);
	}
	return json_checked(json_pack("[{s:o, s:o}]", "message",
				      text_object("where it was allocated"),
				      "frames", frames));
}

/* ---- results ---------------------------------------------------------- */

/* "2,400 bytes in 150 blocks, allocated in add_line, are definitely lost" */
static char *
message_of(const struct site *s, const struct frame *own)
{
	static const char *const verdicts[KIND_COUNT] = {
		"were alive when the program ended without a leak scan",
		"are still reachable", "are possibly lost",
		"are indirectly lost", "are definitely lost"
	};
	char a[32], b[32];

	return text_format("%s bytes in %s block%s, allocated in %s, %s",
			   message_number(a, sizeof a, count_shown(s->bytes)),
			   message_number(b, sizeof b, count_shown(s->blocks)),
			   s->blocks == 1 ? "" : "s",
			   own && own->function ? own->function
						: "a function without name",
			   verdicts[s->kind]);
}

static json_t *
result_json(const struct site *s)
{
	const struct stack *stack = s->group->stack;
	size_t n = stack_frames_worth_showing(stack);
	size_t at = stack_own_frame(stack);
	const struct frame *own = at != SIZE_MAX ? stack->frames[at]
				  : n		 ? stack->frames[0]
						 : NULL;
	char fingerprint[24], *message = message_of(s, own);
	char *id = text_format("leak/%s", rules[s->kind].id);

	snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64,
		 s->fingerprint);
	json_t *j = json_checked(json_pack(
	    "{s:s, s:i, s:s, s:o, s:[], s:{s:s}, s:{s:s, s:I, s:I, s:I, s:I}}",
	    "ruleId", id, "ruleIndex", s->kind, "level", rules[s->kind].level,
	    "message", text_object(message), "locations", "partialFingerprints",
	    "zleaksStack/v1", fingerprint, "properties", "kind",
	    kind_names[s->kind], "bytes", (json_int_t)count_shown(s->bytes),
	    "blocks", (json_int_t)count_shown(s->blocks), "indirectBytes",
	    (json_int_t)count_shown(s->indirect_bytes), "indirectBlocks",
	    (json_int_t)count_shown(s->indirect_blocks)));
	if (own)
		json_array_append_new(json_object_get(j, "locations"),
				      location_json(own, NULL));
	if (n) {
		json_object_set_new(j, "stacks", stacks_json(stack, n));
		json_object_set_new(j, "codeFlows", code_flows(stack, n));
	}
	free(message);
	free(id);
	return j;
}

static json_t *
invocation_json(const struct recording *r)
{
	json_t *notes = json_checked(json_array());

	for (size_t i = 0; i < r->problem_count; i++)
		json_array_append_new(
		    notes, json_checked(json_pack(
			       "{s:s, s:o}", "level", "error", "message",
			       text_object(r->problems[i].what))));
	return json_checked(json_pack("[{s:b, s:o}]", "executionSuccessful",
				      r->problem_count == 0,
				      "toolExecutionNotifications", notes));
}

static json_t *
tool_json(void)
{
	return json_checked(json_pack(
	    "{s:{s:s, s:s, s:s, s:o}}", "driver", "name", "zleaks", "version",
	    ZM_VERSION, "semanticVersion", ZM_VERSION, "rules", rules_json()));
}

void
leaks_sarif(struct leaks *l, FILE *out)
{
	struct sites sites = leaks_sites(l);
	struct json_out o;

	json_out_begin(&o, out);
	json_out_member(
	    &o, "$schema",
	    json_string("https://json.schemastore.org/sarif-2.1.0.json"));
	json_out_member(&o, "version", json_string("2.1.0"));
	json_out_array(&o, "runs");
	json_out_object(&o);
	json_out_member(&o, "tool", tool_json());
	json_out_member(&o, "invocations", invocation_json(l->recording));
	json_out_member(
	    &o, "originalUriBaseIds",
	    json_pack("{s:{s:o}}", "SRCROOT", "description",
		      text_object("the top folder of the source tree")));
	json_out_array(&o, "results");
	for (size_t i = 0; i < sites.count; i++)
		json_out_element(&o, result_json(&sites.list[i]));
	json_out_array_end(&o);
	json_out_object_end(&o);
	json_out_array_end(&o);
	json_out_end(&o);
	sites_free(&sites);
}
