/*
 * check.c - MallocCheckHeapStart and its relatives: verifies all zones every
 * so many operations, to find out when a heap was damaged.
 *
 * Called by block.c for each operation while ZM_SLOW_CHECK is set; started by
 * boot.c.
 */
#include "malloc/message.h"
#include "malloc/options.h"
#include "malloc/registry.h"
#include "malloc/state.h"
#include "os/os.h"

static uint64_t operations; /* atomic */
static uint64_t last_good;  /* number of the operation; atomic */
static bool failed;	    /* atomic */

static const char *
find_damage(malloc_zone_t **where)
{
	const char *why = NULL;
	unsigned reader = zm_registry_enter();
	for (unsigned i = 0; !why && (*where = zm_registry_get(i)); i++) {
		struct zm_zone *z = zm_zone_ours(*where);
		if (z && zm_szone_check(z->szone, &why))
			why = NULL;
	}
	zm_registry_leave(reader);
	return why;
}

static void
report(uint64_t n, const char *why, malloc_zone_t *where)
{
	uint64_t good = __atomic_load_n(&last_good, __ATOMIC_RELAXED);
	uint64_t each = (n - good) / 10 ? (n - good) / 10 : 1;
	zm_warn("*** MallocCheckHeap: zone %p is damaged at operation %lu: %s",
		where, n, why);
	zm_warn("*** MallocCheckHeap: it was good at operation %lu; to come "
		"closer: MallocCheckHeapStart=%lu MallocCheckHeapEach=%lu",
		good, good ? good : 1, each);
}

static void
act(void)
{
	long seconds = zm_options.check_sleep;
	bool again = __atomic_exchange_n(&failed, true, __ATOMIC_RELAXED);
	if (zm_options.check_abort)
		zm_fatal("MallocCheckHeap: a zone is damaged", NULL);
	malloc_error_break();
	if (seconds < 0 && again)
		return;
	if (seconds < 0)
		seconds = -seconds;
	if (seconds) {
		zm_warn("*** MallocCheckHeap: sleeping for %ld seconds",
			seconds);
		zm_os_sleep((uint64_t)seconds * 1000000000);
	}
}

/* 0 and -1 mean 1, as in the original. */
static uint64_t
at_least_one(long n)
{
	return n > 0 ? (uint64_t)n : 1;
}

void
zm_check_tick(void)
{
	uint64_t start = at_least_one(zm_options.check_start);
	uint64_t each = at_least_one(zm_options.check_each);
	uint64_t n = __atomic_add_fetch(&operations, 1, __ATOMIC_RELAXED);
	malloc_zone_t *where = NULL;
	if (n < start || (n - start) % each)
		return;
	const char *why = find_damage(&where);
	if (!why) {
		__atomic_store_n(&last_good, n, __ATOMIC_RELAXED);
		return;
	}
	report(n, why, where);
	act();
}

void
zm_check_start(void)
{
	if (zm_options.check_start)
		zm_slow_set(ZM_SLOW_CHECK, true);
}
