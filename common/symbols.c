/*
 * symbols.c - see symbols.h.
 */
#include "symbols_parts.h"

#include <stdlib.h>
#include <string.h>

enum { FRAMES_MAX = 64, BUILD_ID_MAX = 64 };

struct symbol_module {
	struct symbol_module *next;
	struct symbols *owner;
	char *path;
	uint8_t build_id[BUILD_ID_MAX];
	size_t build_id_bytes;
	int opened, tried; /* the file; its debug information */
	struct elf_file file, debug;
	struct function_table functions, debug_functions;
	int looked[2]; /* objects and thread-local ones are loaded */
	struct function_table objects[2];
	struct dwarf_tables *dwarf;
};

struct symbols {
	struct symbol_module *modules;
	struct arena arena;
	struct symbol_frame frames[FRAMES_MAX];
};

struct symbols *
symbols_new(void)
{
	return calloc(1, sizeof(struct symbols));
}

void
symbols_free(struct symbols *s)
{
	if (!s)
		return;
	while (s->modules) {
		struct symbol_module *m = s->modules;
		s->modules = m->next;
		dwarf_tables_free(m->dwarf);
		functions_free(&m->functions);
		functions_free(&m->debug_functions);
		functions_free(&m->objects[0]);
		functions_free(&m->objects[1]);
		elf_file_close(&m->debug);
		elf_file_close(&m->file);
		free(m->path);
		free(m);
	}
	arena_free(&s->arena);
	free(s);
}

struct symbol_module *
symbols_module(struct symbols *s, const char *path, const uint8_t *build_id,
	       size_t bytes)
{
	struct symbol_module *m = calloc(1, sizeof *m);
	if (!m || !(m->path = strdup(path))) {
		free(m);
		return NULL;
	}
	m->file.fd = m->debug.fd = -1;
	if (bytes && bytes <= sizeof m->build_id) {
		memcpy(m->build_id, build_id, bytes);
		m->build_id_bytes = bytes;
	}
	m->owner = s;
	m->next = s->modules;
	s->modules = m;
	return m;
}

/* Is the file on disk still the one that was recorded? */
static int
is_same(const struct symbol_module *m)
{
	const uint8_t *id = NULL;
	if (m->build_id_bytes == 0)
		return 1; /* it had none, or none was read: all there is */
	size_t n = elf_file_build_id(&m->file, &id);
	/* a recorder with little room keeps the beginning */
	return n >= m->build_id_bytes &&
	       memcmp(id, m->build_id, m->build_id_bytes) == 0;
}

static void
open_file(struct symbol_module *m)
{
	if (m->opened)
		return;
	m->opened = 1;
	/* "[vdso]", "" and deleted files have nothing on disk */
	if (m->path[0] != '/' || elf_file_open(&m->file, m->path) != 0)
		return;
	if (is_same(m))
		functions_load(&m->functions, &m->file, SYMBOL_FUNCTION);
	else
		elf_file_close(&m->file);
}

/* The C library and the dynamic linker: of their insides names are enough,
 * and lines would be the dearest thing of a short recording. */
static int
is_libc(const struct symbol_module *m)
{
	const char *name = strrchr(m->path, '/');
	return name &&
	       (!strncmp(name, "/libc.so", 8) ||
		!strncmp(name, "/libc-2.", 8) || !strncmp(name, "/ld-", 4));
}

static void
open_debug(struct symbol_module *m)
{
	m->tried = 1;
	open_file(m);
	if (!m->file.elf)
		return;
	if (elf_file_has(&m->file, ".debug_info") ||
	    elf_file_has(&m->file, ".zdebug_info")) {
		m->dwarf = dwarf_tables_new(&m->file);
		return;
	}
	int here =
	    m->debug.elf || elf_file_open_debug(&m->file, &m->debug) == 0;
	if (!here &&
	    (is_libc(m) || elf_file_fetch_debug(&m->file, &m->debug) != 0))
		return;
	functions_load(&m->debug_functions, &m->debug, SYMBOL_FUNCTION);
	if (!is_libc(m))
		m->dwarf = dwarf_tables_new(&m->debug);
}

const char *
symbols_heap(struct symbol_module *m)
{
	const char *name = strrchr(m->path, '/');
	/* the dynamic linker has one for itself */
	if (name && !strncmp(name, "/ld-", 4))
		return NULL;
	open_file(m);
	return functions_heap(&m->functions);
}

/* A file without .symtab has only what it exports: then the separate debug
 * file knows more. */
static void
load_objects(struct symbol_module *m, int tls)
{
	enum symbol_kind kind = tls ? SYMBOL_TLS : SYMBOL_OBJECT;
	open_file(m);
	m->looked[tls] = 1;
	if (!m->file.elf)
		return;
	if (!elf_file_has(&m->file, ".symtab") && !m->debug.elf)
		elf_file_open_debug(&m->file, &m->debug);
	if (m->debug.elf)
		functions_load(&m->objects[tls], &m->debug, kind);
	if (m->objects[tls].n == 0)
		functions_load(&m->objects[tls], &m->file, kind);
}

int
symbols_object(struct symbol_module *m, uint64_t address, int tls,
	       struct symbol_object *o)
{
	if (!m->looked[tls])
		load_objects(m, tls);
	const struct function_symbol *s =
	    functions_find(&m->objects[tls], &m->owner->arena, address);
	if (!s)
		return -1;
	*o = (struct symbol_object){ s->name, s->start, s->end - s->start };
	return 0;
}

static const struct function_symbol *
symbol_at(struct symbol_module *m, uint64_t address)
{
	struct arena *a = &m->owner->arena;
	const struct function_symbol *s =
	    functions_find(&m->debug_functions, a, address);
	return s ? s : functions_find(&m->functions, a, address);
}

/* The linker's name of a function that DWARF describes by a mere name: with
 * namespaces and parameters, without what marks a part of it. */
static const char *
full_name(struct symbol_module *m, const struct function_symbol *s,
	  const char *plain)
{
	if (!s || s->raw[0] != '_' || (s->raw[1] != 'Z' && s->raw[1] != 'R'))
		return plain;
	const char *clone = strstr(s->name, " [clone ");
	if (!clone)
		return s->name;
	char *whole = strndup(s->name, (size_t)(clone - s->name));
	const char *kept = whole ? arena_text(&m->owner->arena, whole) : plain;
	free(whole);
	return kept;
}

size_t
symbols_lookup(struct symbol_module *m, uint64_t address,
	       const struct symbol_frame **out)
{
	struct symbol_frame *frames = m->owner->frames;
	size_t n = 0;
	int plain = 0;
	*out = frames;
	if (!m->tried)
		open_debug(m);
	if (m->dwarf)
		n = dwarf_tables_find(m->dwarf, &m->owner->arena, address,
				      frames, FRAMES_MAX, &plain);
	if (n && frames[n - 1].function && !plain)
		return n;
	const struct function_symbol *s = symbol_at(m, address);
	if (n == 0) {
		if (!s)
			return 0;
		frames[n++] = (struct symbol_frame){ 0 };
	}
	struct symbol_frame *outer = &frames[n - 1];
	if (plain)
		outer->function = full_name(m, s, outer->function);
	else
		outer->function = s ? s->name : NULL;
	return n;
}
