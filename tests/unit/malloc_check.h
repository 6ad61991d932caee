/*
 * malloc_check.h - what the tests of malloc/ share.
 *
 * Each test runs in a child of its own, so that a crash is one failure and no
 * test sees what another left behind.  Output is one line per test, "ok NAME"
 * or "not ok NAME - why".
 */
#ifndef TESTS_UNIT_MALLOC_CHECK_H
#define TESTS_UNIT_MALLOC_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct test {
	const char *name;
	void (*run)(void);
};

static const char *current_test;

/* Ends the child when the condition does not hold. */
#define CHECK(condition)                                              \
	do {                                                          \
		if (!(condition))                                     \
			check_failed(__FILE__, __LINE__, #condition); \
	} while (0)

__attribute__((noreturn, unused)) static void
check_failed(const char *file, int line, const char *what)
{
	printf("not ok %s - %s:%d: %s\n", current_test, file, line, what);
	fflush(stdout);
	_exit(1);
}

enum { SKIPPED = 77 };

/* Ends the child: this cannot be tested here. */
__attribute__((noreturn, unused)) static void
skip_test(const char *why)
{
	printf("skip %s - %s\n", current_test, why);
	fflush(stdout);
	_exit(SKIPPED);
}

/* 0 when all pass. */
static int
run_tests(const struct test *t, size_t count)
{
	int failures = 0, status;
	for (size_t i = 0; i < count; i++) {
		current_test = t[i].name;
		fflush(stdout);
		pid_t pid = fork();
		if (pid == 0) {
			alarm(60);
			t[i].run();
			fflush(stdout);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid) {
			printf("not ok %s - cannot fork\n", t[i].name);
			failures++;
			continue;
		}
		if (WIFSIGNALED(status))
			printf("not ok %s - signal %d\n", t[i].name,
			       WTERMSIG(status));
		else if (status == 0)
			printf("ok %s\n", t[i].name);
		else if (WEXITSTATUS(status) == SKIPPED)
			continue;
		failures += status != 0;
	}
	return failures != 0;
}

#define RUN_TESTS(table) run_tests(table, sizeof(table) / sizeof((table)[0]))

#endif
