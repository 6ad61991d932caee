/*
 * symbols.h - from an address in an ELF file to functions, files and lines.
 *
 * A module is known by its path and the build-id that was recorded.  Its file,
 * and its separate debug file if there is one, are opened at the first lookup.
 * When the file on disk has another build-id now, nothing is looked up in it:
 * no name is better than a wrong one.  Hostile files may give wrong names or
 * none, but must not crash or hang us.
 *
 * Of the C library and the dynamic linker functions are known, no lines.
 *
 * Relies on libelf and libdw for parsing and on libiberty for demangling.
 * Tables are our own: libdw searches linearly.  Not thread-safe.
 */
#ifndef COMMON_SYMBOLS_H
#define COMMON_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

struct symbols;
struct symbol_module;

struct symbol_frame {
	const char *function; /* demangled; NULL: not known */
	const char *file;     /* NULL: not known */
	int line;	      /* 0: not known */
	int inlined;	      /* 1: inlined into the next frame */
};

/* NULL out of memory. */
struct symbols *symbols_new(void);
void symbols_free(struct symbols *);

/* path and build_id are copied; bytes may be 0: not known.  NULL out of
 * memory.  Owned by symbols. */
struct symbol_module *symbols_module(struct symbols *, const char *path,
				     const uint8_t *build_id, size_t bytes);

/*
 * The frames at an address (of the call, not the return address), relative to
 * the file's own addresses, leaf-most first.  0: nothing is known.  The array
 * is valid until the next lookup, its strings until symbols_free.
 */
size_t symbols_lookup(struct symbol_module *, uint64_t address,
		      const struct symbol_frame **frames);

/* A variable, or a table that the compiler made. */
struct symbol_object {
	const char *name;     /* demangled; until symbols_free */
	uint64_t start, size; /* size 0: not known */
};

/*
 * The object at an address, relative to the file's own addresses; with tls: in
 * the module's thread-local data, relative to its beginning.  0, or -1 when
 * nothing is known.
 */
int symbols_object(struct symbol_module *, uint64_t address, int tls,
		   struct symbol_object *);

/* Has the module an allocator of its own ("malloc", "je_malloc", ..)?  NULL:
 * no, or not known.  A constant. */
const char *symbols_heap(struct symbol_module *m);

#endif
