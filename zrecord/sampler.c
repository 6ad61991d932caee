/*
 * sampler.c - see sampler.h.
 */
#include "sampler.h"
#include "tallies.h"
#include "thin.h"
#include "utf8.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Threads change counters while we read: frees may be newer than the
 * allocations they belong to. */
static uint64_t
minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static int64_t
resident_bytes(pid_t pid)
{
	char path[32], text[128];
	long long size, resident;
	snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
	int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return NO_INTEGER;
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return NO_INTEGER;
	text[n] = 0;
	/* a zombie has no memory any more: that is no measurement */
	if (sscanf(text, "%lld %lld", &size, &resident) != 2 || size == 0)
		return NO_INTEGER;
	return resident * sysconf(_SC_PAGESIZE);
}

static int64_t
mapped_bytes(const struct segment *seg)
{
	uint32_t n;
	uint64_t sum = 0;
	struct zs_region *r = segment_table(seg, &seg->h.regions, &n);
	for (uint32_t i = 0; i < n; i++)
		if (r[i].tier != ZS_TIER_NONE && r[i].zone != ZS_ZONE_LOGGER)
			sum += r[i].bytes;
	free(r);
	return (int64_t)sum;
}

static void
add(struct zs_counter *sum, const struct zs_counter *c)
{
	sum->allocations += c->allocations;
	sum->frees += c->frees;
	sum->bytes += c->bytes;
	sum->freed_bytes += c->freed_bytes;
}

static void
add_shard(struct process *p, const struct zs_shard *shard)
{
	if (shard->zone >= ZS_ZONES_MAX)
		return;
	struct class_state **zone = &p->classes[shard->zone];
	if (!*zone)
		*zone = calloc(ZS_CLASSES, sizeof **zone);
	if (!*zone)
		return;
	for (unsigned i = 0; i < ZS_CLASSES; i++)
		add(&(*zone)[i].now, &shard->class[i]);
	for (unsigned i = 0; i < ZT_CALLS; i++)
		p->calls[i] += shard->calls[i];
}

/* Sums all shards into classes[].now.  The list may be damaged: it is followed
 * no further than it could be long. */
static void
sum_shards(struct process *p)
{
	struct zs_shard shard;
	for (unsigned z = 0; z < ZS_ZONES_MAX; z++)
		for (unsigned i = 0; p->classes[z] && i < ZS_CLASSES; i++)
			p->classes[z][i].now = (struct zs_counter){ 0 };
	memset(p->calls, 0, sizeof p->calls);
	uint64_t most = p->seg.h.pool_used / sizeof shard + 1;
	uint64_t off = p->seg.h.shards;
	for (uint64_t i = 0; off && i < most; i++) {
		if (segment_read(&p->seg, off, &shard, sizeof shard) != 0) {
			p->damaged = 1;
			return;
		}
		add_shard(p, &shard);
		off = shard.next;
	}
}

static void
write_zone(struct process *p, struct writer *w, unsigned zone)
{
	struct zs_zone z;
	if (zone >= segment_count(&p->seg, &p->seg.h.zones) ||
	    segment_entries(&p->seg, &p->seg.h.zones, zone, 1, &z) != 0)
		return;
	z.name[sizeof z.name - 1] = 0;
	utf8_clean(z.name);
	writer_row(w, ROW_ZONE, "iit", p->id, (int64_t)zone, z.name);
}

static void
write_class(struct process *p, struct writer *w, unsigned zone, unsigned i)
{
	const struct zs_counter *c = &p->classes[zone][i].now;
	writer_row(w, ROW_CLASS_SAMPLE, "iiiiiiii", p->id, (int64_t)zone,
		   (int64_t)zs_class_bytes(i), (int64_t)p->samples,
		   (int64_t)minus(c->allocations, c->frees),
		   (int64_t)minus(c->bytes, c->freed_bytes),
		   (int64_t)c->allocations, (int64_t)c->bytes);
}

/* Is what changed worth a row?  Live blocks and bytes always; mere totals once
 * they have grown by an eighth, so that rows do not follow from allocations. */
static int
worth_a_row(const struct class_state *s, int last)
{
	const struct zs_counter *a = &s->now, *b = &s->written;
	if (memcmp(a, b, sizeof *a) == 0)
		return 0;
	return last || a->allocations - a->frees != b->allocations - b->frees ||
	       a->bytes - a->freed_bytes != b->bytes - b->freed_bytes ||
	       a->allocations - b->allocations >= b->allocations / 8;
}

static void
sample_classes(struct process *p, struct writer *w, int last)
{
	struct zs_counter sum = { 0 };
	sum_shards(p);
	for (unsigned z = 0; z < ZS_ZONES_MAX; z++) {
		int changed = 0;
		if (!p->classes[z])
			continue;
		for (unsigned i = 0; i < ZS_CLASSES; i++) {
			struct class_state *s = &p->classes[z][i];
			add(&sum, &s->now);
			if (!worth_a_row(s, last))
				continue;
			write_class(p, w, z, i);
			s->written = s->now;
			changed = 1;
		}
		if (changed)
			write_zone(p, w, z);
	}
	p->total = (struct totals){ sum.allocations, sum.frees, sum.bytes,
				    sum.freed_bytes };
}

/* Room for the states of n stacks; those that were not there are zero. */
static int
grow_states(struct process *p, uint32_t n)
{
	if (n <= p->stack_count)
		return 0;
	uint64_t room = (uint64_t)n + n / 2;
	struct stack_state *s = realloc(p->stacks, room * sizeof *s);
	if (!s)
		return -1;
	memset(s + p->stack_count, 0, (room - p->stack_count) * sizeof *s);
	p->stacks = s;
	p->stack_count = (uint32_t)room;
	return 0;
}

int
sample_stack_state(struct process *p, uint32_t stack)
{
	if (stack < p->stack_count)
		return 0;
	if (stack >= p->seg.h.stacks.capacity)
		return -1;
	return grow_states(p, stack + 1);
}

/* Least distance of two rows of one stack. */
static uint32_t
stack_stride(const struct process *p)
{
	uint64_t doublings = p->stack_rows / STACK_ROWS_PER_STEP;
	return UINT32_C(1) << (doublings < 10 ? doublings : 10);
}

static void
sample_stack(struct process *p, struct writer *w, struct stack_state *state,
	     const struct zs_stack *s, int last)
{
	uint64_t blocks = minus(s->allocations, s->frees);
	uint64_t bytes = minus(s->bytes, s->freed_bytes);
	if (s->allocations == 0)
		return;
	if (!state->id)
		state->id = writer_row(w, ROW_STACK, "i", p->id);
	else if (blocks == state->live_blocks && bytes == state->live_bytes)
		return;
	else if (!last && p->samples - state->sample < stack_stride(p))
		return;
	state->live_blocks = blocks;
	state->live_bytes = bytes;
	state->sample = p->samples;
	writer_row(w, ROW_STACK_SAMPLE, "iiii", state->id, (int64_t)p->samples,
		   (int64_t)blocks, (int64_t)bytes);
	p->stack_rows++;
}

static void
sample_stacks(struct process *p, struct writer *w, int last)
{
	struct zs_stack chunk[512];
	struct tallies tallies;
	const uint32_t most = sizeof chunk / sizeof *chunk;
	uint32_t n = segment_count(&p->seg, &p->seg.h.stacks);
	if (grow_states(p, n) != 0)
		return;
	tallies_read(p, &tallies);
	for (uint32_t i = 1; i < n; i += most) {
		uint32_t part = n - i < most ? n - i : most;
		if (segment_entries(&p->seg, &p->seg.h.stacks, i, part,
				    chunk) != 0)
			break;
		tallies_add(&tallies, chunk, i, part);
		for (uint32_t j = 0; j < part; j++)
			sample_stack(p, w, &p->stacks[i + j], &chunk[j], last);
	}
	tallies_free(&tallies);
}

void
sample_stack_rows(struct process *p, struct writer *w)
{
	uint32_t n = segment_count(&p->seg, &p->seg.h.stacks);
	if (grow_states(p, n) != 0)
		return;
	for (uint32_t i = 1; i < n; i++)
		if (!p->stacks[i].id)
			p->stacks[i].id = writer_row(w, ROW_STACK, "i", p->id);
}

void
sample_take(struct process *p, struct writer *w, int last)
{
	double now = seconds_now();
	uint64_t refused = w->refused;
	if (segment_refresh(&p->seg) != 0)
		p->damaged = 1;
	struct totals before = p->total;
	sample_classes(p, w, last);
	/* an idle program costs one row */
	if (last || memcmp(&before, &p->total, sizeof before) != 0)
		sample_stacks(p, w, last);
	uint64_t live = minus(p->total.bytes, p->total.freed_bytes);
	if (live > p->live_peak)
		p->live_peak = live;
	double t = now - p->start;
	p->resident = resident_bytes(p->pid);
	writer_row(w, ROW_SAMPLE, "iidiiii", p->id, (int64_t)p->samples,
		   t > 0 ? t : 0.0,
		   (int64_t)minus(p->total.allocations, p->total.frees),
		   (int64_t)live, p->resident, mapped_bytes(&p->seg));
	if (w->refused != refused)
		p->damaged = 1;
	p->samples++;
	p->taken++;
	thin_process(p, w);
	/* many stacks take their time: a twentieth of it at most */
	double rest = (seconds_now() - now) * 20;
	p->next_sample += p->interval;
	if (p->next_sample < now + rest)
		p->next_sample =
		    now + (rest > p->interval ? rest : p->interval);
}

void
sample_totals(const struct process *p, struct writer *w)
{
	const struct zs_header *h = &p->seg.h;
	const struct totals *t = &p->total;
	const double nan = __builtin_nan("");
	int scanned = h->scan_end_ns != 0;
	/* entry 0 is no thread */
	int64_t threads = segment_count(&p->seg, &h->threads);
	/* A sample may have met a higher value than was published. */
	int published = h->peak_bytes >= p->live_peak;
	writer_row(
	    w, ROW_PROCESS_NOW, "iiiiiiidiiiiddii", p->id,
	    (int64_t)t->allocations, (int64_t)t->frees, (int64_t)t->bytes,
	    (int64_t)minus(t->allocations, t->frees),
	    (int64_t)minus(t->bytes, t->freed_bytes),
	    (int64_t)(published ? h->peak_bytes : p->live_peak),
	    published ? (double)h->peak_ns * 1e-9 : nan,
	    (threads > 1 ? threads - 1 : 0) * (int64_t)h->publish_step,
	    (int64_t)h->lost_events, (int64_t)h->inherited_frees, p->frames_cut,
	    scanned ? (double)h->scan_begin_ns * 1e-9 : nan,
	    scanned ? (double)minus(h->scan_end_ns, h->scan_begin_ns) * 1e-9
		    : nan,
	    scanned ? (int64_t)h->scan_threads : NO_INTEGER,
	    scanned ? (int64_t)h->scan_threads_missed : NO_INTEGER);
}
