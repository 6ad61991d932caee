/*
 * common_text.c - text of unknown origin, quantities, tables and JSON strings:
 * common/text.c, units.c, table.c, json.c.  Expected texts are written here by
 * hand.
 */
#include "json.h"
#include "table.h"
#include "text.h"
#include "units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

static void
same(const char *name, const char *want, const char *got)
{
	if (!strcmp(want, got)) {
		printf("ok %s\n", name);
		return;
	}
	printf("not ok %s - expected '%s', got '%s'\n", name, want, got);
	failures++;
}

static void
printable(const char *name, const char *text, const char *want)
{
	char *got = text_printable(text);
	same(name, want, got);
	free(got);
}

static void
test_printable(void)
{
	printable("plain", "main(int, char**)", "main(int, char**)");
	printable("UTF-8 is kept", "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
	printable("escape sequence", "a\x1b[31mb", "a\\x1b[31mb");
	printable("line break, tab", "a\nb\tc", "a\\nb\\tc");
	printable("C1 control", "a\xc2\x9bm", "a\\x9bm");
	printable("invalid bytes", "a\xff\xfe", "a\\xff\\xfe");
	printable("overlong slash", "\xc0\xaf", "\\xc0\\xaf");
	printable("surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80");
	printable("cut sequence", "a\xe2\x82", "a\\xe2\\x82");
	printable("beyond Unicode", "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	printable("right-to-left override",
		  "a\xe2\x80\xae"
		  "b",
		  "a\\u{202e}b");
	printable("NULL", NULL, "?");

	char *huge = malloc(100001);
	memset(huge, '\x1b', 100000);
	huge[100000] = 0;
	char *got = text_printable(huge);
	same("long texts are bounded", "bounded",
	     strlen(got) <= TEXT_BYTES_MAX * 10 + 3 ? "bounded" : "long");
	free(got);
	free(huge);
}

static void
test_units(void)
{
	char b[UNITS_BYTES];

	same("milliseconds", "0.231 s", units_time(b, 0.231));
	same("seconds", "59.9 s", units_time(b, 59.9));
	same("minutes", "3 min 05 s", units_time(b, 185.4));
	same("hours", "30 h 01 min", units_time(b, 108061));
	same("unknown time", "?", units_time(b, NAN));
	same("infinite time", "?", units_time(b, INFINITY));
	same("rise", "+1,234,567", units_change(b, 1234567));
	same("fall", "-7", units_change(b, -7));
	same("no change", "0", units_change(b, 0));
	same("least number", "-9,223,372,036,854,775,808",
	     units_change(b, INT64_MIN));
	same("rate in bytes", "+320 B/s", units_rate(b, 320));
	same("rate in KiB", "-19.4 KiB/s", units_rate(b, -19.4 * 1024));
	same("rate of nearly nothing", "0", units_rate(b, 0.4));
	same("no rounding up to the next unit", "+1.0 KiB/s",
	     units_rate(b, 1023.9));
	same("all", "100 %", units_share(b, 7, 7));
	same("nearly all is not all", "99.9 %",
	     units_share(b, 999999, 1000000));
	same("nearly nothing is not nothing", "0.1 %",
	     units_share(b, 1, 1000000));
	same("of nothing", "?", units_share(b, 0, 0));
}

static void
test_table(void)
{
	static const struct table_column columns[] = { { "name", 0 },
						       { "n", 1 },
						       { "", 0 } };
	char *text;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	struct table *t = table_new(columns, 3, " ");

	table_cell(t, "a\n");
	table_cellf(t, "%d", 1000);
	table_cell(t, NULL);
	table_paint(t, "<", ">");
	table_cell(t, "bcd");
	table_cell(t, "1");
	table_cell(t, "z");
	table_flush(t, out);
	table_cell(t, "longer");
	table_cell(t, "2");
	table_cell(t, "");
	table_flush(t, out);
	table_free(t);
	fclose(out);
	same("table",
	     " name     n\n"
	     " a\\n   1000\n"
	     " <bcd>      1  z\n"
	     " longer     2\n",
	     text);
	free(text);
}

static void
test_json(void)
{
	json_t *j = json_text("a\xff\x1b");
	char *text = json_dumps(j, JSON_ENCODE_ANY);

	same("JSON of invalid UTF-8", "\"a\xef\xbf\xbd\\u001B\"", text);
	free(text);
	json_decref(j);
	same("JSON has no infinity", "null",
	     json_is_null(json_number_or_null(INFINITY)) ? "null" : "number");
}

int
main(void)
{
	test_printable();
	test_units();
	test_table();
	test_json();
	return failures != 0;
}
