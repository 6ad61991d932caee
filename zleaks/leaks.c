/*
 * leaks.c - the command `leaks`: the page in the wanted form, and the exit
 * status.  leaks_groups.c finds out what is lost, leaks_text.c, leaks_json.c,
 * leaks_sarif.c and leaks_junit.c print it.
 */
#include "leaks.h"

int
leaks_broken_rule(const struct leaks *l, uint64_t blocks[KIND_COUNT],
		  uint64_t bytes[KIND_COUNT])
{
	for (int k = 0; k < KIND_COUNT; k++) {
		blocks[k] = count_shown(l->total.kinds[k].blocks);
		bytes[k] = count_shown(l->total.kinds[k].bytes);
	}
	return failon_broken(&l->settings->fail_on, blocks, bytes);
}

static int
exit_status(const struct leaks *l)
{
	uint64_t blocks[KIND_COUNT], bytes[KIND_COUNT];

	if (l->recording->problem_count)
		return EXIT_UNREADABLE;
	return leaks_broken_rule(l, blocks, bytes) >= 0 ? EXIT_LEAKS
							: EXIT_CLEAN;
}

/* Writes the page; the exit status. */
static int
print(struct leaks *l)
{
	struct output out;

	if (output_open(&out, l->settings->output) != 0)
		return EXIT_USAGE;
	if (l->settings->json)
		leaks_json(l, out.file);
	else
		leaks_text(l, out.file);
	return output_close(&out) != 0 ? EXIT_UNREADABLE : exit_status(l);
}

int
leaks_main(const struct settings *settings, int argc, char **argv)
{
	const char *path = settings_report("leaks", argc, argv);
	struct leaks l;

	if (!path)
		return EXIT_USAGE;
	leaks_load(&l, settings, path);
	int status = print(&l);
	leaks_free(&l);
	return status;
}
