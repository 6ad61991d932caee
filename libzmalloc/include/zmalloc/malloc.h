/*
 * <zmalloc/malloc.h> - zones.
 *
 * A zone is a heap of its own: its blocks lie apart from those of other zones,
 * it has a name and statistics, and can be destroyed with everything in it.
 * malloc() and its relatives use the default zone.  free() takes blocks of any
 * zone.  Names and meanings are those of Apple's <malloc/malloc.h>; the
 * standard functions are in <stdlib.h> and <malloc.h> as ever.
 *
 * Link with -lzmalloc, or preload the library.
 *
 * Unless said otherwise a function may be called from any thread at any time,
 * failure is NULL with errno set to ENOMEM or EINVAL, and a pointer that is
 * not the start of a live block ends the program with a message.
 */
#ifndef ZMALLOC_MALLOC_H
#define ZMALLOC_MALLOC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <zmalloc/introspect.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the zone's table of functions ------------------------------------- */

/* Options of malloc_zone_malloc_with_options, or-ed. */
typedef uint64_t malloc_options_t;
#define MALLOC_OPTION_CLEAR UINT64_C(1) /* zeroed */

/* Version of the table below: the members up to malloc_with_options. */
#define MALLOC_ZONE_VERSION 15

/*
 * A program can bring a zone of its own: fill in this table, version included,
 * and call malloc_zone_register.  Members that are newer than the version, and
 * those marked optional, are never called when NULL.  Nobody but the zone's
 * maker may change a registered table.
 */
typedef struct _malloc_zone_t {
	void *reserved1; /* not for the zone's use */
	void *reserved2;
	/* Usable bytes of the block at ptr; 0 when it is not of this zone.
	 * Called for foreign pointers too: must be fast and never fail. */
	size_t (*size)(struct _malloc_zone_t *zone, const void *ptr);
	void *(*malloc)(struct _malloc_zone_t *zone, size_t size);
	void *(*calloc)(struct _malloc_zone_t *zone, size_t count, size_t size);
	void *(*valloc)(struct _malloc_zone_t *zone, size_t size);
	void (*free)(struct _malloc_zone_t *zone, void *ptr);
	void *(*realloc)(struct _malloc_zone_t *zone, void *ptr, size_t size);
	/* Frees all blocks and the zone itself. */
	void (*destroy)(struct _malloc_zone_t *zone);
	const char *zone_name;

	/* optional */
	unsigned (*batch_malloc)(struct _malloc_zone_t *zone, size_t size,
				 void **results, unsigned count);
	void (*batch_free)(struct _malloc_zone_t *zone, void **to_be_freed,
			   unsigned count);

	struct malloc_introspection_t *introspect; /* optional */
	unsigned version;

	/* optional, from version 5 */
	void *(*memalign)(struct _malloc_zone_t *zone, size_t alignment,
			  size_t size);
	/* optional, from version 6 */
	void (*free_definite_size)(struct _malloc_zone_t *zone, void *ptr,
				   size_t size);
	/* optional, from version 8: bytes given back */
	size_t (*pressure_relief)(struct _malloc_zone_t *zone, size_t goal);
	/* optional, from version 10: could ptr lie in this zone?  May be wrong
	 * when it says yes. */
	boolean_t (*claimed_address)(struct _malloc_zone_t *zone, void *ptr);
	/* optional, from version 13: frees ptr, or hands it on */
	void (*try_free_default)(struct _malloc_zone_t *zone, void *ptr);
	/* optional, from version 15 */
	void *(*malloc_with_options)(struct _malloc_zone_t *zone, size_t align,
				     size_t size, malloc_options_t options);
} malloc_zone_t;

/* ---- making and finding zones ------------------------------------------ */

/*
 * The zone that malloc() uses, as an object that stays valid and goes on
 * meaning "the default" when the default changes.
 */
malloc_zone_t *malloc_default_zone(void);

/* A new, empty zone without a name, registered.  start_size and flags are
 * accepted and unused, as in the original.  NULL: out of memory, or too many
 * zones. */
malloc_zone_t *malloc_create_zone(vm_size_t start_size, unsigned flags);

/* Unregisters the zone and frees it with all its blocks.  No other thread may
 * use it any more.  The default zone cannot be destroyed: a message. */
void malloc_destroy_zone(malloc_zone_t *zone);

/* The registered zone that the block at ptr belongs to; NULL when there is
 * none.  ptr is the start of a block. */
malloc_zone_t *malloc_zone_from_ptr(const void *ptr);

/* The name is copied.  NULL takes it away. */
void malloc_set_zone_name(malloc_zone_t *zone, const char *name);
/* Belongs to the zone; NULL when it has none. */
const char *malloc_get_zone_name(malloc_zone_t *zone);

/*
 * Registered zones take part in free(), malloc_size() and all functions that
 * speak of every zone.  The zone registered first is the default.  When a
 * zone is unregistered the one registered last takes its place, so a program
 * makes its own zone the default by: register(own); unregister(default);
 * register(default).
 */
void malloc_zone_register(malloc_zone_t *zone);
/* Returns when no other thread looks at the zone any more. */
void malloc_zone_unregister(malloc_zone_t *zone);

/* The registered zones; read only. */
extern unsigned malloc_num_zones;
extern malloc_zone_t **malloc_zones;

/* ---- blocks -------------------------------------------------------------
 * As the standard functions, in the zone given. */

void *malloc_zone_malloc(malloc_zone_t *zone, size_t size);
void *malloc_zone_calloc(malloc_zone_t *zone, size_t count, size_t size);
/* Aligned to a page. */
void *malloc_zone_valloc(malloc_zone_t *zone, size_t size);
/* The block stays in its zone.  Size 0 frees it and returns a new block of the
 * least size (unlike realloc(), which is as the C library has it). */
void *malloc_zone_realloc(malloc_zone_t *zone, void *ptr, size_t size);
void malloc_zone_free(malloc_zone_t *zone, void *ptr);
/* alignment: a power of two, at least sizeof(void *), else NULL. */
void *malloc_zone_memalign(malloc_zone_t *zone, size_t alignment, size_t size);
/* zone NULL: the default.  align 0: that of malloc; size must be a multiple of
 * align otherwise. */
void *malloc_zone_malloc_with_options(malloc_zone_t *zone, size_t align,
				      size_t size, malloc_options_t options);

/* Allocates up to count blocks of one size, more quickly than one by one;
 * returns how many. */
unsigned malloc_zone_batch_malloc(malloc_zone_t *zone, size_t size,
				  void **results, unsigned count);
/* Frees all of them; NULL among them is allowed. */
void malloc_zone_batch_free(malloc_zone_t *zone, void **to_be_freed,
			    unsigned count);

/* Usable bytes of the block that starts at ptr; 0 for any other pointer, also
 * one into the middle of a block or to a freed one (whose memory must not
 * vanish meanwhile because other threads free). */
size_t malloc_size(const void *ptr);
/* What a block of so many bytes would really hold. */
size_t malloc_good_size(size_t size);

/* Could ptr lie in memory of some zone, or of this one?  "No" is certain. */
boolean_t malloc_claimed_address(void *ptr);
boolean_t malloc_zone_claimed_address(malloc_zone_t *zone, void *ptr);

/* ---- looking at zones --------------------------------------------------- */

/* zone NULL: sum of all. */
void malloc_zone_statistics(malloc_zone_t *zone, malloc_statistics_t *stats);

typedef struct mstats {
	size_t bytes_total;
	size_t chunks_used;
	size_t bytes_used;
	size_t chunks_free;
	size_t bytes_free;
} mstats_t;
struct mstats mstats(void);

/* Zero when a zone (NULL: any) contradicts itself; says so in a message. */
boolean_t malloc_zone_check(malloc_zone_t *zone);
/* Writes a summary of the zone (NULL: of all) on standard error. */
void malloc_zone_print(malloc_zone_t *zone, boolean_t verbose);
/* What is known of ptr, on standard error. */
void malloc_zone_print_ptr_info(void *ptr);
/* Prints a line for each operation on the block at address, until it is called
 * with NULL; all ones: on every block.  zone NULL: in all zones. */
void malloc_zone_log(malloc_zone_t *zone, void *address);

/* Gives memory back to the system, about goal bytes, 0: all that can be, of
 * the zone (NULL: of all).  Returns the bytes given back. */
size_t malloc_zone_pressure_relief(malloc_zone_t *zone, size_t goal);

/* The same on an event of the system: warning and critical do it, any other
 * value nothing. */
#define MALLOC_MEMORY_EVENT_WARN     0x02
#define MALLOC_MEMORY_EVENT_CRITICAL 0x04
void malloc_memory_event_handler(unsigned long event);

/* Figures of one tier of a zone of this library; false for other zones and
 * tiers. */
#define MALLOC_TIER_TINY   0
#define MALLOC_TIER_SMALL  1
#define MALLOC_TIER_LARGE  2
#define MALLOC_TIER_HUGE   3 /* always empty */
#define MALLOC_TIER_MEDIUM 4
#define MALLOC_TIER_NANO   5
boolean_t scalable_zone_statistics(malloc_zone_t *zone,
				   malloc_statistics_t *stats,
				   unsigned subzone);

/* ---- purgeable blocks ----------------------------------------------------
 *
 * The contents of a purgeable block may vanish when the system is short of
 * memory: for caches that can be filled again.  Only large blocks (above
 * 8 MiB, or 32 KiB without the medium tier) can be made purgeable; for others
 * nothing happens.
 *
 * Do not touch a purgeable block: what is read may be gone, and what is
 * written may be.  It may be freed.
 */

/* A zone of its own for such blocks; it cannot be destroyed. */
malloc_zone_t *malloc_default_purgeable_zone(void);
/* ptr: the start of a block. */
void malloc_make_purgeable(void *ptr);
/* 0: the contents are as they were.  EFAULT: some are gone, and read as zero.
 * Either way they stay from now on. */
int malloc_make_nonpurgeable(void *ptr);

/* ---- the default zone's allocator ---------------------------------------- */

/* As realloc and reallocarray, but the block is gone when it cannot grow. */
void *reallocf(void *ptr, size_t size);
void *reallocarrayf(void *ptr, size_t count, size_t size);
/* free(). */
void vfree(void *ptr);

/* 0: without the nano tier. */
int malloc_engaged_nano(void);
/* The calling thread allocates from this magazine, modulo their number. */
void mag_set_thread_index(unsigned index);
/* Nothing: freed blocks are not cleared here. */
void malloc_zero_on_free_disable(void);
/* The zone that a zone wraps: none, *wrapped is 0. */
kern_return_t malloc_get_wrapped_zone(task_t task, memory_reader_t *reader,
				      vm_address_t zone, vm_address_t *wrapped);

/* For zones that offer them; the zones of this library do not. */
boolean_t malloc_zone_enable_discharge_checking(malloc_zone_t *zone);
void malloc_zone_disable_discharge_checking(malloc_zone_t *zone);
void malloc_zone_discharge(malloc_zone_t *zone, void *memory);
void malloc_zone_enumerate_discharged_pointers(
    malloc_zone_t *zone,
    void (*report)(void *memory, void *info, void *context), void *context);

/* printf on standard error (or MallocLogFile) that never allocates: %s %c %d %u
 * %x %p %y (bytes in a human unit), with l, ll and z. */
void malloc_printf(const char *format, ...) __attribute__((nonnull(1)));

/* Called before the program ends because of an error: for breakpoints. */
void malloc_error_break(void);

#ifdef __cplusplus
}
#endif
#endif
