/*
 * symbols_dwarf.c - tables of DWARF's units, functions and inlined calls.
 *
 * libdw's own look-ups walk lists; here a module's units are put into one
 * sorted table of ranges, and a unit's functions and inlined calls into
 * another when an address of that unit is asked for the first time.
 *
 * Files may be damaged or hostile: numbers of entries and depth are bounded,
 * and ranges that do not nest only give poorer answers.
 */
#include "symbols_parts.h"

#include <dwarf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DEPTH_MAX = 200,       /* nesting of entries in a unit */
	ENTRIES_MAX = 4 << 20, /* entries visited in one unit */
	UNITS_MAX = 1 << 20,
	RANGES_MAX = 4 << 20,
	PATHS_KEPT = 32
};

struct range {
	uint64_t low, high;
	uint32_t item;	/* unit or scope */
	uint32_t outer; /* index + 1 of the nearest range around; 0: none */
	uint32_t depth;
};

/* Ranges sorted by low; of equal ones the outer is first. */
struct ranges {
	struct range *all;
	size_t n, room;
};

/* A function or an inlined call. */
struct scope {
	Dwarf_Die die;
	const char *name; /* once asked for */
	uint8_t named, inlined, plain;
};

struct unit {
	Dwarf_Die die; /* the skeleton's, if split: it has the lines */
	Dwarf_Die tree;
	int loaded;
	struct scope *scopes;
	size_t scope_count, scope_room;
	struct ranges ranges;
	/* paths made absolute, by libdw's string */
	struct {
		const char *raw, *path;
	} paths[PATHS_KEPT];
};

struct dwarf_tables {
	Dwarf *dwarf;
	struct unit *units;
	size_t unit_count;
	struct ranges ranges;
};

/* ---- ranges ----------------------------------------------------------- */

static void
ranges_add(struct ranges *r, uint64_t low, uint64_t high, uint32_t item,
	   uint32_t depth)
{
	/* low 0: code that the linker threw away */
	if (low >= high || low == 0 || r->n >= RANGES_MAX)
		return;
	if (r->n == r->room) {
		size_t room = r->room ? 2 * r->room : 64;
		struct range *all = reallocarray(r->all, room, sizeof *r->all);
		if (!all)
			return;
		r->all = all;
		r->room = room;
	}
	r->all[r->n++] = (struct range){ low, high, item, 0, depth };
}

static void
ranges_add_die(struct ranges *r, Dwarf_Die *die, uint32_t item, uint32_t depth)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t off = 0;
	while ((off = dwarf_ranges(die, off, &base, &low, &high)) > 0)
		ranges_add(r, low, high, item, depth);
}

static int
by_low(const void *a, const void *b)
{
	const struct range *x = a, *y = b;
	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	if (x->high != y->high)
		return x->high > y->high ? -1 : 1;
	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	return (x->item > y->item) - (x->item < y->item);
}

/* Sorts, and links each range to the one around it. */
static void
ranges_finish(struct ranges *r)
{
	if (r->n == 0)
		return;
	qsort(r->all, r->n, sizeof *r->all, by_low);
	uint32_t top = 0; /* innermost range still open, + 1 */
	for (size_t i = 0; i < r->n; i++) {
		while (top && r->all[top - 1].high <= r->all[i].low)
			top = r->all[top - 1].outer;
		r->all[i].outer = top;
		top = (uint32_t)i + 1;
	}
}

/* The innermost range that holds the address, or NULL. */
static const struct range *
ranges_find(const struct ranges *r, uint64_t address)
{
	size_t low = 0, high = r->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (r->all[middle].low <= address)
			low = middle + 1;
		else
			high = middle;
	}
	while (low && address >= r->all[low - 1].high)
		low = r->all[low - 1].outer;
	return low ? &r->all[low - 1] : NULL;
}

static const struct range *
range_outer(const struct ranges *r, const struct range *inner, uint64_t address)
{
	uint32_t i = inner->outer;
	while (i && address >= r->all[i - 1].high)
		i = r->all[i - 1].outer;
	return i ? &r->all[i - 1] : NULL;
}

/* ---- units ------------------------------------------------------------ */

static void
load_units(struct dwarf_tables *t)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die, sub;
	uint8_t type;
	size_t room = 0;
	while (t->unit_count < UNITS_MAX &&
	       dwarf_get_units(t->dwarf, cu, &cu, NULL, &type, &die, &sub) ==
		   0) {
		if (type != DW_UT_compile && type != DW_UT_skeleton)
			continue;
		if (t->unit_count == room) {
			room = room ? 2 * room : 64;
			struct unit *u =
			    reallocarray(t->units, room, sizeof *u);
			if (!u)
				return;
			t->units = u;
		}
		int split = type == DW_UT_skeleton &&
			    dwarf_tag(&sub) == DW_TAG_compile_unit;
		t->units[t->unit_count] =
		    (struct unit){ .die = die, .tree = split ? sub : die };
		ranges_add_die(&t->ranges, &die, (uint32_t)t->unit_count, 0);
		t->unit_count++;
	}
}

/*
 * Sections of debug information that somebody here asks for.  The others (lists
 * of places of variables above all) are a quarter of a debug file.
 */
static int
is_needed(const char *name, const GElf_Shdr *sh)
{
	static const char *const unused[] = { "loc",	 "frame",   "aranges",
					      "pub",	 "macinfo", "macro",
					      "gnu_pub", "names",   NULL };
	(void)sh;
	if (!strncmp(name, ".gnu_debugaltlink", 17))
		return 1;
	if (strncmp(name, ".debug_", 7) != 0 && strncmp(name, ".zdebug_", 8))
		return 0;
	name = strchr(name, '_') + 1;
	for (const char *const *u = unused; *u; u++)
		if (!strncmp(name, *u, strlen(*u)))
			return 0;
	return 1;
}

/* libdw unpacks every section of debug information at once.  It leaves out
 * sections without contents, so those are made to look so, in our copy. */
static void
hide_unused(const struct elf_file *f)
{
	size_t names;
	GElf_Shdr sh;
	if (elf_getshdrstrndx(f->elf, &names) != 0)
		return;
	for (Elf_Scn *s = NULL; (s = elf_nextscn(f->elf, s));) {
		if (!gelf_getshdr(s, &sh))
			continue;
		const char *name = elf_strptr(f->elf, names, sh.sh_name);
		if (!name || !strstr(name, "debug_") || is_needed(name, &sh))
			continue;
		sh.sh_type = SHT_NOBITS;
		gelf_update_shdr(s, &sh);
	}
}

struct dwarf_tables *
dwarf_tables_new(struct elf_file *f)
{
	struct dwarf_tables *t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	elf_file_read(f, is_needed);
	hide_unused(f);
	t->dwarf = dwarf_begin_elf(f->elf, DWARF_C_READ, NULL);
	if (t->dwarf)
		load_units(t);
	ranges_finish(&t->ranges);
	if (t->ranges.n)
		return t;
	dwarf_tables_free(t);
	return NULL;
}

void
dwarf_tables_free(struct dwarf_tables *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->unit_count; i++) {
		free(t->units[i].scopes);
		free(t->units[i].ranges.all);
	}
	free(t->units);
	free(t->ranges.all);
	if (t->dwarf)
		dwarf_end(t->dwarf);
	free(t);
}

/* ---- functions and inlined calls of a unit ---------------------------- */

static void
add_scope(struct unit *u, Dwarf_Die *die, int inlined, uint32_t depth)
{
	size_t before = u->ranges.n;
	ranges_add_die(&u->ranges, die, (uint32_t)u->scope_count, depth);
	if (u->ranges.n == before)
		return;
	if (u->scope_count == u->scope_room) {
		size_t room = u->scope_room ? 2 * u->scope_room : 64;
		struct scope *s = reallocarray(u->scopes, room, sizeof *s);
		if (!s) {
			u->ranges.n = before;
			return;
		}
		u->scopes = s;
		u->scope_room = room;
	}
	u->scopes[u->scope_count++] =
	    (struct scope){ .die = *die, .inlined = (uint8_t)inlined };
}

/* Can code lie somewhere below an entry of this kind? */
static int
worth_entering(int tag)
{
	switch (tag) {
	case DW_TAG_subprogram:
	case DW_TAG_inlined_subroutine:
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_interface_type:
	case DW_TAG_compile_unit:
	case DW_TAG_partial_unit:
		return 1;
	default:
		return 0;
	}
}

/* All entries below the root, depth first. */
static void
load_scopes(struct unit *u)
{
	Dwarf_Die path[DEPTH_MAX];
	uint32_t depth = 0, visited = 0;
	u->loaded = 1;
	if (dwarf_child(&u->tree, &path[0]) != 0)
		return;
	while (visited++ < ENTRIES_MAX) {
		Dwarf_Die *die = &path[depth];
		int tag = dwarf_tag(die);
		if (tag == DW_TAG_subprogram)
			add_scope(u, die, 0, depth);
		else if (tag == DW_TAG_inlined_subroutine)
			add_scope(u, die, 1, depth);
		if (worth_entering(tag) && depth + 1 < DEPTH_MAX &&
		    dwarf_child(die, &path[depth + 1]) == 0) {
			depth++;
			continue;
		}
		while (dwarf_siblingof(&path[depth], &path[depth]) != 0) {
			if (depth == 0)
				goto done;
			depth--;
		}
	}
done:
	ranges_finish(&u->ranges);
}

/* ---- answers ---------------------------------------------------------- */

static const char *
scope_name(struct scope *s, struct arena *a)
{
	Dwarf_Attribute attr;
	const char *name = NULL;
	if (s->named)
		return s->name;
	s->named = 1;
	if (dwarf_attr_integrate(&s->die, DW_AT_linkage_name, &attr) ||
	    dwarf_attr_integrate(&s->die, DW_AT_MIPS_linkage_name, &attr))
		name = dwarf_formstring(&attr);
	if (!name && dwarf_attr_integrate(&s->die, DW_AT_name, &attr)) {
		name = dwarf_formstring(&attr);
		s->plain = 1;
	}
	if (name && *name)
		s->name = symbols_demangle(a, name);
	return s->name;
}

/* A source file's path, absolute where the unit names its folder. */
static const char *
unit_path(struct unit *u, const char *raw, struct arena *a)
{
	Dwarf_Attribute attr;
	size_t slot = ((uintptr_t)raw >> 3) % PATHS_KEPT;
	if (u->paths[slot].raw == raw)
		return u->paths[slot].path;
	const char *dir = NULL, *path = NULL;
	if (*raw != '/')
		dir = dwarf_formstring(
		    dwarf_attr(&u->die, DW_AT_comp_dir, &attr));
	size_t room = strlen(raw) + (dir ? strlen(dir) : 0) + 2;
	char *joined = dir && *dir ? malloc(room) : NULL;
	if (joined)
		snprintf(joined, room, "%s/%s", dir, raw);
	path = arena_text(a, joined ? joined : raw);
	free(joined);
	u->paths[slot].raw = raw;
	u->paths[slot].path = path;
	return path;
}

static void
unit_line(struct unit *u, uint64_t address, struct arena *a,
	  struct symbol_frame *f)
{
	Dwarf_Line *line = dwarf_getsrc_die(&u->die, address);
	const char *file = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
	if (!file || dwarf_lineno(line, &f->line) != 0)
		return;
	f->file = unit_path(u, file, a);
	if (f->line < 0)
		f->line = 0;
}

/* Where an inlined call was made: the line of the frame around it. */
static void
call_line(struct unit *u, struct scope *s, struct arena *a,
	  struct symbol_frame *f)
{
	Dwarf_Attribute attr;
	Dwarf_Word file, line;
	Dwarf_Files *files;
	size_t n;
	f->file = NULL;
	f->line = 0;
	if (dwarf_formudata(dwarf_attr(&s->die, DW_AT_call_file, &attr),
			    &file) != 0 ||
	    dwarf_getsrcfiles(&u->die, &files, &n) != 0 || file >= n)
		return;
	const char *name = dwarf_filesrc(files, (size_t)file, NULL, NULL);
	if (!name)
		return;
	f->file = unit_path(u, name, a);
	if (dwarf_formudata(dwarf_attr(&s->die, DW_AT_call_line, &attr),
			    &line) == 0 &&
	    line <= INT32_MAX)
		f->line = (int)line;
}

size_t
dwarf_tables_find(struct dwarf_tables *t, struct arena *a, uint64_t address,
		  struct symbol_frame *frames, size_t max, int *plain)
{
	const struct range *r = ranges_find(&t->ranges, address);
	size_t n = 0;
	*plain = 0;
	if (!r || max == 0)
		return 0;
	struct unit *u = &t->units[r->item];
	struct symbol_frame f = { 0 };
	if (!u->loaded)
		load_scopes(u);
	unit_line(u, address, a, &f);
	r = ranges_find(&u->ranges, address);
	while (r && n + 1 < max) {
		struct scope *s = &u->scopes[r->item];
		f.function = scope_name(s, a);
		f.inlined = (int)s->inlined;
		frames[n++] = f;
		*plain = s->plain && !s->inlined;
		if (!s->inlined)
			return n;
		call_line(u, s, a, &f);
		r = range_outer(&u->ranges, r, address);
	}
	/* a line without a function, or inlined into one without an entry */
	f.function = NULL;
	f.inlined = 0;
	if (f.file || n)
		frames[n++] = f;
	return n;
}
