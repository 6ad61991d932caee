/*
 * process.c - a recorded process in words: its command, how long it ran and
 * how it ended.  Used by every page.
 */
#include "json.h"
#include "report.h"
#include "text.h"
#include "zleaks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 400 };

json_t *
process_command(const struct process *p)
{
	if (!p->command)
		return json_checked(json_array());
	char *valid = text_utf8(p->command, strlen(p->command));
	json_t *list = json_loads(valid, JSON_ALLOW_NUL, NULL);
	int good = json_is_array(list);
	size_t i;
	json_t *word;

	if (good)
		json_array_foreach(list, i, word) good &= json_is_string(word);
	if (!good) { /* not as we write it: all of it is one word */
		json_decref(list);
		list = json_checked(json_pack("[s]", valid));
	}
	free(valid);
	return list;
}

char *
process_line(const struct process *p)
{
	json_t *list = process_command(p), *word;
	char *line = text_alloc(LINE_MAX_BYTES + 8);
	size_t i, used = 0;

	json_array_foreach(list, i, word)
	{
		const char *text = json_string_value(word);
		size_t n = strlen(text);
		if (used + n + 1 > LINE_MAX_BYTES) {
			strcpy(line + used, i ? " ..." : "...");
			break;
		}
		used +=
		    (size_t)sprintf(line + used, "%s%s", i ? " " : "", text);
	}
	char *shown = text_printable(*line ? line : p->exe);
	json_decref(list);
	free(line);
	return shown;
}

char *
process_name(const struct process *p)
{
	json_t *list = process_command(p);
	const char *first = json_string_value(json_array_get(list, 0));
	const char *name = first && *first ? first : p->exe;
	char *shown = text_printable(name ? text_basename(name) : NULL);

	json_decref(list);
	return shown;
}

char *
process_end(const struct process *p, char *buf, size_t bytes)
{
	if (p->signal > 0 && p->signal < 128) {
		snprintf(buf, bytes, "killed by signal %lld (%s)",
			 (long long)p->signal, strsignal((int)p->signal));
	} else if (p->exit_code != UNKNOWN) {
		snprintf(buf, bytes, "exit %lld", (long long)p->exit_code);
	} else if (process_replaced(p)) {
		snprintf(buf, bytes, "went on as another program");
	} else if (isnan(p->ended)) {
		snprintf(buf, bytes, "not seen to end");
	} else {
		snprintf(buf, bytes, "exit status unknown");
	}
	return buf;
}

int
process_complete(const struct process *p)
{
	return p->recording && !strcmp(p->recording, "complete");
}

int
process_replaced(const struct process *p)
{
	/* an end without a status: the process went on */
	if (process_complete(p) && !isnan(p->ended))
		return p->exit_code == UNKNOWN && p->signal == UNKNOWN;
	return p->recording && !strcmp(p->recording, REPORT_REPLACED);
}

int
process_unfinished(const struct process *p)
{
	return p->recording && !strcmp(p->recording, REPORT_UNFINISHED);
}

double
process_duration(const struct process *p)
{
	if (!isnan(p->started) && !isnan(p->ended))
		return p->ended >= p->started ? p->ended - p->started : NAN;
	return p->last_t;
}
