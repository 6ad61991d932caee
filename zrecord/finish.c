/*
 * finish.c - the last rows of a process, and the statement whether its
 * recording is complete.
 */
#include "blocks.h"
#include "events.h"
#include "holders.h"
#include "marks.h"
#include "memory.h"
#include "points.h"
#include "process.h"
#include "report.h"
#include "sampler.h"
#include "stacks.h"
#include "units.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum { NAMED_THREADS_MAX = 4096 };

static void
write_threads(const struct process *p, struct writer *w)
{
	uint32_t n;
	const struct segment *seg = &p->seg;
	struct zs_thread *t = segment_table(seg, &seg->h.threads, &n);
	for (uint32_t i = 1; i < n; i++) {
		char name[sizeof t->name + 1] = { 0 };
		memcpy(name, t[i].name, sizeof t->name);
		utf8_clean(name);
		writer_row(w, ROW_THREAD, "iiitddiii", p->id, (int64_t)i,
			   (int64_t)t[i].tid, name[0] ? name : NULL,
			   (double)t[i].started_ns * 1e-9,
			   t[i].ended_ns ? (double)t[i].ended_ns * 1e-9
					 : __builtin_nan(""),
			   (int64_t)t[i].allocations, (int64_t)t[i].frees,
			   (int64_t)t[i].bytes);
	}
	free(t);
}

static void
write_zones(const struct process *p, struct writer *w)
{
	uint32_t n;
	const struct segment *seg = &p->seg;
	struct zs_zone *z = segment_table(seg, &seg->h.zones, &n);
	for (uint32_t i = 1; i < n; i++) {
		if (!z[i].in_use)
			continue;
		z[i].name[sizeof z[i].name - 1] = 0;
		utf8_clean(z[i].name);
		writer_row(w, ROW_ZONE, "iit", p->id, (int64_t)i, z[i].name);
	}
	free(z);
}

void
process_names(struct process *p, struct writer *w)
{
	write_zones(p, w);
	write_threads(p, w);
	marks_write(p, w);
}

void
process_progress(struct process *p, struct writer *w)
{
	uint64_t events = p->total.allocations + p->total.frees;
	if (events == p->named_events ||
	    segment_count(&p->seg, &p->seg.h.threads) > NAMED_THREADS_MAX)
		return;
	p->named_events = events;
	process_names(p, w);
}

/* What only some recordings have. */
static void
write_particulars(const struct process *p, struct writer *w)
{
	const struct zs_header *h = &p->seg.h;
	int attached = h->cause == ZS_CAUSE_ATTACH;
	if (!attached && !h->sample_bytes)
		return;
	writer_row(w, ROW_PROCESS_MORE, "iiiii", p->id,
		   h->sample_bytes ? (int64_t)h->sample_bytes : NO_INTEGER,
		   h->sample_bytes ? (int64_t)h->samples : NO_INTEGER,
		   attached ? (int64_t)h->before_blocks : NO_INTEGER,
		   attached ? (int64_t)h->before_bytes : NO_INTEGER);
}

/* Why no leak scan ran: the reader wants to know what to do about it. */
static void
why_unscanned(const struct process *p, struct ending e, char *why, size_t n)
{
	uint32_t state = p->seg.h.state;
	char text[UNITS_BYTES];
	if (p->stopped == STOP_EXEC)
		snprintf(why, n, "%s", REPORT_REPLACED);
	else if (p->stopped == STOP_DURATION || p->stopped == STOP_DETACHED)
		snprintf(why, n, "stopped after %s, %s: %s",
			 units_time(text, seconds_now() - p->start),
			 p->stopped == STOP_DURATION
			     ? "as --duration asked"
			     : "when zrecord was told to end",
			 p->seg.h.scan_end_ns ? "kinds of an earlier leak scan"
					      : "no leak scan");
	else if (p->stopped == STOP_COMMAND)
		snprintf(why, n,
			 "still ran when the command had ended: no "
			 "leak scan");
	else if (state == ZS_STOPPED)
		snprintf(why, n, "recording was switched off in the program");
	else if (state == ZS_STARTING)
		snprintf(why, n, "ended while recording was being set up");
	else if (e.known && WIFSIGNALED(e.status))
		snprintf(why, n, "killed by signal %d before the leak scan",
			 WTERMSIG(e.status));
	else if (state == ZS_EXITING)
		snprintf(why, n, "ended during exit, before the leak scan");
	else if (e.known)
		snprintf(why, n,
			 "exited by _exit or the like, without a leak "
			 "scan");
	else
		snprintf(why, n,
			 "ended without a leak scan: killed, or "
			 "exited by _exit");
}

static uint64_t
counted_live(const struct process *p)
{
	return p->total.allocations - p->total.frees;
}

/*
 * Blocks that the scan did not see came after it (blocks.c tells by their
 * times), or were on their way: of a thread that the scan stopped in an
 * allocation, between the clock and the tag, one is older than the scan and
 * was not there yet.
 */
static void
explain_unscanned(struct process *p)
{
	uint64_t *blocks = &p->kind_blocks[ZS_UNSCANNED];
	uint64_t *bytes = &p->kind_bytes[ZS_UNSCANNED];

	if (p->seg.h.state != ZS_SCANNED || *blocks >= p->seg.h.scan_threads)
		return;
	p->late_blocks += *blocks;
	p->late_bytes += *bytes;
	*blocks = *bytes = 0;
}

/* Threads that ran on were cut off by the end of the process, each of them
 * perhaps between two counters of one event. */
static int
counters_agree(const struct process *p)
{
	int64_t running = (int64_t)p->seg.h.scan_threads - 1;
	int64_t blocks = (int64_t)counted_live(p) - (int64_t)p->live_blocks;
	uint64_t bytes = p->total.bytes - p->total.freed_bytes;

	if (running <= 0)
		return blocks == 0 && bytes == p->live_bytes;
	return blocks <= running && -blocks <= running;
}

/* 'complete', or the first thing that keeps it from being so. */
static void
judge(struct process *p, struct ending e, char *why, size_t n)
{
	const struct zs_header *h = &p->seg.h;
	uint64_t bytes = p->total.bytes - p->total.freed_bytes;
	p->complete = 0;
	explain_unscanned(p);
	if (h->lost_events || (h->trouble & ZS_TROUBLE_NO_MEMORY))
		snprintf(why, n, "%llu events lost: no memory for the record",
			 (unsigned long long)h->lost_events);
	else if (p->damaged)
		snprintf(why, n,
			 "the record in the program's memory was "
			 "damaged");
	else if (h->trouble & ZS_TROUBLE_SCAN_FAILED)
		snprintf(why, n, "the leak scan failed");
	else if (h->state != ZS_SCANNED)
		why_unscanned(p, e, why, n);
	else if (!counters_agree(p))
		snprintf(why, n,
			 "the counters disagree: %lld blocks of %lld bytes "
			 "not freed, %llu of %llu found",
			 (long long)counted_live(p), (long long)bytes,
			 (unsigned long long)p->live_blocks,
			 (unsigned long long)p->live_bytes);
	else if (p->kind_blocks[ZS_UNSCANNED])
		snprintf(why, n, "%llu block%s not seen by the leak scan",
			 (unsigned long long)p->kind_blocks[ZS_UNSCANNED],
			 p->kind_blocks[ZS_UNSCANNED] == 1 ? "" : "s");
	else if (h->trouble & ZS_TROUBLE_THREADS_MISSED)
		snprintf(why, n, "%u threads did not stop for the leak scan",
			 h->scan_threads_missed);
	else if (h->trouble & ZS_TROUBLE_NO_UNWINDER)
		snprintf(why, n,
			 "no unwinder (libunwind) was found: stacks "
			 "have one frame");
	else if (h->trouble & ZS_TROUBLE_HISTORY)
		snprintf(why, n,
			 "the history breaks off: the recorder was "
			 "stopped or far behind");
	else if (h->trouble)
		snprintf(why, n, "trouble %#x", h->trouble);
	else
		p->complete = snprintf(why, n, "complete") > 0;
}

static double
unix_time(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

void
process_ended(const struct process *p, struct writer *w)
{
	writer_row(w, ROW_PROCESS_END, "idt", p->id, unix_time(), p->recording);
}

/* Unix time of the end: now, as seen from here. */
static double
ended_at(const struct process *p)
{
	if (p->stopped == STOP_COMMAND || p->stopped == STOP_DURATION ||
	    p->stopped == STOP_DETACHED || p->stopped == STOP_SWITCHED)
		return __builtin_nan("");
	return unix_time();
}

void
process_finish(struct process *p, struct writer *w, struct catalog *c,
	       enum stop_reason reason, struct ending e)
{
	uint64_t refused = w->refused;
	p->stopped = reason;
	double ended = ended_at(p);
	/* in steps: on a full disk the earlier ones stay */
	writer_commit(w, 0);
	events_close(p, w);
	if (reason != STOP_ENDED && reason != STOP_EXEC) {
		p->next_memory = p->idle_memory =
		    0; /* it runs on: see it now */
		memory_look(p);
	}
	sample_take(p, w, 1);
	/* names are looked up while we write blocks */
	stacks_ask(p, c);
	if (!e.known && p->seg.h.exit_status_known && reason == STOP_ENDED) {
		e.known = 1;
		e.status = (p->seg.h.exit_status & 0xff) << 8;
	}
	writer_commit(w, 0);
	holders_take(p, w, c);
	blocks_write(p, w);
	holders_losses(p, w);
	writer_commit(w, 0);
	if (!w->failed)
		stacks_write(p, w, c);
	process_names(p, w);
	points_write(p, w);
	write_particulars(p, w);
	if (p->seg.h.scan_pause_ns)
		writer_row(w, ROW_META, "td", "scan_pause_s",
			   (double)p->seg.h.scan_pause_ns * 1e-9);
	sample_totals(p, w);
	process_status(p, w, e);
	if (w->refused != refused)
		p->damaged = 1;
	judge(p, e, p->recording, sizeof p->recording);
	writer_row(w, ROW_PROCESS_END, "idt", p->id, ended, p->recording);
	writer_commit(w, 0);
	process_free(p);
}
