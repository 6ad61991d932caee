/*
 * fork.c - fork in a process with threads.
 *
 * Before fork every lock is taken, so that the child finds all structures at
 * rest; the parent lets go, the child starts with fresh locks.  The order is
 * that of the ranks: registry, zones that the program brought along (their own
 * code may allocate from ours), recorder, our zones in the order of their ids,
 * what the zones share, thread records.
 *
 * The handlers are registered at the first malloc, before any other part of
 * the program had a chance to, so that ours run last before the fork and
 * first after it: handlers of others may allocate.  Where another library's
 * constructor came before us all the same, its handlers run while we hold the
 * locks; if they allocate, the locks are let go for that long.  Registering
 * takes a lock of libc's and, for the first 48 handlers, no memory.
 *
 * A signal handler may fork where it interrupted a call that holds locks.  To
 * wait for them would be for ever; so nothing is locked then, and the child
 * begins with free locks and with the structures as they are.  It may end,
 * exec, return into the interrupted call; what it allocates in the handler is
 * as safe as in a handler without fork.
 *
 * Called by boot.c and, through libc, by fork.
 */
#include <pthread.h>
#include <stdbool.h>

#include "malloc/registry.h"
#include "malloc/state.h"
#include "os/lock.h"
#include "os/os.h"

/* This thread holds all the locks. */
static __thread bool holding __attribute__((tls_model("initial-exec")));
/* It forks inside a critical section of its own. */
static __thread bool torn __attribute__((tls_model("initial-exec")));

static void
each_zone(void (*fn)(struct zm_szone *))
{
	for (unsigned id = 1; id < zm_zone_id_end; id++) {
		struct zm_zone *z = zm_zone_by_id(id);
		if (z)
			fn(z->szone);
	}
}

static void
unlock_zones(void)
{
	for (unsigned id = zm_zone_id_end; --id;) {
		struct zm_zone *z = zm_zone_by_id(id);
		if (z)
			zm_szone_unlock(z->szone);
	}
}

/* ---- zones that the program brought along ------------------------------- */

static void
foreign_lock(malloc_zone_t *z)
{
	if (z->introspect && z->introspect->force_lock)
		z->introspect->force_lock(z);
}

static void
foreign_unlock(malloc_zone_t *z)
{
	if (z->introspect && z->introspect->force_unlock)
		z->introspect->force_unlock(z);
}

/* Old zones have no other way than to unlock in the child. */
static void
foreign_reinit(malloc_zone_t *z)
{
	if (z->version >= 9 && z->introspect && z->introspect->reinit_lock)
		z->introspect->reinit_lock(z);
	else
		foreign_unlock(z);
}

/* ---- the handlers ------------------------------------------------------- */

static void
prepare(void)
{
	torn = zm_locks_held > 0;
	if (torn)
		return;
	zm_thread(); /* so that nobody below has to make it */
	zm_registry_lock();
	zm_registry_each_foreign(foreign_lock);
	if (zm_hook)
		zm_hook->fork_prepare();
	each_zone(zm_szone_lock);
	zm_zone_globals_lock();
	zm_threads_lock();
	holding = true;
	zm_slow_set(ZM_SLOW_FORK, true);
}

static void
parent(void)
{
	if (torn)
		return;
	zm_slow_set(ZM_SLOW_FORK, false);
	holding = false;
	zm_threads_unlock();
	zm_zone_globals_unlock();
	unlock_zones();
	if (zm_hook)
		zm_hook->fork_parent();
	zm_registry_each_foreign(foreign_unlock);
	zm_registry_unlock();
}

static void
child(void)
{
	zm_slow_set(ZM_SLOW_FORK, false); /* perhaps another thread's */
	if (!torn) {
		holding = false;
		zm_locks_held = 0;
	}
	zm_os_own_reinit();
	zm_threads_reinit();
	zm_zone_globals_reinit();
	each_zone(zm_szone_reinit_locks);
	if (!torn)
		each_zone(zm_zone_after_fork);
	zm_registry_each_foreign(foreign_reinit);
	zm_registry_reinit();
	if (zm_hook)
		zm_hook->fork_child();
}

bool
zm_fork_pause(void)
{
	if (!holding)
		return false;
	parent();
	return true;
}

void
zm_fork_resume(void)
{
	prepare();
}

void
zm_fork_start(void)
{
	pthread_atfork(prepare, parent, child);
}
