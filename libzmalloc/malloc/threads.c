/*
 * threads.c - what each thread keeps, and what happens when it ends.
 *
 * A record per thread hangs behind one initial-exec TLS pointer and is made at
 * the thread's first call.  Records come from pages of their own and are
 * reused, so threads that come and go leave nothing behind.
 *
 * The end of a thread is seen by the destructor of a pthread key.  The key is
 * made at the first malloc of the process: its index is then among the first
 * 32, whose values libc keeps inside the thread's descriptor, so that
 * pthread_setspecific never allocates.  Destructors of other keys may still
 * allocate after ours; therefore ours puts itself back until the last round,
 * and only then lets go.  Whoever allocates even later (libc's own clean-up)
 * is served without a cache.
 *
 * Relies on the zone layer's caches and metadata memory.  From libc:
 * pthread_key_create (a compare-and-swap in a table) and pthread_setspecific
 * (a store, see above).  Called by the entry points and the logger.
 */
#include <limits.h>
#include <pthread.h>

#include "malloc/state.h"
#include "os/lock.h"

struct record {
	struct zm_thread pub; /* first: the logger sees this part */
	struct record *next;  /* on the list of unused ones */
	int rounds;	      /* how often the destructor has run */
	void *kept;	      /* zm_thread_keep's */
	size_t kept_bytes;
};

enum { RECORDS_PER_CHUNK = 64 };

#define INITIAL_EXEC __attribute__((tls_model("initial-exec")))

__thread struct zm_thread *zm_thread_current;
static __thread bool ended INITIAL_EXEC;

static struct zm_lock lock = ZM_LOCK_INIT(ZM_RANK_LEAF);
static struct record *unused;
static pthread_key_t key;
static bool have_key;

static struct record *
record_get(void)
{
	zm_lock(&lock);
	struct record *r = unused;
	if (r)
		unused = r->next;
	zm_unlock(&lock);
	if (r)
		return r;
	r = zm_meta_alloc(RECORDS_PER_CHUNK * sizeof(*r));
	if (!r)
		return NULL;
	zm_lock(&lock);
	for (int i = 1; i < RECORDS_PER_CHUNK; i++) {
		r[i].next = unused;
		unused = &r[i];
	}
	zm_unlock(&lock);
	return r;
}

static void
record_put(struct record *r)
{
	*r = (struct record){ 0 };
	zm_lock(&lock);
	r->next = unused;
	unused = r;
	zm_unlock(&lock);
}

static __attribute__((noinline)) struct zm_thread *
thread_begin(void)
{
	struct record *r = record_get();
	if (!r)
		return NULL;
	*r = (struct record){ 0 };
	zm_thread_current = &r->pub;
	zm_cache_use(zm_cache_create());
	if (have_key)
		pthread_setspecific(key, r);
	return &r->pub;
}

struct zm_thread *
zm_thread(void)
{
	if (ZM_LIKELY(zm_thread_current))
		return zm_thread_current;
	return ended ? NULL : thread_begin();
}

void *
zm_thread_keep(size_t bytes)
{
	struct record *r = (struct record *)zm_thread();
	if (!r)
		return NULL;
	if (r->kept_bytes < bytes) {
		zm_meta_free(r->kept, r->kept_bytes);
		r->kept = zm_meta_alloc(bytes);
		r->kept_bytes = r->kept ? bytes : 0;
	}
	return r->kept;
}

static void
thread_end(struct record *r)
{
	if (zm_hook)
		zm_hook->thread_exit(r->pub.logger);
	struct zm_cache *cache = zm_cache_current;
	zm_cache_use(NULL);
	ended = true;
	zm_thread_current = NULL;
	if (cache)
		zm_cache_destroy(cache);
	zm_meta_free(r->kept, r->kept_bytes);
	record_put(r);
}

static void
key_destructor(void *arg)
{
	struct record *r = arg;
	if (++r->rounds < PTHREAD_DESTRUCTOR_ITERATIONS &&
	    pthread_setspecific(key, r) == 0)
		return;
	thread_end(r);
}

void
zm_threads_start(void)
{
	have_key = pthread_key_create(&key, key_destructor) == 0;
	if (have_key && zm_thread_current)
		pthread_setspecific(key, zm_thread_current);
}

void
zm_threads_lock(void)
{
	zm_lock(&lock);
}

void
zm_threads_unlock(void)
{
	zm_unlock(&lock);
}

void
zm_threads_reinit(void)
{
	zm_lock_init(&lock, ZM_RANK_LEAF);
}
