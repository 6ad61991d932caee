/*
 * symbols_parts.h - what the files symbols*.c share: opening ELF files
 * (symbols_elf.c), function tables (symbols_table.c), DWARF (symbols_dwarf.c),
 * and the modules over them (symbols.c).  Nobody else includes it.
 */
#ifndef COMMON_SYMBOLS_PARTS_H
#define COMMON_SYMBOLS_PARTS_H

#include "symbols.h"

#include <elfutils/libdw.h>
#include <gelf.h>

/* ---- strings that live as long as struct symbols ---------------------- */

struct arena {
	struct arena_chunk *chunks;
};
char *arena_text(struct arena *, const char *text); /* NULL: out of memory */
void arena_free(struct arena *);

/* The demangled name, or the name itself; in the arena. */
const char *symbols_demangle(struct arena *, const char *name);

/* ---- ELF files -------------------------------------------------------- */

/*
 * A file is copied into memory of our own, only the parts that are needed and
 * at the place that they have in the file: a file that shrinks or changes
 * meanwhile cannot hurt, and large pages make the copy cheap.
 */
struct elf_file {
	int fd; /* -1: not open */
	Elf *elf;
	char *path;
	char *image;
	size_t bytes;	 /* of the file and of the image */
	uint64_t budget; /* bytes that may still be copied */
};

/* 0, or -1 when it cannot be opened or is no 64-bit ELF file. */
int elf_file_open(struct elf_file *, const char *path);
void elf_file_close(struct elf_file *);

/* Bytes of the build-id, 0 without one; *id points into the file. */
size_t elf_file_build_id(const struct elf_file *, const uint8_t **id);

/* Copies the contents of the sections for which wanted says so. */
void elf_file_read(struct elf_file *,
		   int (*wanted)(const char *name, const GElf_Shdr *));

/* Has it a section of that name with contents? */
int elf_file_has(const struct elf_file *, const char *section);

/* Opens the separate debug file that belongs to `main`, if there is one. */
int elf_file_open_debug(const struct elf_file *main, struct elf_file *debug);

/* The same from a debuginfod server (symbols_fetch.c): only if the user named
 * one in DEBUGINFOD_URLS, and a few seconds at most. */
int elf_file_fetch_debug(const struct elf_file *main, struct elf_file *debug);

/* ---- symbols: functions, objects, thread-local objects ----------------- */

struct function_symbol {
	uint64_t start, end; /* end == start: size not known */
	const char *raw;     /* in the ELF file */
	const char *name;    /* demangled at the first use */
};

struct function_table {
	struct function_symbol *symbols; /* by start, one per start */
	size_t n;
	unsigned heap; /* bits: which functions of a heap are among them */
};

enum symbol_kind { SYMBOL_FUNCTION, SYMBOL_OBJECT, SYMBOL_TLS };

/* Adds .symtab, or .dynsym when that is missing: its symbols of one kind. */
void functions_load(struct function_table *, struct elf_file *,
		    enum symbol_kind);
void functions_free(struct function_table *);

/* The name by which these functions are a heap other than libc's or ours, or
 * NULL. */
const char *functions_heap(const struct function_table *);

/* The function at an address, its name demangled, or NULL. */
const struct function_symbol *functions_find(struct function_table *,
					     struct arena *, uint64_t address);

/* ---- DWARF ------------------------------------------------------------ */

struct dwarf_tables;

/* NULL when the file has no DWARF.  The file must stay open. */
struct dwarf_tables *dwarf_tables_new(struct elf_file *);
void dwarf_tables_free(struct dwarf_tables *);

/*
 * As symbols_lookup.  The last frame's function may be NULL (take the
 * symbol's), and *plain says that it is a mere name: C++ compilers describe
 * functions that are local to a file without namespace and parameters.
 */
size_t dwarf_tables_find(struct dwarf_tables *, struct arena *,
			 uint64_t address, struct symbol_frame *frames,
			 size_t max, int *plain);

#endif
