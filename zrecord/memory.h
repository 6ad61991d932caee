/*
 * memory.h - where the resident memory of a process lies.
 *
 * A look reads /proc/PID/smaps and pagemap of the running process and keeps,
 * for each region of the directory, which of its pages were resident.  When
 * the process has ended, blocks.c asks for each live block how much of it was
 * resident at the last look: so the parts add up to the process's RSS of that
 * moment.
 *
 * Looks cost the process nothing but the kernel's read lock on its mappings,
 * and us half a percent of a CPU, 4 percent while its memory grows or shrinks:
 * after one that took long the next one comes later.  None can be taken of a
 * process that has ended.
 */
#ifndef ZRECORD_MEMORY_H
#define ZRECORD_MEMORY_H

#include "process.h"

enum memory_part {
	PART_HEAP,     /* in regions of the program's zones */
	PART_METADATA, /* the allocator's own mappings */
	PART_LOGGER,   /* in regions of the logger zone */
	PART_SESSION,  /* the session segment */
	PART_FILES, /* code and data of program and libraries, mapped files */
	PART_STACK, /* of the main thread */
	PART_ANONYMOUS, /* stacks of threads, mmap, brk */
	PART_SHARED,	/* other shared memory */
	PARTS
};

struct memory; /* what the last look saw */

/* When the first look at a process is due, in seconds. */
#define MEMORY_FIRST_LOOK 0.02

/* Looks, when a look is due.  Sets p->next_memory. */
void memory_look(struct process *);

/*
 * Bytes of [from, to) that were resident at the last look, as far as that
 * region was there then; 0 without a look.
 */
uint64_t memory_resident(const struct memory *, uint32_t region,
			 const struct zs_region *, uint64_t from, uint64_t to);

/* Resident bytes of the whole region, or UINT64_MAX when not known. */
uint64_t memory_region(const struct memory *, uint32_t region,
		       const struct zs_region *);

/* Writes what the last look saw, while the process runs: live bytes and slack
 * by the counters, as if all of them were resident. */
void memory_progress(struct process *, struct writer *);

/* Writes the rows at the end, where the live bytes have not changed much since
 * the look; live and slack: resident bytes of recorded live
 * blocks. */
void memory_write(const struct process *, struct writer *, uint64_t live,
		  uint64_t slack);

void memory_free(struct process *);

#endif
