/*
 * main.c - zrecord: runs a command under libzmalloc and writes the report.
 *
 * Everything that can be refused is refused before the command starts: first
 * the command line, then the command, then the report file.
 */
#include "message.h"
#include "recorder.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

int
main(int argc, char **argv)
{
	static struct recorder r;
	struct settings s;
	struct signals signals;
	char path[PATH_MAX], library[PATH_MAX];
	struct attach attach = { .pidfd = -1 };
	message_program("zrecord");
	settings_read(&s, argc, argv);
	message_quiet(s.quiet);
	launch_prepare_files();
	if (s.command) {
		launch_check(s.command[0], path, sizeof path);
		launch_library(library, sizeof library);
	}
	if (s.pid)
		attach_find(&attach, s.pid);
	signals_init(&signals, s.serve_fd >= 0);
	recorder_init(&r, &s, &signals);
	if (s.verbose)
		message_note("writing %s", s.output);
	if (s.command) {
		int error = launch_command(&s, &signals, path, library,
					   r.session, &r.command);
		if (error) {
			writer_discard(&r.writer);
			die(error == ENOENT ? EXIT_NOT_FOUND
					    : EXIT_NOT_EXECUTABLE,
			    "%s: %s", s.command[0], strerror(error));
		}
		r.command_pid = r.command;
	}
	if (s.pid)
		recorder_attach(&r, &attach);
	recorder_run(&r);
	int closed = recorder_close(&r);
	return summary(&r, closed);
}
