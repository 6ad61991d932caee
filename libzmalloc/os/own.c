/*
 * own.c - which private mappings are the library's own.
 *
 * The leak scan must not take our metadata for the program's memory, and the
 * kernel may merge neighbouring anonymous mappings, so names do not tell.
 * memory.c enters what it mapped; scan/ asks while other threads are
 * stopped, so asking takes no lock.  When the table is full a mapping is
 * forgotten: the scan may then find fewer leaks, never more.
 */
#include "os/lock.h"
#include "os/os.h"

enum { RANGES = 4096 };

static struct {
	uintptr_t start, end; /* start 0: unused */
} range[RANGES] ZM_TABLE;
static uint32_t used; /* entries that were ever in use */
static struct zm_lock lock = ZM_LOCK_INIT(ZM_RANK_LEAF);

static bool
grow_neighbour(uintptr_t start, uintptr_t end)
{
	for (uint32_t i = 0; i < used; i++) {
		if (!range[i].start)
			continue;
		if (range[i].end == start) {
			range[i].end = end;
			return true;
		}
		if (range[i].start == end) {
			range[i].start = start;
			return true;
		}
	}
	return false;
}

static void
enter(uintptr_t start, uintptr_t end)
{
	uint32_t i = 0;

	while (i < used && range[i].start)
		i++;
	if (i == RANGES)
		return;
	range[i].end = end;
	range[i].start = start;
	if (i == used)
		__atomic_store_n(&used, i + 1, __ATOMIC_RELEASE);
}

void
zm_os_own_add(void *p, size_t bytes)
{
	uintptr_t start = (uintptr_t)p;

	zm_lock(&lock);
	if (!grow_neighbour(start, start + bytes))
		enter(start, start + bytes);
	zm_unlock(&lock);
}

void
zm_os_own_remove(void *p, size_t bytes)
{
	uintptr_t start = (uintptr_t)p, end = start + bytes;

	zm_lock(&lock);
	for (uint32_t i = 0; i < used; i++) {
		uintptr_t a = range[i].start, b = range[i].end;
		if (!a || a >= end || b <= start)
			continue;
		if (a >= start && b <= end) {
			range[i].start = 0;
		} else if (a >= start) {
			range[i].start = end;
		} else {
			range[i].end = start;
			if (b > end)
				enter(end, b);
		}
	}
	zm_unlock(&lock);
}

size_t
zm_os_own(uintptr_t addr, size_t *clear)
{
	uint32_t n = __atomic_load_n(&used, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < n; i++) {
		uintptr_t a = range[i].start, b = range[i].end;
		if (!a)
			continue;
		if (addr >= a && addr < b)
			return b - addr;
		if (a > addr && a - addr < *clear)
			*clear = a - addr;
	}
	return 0;
}

const void *
zm_os_own_table(uint32_t *entries)
{
	*entries = RANGES;
	return range;
}

void
zm_os_own_reinit(void)
{
	zm_lock_init(&lock, ZM_RANK_LEAF);
}
