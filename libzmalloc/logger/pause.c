/*
 * pause.c - keeps fork out of the unwinder.
 *
 * libunwind and the loader have locks that fork does not know of: were another
 * thread inside them, the child could never unwind again.  So fork waits until
 * no thread walks and lets none begin.  The walking side pays for it with a
 * store and a load; the order of the two is enforced by the forking side with
 * membarrier.  Called by hook.c for each allocation and by record.c.
 */
#include <linux/membarrier.h>
#include <sys/syscall.h>

#include "logger/logger.h"
#include "os/os.h"

enum {
	PATIENCE_NS = 50000000, /* how long fork waits for walkers .. */
	STEP_NS = 100000,
	WALKER_NS = 200000000 /* .. and a walker for fork */
};

static uint32_t paused; /* futex */

struct count {
	const struct zm_lthread *mine;
	unsigned walking;
};

static void
count_walker(struct zm_lthread *t, void *ctx)
{
	struct count *c = ctx;

	if (t != c->mine && __atomic_load_n(&t->walking, __ATOMIC_ACQUIRE))
		c->walking++;
}

/* Every other thread sees what was stored before, and is seen. */
static void
barrier(void)
{
	static int registered;

	if (!registered)
		registered =
		    zm_os_syscall(SYS_membarrier,
				  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0,
				  0, 0, 0, 0) == 0;
	if (!registered ||
	    zm_os_syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0,
			  0, 0, 0, 0) < 0)
		zm_os_sleep(STEP_NS); /* longer than a store takes */
}

struct visitors {
	const struct zm_lthread *mine;
	unsigned count;
};

static void
count_visitor(struct zm_lthread *t, void *ctx)
{
	struct visitors *v = ctx;

	if (t != v->mine && t->owner &&
	    __atomic_load_n(&t->owner->in_logger, __ATOMIC_ACQUIRE))
		v->count++;
}

/* Twice, with a pause: a thread that was just about to get its record is on
 * the list by then. */
bool
zm_hooks_quiet(const struct zm_lthread *mine)
{
	uint64_t deadline = zm_os_now() + PATIENCE_NS;
	unsigned quiet = 0;

	if (!zm_multi)
		return true;
	barrier();
	while (quiet < 2 && zm_os_now() < deadline) {
		struct visitors v = { .mine = mine };
		zm_lthread_each(count_visitor, &v);
		quiet = v.count ? 0 : quiet + 1;
		zm_os_sleep(STEP_NS);
	}
	return quiet == 2;
}

void
zm_walks_pause(const struct zm_lthread *mine)
{
	struct count c = { .mine = mine };

	if (!zm_multi)
		return;
	__atomic_store_n(&paused, 1, __ATOMIC_SEQ_CST);
	barrier();
	uint64_t deadline = zm_os_now() + PATIENCE_NS;
	for (;;) {
		c.walking = 0;
		zm_lthread_each(count_walker, &c);
		if (!c.walking || zm_os_now() >= deadline)
			return;
		zm_os_sleep(STEP_NS);
	}
}

void
zm_walks_resume(void)
{
	if (!paused)
		return;
	__atomic_store_n(&paused, 0, __ATOMIC_RELEASE);
	zm_os_futex_wake(&paused, 0x7fffffff);
}

void
zm_walk_begin(struct zm_lthread *t)
{
	t->walking = 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (__builtin_expect(!__atomic_load_n(&paused, __ATOMIC_RELAXED), 1))
		return;
	t->walking = 0;
	zm_os_futex_wait(&paused, 1, WALKER_NS);
	t->walking = 1;
}
