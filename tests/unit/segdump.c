/*
 * segdump.c - a debugging aid: receives session segments and prints them.
 *
 * segdump [-v] [-l] COMMAND..  listens on an abstract socket, runs the command
 * with MallocTracing=1 and MallocTracingSession set, keeps every segment that
 * arrives, and prints their figures when the command has ended.  Not a test
 * by itself: without arguments it says so.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logger/session.h"

enum { SEGMENTS = 4096 };

static const char *segment[SEGMENTS];
static int segments;
static int verbose, leaks;

static const char *verdicts[] = { "unscanned", "reachable", "possible",
				  "indirect", "definite" };

static int
receive(int sock)
{
	struct zs_hello hello;
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &hello, sizeof hello };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof control };
	int fd = -1;

	if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) != sizeof hello ||
	    !CMSG_FIRSTHDR(&m))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
	if (hello.magic != ZS_MAGIC || hello.version != ZS_VERSION)
		fprintf(stderr, "segdump: strange hello\n");
	return fd;
}

static void
accept_one(int listener)
{
	int sock = accept(listener, NULL, NULL);
	int fd = sock < 0 ? -1 : receive(sock);
	struct stat st;

	close(sock);
	if (fd < 0 || fstat(fd, &st) || segments == SEGMENTS)
		return;
	void *p = mmap(NULL, (size_t)st.st_size, PROT_READ,
		       MAP_SHARED | MAP_NORESERVE, fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		segment[segments++] = p;
}

static const struct zs_header *
header(const char *p)
{
	return (const void *)p;
}

static void
print_stack(const char *p, uint32_t id)
{
	const struct zs_header *h = header(p);
	const struct zs_node *nodes = (const void *)(p + h->nodes.offset);
	const struct zs_stack *st = (const void *)(p + h->stacks.offset);
	const struct zs_module *mods = (const void *)(p + h->modules.offset);

	for (uint32_t n = st[id].node; n; n = nodes[n].parent) {
		unsigned m = zs_node_module(&nodes[n]);
		uint64_t pc = zs_node_pc(&nodes[n]);
		printf("      %#" PRIx64 "  %s+%#" PRIx64 "\n", pc,
		       m ? p + mods[m].path : "?", pc - mods[m].bias);
	}
}

static uint64_t
tag_size(const struct zs_region *r, uint64_t w0)
{
	return r->tier == ZS_TIER_LARGE ? r->large_size : zs_tag_size(w0);
}

static void
print_leak(const char *p, const struct zs_region *r, const struct zs_tag *t,
	   uint32_t i)
{
	uint64_t at = r->base;

	if (r->tier == ZS_TIER_NANO)
		at += (uint64_t)i * r->quantum;
	else if (r->tier != ZS_TIER_LARGE)
		at += ((uint64_t)i << r->tag_shift) +
		      zs_tag_sub(t->w1) * r->quantum;
	printf("    %s %#" PRIx64 " %" PRIu64 " bytes fn %u thread %u\n",
	       verdicts[zs_tag_verdict(t->w0) % 5], at, tag_size(r, t->w0),
	       zs_tag_fn(t->w0), zs_tag_thread(t->w1));
	print_stack(p, zs_tag_stack(t->w0));
}

static void
print_tags(const char *p)
{
	const struct zs_header *h = header(p);
	const struct zs_region *r = (const void *)(p + h->regions.offset);
	uint64_t blocks[5] = { 0 }, bytes[5] = { 0 }, live = 0, size = 0;

	for (uint32_t i = 0; i < h->regions.count; i++) {
		const struct zs_tag *t = (const void *)(p + r[i].tags);
		if (r[i].tier == ZS_TIER_NONE || !r[i].tags)
			continue;
		for (uint32_t k = 0; k < r[i].tag_count; k++) {
			unsigned v = zs_tag_verdict(t[k].w0) % 5;
			if (!t[k].w0)
				continue;
			live++;
			size += tag_size(&r[i], t[k].w0);
			blocks[v]++;
			bytes[v] += tag_size(&r[i], t[k].w0);
			if (leaks && (v > ZS_REACHABLE || leaks > 1))
				print_leak(p, &r[i], &t[k], k);
		}
	}
	printf("  tags live %" PRIu64 " bytes %" PRIu64 "\n ", live, size);
	for (int v = 0; v < 5; v++)
		printf(" %s %" PRIu64 "/%" PRIu64, verdicts[v], blocks[v],
		       bytes[v]);
	printf("\n");
}

static void
print_counters(const char *p)
{
	const struct zs_header *h = header(p);
	const struct zs_stack *s = (const void *)(p + h->stacks.offset);
	struct zs_counter sum = { 0 }, st = { 0 };

	for (uint64_t off = h->shards; off;) {
		const struct zs_shard *sh = (const void *)(p + off);
		for (int c = 0; c < ZS_CLASSES; c++) {
			sum.allocations += sh->class[c].allocations;
			sum.frees += sh->class[c].frees;
			sum.bytes += sh->class[c].bytes;
			sum.freed_bytes += sh->class[c].freed_bytes;
		}
		off = sh->next;
	}
	for (uint32_t i = 1; i < h->stacks.count; i++) {
		st.allocations += s[i].allocations;
		st.frees += s[i].frees;
		st.bytes += s[i].bytes;
		st.freed_bytes += s[i].freed_bytes;
	}
	for (uint64_t off = h->chunks; off;) {
		const struct zs_chunk *c = (const void *)(p + off);
		for (int k = 0; k < ZS_TALLIES; k++) {
			st.allocations += c->tally[k].allocations;
			st.frees += c->tally[k].frees;
			st.bytes += c->tally[k].bytes;
			st.freed_bytes += c->tally[k].freed_bytes;
		}
		off = c->next;
	}
	printf("  shards: %" PRIu64 " allocs, %" PRIu64 " frees, %" PRIu64
	       " bytes, live %" PRIu64 "/%" PRIu64 "\n",
	       sum.allocations, sum.frees, sum.bytes,
	       sum.allocations - sum.frees, sum.bytes - sum.freed_bytes);
	printf("  stacks: %" PRIu64 " allocs, %" PRIu64 " frees, %" PRIu64
	       " bytes, live %" PRIu64 "/%" PRIu64 "\n",
	       st.allocations, st.frees, st.bytes, st.allocations - st.frees,
	       st.bytes - st.freed_bytes);
}

static void
print_lists(const char *p)
{
	const struct zs_header *h = header(p);
	const struct zs_module *m = (const void *)(p + h->modules.offset);
	const struct zs_thread *t = (const void *)(p + h->threads.offset);
	const struct zs_mark *k = (const void *)(p + h->marks.offset);

	for (uint32_t i = 1; i < h->modules.count; i++) {
		printf("  module %u %#" PRIx64 "-%#" PRIx64 " %s ", i,
		       m[i].start, m[i].end, m[i].path ? p + m[i].path : "");
		for (int b = 0; b < m[i].build_id_bytes && b < 31; b++)
			printf("%02x", m[i].build_id[b]);
		printf("%s\n", m[i].unloaded_ns ? " (unloaded)" : "");
	}
	for (uint32_t i = 1; i < h->threads.count; i++)
		printf("  thread %u tid %d %.16s %" PRIu64 "..%" PRIu64
		       " us, %" PRIu64 " allocs %" PRIu64 " frees\n",
		       i, t[i].tid, t[i].name, t[i].started_ns / 1000,
		       t[i].ended_ns / 1000, t[i].allocations, t[i].frees);
	for (uint32_t i = 1; i < h->marks.count; i++)
		printf("  mark %s\n", p + k[i].label);
}

static void
print_segment(const char *p)
{
	const struct zs_header *h = header(p);

	printf("pid %d ppid %d cause %u state %u trouble %u lost %" PRIu64
	       " inherited %" PRIu64 "\n  exe %s command %s (%" PRIu64
	       " bytes) exit %d known %u\n",
	       h->pid, h->ppid, h->cause, h->state, h->trouble, h->lost_events,
	       h->inherited_frees, h->exe ? p + h->exe : "?",
	       h->command ? p + h->command : "?", h->command_bytes,
	       h->exit_status, h->exit_status_known);
	printf("  nodes %u stacks %u threads %u modules %u groups %u regions "
	       "%u pool %" PRIu64 " KiB\n",
	       h->nodes.count - 1, h->stacks.count - 1, h->threads.count - 1,
	       h->modules.count - 1, h->groups.count - 1, h->regions.count,
	       (h->pool_used - h->pool) >> 10);
	printf("  live %" PRIu64 " peak %" PRIu64 " step %" PRIu64
	       "; scan %" PRIu64 " us, roots %" PRIu64
	       " bytes, threads %u missed %u\n",
	       h->live_bytes, h->peak_bytes, h->publish_step,
	       (h->scan_end_ns - h->scan_begin_ns) / 1000, h->scan_root_bytes,
	       h->scan_threads, h->scan_threads_missed);
	print_counters(p);
	print_tags(p);
	if (verbose)
		print_lists(p);
}

static pid_t
launch(char **argv, const char *name)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	setenv("MallocTracing", "1", 1);
	setenv("MallocTracingSession", name, 1);
	const char *lib = getenv("SEGDUMP_PRELOAD");
	if (lib)
		setenv("LD_PRELOAD", lib, 1);
	execvp(argv[0], argv);
	_exit(127);
}

int
main(int argc, char **argv)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int at = 1, status = 0;

	for (; at < argc && argv[at][0] == '-'; at++) {
		verbose += argv[at][1] == 'v';
		leaks += argv[at][1] == 'l';
	}
	if (at >= argc)
		return puts("skip segdump - a tool, not a test"), 0;
	snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "segdump.%d",
		 (int)getpid());
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				    strlen(a.sun_path + 1));
	if (bind(sock, (struct sockaddr *)&a, len) || listen(sock, 1024))
		return perror("segdump"), 1;
	pid_t pid = launch(argv + at, a.sun_path + 1);
	for (int done = 0; !done;) {
		struct pollfd p = { sock, POLLIN, 0 };
		done = waitpid(pid, &status, WNOHANG) == pid;
		while (poll(&p, 1, done ? 0 : 10) > 0)
			accept_one(sock);
	}
	fflush(stdout);
	for (int i = 0; i < segments; i++)
		print_segment(segment[i]);
	printf("status %#x, %d segments\n", (unsigned)status, segments);
	return 0;
}
