/*
 * settings.c - see settings.h.
 */
#include "settings.h"
#include "completion.h"
#include "libzmalloc/logger/session.h"
#include "message.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum option_id {
	OPT_OUTPUT = 256,
	OPT_INTERVAL,
	OPT_DEPTH,
	OPT_NO_FOLLOW,
	OPT_DURATION,
	OPT_MAX_SIZE,
	OPT_FAIL_ON,
	OPT_QUIET,
	OPT_VERBOSE,
	OPT_HELP,
	OPT_VERSION,
	OPT_SERVE,
	OPT_HISTORY,
	OPT_SAMPLE,
	OPT_PID,
	OPT_COMPLETION, /* of the build */
	OPT_SCAN_EVERY
};

const struct option_def zrecord_options[] = {
	{ OPT_OUTPUT, 'o', "output", "FILE", "report file (default: report.db)",
	  0 },
	{ OPT_HISTORY, 0, "history", NULL,
	  "keep every allocation and free, with both stacks", 0 },
	{ OPT_INTERVAL, 0, "interval", "TIME",
	  "distance of growth samples (default: 100ms)", 0 },
	{ OPT_SCAN_EVERY, 0, "scan-every", "TIME",
	  "leak scans while the program runs (default: one at exit)", 0 },
	{ OPT_DEPTH, 0, "depth", "N", "frames kept per stack (default: 128)",
	  0 },
	{ OPT_SAMPLE, 0, "sample", "BYTES",
	  "record one allocation in BYTES on average (512K, 1M)", 0 },
	{ OPT_PID, 'p', "pid", "PID",
	  "record a process that runs under libzmalloc already", 0 },
	{ OPT_NO_FOLLOW, 0, "no-follow", NULL, "do not record children", 0 },
	{ OPT_DURATION, 0, "duration", "TIME",
	  "stop recording (not the program) after TIME", 0 },
	{ OPT_MAX_SIZE, 0, "max-size", "BYTES",
	  "bound of the report file: growth samples are thinned", 0 },
	{ OPT_FAIL_ON, 0, "fail-on", "KIND[:N]",
	  "exit with 1 on leaks of this kind or a surer one", 0 },
	{ OPT_QUIET, 'q', "quiet", NULL, "write no summary", 0 },
	{ OPT_VERBOSE, 'v', "verbose", NULL, "say what is being done", 0 },
	{ OPT_HELP, 0, "help", NULL, "show this help", 0 },
	{ OPT_VERSION, 0, "version", NULL, "show the version", 0 },
	{ OPT_SERVE, 0, "serve", "FD", NULL, 0 },
	{ OPT_COMPLETION, 0, "completion", "SHELL", NULL, 0 },
	{ 0 }
};

static void
help(void)
{
	printf("Usage: zrecord [options] [--] command [args...]\n"
	       "       zrecord [options] -p PID\n"
	       "Runs the command under libzmalloc and records its heap in "
	       "report.db.\n\n");
	options_help(stdout, zrecord_options, 0);
	printf("\nTIME: 100ms, 1.5s, 10m, 2h.  KIND: definite, indirect, "
	       "possible, reachable,\nunscanned; several with commas; :N "
	       "allows so many "
	       "bytes (64K) or blocks (9blocks).\n"
	       "Exit status: the command's; 125 when zrecord itself failed, "
	       "126 when the\ncommand cannot be executed, 127 when it was "
	       "not found.\n"
	       "Then: zleaks report.db\n");
	exit(fflush(stdout) == 0 ? 0 : EXIT_TROUBLE);
}

static void
bad(const char *option, const char *value, const char *expected)
{
	die(EXIT_TROUBLE, "--%s=%s: not %s", option, value, expected);
}

static double
time_value(const char *option, const char *value, double min)
{
	double t;
	if (option_time(value, &t) != 0)
		bad(option, value, "a time like 100ms, 2s or 10m");
	if (t < min)
		bad(option, value, "a time of at least 1ms");
	return t;
}

static long
number_value(const char *option, const char *value, long min, long max)
{
	long n;
	if (option_number(value, min, max, &n) != 0)
		die(EXIT_TROUBLE, "--%s=%s: not a number from %ld to %ld",
		    option, value, min, max);
	return n;
}

static uint64_t
bytes_value(const char *option, const char *value)
{
	char *end;
	unsigned long long n = strtoull(value, &end, 10);
	int shift = 0;
	if (*end)
		shift = *end == 'K'   ? 10
			: *end == 'M' ? 20
			: *end == 'G' ? 30
				      : -1;
	if (*value < '0' || *value > '9' || shift < 0 || (shift && end[1]) ||
	    n == 0 || n > 1ULL << (ZS_SAMPLE_LOG_MAX - shift))
		bad(option, value, "a number of bytes like 4096, 512K or 1M");
	return n << shift;
}

static void
fail_on_value(struct failon *f, const char *value)
{
	char why[160];
	if (failon_read(f, value, why, sizeof why) != 0)
		die(EXIT_TROUBLE, "--fail-on: %s", why);
}

static void
completion(const char *shell)
{
	static const struct completion_words words[] = {
		{ OPT_FAIL_ON, kind_names, 0 }, { 0, NULL, 0 }
	};
	const struct completion c = { "zrecord", zrecord_options, words, NULL };

	if (completion_print(stdout, shell, &c) != 0)
		exit(EXIT_TROUBLE);
	exit(fflush(stdout) == 0 ? 0 : EXIT_TROUBLE);
}

static void
take(struct settings *s, int id, const char *value)
{
	switch (id) {
	case OPT_OUTPUT:
		if (!*value)
			die(EXIT_TROUBLE, "--output: empty file name");
		s->output = value;
		break;
	case OPT_INTERVAL:
		s->interval = time_value("interval", value, 0.001);
		break;
	case OPT_DEPTH:
		s->depth = number_value("depth", value, 1, 4096);
		break;
	case OPT_HISTORY:
		s->history = 1;
		break;
	case OPT_NO_FOLLOW:
		s->follow = 0;
		break;
	case OPT_DURATION:
		s->duration = time_value("duration", value, 0.001);
		break;
	case OPT_MAX_SIZE:
		if (option_bytes(value, &s->max_size) != 0 || !s->max_size)
			bad("max-size", value, "a size like 50M or 1G");
		break;
	case OPT_FAIL_ON:
		fail_on_value(&s->fail_on, value);
		break;
	case OPT_QUIET:
		s->quiet = 1;
		break;
	case OPT_VERBOSE:
		s->verbose = 1;
		break;
	case OPT_HELP:
		help();
		break;
	case OPT_COMPLETION:
		completion(value);
		break;
	case OPT_VERSION:
		printf("zrecord %s\n", ZM_VERSION);
		exit(fflush(stdout) == 0 ? 0 : EXIT_TROUBLE);
	case OPT_SAMPLE:
		s->sample = bytes_value("sample", value);
		break;
	case OPT_PID:
		s->pid = (pid_t)number_value("pid", value, 1, 1 << 22);
		break;
	case OPT_SERVE:
		s->serve_fd = (int)number_value("serve", value, 3, 1 << 20);
		break;
	case OPT_SCAN_EVERY:
		s->scan_every = time_value("scan-every", value, 0.001);
		break;
	default:
		break;
	}
}

void
settings_read(struct settings *s, int argc, char **argv)
{
	struct options o = { .defs = zrecord_options,
			     .argc = argc,
			     .argv = argv,
			     .stop_at_operand = 1 };
	int id;
	*s = (struct settings){ .program = argv[0] ? argv[0] : "zrecord",
				.output = "report.db",
				.interval = 0.1,
				.follow = 1,
				.serve_fd = -1 };
	while ((id = options_next(&o)) > 0)
		take(s, id, o.value);
	if (id == OPTIONS_ERROR)
		exit(EXIT_TROUBLE);
	if (s->history && s->sample)
		die(EXIT_TROUBLE, "--history: not together with --sample");
	s->command = argv + o.next;
	if (s->serve_fd >= 0) {
		if (*s->command)
			die(EXIT_TROUBLE, "--serve: takes no command");
		if (fcntl(s->serve_fd, F_SETFD, FD_CLOEXEC) != 0 ||
		    fcntl(s->serve_fd, F_SETFL, O_NONBLOCK) != 0)
			die(EXIT_TROUBLE, "--serve: no such descriptor");
		s->command = NULL;
		s->quiet = 1;
	} else if (s->pid) {
		if (*s->command)
			die(EXIT_TROUBLE, "--pid: takes no command");
		s->command = NULL;
	} else if (!*s->command) {
		die(EXIT_TROUBLE, "no command given: see zrecord --help");
	}
}
