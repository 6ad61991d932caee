/*
 * model.c - random operations of the whole family in many threads, checked
 * against records kept outside of the heap.
 *
 *   model [OPERATIONS [SEED [THREADS]]]   or MODEL_OPS, MODEL_SEED in the
 *   environment; a failure prints the seed.
 *
 * Each thread owns a table of records; blocks travel between threads with
 * their records.  At random moments all threads stand still, and the union of
 * the tables must be exactly what the zones enumerate.  Generations of threads
 * follow each other on the same tables, so blocks outlive their makers.
 * Where the address space is limited, NULL with ENOMEM is an answer.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "model_ops.h"

static unsigned long operations = 120000;
static unsigned threads = 6;
static struct self *selves;
static pthread_barrier_t barrier;
static unsigned long round_ops; /* of the present round */
static bool round_flush;	/* all threads empty their caches at its end */

/* ---- zones -------------------------------------------------------------- */

/* Blocks of a zone that is about to go. */
static void
forget(struct self *t, const malloc_zone_t *z)
{
	for (int k = 0; k < SLOTS; k++) {
		struct block *b = &t->slot[k];
		if (!b->p || b->zone != z)
			continue;
		if (k % 3)
			leave(t, b);
		else
			end_block(t, b);
	}
}

/* Nobody else is in a private zone, so it is exact at any moment. */
static void
compare_private(struct self *t, malloc_zone_t *z)
{
	t->want.count = t->got.count = 0;
	for (int k = 0; k < SLOTS; k++)
		if (t->slot[k].p && t->slot[k].zone == z)
			set_add(&t->want, &t->slot[k]);
	enumerate(z, &t->got);
	same_set(&t->want, &t->got, NULL);
	if (!malloc_zone_check(z))
		fail("zone %p is not sound", (void *)z);
}

static void
change_zone(struct self *t)
{
	malloc_zone_t **z = &t->zone[rnd(&t->r) % PRIVATE_ZONES];
	if (!*z) {
		*z = malloc_create_zone(0, 0);
		if (!*z)
			no_block(0, limited ? ENOMEM : 0);
		return;
	}
	compare_private(t, *z);
	if (rnd(&t->r) % 2) {
		forget(t, *z);
		malloc_destroy_zone(*z);
		*z = NULL;
	}
}

static void
rare(struct self *t)
{
	malloc_statistics_t stats;
	switch (rnd(&t->r) % 16) {
	case 0:
		if (!malloc_zone_check(NULL))
			fail("malloc_zone_check: not sound");
		break;
	case 1:
		malloc_zone_statistics(NULL, &stats);
		if (stats.size_in_use > stats.size_allocated)
			fail("statistics contradict themselves");
		break;
	case 2:
		malloc_zone_pressure_relief(rnd(&t->r) % 2 ? NULL
							   : pick_zone(t),
					    rnd(&t->r) % (1 << 20));
		break;
	case 3:
		malloc_trim(0);
		break;
	case 4 ... 9:
		change_zone(t);
		break;
	default:
		t->fill = 1 + rnd(&t->r) % SLOTS;
	}
}

/* ---- threads ------------------------------------------------------------ */

static void
step(struct self *t)
{
	unsigned k = rnd(&t->r) % SLOTS;
	struct block *b = &t->slot[k];
	unsigned what = rnd(&t->r) % 32;
	if (rnd(&t->r) % 2048 == 0)
		rare(t);
	else if (rnd(&t->r) % 256 == 0)
		rnd(&t->r) % 2 ? new_batch(t) : end_batch(t);
	else if (!b->p && k < t->fill)
		new_block(t, b);
	else if (!b->p)
		return;
	else if (k >= t->fill || what < 14)
		end_block(t, b);
	else if (what < 22)
		change_block(t, b);
	else if (what < 26)
		exchange(t, b);
	else if (what == 31 && k % 8 == 0)
		impossible(t, b);
	else
		look(t, b);
}

/* Rounds until the leader says 0; it looks at everything between two. */
static void *
body(void *arg)
{
	struct self *t = arg;
	here.thread = t->number;
	for (;;) {
		pthread_barrier_wait(&barrier);
		unsigned long n = round_ops;
		if (!n)
			return NULL;
		for (; n; n--) {
			here.op++;
			step(t);
		}
		pthread_barrier_wait(&barrier);
		if (round_flush)
			malloc_zone_pressure_relief(NULL, 0);
		pthread_barrier_wait(&barrier);
	}
}

/* ---- the leader --------------------------------------------------------- */

static struct set want, got, others;

static void
add_zone(malloc_zone_t *z, unsigned *known)
{
	if (!z)
		return;
	enumerate(z, &got);
	++*known;
}

/* Fills want from the records and got from the enumerators. */
static void
gather(void)
{
	vm_address_t *zones;
	unsigned count, known = 0, listed = 0;
	want.count = got.count = 0;
	add_zone(default_zone, &known);
	for (int i = 0; i < SHARED_ZONES; i++)
		add_zone(shared[i], &known);
	for (unsigned i = 0; i < threads; i++) {
		struct self *t = &selves[i];
		for (int k = 0; k < PRIVATE_ZONES; k++)
			add_zone(t->zone[k], &known);
		for (int k = 0; k < SLOTS; k++)
			if (t->slot[k].p)
				set_add(&want, &t->slot[k]);
	}
	for (int i = 0; i < MAIL; i++)
		if (mail[i].p)
			set_add(&want, &mail[i]);
	if (malloc_get_all_zones(0, NULL, &zones, &count))
		fail("malloc_get_all_zones");
	/* the recorder's zone has a name, ours have none */
	for (unsigned i = 0; i < count; i++)
		if (zones[i] == (vm_address_t)default_zone ||
		    !malloc_get_zone_name((malloc_zone_t *)zones[i]))
			listed++;
	if (listed != known)
		fail("%u zones listed, %u made", listed, known);
}

/* Pointers to freed blocks have no size, unless they are alive again; a block
 * that rests in a thread's cache may still have one. */
static void
compare_freed(void)
{
	for (unsigned i = 0; i < threads; i++)
		for (int k = 0; k < FREED; k++) {
			void *p = selves[i].freed[k];
			if (p && malloc_size(p) &&
			    !find_block(got.at, got.count, p))
				fail("freed block %p has size %zu", p,
				     malloc_size(p));
		}
}

static void
compare(void)
{
	gather();
	same_set(&want, &got, &others);
	if (!malloc_zone_check(NULL))
		fail("malloc_zone_check: not sound");
}

/* A zone that threads share goes with all its blocks, while they stand. */
static void
replace_shared(uint64_t *r)
{
	malloc_zone_t **z = &shared[rnd(r) % SHARED_ZONES];
	for (unsigned i = 0; *z && i < threads; i++)
		forget(&selves[i], *z);
	for (int i = 0; *z && i < MAIL; i++)
		if (mail[i].p && mail[i].zone == *z) {
			block_verify(&mail[i], mail[i].p, mail[i].usable,
				     "mail");
			mail[i].p = NULL;
		}
	if (*z)
		malloc_destroy_zone(*z);
	*z = malloc_create_zone(0, 0);
	if (!*z)
		no_block(0, limited ? ENOMEM : 0);
}

static void
generation(unsigned long ops, uint64_t *r)
{
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&selves[i].id, &attr, body, &selves[i]))
			fail("pthread_create");
	gather(); /* all stand before their first operation */
	take_others(&want, &got, &others);
	compare();
	while (ops) {
		unsigned long n = 1 + rnd(r) % (operations / threads / 4 + 1);
		round_ops = n = n < ops ? n : ops;
		ops -= n;
		round_flush = rnd(r) % 2;
		for (int i = 0; i < 3; i++) /* begin, stand, flushed */
			pthread_barrier_wait(&barrier);
		compare();
		if (round_flush)
			compare_freed();
		if (rnd(r) % 2)
			replace_shared(r);
	}
	round_ops = 0;
	pthread_barrier_wait(&barrier);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(selves[i].id, NULL);
	pthread_attr_destroy(&attr);
}

/* Everything goes; nothing of ours may be left in any zone. */
static void
finish(void)
{
	for (unsigned i = 0; i < threads; i++) {
		for (int k = 0; k < SLOTS; k++)
			if (selves[i].slot[k].p)
				end_block(&selves[i], &selves[i].slot[k]);
		for (int k = 0; k < PRIVATE_ZONES; k++)
			if (selves[i].zone[k])
				malloc_destroy_zone(selves[i].zone[k]);
		memset(selves[i].zone, 0, sizeof(selves[i].zone));
	}
	for (int i = 0; i < MAIL; i++)
		if (mail[i].p)
			end_block(&selves[0], &mail[i]);
	compare();
}

static void
begin(int argc, char **argv)
{
	struct rlimit limit;
	const char *ops = getenv("MODEL_OPS"), *seed = getenv("MODEL_SEED");
	ops = argc > 1 ? argv[1] : ops;
	seed = argc > 2 ? argv[2] : seed;
	operations = ops ? strtoul(ops, NULL, 0) : operations;
	model_seed = seed ? strtoull(seed, NULL, 0) : model_seed;
	threads = argc > 3 ? (unsigned)atoi(argv[3]) : threads;
	model_name = "model";
	if (!threads || threads > THREADS_MAX)
		fail("1 to %d threads", THREADS_MAX);
	limited = getrlimit(RLIMIT_AS, &limit) == 0 &&
		  limit.rlim_cur != RLIM_INFINITY;
	scribble = getenv("MallocScribble") != NULL;
	selves = map(threads * sizeof(*selves));
	want = new_set(threads * SLOTS + MAIL + OTHERS);
	got = new_set(threads * SLOTS + MAIL + OTHERS);
	others = new_set(OTHERS);
	for (unsigned i = 0; i < threads; i++) {
		selves[i].number = i + 1;
		selves[i].r = mix(model_seed * 1000 + i);
		selves[i].fill = SLOTS;
		selves[i].want = new_set(SLOTS);
		selves[i].got = new_set(SLOTS);
	}
}

int
main(int argc, char **argv)
{
	begin(argc, argv);
	uint64_t r = mix(model_seed);
	void *p = malloc(1);
	default_zone = malloc_zone_from_ptr(p);
	free(p);
	pthread_barrier_init(&barrier, NULL, threads + 1);
	for (int g = 0; g < GENERATIONS; g++)
		generation(operations / threads / GENERATIONS, &r);
	finish();
	if (limited && !refused)
		fail("memory was never short");
	return 0;
}
