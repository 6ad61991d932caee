/*
 * lock.c - the contended side of zm_lock, and its rank check.
 *
 * Relies on the futex of os.h.  Called from the inline functions of lock.h.
 */
#include "os/lock.h"

#include "os/os.h"

__thread int zm_locks_held __attribute__((tls_model("initial-exec")));

static inline void
pause_cpu(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Critical sections are short, so a few looks are cheaper than a sleep. */
void
zm_lock_slow(struct zm_lock *l)
{
	for (int i = 0; i < 60; i++) {
		uint32_t free = 0;
		if (__atomic_load_n(&l->word, __ATOMIC_RELAXED) == 0 &&
		    __atomic_compare_exchange_n(&l->word, &free, 1, false,
						__ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return;
		pause_cpu();
	}
	while (__atomic_exchange_n(&l->word, 2, __ATOMIC_ACQUIRE))
		zm_os_futex_wait(&l->word, 2, 0);
}

void
zm_unlock_slow(struct zm_lock *l)
{
	zm_os_futex_wake(&l->word, 1);
}

#ifdef ZM_LOCK_CHECK
static __thread struct {
	const struct zm_lock *lock[256];
	unsigned count;
} held __attribute__((tls_model("initial-exec")));

void
zm_lock_note(const struct zm_lock *l, bool taken)
{
	if (taken) {
		for (unsigned i = 0; i < held.count; i++)
			if (held.lock[i]->rank > l->rank)
				__builtin_trap();
		if (held.count < 256)
			held.lock[held.count++] = l;
		return;
	}
	for (unsigned i = held.count; i-- > 0;)
		if (held.lock[i] == l) {
			held.lock[i] = held.lock[--held.count];
			return;
		}
}
#endif
