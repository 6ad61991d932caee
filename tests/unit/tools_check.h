/*
 * tools_check.h - one result line each, for the unit tests of the tools'
 * modules.  A test includes it once and ends with `failures != 0`.
 */
#ifndef TESTS_UNIT_TOOLS_CHECK_H
#define TESTS_UNIT_TOOLS_CHECK_H

#include <stdio.h>

static int failures;

static void
check(int good, const char *name, const char *why)
{
	if (good)
		printf("ok %s\n", name);
	else
		printf("not ok %s - %s\n", name, why);
	failures += !good;
}

#endif
