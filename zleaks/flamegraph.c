/* flamegraph.c - the command `flamegraph`. */
#include "flame.h"

int
flamegraph_main(const struct settings *settings, int argc, char **argv)
{
	(void)settings, (void)argc, (void)argv;
	return EXIT_USAGE;
}
