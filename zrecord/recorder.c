/*
 * recorder.c - see recorder.h.
 *
 * One thread, one poll: signals, the socket, connections that have not said
 * hello, a pidfd for each process that runs or whose exit status is still to
 * come.
 */
#include "recorder.h"
#include "blocks.h"
#include "events.h"
#include "hello.h"
#include "holders.h"
#include "marks.h"
#include "memory.h"
#include "message.h"
#include "pidinfo.h"
#include "points.h"
#include "sampler.h"
#include "stacks.h"
#include "thin.h"
#include "units.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOTALS_EVERY  1.0  /* seconds between commits */
#define SHOWN_AFTER   0.05 /* .. and until a new process can be seen */
#define HELLO_TIMEOUT 5.0  /* for a connection to say who it is */
#define EXIT_PATIENCE 1.0  /* for processes that are just exiting */
#define TICK	      0.1  /* for the times of events, see session.h */
#define POLL_PIDS     0.05 /* where there are no pidfds */
#define SCAN_LOOK     0.2  /* between looks whether a scan has ended */
#define ATTACH_LOOK   0.1  /* between looks whether an attach failed */
#define ATTACH_QUIET  1.0  /* until the user is told that we wait */

void
recorder_init(struct recorder *r, const struct settings *s,
	      const struct signals *signals)
{
	*r = (struct recorder){ .settings = s,
				.signals = signals,
				.listener = s->serve_fd,
				.recording = 1 };
	if (s->serve_fd < 0)
		r->listener = hello_listen(r->session, sizeof r->session);
	for (int i = 0; i < PEERS_MAX; i++)
		r->peers[i].fd = -1;
	writer_open(&r->writer, s->output);
	catalog_init(&r->catalog, &r->writer);
	r->begun = r->last_totals = seconds_now();
	writer_row(&r->writer, ROW_META, "tt", "state", "recording");
	writer_row(&r->writer, ROW_META, "ti", "recorder_pid",
		   (int64_t)getpid());
	writer_row(&r->writer, ROW_META, "tt", "recorder_version", ZM_VERSION);
	writer_row(&r->writer, ROW_META, "td", "interval_s", s->interval);
	writer_row(&r->writer, ROW_META, "ti", "page_bytes",
		   (int64_t)sysconf(_SC_PAGESIZE));
	points_names(&r->writer);
	writer_commit(&r->writer, 0);
}

void
recorder_attach(struct recorder *r, const struct attach *a)
{
	const struct settings *s = r->settings;
	r->attach = *a;
	r->command_pid = a->pid;
	r->attaching = 1;
	int error =
	    attach_request(a, r->session, (uint32_t)s->depth, s->sample);
	if (error) {
		writer_discard(&r->writer);
		die(EXIT_TROUBLE, "process %d: %s", (int)a->pid,
		    strerror(error));
	}
}

/* The process answers with its next allocation, which may take its time. */
static void
await_attach(struct recorder *r)
{
	int error = r->attaching ? attach_error(&r->attach) : 0;
	if (error) {
		writer_discard(&r->writer);
		die(EXIT_TROUBLE, "process %d: %s", (int)r->attach.pid,
		    error == EALREADY ? "is being recorded already"
				      : strerror(error));
	}
	if (!r->attaching || r->patience_told ||
	    seconds_now() - r->begun < ATTACH_QUIET)
		return;
	r->patience_told = 1;
	message_note("waiting for the next allocation of process %d",
		     (int)r->attach.pid);
}

/* ---- ends of processes ------------------------------------------------ */

/* Does the process go on, without us? */
static int
goes_on_alone(enum stop_reason why)
{
	return why == STOP_DURATION || why == STOP_DETACHED ||
	       why == STOP_COMMAND;
}

static void
finish(struct recorder *r, struct process *p, enum stop_reason why,
       struct ending e)
{
	if (p->stopped != STOP_RUNNING)
		return;
	if (why == STOP_ENDED && !e.known)
		e = pidinfo_status(p->pidfd);
	if (goes_on_alone(why))
		process_halt(p);
	process_finish(p, &r->writer, &r->catalog, why, e);
	if (why == STOP_ENDED && !e.known && p->pidfd >= 0)
		return; /* its parent may wait for it later */
	if (why == STOP_SWITCHED)
		return; /* it may start again */
	if (p->pidfd >= 0)
		close(p->pidfd);
	p->pidfd = -1;
}

/* The parent of a finished process has waited for it, perhaps. */
static void
late_status(struct recorder *r, struct process *p)
{
	struct ending e = pidinfo_status(p->pidfd);
	if (e.known)
		process_status(p, &r->writer, e);
	if (p->stopped == STOP_SWITCHED && pidinfo_ended(p->pidfd, p->pid))
		process_ended(p, &r->writer);
	close(p->pidfd);
	p->pidfd = -1;
}

static void
finish_ended(struct recorder *r)
{
	for (struct process *p = r->processes; p; p = p->next)
		if (p->stopped == STOP_RUNNING && p->pid != r->command &&
		    pidinfo_ended(p->pidfd, p->pid))
			finish(r, p, STOP_ENDED, (struct ending){ 0 });
}

static void
finish_all(struct recorder *r, enum stop_reason why)
{
	/* all at once, so that they end at the same time */
	for (struct process *p = r->processes; p; p = p->next)
		if (p->stopped == STOP_RUNNING && goes_on_alone(why))
			segment_request(&p->seg, ZS_REQUEST_STOP);
	for (struct process *p = r->processes; p; p = p->next)
		finish(r, p, why, (struct ending){ 0 });
}

/* ---- new processes ---------------------------------------------------- */

/* The same pid once more: exec, unless it was given to another process, or the
 * program stopped recording and started again. */
static enum stop_reason
why_again(struct process *old, const struct hello *h)
{
	if (!pidinfo_same(old->pidfd, h->pidfd))
		return STOP_ENDED;
	if (segment_refresh(&old->seg) == 0 && old->seg.h.state == ZS_STOPPED)
		return STOP_SWITCHED;
	return STOP_EXEC;
}

/* Nobody reads what it would record. */
static void
send_away(int fd)
{
	struct segment seg = { .fd = fd };
	segment_request(&seg, ZS_REQUEST_STOP);
	close(fd);
}

static void
welcome(struct recorder *r, const struct hello *h)
{
	const char *why = NULL;
	struct process *p = NULL;
	for (struct process *old = r->processes; old; old = old->next) {
		if (old->stopped != STOP_RUNNING || h->pid <= 0 ||
		    old->pid != h->pid)
			continue;
		finish(r, old, why_again(old, h), (struct ending){ 0 });
	}
	if (r->recording && (r->settings->follow || h->pid == r->command_pid))
		p = process_new(&r->writer, h->fd, h->pid, h->pidfd,
				r->settings->interval, &why);
	else
		send_away(h->fd);
	if (!p) {
		if (why)
			recorder_nothing(r, h->pid, why);
		if (h->pidfd >= 0)
			close(h->pidfd);
		return;
	}
	if (r->attaching && p->pid == r->attach.pid) {
		r->attaching = 0;
		r->begun = seconds_now();
	}
	if (p->seg.h.sample_bytes)
		writer_row(&r->writer, ROW_META, "ti", "sample_bytes",
			   (int64_t)p->seg.h.sample_bytes);
	stacks_ask(p, &r->catalog);
	p->next = r->processes;
	r->processes = p;
	if (!r->first)
		r->first = p;
	if (r->last_totals > seconds_now() + SHOWN_AFTER - TOTALS_EVERY)
		r->last_totals = seconds_now() + SHOWN_AFTER - TOTALS_EVERY;
	if (r->settings->verbose)
		message_note("recording process %d", (int)p->pid);
}

/* Descendants of the command, or in serve mode of the first process. */
static pid_t
ancestor(const struct recorder *r)
{
	if (r->command_pid)
		return r->command_pid;
	return r->first ? r->first->pid : 0;
}

static void
listen_to(struct recorder *r, int i)
{
	struct hello h;
	const char *why = NULL;
	int got = hello_read(r->peers[i].fd, ancestor(r), &h, &why);
	if (got == 0 && seconds_now() - r->peers[i].since < HELLO_TIMEOUT)
		return;
	close(r->peers[i].fd);
	r->peers[i].fd = -1;
	if (got > 0)
		welcome(r, &h);
	else if (got < 0 && r->settings->verbose)
		message_note("a connection was refused: %s", why);
}

/* All connections there are, and what they say. */
static void
take_in(struct recorder *r)
{
	for (int i = 0; i < PEERS_MAX; i++)
		if (r->peers[i].fd >= 0)
			listen_to(r, i);
	for (int i = 0; i < PEERS_MAX; i++) {
		if (r->peers[i].fd >= 0)
			continue;
		r->peers[i].fd = hello_accept(r->listener);
		if (r->peers[i].fd < 0)
			return;
		r->peers[i].since = seconds_now();
		listen_to(r, i);
		if (r->peers[i].fd < 0)
			i--; /* the place is free again */
	}
}

/* ---- signals ---------------------------------------------------------- */

/* From the terminal both of us got it; from kill(2) only we. */
static void
forward(const struct recorder *r, const struct signalfd_siginfo *s)
{
	int to_group = s->ssi_code > 0;
	if (r->command && !to_group)
		kill(r->command, (int)s->ssi_signo);
}

static void
command_state(struct recorder *r)
{
	int status;
	pid_t got = waitpid(r->command, &status, WNOHANG | WUNTRACED);
	if (got != r->command)
		return;
	if (WIFSTOPPED(status)) {
		/* SIGSTOP came from somebody who means the command alone */
		if (WSTOPSIG(status) != SIGSTOP)
			r->stopped_since = seconds_now();
		return;
	}
	r->command = 0;
	r->command_ended = seconds_now();
	r->command_ending = (struct ending){ 1, status };
}

/* The command was stopped by job control and still is: so are we, for the
 * shell waits for us, not for the command. */
static void
follow_stop(struct recorder *r)
{
	if (!r->stopped_since || seconds_now() - r->stopped_since < 0.05)
		return;
	r->stopped_since = 0;
	if (r->command && pidinfo_stopped(r->command))
		raise(SIGSTOP);
}

static void
take_signals(struct recorder *r)
{
	struct signalfd_siginfo s;
	while (read(r->signals->fd, &s, sizeof s) == (ssize_t)sizeof s) {
		if (s.ssi_signo == SIGCHLD)
			continue;
		if (r->attach.pid)
			r->told_to_end = 1;
		else if (r->settings->serve_fd < 0)
			forward(r, &s);
		else if (s.ssi_signo != SIGHUP)
			r->told_to_end = 1;
	}
	if (r->command)
		command_state(r);
}

/* ---- the loop --------------------------------------------------------- */

static void
history_due(struct recorder *r)
{
	for (struct process *p = r->processes; p; p = p->next)
		if (p->history && p->stopped == STOP_RUNNING &&
		    p->next_history <= seconds_now())
			p->next_history =
			    events_take(p, &r->writer) + seconds_now();
}

/* Takes in what a scan found, and asks for the next: the program answers with
 * its next allocation or free. */
static void
look_for_scan(struct recorder *r, struct process *p, double now)
{
	const struct zs_header *h = &p->seg.h;
	double every = r->settings->scan_every;
	if (h->scans_done != p->scans) {
		p->scans = h->scans_done;
		sample_stack_rows(p, &r->writer);
		holders_take(p, &r->writer, &r->catalog);
		blocks_scanned(p, &r->writer);
		holders_losses(p, &r->writer);
		process_names(p, &r->writer);
	}
	if (every <= 0 || h->state != ZS_RUNNING)
		return;
	if (now >= p->next_scan) {
		if (p->next_scan > 0 && h->request == ZS_REQUEST_NONE)
			segment_request(&p->seg, ZS_REQUEST_SCAN);
		p->next_scan = (p->next_scan > 0 ? now : p->start) + every;
	}
	p->next_look = now + (every < SCAN_LOOK ? every : SCAN_LOOK);
}

/* Scans that were asked for; those that the program makes itself are seen when
 * a sample is taken. */
static void
scans_due(struct recorder *r)
{
	double now = seconds_now();
	for (struct process *p = r->processes; p; p = p->next)
		if (r->settings->scan_every > 0 && p->stopped == STOP_RUNNING &&
		    p->next_look <= now && segment_refresh(&p->seg) == 0)
			look_for_scan(r, p, now);
}

static void
looks_due(struct recorder *r)
{
	for (struct process *p = r->processes; p; p = p->next)
		if (p->stopped == STOP_RUNNING)
			memory_look(p);
}

static void
sample_due(struct recorder *r)
{
	double now = seconds_now();
	for (struct process *p = r->processes; p; p = p->next) {
		if (p->stopped != STOP_RUNNING || p->next_sample > now)
			continue;
		sample_take(p, &r->writer, 0);
		stacks_ask(p, &r->catalog);
		holders_take(p, &r->writer, &r->catalog);
		look_for_scan(r, p, now);
		if (process_exe_changed(p))
			finish(r, p, STOP_EXEC, (struct ending){ 0 });
		else if (p->seg.h.state == ZS_STOPPED)
			finish(r, p, STOP_SWITCHED, (struct ending){ 0 });
	}
	if (now - r->last_totals < TOTALS_EVERY)
		return;
	r->last_totals = now;
	for (struct process *p = r->processes; p; p = p->next)
		if (p->stopped == STOP_RUNNING) {
			sample_totals(p, &r->writer);
			marks_write(p, &r->writer);
			process_progress(p, &r->writer);
			memory_progress(p, &r->writer);
			stacks_progress(p, &r->writer, &r->catalog);
		}
	if (r->settings->max_size)
		thin_to(r->processes, &r->writer, r->settings->max_size, 0);
	writer_commit(&r->writer, 0);
}

static void
tick_due(struct recorder *r)
{
	double now = seconds_now();
	for (struct process *p = r->processes; p; p = p->next) {
		if (p->stopped != STOP_RUNNING || p->next_tick > now)
			continue;
		segment_tick(&p->seg);
		p->next_tick = now + TICK;
	}
}

/* Seconds until something is to be done without any event. */
static double
next_deadline(const struct recorder *r)
{
	double now = seconds_now(), next = now + 60;
	for (const struct process *p = r->processes; p; p = p->next) {
		if (p->stopped != STOP_RUNNING)
			continue;
		if (p->next_sample < next)
			next = p->next_sample;
		if (p->next_tick < next)
			next = p->next_tick;
		/* later ones come with samples */
		if (!p->memory && p->next_memory < next)
			next = p->next_memory;
		if (p->history && p->next_history < next)
			next = p->next_history;
		if (r->settings->scan_every > 0 && p->next_look < next)
			next = p->next_look;
		if (p->pidfd < 0 && now + POLL_PIDS < next)
			next = now + POLL_PIDS;
	}
	double commit = r->last_totals + TOTALS_EVERY;
	if (r->writer.begun && commit < next)
		next = commit;
	double end = r->begun + r->settings->duration;
	if (r->recording && r->settings->duration > 0 && end < next)
		next = end;
	if (r->attaching && now + ATTACH_LOOK < next)
		next = now + ATTACH_LOOK;
	if (r->stopped_since && now + 0.06 < next)
		next = now + 0.06;
	return next > now ? next - now : 0;
}

struct watch {
	struct pollfd *fds;
	struct process **owner;
	size_t n, room;
};

static void
watch_add(struct watch *w, int fd, short events, struct process *p)
{
	if (w->n == w->room) {
		size_t room = w->room ? 2 * w->room : 64;
		void *fds = realloc(w->fds, room * sizeof *w->fds);
		if (fds)
			w->fds = fds;
		void *owner = realloc(w->owner, room * sizeof(*w->owner));
		if (owner)
			w->owner = owner;
		if (!fds || !owner)
			return; /* found by the next poll with a timeout */
		w->room = room;
	}
	w->fds[w->n] = (struct pollfd){ .fd = fd, .events = events };
	w->owner[w->n++] = p;
}

static void
wait_for_events(struct recorder *r, struct watch *w, double seconds)
{
	w->n = 0;
	watch_add(w, r->signals->fd, POLLIN, NULL);
	watch_add(w, r->listener, POLLIN, NULL);
	for (int i = 0; i < PEERS_MAX; i++)
		if (r->peers[i].fd >= 0)
			watch_add(w, r->peers[i].fd, POLLIN, NULL);
	for (struct process *p = r->processes; p; p = p->next)
		if (p->pidfd >= 0 && p->pid != r->command)
			/* a finished one: only that it was waited for */
			watch_add(w, p->pidfd,
				  p->stopped == STOP_RUNNING ||
					  p->stopped == STOP_SWITCHED
				      ? POLLIN
				      : 0,
				  p);
	int ms = (int)(seconds * 1000 + 0.999);
	if (poll(w->fds, (nfds_t)w->n, ms) <= 0)
		return;
	take_in(r);
	for (size_t i = 0; i < w->n; i++) {
		struct process *p = w->owner[i];
		if (p && w->fds[i].revents && p->stopped != STOP_RUNNING &&
		    p->pidfd >= 0)
			late_status(r, p);
	}
}

static int
any_running(const struct recorder *r)
{
	for (const struct process *p = r->processes; p; p = p->next)
		if (p->stopped == STOP_RUNNING)
			return 1;
	return 0;
}

/* The program that was attached to, or asked to be. */
static int
attached_runs(const struct recorder *r)
{
	if (r->attaching)
		return !pidinfo_ended(r->attach.pidfd, r->attach.pid);
	for (const struct process *p = r->processes; p; p = p->next)
		if (p->pid == r->attach.pid && p->stopped == STOP_RUNNING)
			return 1;
	return 0;
}

/* One that may start its recording again. */
static int
any_to_return(const struct recorder *r)
{
	for (const struct process *p = r->processes; p; p = p->next)
		if (p->stopped == STOP_SWITCHED && p->pidfd >= 0 &&
		    !pidinfo_ended(p->pidfd, p->pid))
			return 1;
	return 0;
}

static int
goes_on(const struct recorder *r)
{
	if (r->attach.pid)
		return !r->told_to_end && r->recording && attached_runs(r);
	if (r->settings->serve_fd < 0)
		return r->command != 0;
	return !r->told_to_end &&
	       (!r->first || any_running(r) || any_to_return(r));
}

/* One that began to exit is worth waiting for. */
static int
any_exiting(struct recorder *r)
{
	for (struct process *p = r->processes; p; p = p->next)
		if (p->stopped == STOP_RUNNING &&
		    segment_refresh(&p->seg) == 0 &&
		    (p->seg.h.state == ZS_EXITING ||
		     p->seg.h.state == ZS_SCANNED))
			return 1;
	return 0;
}

/* The command has ended: its own record first, then what is left. */
static void
wind_up(struct recorder *r, struct watch *w)
{
	double until = seconds_now() + EXIT_PATIENCE;
	if (r->attaching)
		attach_withdraw(&r->attach);
	take_in(r);
	if (r->attach.pid && attached_runs(r)) {
		finish_all(r, STOP_DETACHED);
		return;
	}
	for (struct process *p = r->processes; p; p = p->next)
		if (p->pid == r->command_pid && r->command_pid)
			finish(r, p, STOP_ENDED, r->command_ending);
	finish_ended(r);
	while (any_exiting(r) && seconds_now() < until) {
		wait_for_events(r, w, 0.05);
		finish_ended(r);
	}
	finish_all(r, STOP_COMMAND);
}

/* --duration: the report is finished, but for the exit status. */
static void
time_is_over(struct recorder *r)
{
	char text[UNITS_BYTES];
	finish_all(r, STOP_DURATION);
	r->recording = 0;
	writer_row(&r->writer, ROW_META, "tt", "state", "finished");
	writer_commit(&r->writer, 0);
	message_note("recording stopped after %s; the program goes on",
		     units_time(text, r->settings->duration));
}

void
recorder_run(struct recorder *r)
{
	struct watch w = { 0 };
	const struct settings *s = r->settings;
	while (goes_on(r)) {
		wait_for_events(r, &w, next_deadline(r));
		take_signals(r);
		take_in(r);
		if (s->serve_fd >= 0 || r->attach.pid || r->command)
			finish_ended(r);
		tick_due(r);
		history_due(r);
		scans_due(r);
		sample_due(r);
		looks_due(r);
		follow_stop(r);
		await_attach(r);
		if (r->recording && !r->attaching && s->duration > 0 &&
		    seconds_now() - r->begun >= s->duration)
			time_is_over(r);
	}
	wind_up(r, &w);
	free(w.fds);
	free(w.owner);
}

/* Why a command that could be recorded never said hello. */
static const char *
why_silent(void)
{
	struct rlimit size;
	if (getrlimit(RLIMIT_FSIZE, &size) == 0 &&
	    size.rlim_cur != RLIM_INFINITY)
		return "the limit of file sizes (ulimit -f) leaves no room "
		       "for the record";
	return "the program never loaded libzmalloc.so, or had no memory for "
	       "the record";
}

int
recorder_close(struct recorder *r)
{
	for (struct process *p = r->processes; p; p = p->next)
		if (p->pidfd >= 0)
			late_status(r, p);
	/* recorded up to --duration only, but its status is known now */
	for (struct process *p = r->processes; p; p = p->next)
		if (p->stopped == STOP_DURATION && p->pid == r->command_pid &&
		    r->command_ending.known) {
			process_status(p, &r->writer, r->command_ending);
			process_ended(p, &r->writer);
		}
	if (r->command_refused) {
		struct process p = { .id = r->command_refused };
		process_status(&p, &r->writer, r->command_ending);
	}
	if (r->command_pid && !r->processes && !r->command_refused)
		recorder_nothing(r, r->command_pid, why_silent());
	catalog_heaps(&r->catalog);
	if (r->settings->max_size)
		thin_to(r->processes, &r->writer, r->settings->max_size, 1);
	if (r->writer.thinned)
		writer_row(&r->writer, ROW_META, "ti", "thinned_rows",
			   (int64_t)r->writer.thinned);
	writer_row(&r->writer, ROW_META, "tt", "state", "finished");
	int closed = writer_close(&r->writer);
	if (r->settings->verbose && r->command_ended > 0)
		message_note("%s finished %.0f ms after the command had ended",
			     closed == 0 ? "report" : "recording",
			     (seconds_now() - r->command_ended) * 1e3);
	catalog_free(&r->catalog);
	return closed;
}
