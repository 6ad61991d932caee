/*
 * process.c - a recorded process's first row, its end, and its memory here.
 */
#include "process.h"
#include "events.h"
#include "holders.h"
#include "memory.h"
#include "report.h"
#include "sampler.h"
#include "stacks.h"
#include "thin.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMAND_MAX = 1 << 20, PATH_LIMIT = 4096, HALT_STEPS = 20 /* ms */ };

/* argv as a JSON array, or NULL. */
static char *
command_of(const struct segment *seg)
{
	uint64_t n = seg->h.command_bytes;
	if (!seg->h.command || n == 0)
		return NULL;
	if (n > COMMAND_MAX)
		n = COMMAND_MAX;
	char *bytes = malloc((size_t)n);
	char *json = NULL;
	if (bytes && segment_read(seg, seg->h.command, bytes, (size_t)n) == 0)
		json = utf8_json_arguments(bytes, (size_t)n);
	free(bytes);
	return json;
}

static const char *
cause_name(uint32_t cause)
{
	switch (cause) {
	case ZS_CAUSE_START:
		return "start";
	case ZS_CAUSE_FORK:
		return "fork";
	case ZS_CAUSE_ATTACH:
		return "attach";
	default:
		return NULL;
	}
}

static void
write_process(struct process *p, struct writer *w)
{
	const struct zs_header *h = &p->seg.h;
	char *command = command_of(&p->seg);
	char *exe = segment_string(&p->seg, h->exe, PATH_LIMIT);
	if (exe)
		utf8_clean(exe);
	p->id =
	    writer_row(w, ROW_PROCESS, "iitttdt", (int64_t)p->pid,
		       (int64_t)h->ppid, command, exe, cause_name(h->cause),
		       (double)h->start_realtime_ns * 1e-9, REPORT_UNFINISHED);
	free(command);
	free(exe);
}

static int
exe_of(pid_t pid, struct stat *st)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
	return pid > 0 ? stat(path, st) : -1;
}

int
process_exe_changed(const struct process *p)
{
	struct stat st;
	return p->exe_ino && exe_of(p->pid, &st) == 0 &&
	       (st.st_ino != p->exe_ino || st.st_dev != p->exe_dev);
}

struct process *
process_new(struct writer *w, int fd, pid_t pid, int pidfd, double interval,
	    const char **why)
{
	struct stat st;
	struct process *p = calloc(1, sizeof *p);
	if (!p) {
		close(fd);
		*why = "out of memory";
		return NULL;
	}
	if (segment_open(&p->seg, fd, why) != 0) {
		free(p);
		return NULL;
	}
	p->pid = pid > 0 ? pid : p->seg.h.pid;
	p->pidfd = pidfd;
	p->interval = interval;
	thin_begin(p);
	p->frames_cut = NO_INTEGER;
	p->start = (double)p->seg.h.start_monotonic_ns * 1e-9;
	p->next_sample = seconds_now();
	if (exe_of(p->pid, &st) == 0) {
		p->exe_dev = st.st_dev;
		p->exe_ino = st.st_ino;
	}
	p->next_memory = p->next_sample + MEMORY_FIRST_LOOK;
	p->history = events_open(p);
	p->next_history = p->next_sample;
	write_process(p, w);
	sample_take(p, w, 0);
	sample_totals(p, w);
	return p;
}

/* A program that does nothing with its heap does not answer; it has seen the
 * request before it writes the next word. */
int
process_halt(struct process *p)
{
	const struct timespec step = { 0, 1000000 };
	segment_request(&p->seg, ZS_REQUEST_STOP);
	for (int i = 0; i < HALT_STEPS; i++) {
		if (segment_refresh(&p->seg) != 0 ||
		    p->seg.h.state == ZS_STOPPED)
			return 1;
		nanosleep(&step, NULL);
	}
	return 0;
}

void
process_status(struct process *p, struct writer *w, struct ending e)
{
	int64_t code = NO_INTEGER, signal = NO_INTEGER;
	if (!e.known)
		return;
	if (WIFSIGNALED(e.status))
		signal = WTERMSIG(e.status);
	else
		code = WEXITSTATUS(e.status);
	writer_row(w, ROW_PROCESS_STATUS, "iii", p->id, code, signal);
}

void
process_free(struct process *p)
{
	for (unsigned z = 0; z < ZS_ZONES_MAX; z++) {
		free(p->classes[z]);
		p->classes[z] = NULL;
	}
	stacks_free(p);
	holders_free(p);
	memory_free(p);
	free(p->stacks);
	p->stacks = NULL;
	p->stack_count = 0;
	segment_close(&p->seg);
}
