/*
 * malloc_looking.h - starting the process of malloc_remote.h, reading its
 * memory, and keeping what was found there.
 */
#ifndef TESTS_UNIT_MALLOC_LOOKING_H
#define TESTS_UNIT_MALLOC_LOOKING_H

#include <fcntl.h>

#include "malloc_remote.h"

static struct {
	pid_t pid;
	struct announcement said;
	struct item *item;
} other;

static malloc_introspection_t *
table(void)
{
	return malloc_zones[0]->introspect;
}

/* ---- starting it -------------------------------------------------------- */

static void
get(int fd, void *to, size_t bytes)
{
	for (char *at = to; bytes;) {
		ssize_t n = read(fd, at, bytes);
		CHECK(n > 0);
		at += n;
		bytes -= (size_t)n;
	}
}

static int
start(const char *role, const char *variable, struct announcement *said)
{
	int fd[2];
	char *env[] = { (char *)variable, NULL };
	CHECK(pipe(fd) == 0);
	other.pid = child_start(role, env, fd[1]);
	close(fd[1]);
	if (said)
		get(fd[0], said, sizeof(*said));
	return fd[0];
}

static void
start_as(const char *role, const char *variable)
{
	int status, fd = start(role, variable, &other.said);
	CHECK(other.said.items && other.said.items <= ITEMS);
	other.item = malloc(other.said.items * sizeof(*other.item));
	get(fd, other.item, other.said.items * sizeof(*other.item));
	close(fd);
	CHECK(waitpid(other.pid, &status, WUNTRACED) == other.pid);
	CHECK(WIFSTOPPED(status));
}

static void
start_target(void)
{
	start_as("target", NULL);
}

static void
end_target(void)
{
	kill(other.pid, SIGKILL);
	waitpid(other.pid, NULL, 0);
}

/* ---- readers ------------------------------------------------------------ */

/* Through /proc/PID/mem, as through a core file: what was read stays until
 * forget_reads. */
static int mem = -1;
static struct kept {
	struct kept *next;
	char bytes[];
} * kept;

static unsigned reads; /* so far */
static void (*spoil)(vm_address_t from, vm_size_t bytes, char *local);
static bool spoilt_fails;

static kern_return_t
mem_reader(task_t task, vm_address_t from, vm_size_t bytes, void **local)
{
	(void)task;
	CHECK(bytes <= 1 << 20); /* it asks for what it needs */
	struct kept *k = malloc(sizeof(*k) + bytes);
	CHECK(k);
	k->next = kept;
	kept = k;
	reads++;
	if (pread(mem, k->bytes, bytes, (off_t)from) != (ssize_t)bytes)
		return KERN_INVALID_ADDRESS;
	spoilt_fails = false;
	if (spoil)
		spoil(from, bytes, k->bytes);
	*local = k->bytes;
	return spoilt_fails ? KERN_FAILURE : KERN_SUCCESS;
}

__attribute__((unused)) static void
forget_reads(void)
{
	for (struct kept *next; kept; kept = next) {
		next = kept->next;
		free(kept);
	}
	reads = 0;
}

__attribute__((unused)) static void
open_mem(void)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)other.pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(mem >= 0);
}

/* ---- what is found ------------------------------------------------------ */

struct found {
	struct item *at;
	size_t count, room;
};

static void
record(task_t task, void *ctx, unsigned type, vm_range_t *r, unsigned n)
{
	struct found *f = ctx;
	(void)task;
	for (unsigned i = 0; i < n; i++) {
		if (f->count == f->room) {
			f->room = f->room ? f->room * 2 : 1000;
			f->at = realloc(f->at, f->room * sizeof(*f->at));
			CHECK(f->at);
		}
		unsigned kind = type == MALLOC_PTR_IN_USE_RANGE_TYPE   ? KNOWN
				: type == MALLOC_PTR_REGION_RANGE_TYPE ? REGION
								       : ADMIN;
		CHECK(r[i].size && r[i].address + r[i].size > r[i].address);
		f->at[f->count++] =
		    (struct item){ r[i].address, r[i].size, kind, 0 };
	}
}

#endif
