/*
 * lock.h - the library's lock: one word, a futex, a rank.
 *
 * Relies on os.h alone, so it works before libc is initialised.  Free of
 * owners: the child of fork may reset a lock that another thread held
 * (zm_lock_init), and it may be released by another thread than took it.
 *
 * Ranks: a thread that holds a lock takes only locks of a higher rank; locks
 * of equal rank are taken in the order of their addresses or indices.  The
 * order is checked in builds with ZM_LOCK_CHECK.
 */
#ifndef ZMALLOC_OS_LOCK_H
#define ZMALLOC_OS_LOCK_H

#include <stdbool.h>
#include <stdint.h>

enum zm_rank {
	ZM_RANK_LOGGER = 10,   /* logger/, scan/: outside everything else */
	ZM_RANK_REGISTRY = 30, /* malloc/: table of zones */
	ZM_RANK_ZONE = 40,     /* one szone's own: create, statistics */
	ZM_RANK_TRANSFER = 48, /* chains between caches and magazines */
	ZM_RANK_NANO = 50,     /* nano bins */
	ZM_RANK_TINY = 54,     /* magazines of the racks */
	ZM_RANK_SMALL = 55,
	ZM_RANK_MEDIUM = 56,
	ZM_RANK_LARGE = 58,
	ZM_RANK_DEPOT = 60,
	ZM_RANK_CACHES = 68,  /* list of all threads' caches */
	ZM_RANK_REGIONS = 70, /* region directory and observer */
	ZM_RANK_LEDGER = 75,  /* what the observer takes */
	ZM_RANK_ARENA = 80,   /* address space */
	ZM_RANK_META = 90,    /* metadata memory */
	ZM_RANK_LEAF = 100
};

struct zm_lock {
	uint32_t word; /* 0 free, 1 taken, 2 taken and somebody sleeps */
	uint8_t rank;
};

#define ZM_LOCK_INIT(r)                \
	{                              \
		.word = 0, .rank = (r) \
	}

/* Locks that this thread holds: a signal handler that forks learns from it
 * that it interrupted a critical section (malloc/fork.c). */
extern __thread int zm_locks_held __attribute__((tls_model("initial-exec")));

void zm_lock_slow(struct zm_lock *);
void zm_unlock_slow(struct zm_lock *);
#ifdef ZM_LOCK_CHECK
void zm_lock_note(const struct zm_lock *, bool taken);
#else
static inline void
zm_lock_note(const struct zm_lock *l, bool taken)
{
	(void)l;
	(void)taken;
}
#endif

static inline void
zm_lock_init(struct zm_lock *l, enum zm_rank rank)
{
	l->rank = (uint8_t)rank;
	__atomic_store_n(&l->word, 0, __ATOMIC_RELEASE);
}

/* The same for a lock in zeroed memory, which is not touched in vain. */
static inline void
zm_lock_init_zeroed(struct zm_lock *l, enum zm_rank rank)
{
#ifdef ZM_LOCK_CHECK
	l->rank = (uint8_t)rank;
#else
	(void)l;
	(void)rank;
#endif
}

/*
 * libc's word that the process has one thread (glibc 2.32).  Such a process
 * needs no atomic operations: nobody else is there, and a second thread is
 * made by the first, which holds no lock of ours then.  A signal handler that
 * comes between two of these plain accesses runs to its end before the second.
 */
extern char __libc_single_threaded __attribute__((weak));

static inline bool
zm_alone(void)
{
	return &__libc_single_threaded && __libc_single_threaded;
}

static inline bool
zm_trylock(struct zm_lock *l)
{
	uint32_t free = 0;
	zm_locks_held++; /* before, as in zm_lock */
	bool got = __atomic_compare_exchange_n(
	    &l->word, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
	if (got)
		zm_lock_note(l, true);
	else
		zm_locks_held--;
	return got;
}

static inline void
zm_lock(struct zm_lock *l)
{
	uint32_t free = 0;
	zm_locks_held++; /* before: a signal may come at any moment */
	if (zm_alone() && !__atomic_load_n(&l->word, __ATOMIC_RELAXED))
		__atomic_store_n(&l->word, 1, __ATOMIC_RELAXED);
	else if (__builtin_expect(!__atomic_compare_exchange_n(
				      &l->word, &free, 1, false,
				      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED),
				  0))
		zm_lock_slow(l);
	zm_lock_note(l, true);
}

static inline void
zm_unlock(struct zm_lock *l)
{
	zm_lock_note(l, false);
	if (zm_alone())
		__atomic_store_n(&l->word, 0, __ATOMIC_RELAXED);
	else if (__builtin_expect(
		     __atomic_exchange_n(&l->word, 0, __ATOMIC_RELEASE) == 2,
		     0))
		zm_unlock_slow(l);
	zm_locks_held--;
}

static inline bool
zm_locked(const struct zm_lock *l)
{
	return __atomic_load_n(&l->word, __ATOMIC_RELAXED) != 0;
}

#endif
