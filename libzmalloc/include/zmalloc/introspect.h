/*
 * <zmalloc/introspect.h> - looking into a zone.
 *
 * A zone offers a table of functions to whoever wants to know what is in it:
 * the leak scan, a heap checker, a debugger.  Names and meanings are those of
 * Apple's <malloc/malloc.h>, so that code written for that works here; where
 * Mach has no counterpart on Linux the type is explained.
 *
 * Zones of another process can be looked into as well, if that runs the same
 * build of this library: malloc_get_all_zones finds them, and the functions of
 * a table that take a task_t read them, through a memory_reader_t or, without
 * one, with the kernel's help.  Nothing is written there and no lock is taken
 * or minded, so let the process stand still (SIGSTOP, ptrace); then the answers
 * are exactly those that it would get itself.  Of a process that runs on they
 * may be incomplete, or an error.  Whatever is in its memory, damage or malice,
 * causes wrong answers or errors at worst.  Call the functions of a table of
 * this process, any zone's of this library will do:
 *
 *	vm_address_t *zones;
 *	unsigned count;
 *	kill(pid, SIGSTOP); // and wait until it has stopped
 *	if (malloc_get_all_zones(pid, NULL, &zones, &count) == KERN_SUCCESS)
 *		for (unsigned i = 0; i < count; i++)
 *			malloc_default_zone()->introspect->enumerator(
 *			    pid, context, MALLOC_PTR_IN_USE_RANGE_TYPE,
 *			    zones[i], NULL, recorder);
 *	kill(pid, SIGCONT);
 *
 * examples/peek.c is a whole program.
 *
 * Link with -lzmalloc, or preload the library.
 */
#ifndef ZMALLOC_INTROSPECT_H
#define ZMALLOC_INTROSPECT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uintptr_t vm_address_t;
typedef size_t vm_size_t;
typedef int boolean_t;
typedef unsigned vm_type_t;

/* The process meant; 0 or the caller's own pid: this one.  A reader gives the
 * number its meaning: where all is read through it, as by an enumerator, any
 * other number will do, say -1 for a core file. */
typedef pid_t task_t;

typedef int kern_return_t;
#ifndef KERN_SUCCESS
#define KERN_SUCCESS	      0
#define KERN_INVALID_ADDRESS  1
#define KERN_NO_SPACE	      3
#define KERN_INVALID_ARGUMENT 4
#define KERN_FAILURE	      5
#define KERN_NOT_SUPPORTED    46
#endif

typedef struct {
	vm_address_t address;
	vm_size_t size;
} vm_range_t;

typedef struct malloc_statistics_t {
	unsigned blocks_in_use;
	size_t size_in_use;	/* bytes in blocks */
	size_t max_size_in_use; /* high water mark of touched memory */
	size_t size_allocated;	/* bytes reserved from the system */
} malloc_statistics_t;

struct _malloc_zone_t;

/*
 * Makes size bytes at remote_address of the task readable at *local_memory;
 * any result but KERN_SUCCESS: could not.  The memory belongs to the reader
 * and has to stay valid until the function that was given the reader returns;
 * the library only copies from it.  At most 32 KiB are asked for at once.
 * The reader is not called for this process, and may be NULL for another one
 * that lives: then process_vm_readv(2) reads, if the caller may ptrace it.
 */
typedef kern_return_t memory_reader_t(task_t task, vm_address_t remote_address,
				      vm_size_t size, void **local_memory);

/* Receives ranges; they are valid during the call only.  Must not allocate
 * from the zone that is being enumerated. */
typedef void vm_range_recorder_t(task_t task, void *context, unsigned type,
				 vm_range_t *ranges, unsigned count);

/* Which ranges an enumerator shall report, or-ed. */
#define MALLOC_PTR_IN_USE_RANGE_TYPE   1 /* blocks */
#define MALLOC_PTR_REGION_RANGE_TYPE   2 /* memory that holds blocks */
#define MALLOC_ADMIN_REGION_RANGE_TYPE 4 /* the zone's own book-keeping */
#define MALLOC_ZONE_SPECIFIC_FLAGS     0xff00
#define MALLOC_PTR_AND_ADMIN_RANGE_TYPES \
	(MALLOC_PTR_REGION_RANGE_TYPE | MALLOC_ADMIN_REGION_RANGE_TYPE)

typedef void print_task_printer_t(const char *fmt, ...);

typedef struct malloc_introspection_t {
	/* Reports every range of the zone at zone_address whose type is in
	 * type_mask.  Exact while no other thread allocates from the zone;
	 * between force_lock and force_unlock, or with threads stopped.
	 * In another process (see the top), what was found before an error
	 * has been reported, and the recorder may allocate.
	 * KERN_INVALID_ADDRESS: the memory cannot be read; KERN_FAILURE: it
	 * contradicts itself; KERN_NOT_SUPPORTED: not a zone of this library,
	 * or of another build; KERN_NO_SPACE: out of memory. */
	kern_return_t (*enumerator)(task_t task, void *context,
				    unsigned type_mask,
				    vm_address_t zone_address,
				    memory_reader_t *reader,
				    vm_range_recorder_t *recorder);
	/* The size that a request of so many bytes would really get. */
	size_t (*good_size)(struct _malloc_zone_t *zone, size_t size);
	/* Zero when the zone's structures contradict themselves. */
	boolean_t (*check)(struct _malloc_zone_t *zone);
	/* Writes a summary on standard error. */
	void (*print)(struct _malloc_zone_t *zone, boolean_t verbose);
	void (*log)(struct _malloc_zone_t *zone, void *address);
	/* All locks of the zone; the holder must not allocate from it. */
	void (*force_lock)(struct _malloc_zone_t *zone);
	void (*force_unlock)(struct _malloc_zone_t *zone);
	void (*statistics)(struct _malloc_zone_t *zone,
			   malloc_statistics_t *stats);
	/* Non-zero when some lock of the zone is held. */
	boolean_t (*zone_locked)(struct _malloc_zone_t *zone);

	/* version 7 of the zone; may be NULL */
	boolean_t (*enable_discharge_checking)(struct _malloc_zone_t *zone);
	void (*disable_discharge_checking)(struct _malloc_zone_t *zone);
	void (*discharge)(struct _malloc_zone_t *zone, void *memory);
	/* The second argument is called for each pointer still undischarged;
	 * the original has an Objective-C block here, this a function with a
	 * context. */
	void (*enumerate_discharged_pointers)(struct _malloc_zone_t *zone,
					      void (*report)(void *memory,
							     void *info,
							     void *context),
					      void *context);

	/* version 9: fresh locks, in the child of a fork */
	void (*reinit_lock)(struct _malloc_zone_t *zone);

	/* version 11: one line, or that the zone cannot be read.  Here and
	 * below, task and reader are as for the enumerator. */
	void (*print_task)(task_t task, unsigned level,
			   vm_address_t zone_address, memory_reader_t *reader,
			   print_task_printer_t *printer);
	/* version 12: all zero when the zone cannot be read */
	void (*task_statistics)(task_t task, vm_address_t zone_address,
				memory_reader_t *reader,
				malloc_statistics_t *stats);
	/* version 14: 0 unknown, 1 a scalable zone of this library */
	unsigned zone_type;
} malloc_introspection_t;

#define MALLOC_ZONE_TYPE_UNKNOWN  0
#define MALLOC_ZONE_TYPE_SCALABLE 1

/*
 * All zones that are registered: *addresses points to *count addresses of
 * malloc_zone_t.  Of this process: the array is the library's, do not free or
 * change it; it may change when zones come and go.
 *
 * Of another process, whose pid task has to be since /proc/PID/maps says where
 * the library is (for a core file take the addresses from malloc_zones there):
 * the array is a copy that the library keeps for the calling thread, until the
 * thread's next call for another process, or its end.  Zones that the process
 * made with a table of its own are among them; those have no enumerator here.
 *
 * Errors, with *addresses NULL and *count 0: KERN_FAILURE no such process, not
 * permitted, or its table contradicts itself; KERN_NOT_SUPPORTED it does not
 * run this build of the library; KERN_INVALID_ADDRESS its memory cannot be
 * read; KERN_INVALID_ARGUMENT task is negative; KERN_NO_SPACE out of memory.
 */
kern_return_t malloc_get_all_zones(task_t task, memory_reader_t *reader,
				   vm_address_t **addresses, unsigned *count);

#ifdef __cplusplus
}
#endif
#endif
