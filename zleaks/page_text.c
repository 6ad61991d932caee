/* page_text.c - see page_text.h. */
#include "page_text.h"

#include "units.h"

#include <stdlib.h>
#include <string.h>

void
page_process(const struct process *p, const struct style *style,
	     const char *more, FILE *out)
{
	char *line = process_line(p), end[80], time[UNITS_BYTES];

	fprintf(out, "%s%s%s\n", style->bold, line, style->off);
	fprintf(out, "pid %lld, ran %s, %s%s%s\n", (long long)p->pid,
		units_time(time, process_duration(p)),
		process_end(p, end, sizeof end), more ? ", " : "",
		more ? more : "");
	free(line);
}

void
page_count(FILE *out, unsigned long long n, const char *thing)
{
	char number[32];
	size_t end = strlen(thing);

	fprintf(out, "%s %s%s", message_number(number, sizeof number, n), thing,
		n == 1			       ? ""
		: end && thing[end - 1] == 's' ? "es"
					       : "s");
}

void
page_left_out(size_t n, FILE *out)
{
	if (n)
		fprintf(out, "%zu more not shown (-n 0 shows all)\n", n);
}
