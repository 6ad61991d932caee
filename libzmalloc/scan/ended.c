/*
 * ended.c - stacks of threads that ended.
 *
 * libc keeps the stack of a thread for the next one.  Until then it is a
 * private writable mapping full of pointers that mean nothing any more.  A
 * thread that ends leaves a note of its stack and of two words in its
 * descriptor, which lies at the top of the stack: its thread id, which the
 * kernel clears when the thread is gone (and pthread_join makes negative), and
 * the address of the stack itself.  The first is not positive and the second
 * unchanged exactly as long as libc keeps the stack unused; a mapping that
 * took its place does not look like that.
 *
 * From libc: pthread_getattr_np, for a thread other than the first: it reads
 * the thread's own descriptor; what it allocates comes from the logger zone.
 * Called by logger/threads.c and roots.c.
 */
#include <pthread.h>
#include <string.h>

#include "logger/logger.h"
#include "os/os.h"
#include "scan/scan.h"

enum {
	NOTES = 1024,
	DESCRIPTOR = 2048 /* bytes of struct pthread that are searched */
};

struct note {
	uintptr_t start, end; /* of the stack, without the descriptor */
	const int32_t *tid;
	const uintptr_t *block; /* holds block_is */
	uintptr_t block_is;
	uintptr_t tp; /* its thread pointer */
};

static struct note notes[NOTES] ZM_TABLE;
static uint32_t count; /* used; then the oldest is replaced */
static struct zm_lock lock = ZM_LOCK_INIT(ZM_RANK_LOGGER);

/* Where in the descriptor the two words are. */
static bool
find_words(struct note *n, uintptr_t descriptor, uintptr_t guard)
{
	int32_t tid = zm_os_gettid();
	uintptr_t end = descriptor + DESCRIPTOR;

	if (end > n->end)
		end = n->end;
	for (uintptr_t p = descriptor; p + 8 <= end; p += 4) {
		if (!n->tid && *(const int32_t *)p == tid)
			n->tid = (const int32_t *)p;
		if (n->block || p % 8)
			continue;
		uintptr_t word = *(const uintptr_t *)p;
		if (word == n->start || word == n->start - guard) {
			n->block = (const uintptr_t *)p;
			n->block_is = word;
		}
	}
	return n->tid && n->block;
}

void
zm_ended_note(void)
{
	uintptr_t descriptor = (uintptr_t)pthread_self();
	struct note n = { 0 };
	pthread_attr_t attr;
	size_t bytes, guard;
	void *stack;

	if (zm_os_gettid() == zm_os_getpid() ||
	    pthread_getattr_np(pthread_self(), &attr))
		return;
	pthread_attr_getstack(&attr, &stack, &bytes);
	pthread_attr_getguardsize(&attr, &guard);
	pthread_attr_destroy(&attr);
	n.start = (uintptr_t)stack;
	n.end = n.start + bytes;
	if (descriptor < n.start || descriptor >= n.end ||
	    !find_words(&n, descriptor, guard))
		return;
	n.tp = zm_thread_pointer();
	n.end = descriptor; /* libc still uses what is in there */
	zm_lock(&lock);
	uint32_t i = 0;
	while (i < count && i < NOTES && notes[i].tid != n.tid)
		i++;
	if (i == NOTES || i == count)
		i = count++ % NOTES;
	notes[i].end = 0; /* a stopped thread may leave it half written */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	notes[i].start = n.start;
	notes[i].tid = n.tid;
	notes[i].block = n.block;
	notes[i].block_is = n.block_is;
	notes[i].tp = n.tp;
	__atomic_store_n(&notes[i].end, n.end, __ATOMIC_RELEASE);
	zm_unlock(&lock);
}

/* Reads without a fault what may have been unmapped. */
static bool
unused(const struct note *n)
{
	int pid = zm_os_getpid();
	uintptr_t block = 0;
	int32_t tid = 1;

	return zm_os_process_vm_read(pid, &tid, n->tid, sizeof tid) ==
		   (ssize_t)sizeof tid &&
	       tid <= 0 &&
	       zm_os_process_vm_read(pid, &block, n->block, sizeof block) ==
		   (ssize_t)sizeof block &&
	       block == n->block_is;
}

void
zm_ended_each(void (*fn)(struct zm_scan *, uintptr_t tp), struct zm_scan *s)
{
	uint32_t n = count < NOTES ? count : NOTES;

	for (uint32_t i = 0; i < n; i++) {
		if (notes[i].end && unused(&notes[i]))
			fn(s, notes[i].tp);
	}
}

size_t
zm_ended_stack(uintptr_t addr, size_t *clear)
{
	uint32_t n = count < NOTES ? count : NOTES;

	for (uint32_t i = 0; i < n; i++) {
		const struct note *e = &notes[i];
		if (addr >= e->end ||
		    (addr < e->start && e->start - addr >= *clear))
			continue;
		if (!unused(e))
			continue;
		if (addr >= e->start)
			return e->end - addr;
		*clear = e->start - addr;
	}
	return 0;
}
