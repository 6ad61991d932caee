/*
 * threads.c - which thread did it: the thread table and what each thread
 * keeps for the recorder.
 *
 * A thread gets its record at its first event.  Its struct zm_lthread comes
 * from the logger zone and hangs on struct zm_thread, which malloc/ owns.  In
 * a fork child it still describes the parent's session; the generation tells.
 * Called by hook.c and record.c.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>

#include "logger/logger.h"
#include "malloc/message.h"
#include "os/os.h"
#include "scan/scan.h"

int zm_multi;

static struct zm_lthread orphan ZM_TABLE;
static uint32_t orphan_taken;

static struct zm_lock list_lock = ZM_LOCK_INIT(ZM_RANK_LOGGER);
static struct zm_lthread *list;
/* Blocks that threads which ended have allocated more than freed. */
static uint64_t ended_blocks;

static void
list_add(struct zm_lthread *t)
{
	zm_lock(&list_lock);
	t->next = list;
	t->link = &list;
	if (list)
		list->link = &t->next;
	list = t;
	zm_unlock(&list_lock);
}

static uint64_t
net_blocks(const struct zs_thread *r)
{
	return __atomic_load_n(&r->allocations, __ATOMIC_RELAXED) -
	       __atomic_load_n(&r->frees, __ATOMIC_RELAXED);
}

static void
list_remove(struct zm_lthread *t)
{
	zm_lock(&list_lock);
	*t->link = t->next;
	if (t->next)
		t->next->link = t->link;
	if (t->index)
		ended_blocks += net_blocks(t->record);
	zm_unlock(&list_lock);
}

void
zm_lthread_each(void (*fn)(struct zm_lthread *, void *), void *ctx)
{
	zm_lock(&list_lock);
	for (struct zm_lthread *t = list; t; t = t->next)
		fn(t, ctx);
	zm_unlock(&list_lock);
}

/* Threads without a number of their own share entry 0. */
void
zm_live_totals(uint64_t *blocks, uint64_t *bytes)
{
	uint64_t n = net_blocks(&zm_session.threads[0]);
	uint64_t sum =
	    __atomic_load_n(&zm_session.h->live_bytes, __ATOMIC_RELAXED) +
	    (uint64_t)__atomic_load_n(&orphan.pending, __ATOMIC_RELAXED);

	zm_lock(&list_lock);
	n += ended_blocks;
	for (const struct zm_lthread *t = list; t; t = t->next) {
		if (t->index)
			n += net_blocks(t->record);
		sum += (uint64_t)__atomic_load_n(&t->pending, __ATOMIC_RELAXED);
	}
	zm_unlock(&list_lock);
	*blocks = (int64_t)n > 0 ? n : 0;
	*bytes = (int64_t)sum > 0 ? sum : 0;
}

static void
begin(struct zm_lthread *t)
{
	uint32_t i = zm_table_take(&zm_session.h->threads);

	memset(t, 0, offsetof(struct zm_lthread, pcs));
	t->generation = zm_session.generation;
	t->version = zm_walk_versions();
	t->index = i;
	t->record = &zm_session.threads[i]; /* entry 0 takes what is too much */
	list_add(t);
	if (i > 1 && !zm_multi)
		__atomic_store_n(&zm_multi, 1, __ATOMIC_SEQ_CST);
	if (!i)
		return;
	t->record->started_ns = zm_session_ns();
	zm_os_prctl(PR_GET_NAME, (unsigned long)t->record->name, 0, 0, 0);
	__atomic_store_n(&t->record->tid, zm_os_gettid(), __ATOMIC_RELEASE);
}

struct zm_lthread *
zm_lthread_get(struct zm_thread *t)
{
	struct zm_lthread *l = t->logger;

	if (__builtin_expect(l && l->generation == zm_session.generation, 1))
		return l;
	if (!l)
		l = zm_logger_alloc(sizeof *l);
	if (!l)
		return NULL;
	begin(l);
	l->owner = t;
	t->logger = l;
	return l;
}

/*
 * For the last breath of a thread, and for a free inside a signal handler
 * that came while this thread's record was being made.
 */
struct zm_lthread *
zm_lthread_orphan(void)
{
	if (__atomic_exchange_n(&orphan_taken, 1, __ATOMIC_ACQUIRE))
		return NULL;
	if (orphan.generation != zm_session.generation) {
		memset(&orphan, 0, offsetof(struct zm_lthread, pcs));
		orphan.generation = zm_session.generation;
		orphan.version = zm_walk_versions();
		orphan.record = &zm_session.threads[0];
	}
	return &orphan;
}

void
zm_lthread_orphan_done(void)
{
	zm_count_flush(&orphan);
	__atomic_store_n(&orphan_taken, 0, __ATOMIC_RELEASE);
}

void
zm_lthread_exit(void *logger)
{
	struct zm_lthread *l = logger;

	if (zm_session_active() && l->generation == zm_session.generation) {
		if (l->index) {
			l->record->ended_ns = zm_session_ns();
			zm_os_prctl(PR_GET_NAME, (unsigned long)l->record->name,
				    0, 0, 0);
		}
		zm_count_flush(l);
		zm_ended_note();
		zm_shards_release(l);
		zm_history_exit(l);
		zm_tallies_release(l);
		list_remove(l);
	}
	zm_logger_free(l);
}

void
zm_threads_reset(void)
{
	zm_multi = 0;
	orphan_taken = 0;
	zm_lock_init(&list_lock, ZM_RANK_LOGGER);
	list = NULL;
	ended_blocks = 0;
	zm_tallies_reset();
}

void
zm_threads_names(void)
{
	char path[64], name[16];

	for (uint32_t i = 1; i < zm_session.h->threads.count; i++) {
		struct zs_thread *r = &zm_session.threads[i];
		if (!r->tid || r->ended_ns)
			continue;
		zm_format(path, sizeof path, "/proc/self/task/%d/comm", r->tid);
		int fd = zm_os_open(path, O_RDONLY | O_CLOEXEC, 0);
		if (fd < 0)
			continue;
		ssize_t n = zm_os_read(fd, name, sizeof name - 1);
		zm_os_close(fd);
		if (n <= 0)
			continue;
		name[n] = 0;
		if (name[n - 1] == '\n')
			name[n - 1] = 0;
		memcpy(r->name, name, (size_t)n);
	}
}
