/*
 * fork.c - fork in a process with threads.
 *
 * Before fork every lock is taken, so that the child finds all structures at
 * rest; the parent lets go, the child starts with fresh locks.  The order is
 * that of the ranks: registry, recorder, zones in the order of their ids,
 * what the zones share, thread records.
 *
 * The handlers are registered at the first malloc, before any other part of
 * the program had a chance to, so that ours run last before the fork and
 * first after it: handlers of others may allocate.  Registering takes a
 * lock of libc's and, for the first 48 handlers, no memory.
 *
 * Called by boot.c and, through libc, by fork.
 */
#include <pthread.h>

#include "malloc/registry.h"
#include "malloc/state.h"

/* The zone layer's global locks. */
void zm_zone_fork_prepare(void) __attribute__((weak));
void zm_zone_fork_parent(void) __attribute__((weak));
void zm_zone_fork_child(void) __attribute__((weak));

static void
prepare(void)
{
	zm_registry_lock();
	if (zm_hook)
		zm_hook->fork_prepare();
	for (unsigned id = 1; id < zm_zone_id_end; id++) {
		struct zm_zone *z = zm_zone_by_id(id);
		if (z)
			zm_szone_lock(z->szone);
	}
	if (zm_zone_fork_prepare)
		zm_zone_fork_prepare();
	zm_threads_lock();
}

static void
parent(void)
{
	zm_threads_unlock();
	if (zm_zone_fork_parent)
		zm_zone_fork_parent();
	for (unsigned id = zm_zone_id_end; --id;) {
		struct zm_zone *z = zm_zone_by_id(id);
		if (z)
			zm_szone_unlock(z->szone);
	}
	if (zm_hook)
		zm_hook->fork_parent();
	zm_registry_unlock();
}

static void
child(void)
{
	zm_threads_reinit();
	if (zm_zone_fork_child)
		zm_zone_fork_child();
	for (unsigned id = 1; id < zm_zone_id_end; id++) {
		struct zm_zone *z = zm_zone_by_id(id);
		if (z)
			zm_szone_reinit_locks(z->szone);
	}
	zm_registry_reinit();
	if (zm_hook)
		zm_hook->fork_child();
}

void
zm_fork_start(void)
{
	pthread_atfork(prepare, parent, child);
}
