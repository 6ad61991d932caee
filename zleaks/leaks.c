/*
 * leaks.c - the command `leaks`: the page in the wanted form, and the exit
 * status.  leaks_groups.c finds out what is lost, leaks_text.c, leaks_json.c,
 * leaks_sarif.c and leaks_junit.c print it.
 */
#include "leaks.h"
#include "holder.h"

struct found
leaks_found(const struct leaks *l)
{
	struct found f;

	for (int k = 0; k < KIND_COUNT; k++) {
		f.blocks[k] = count_shown(l->total.kinds[k].blocks);
		f.bytes[k] = count_shown(l->total.kinds[k].bytes);
	}
	return f;
}

static int
exit_status(const struct leaks *l)
{
	struct found f = leaks_found(l);

	if (l->recording->problem_count)
		return EXIT_UNREADABLE;
	return failon_failing(&l->settings->fail_on, f.blocks, f.bytes)
		   ? EXIT_LEAKS
		   : EXIT_CLEAN;
}

static const char *const formats[] = { "text", "json", "sarif", "junit", NULL };
static void (*const writers[])(struct leaks *,
			       FILE *) = { leaks_text, leaks_json, leaks_sarif,
					   leaks_junit };
enum { TEXT, JSON };

/* Writes the page; the exit status. */
static int
print(struct leaks *l, int format)
{
	struct output out;

	if (output_open(&out, l->settings->output) != 0)
		return EXIT_USAGE;
	writers[format](l, out.file);
	return output_close(&out) != 0 ? EXIT_UNREADABLE : exit_status(l);
}

int
leaks_main(const struct settings *settings, int argc, char **argv)
{
	const char *path = settings_report("leaks", argc, argv);
	int format = settings_format(settings, formats);
	struct leaks l;

	if (!path || format == FORMAT_BAD)
		return EXIT_USAGE;
	if (format == FORMAT_NONE)
		format = settings->json ? JSON : TEXT;
	unsigned how = format == TEXT	? 0
		       : format == JSON ? LEAKS_ALL
					: LEAKS_ALL | LEAKS_NO_BLOCKS;
	leaks_open(&l, settings, path, how);
	int status = print(&l, format);
	leaks_close(&l);
	return status;
}
