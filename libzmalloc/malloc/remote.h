/*
 * remote.h - the library and its zones in another process.
 *
 * A task_t that is neither 0 nor our own process id.  Memory is read with the
 * caller's memory_reader_t; without one, from a live process, by the kernel.
 */
#ifndef ZMALLOC_MALLOC_REMOTE_H
#define ZMALLOC_MALLOC_REMOTE_H

#include "malloc/registry.h"
#include "zone/remote.h"

/* Another process. */
struct zm_task {
	task_t task;
	memory_reader_t *reader; /* NULL: the kernel */
	uintptr_t shift;	 /* its addresses of static data minus ours */
};

/* A zone of ours in it. */
struct zm_task_zone {
	struct zm_task task;
	struct zm_zone zone; /* as it is there; only name and id are good */
	struct zm_remote walk;
};

bool zm_task_read(const struct zm_task *, uintptr_t from, void *to,
		  size_t bytes);

/* remote_build.c: whether the same build of the library is loaded so that its
 * static data is t->shift away from ours; sets shift to where it is. */
bool zm_task_same_build(const struct zm_task *);
kern_return_t zm_task_find_build(struct zm_task *);

/* remote.c: the addresses of all zones; *out is memory of this thread, good
 * until the next call. */
kern_return_t zm_task_zones(task_t task, memory_reader_t *reader,
			    vm_address_t **out, unsigned *count);
/* To be closed when it succeeded.  An address of the virtual default zone
 * opens the first zone. */
kern_return_t zm_task_zone_open(struct zm_task_zone *, task_t,
				memory_reader_t *, vm_address_t zone);
/* What a walk of the zone that returned this means. */
kern_return_t zm_task_zone_result(const struct zm_task_zone *, bool done);
void zm_task_zone_close(struct zm_task_zone *);

#endif
