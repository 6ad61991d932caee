/* csv.c - see csv.h. */
#include "csv.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void
csv_field(FILE *out, const char *s, int first)
{
	if (!first)
		fputc(',', out);
	if (!s || (*s && !strpbrk(s, ",\"\r\n"))) {
		fputs(s ? s : "", out);
		return;
	}
	fputc('"', out); /* an empty text, unlike NULL, is "" */
	for (; *s; s++) {
		if (*s == '"')
			fputc('"', out);
		fputc(*s, out);
	}
	fputc('"', out);
}

void
csv_int(FILE *out, int64_t n, int first)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRId64, n);
	csv_field(out, n == INT64_MIN ? NULL : text, first);
}

void
csv_real(FILE *out, double x, int first)
{
	char text[64];

	snprintf(text, sizeof text, "%.6f", x);
	csv_field(out, isfinite(x) ? text : NULL, first);
}

void
csv_end_line(FILE *out)
{
	fputs("\r\n", out);
}
