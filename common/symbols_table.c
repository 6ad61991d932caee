/*
 * symbols_table.c - the functions or objects of a symbol table, sorted by
 * address; names are demangled when they are first asked for.
 */
#include "symbols_parts.h"

#include <libiberty/demangle.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_LIMIT = 16384, ARENA_CHUNK = 64 << 10 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, room;
	char bytes[];
};

char *
arena_text(struct arena *a, const char *text)
{
	size_t n = strlen(text) + 1;
	struct arena_chunk *c = a->chunks;
	if (!c || c->room - c->used < n) {
		size_t room = n > ARENA_CHUNK ? n : ARENA_CHUNK;
		c = malloc(sizeof *c + room);
		if (!c)
			return NULL;
		*c = (struct arena_chunk){ a->chunks, 0, room };
		a->chunks = c;
	}
	char *copy = memcpy(c->bytes + c->used, text, n);
	c->used += n;
	return copy;
}

void
arena_free(struct arena *a)
{
	struct arena_chunk *c = a->chunks;
	while (c) {
		struct arena_chunk *next = c->next;
		free(c);
		c = next;
	}
	a->chunks = NULL;
}

const char *
symbols_demangle(struct arena *a, const char *name)
{
	char *plain = NULL, *bare = NULL;
	/* "stdout@@GLIBC_2.2.5": which version it is is no part of its name */
	const char *version = strchr(name, '@');
	if (version && version != name)
		name = bare = strndup(name, (size_t)(version - name));
	if (!name)
		return NULL;
	/* "_Z": C++ and older Rust, "_R": Rust */
	if (name[0] == '_' && (name[1] == 'Z' || name[1] == 'R') &&
	    strlen(name) < NAME_LIMIT)
		plain =
		    cplus_demangle(name, DMGL_PARAMS | DMGL_ANSI | DMGL_AUTO);
	const char *kept = arena_text(a, plain ? plain : name);
	free(plain);
	free(bare);
	return kept;
}

static int
is_wanted(const GElf_Sym *s, const char *name, enum symbol_kind kind)
{
	unsigned type = GELF_ST_TYPE(s->st_info);
	if (s->st_shndx == SHN_UNDEF || s->st_shndx == SHN_ABS || !name ||
	    !*name)
		return 0;
	if (kind == SYMBOL_TLS) /* the first one's value is 0 */
		return type == STT_TLS;
	if (s->st_value == 0)
		return 0;
	/* "$x" and the like only mark code and data on ARM */
	if (name[0] == '$' && name[1] && (!name[2] || name[2] == '.'))
		return 0;
	if (kind == SYMBOL_OBJECT)
		return type == STT_OBJECT;
	return type == STT_FUNC || type == STT_GNU_IFUNC ||
	       (type == STT_NOTYPE && s->st_size > 0);
}

/* Functions that tell of a heap, by bit: malloc and free of its own, that of
 * libc or of this project, and what known allocators call theirs. */
static const char *const heap_names[] = {
	"malloc",    "free",	     "__libc_malloc",  "malloc_default_zone",
	"je_malloc", "_rjem_malloc", "mi_malloc",      "tc_malloc",
	"rpmalloc",  "hoard_malloc", "scalable_malloc"
};
enum { OWN = 1 | 2, NOT_FOREIGN = 4 | 8, NAMED = 4 };

static unsigned
heap_bit(const char *name)
{
	for (unsigned i = 0; i < sizeof heap_names / sizeof *heap_names; i++)
		if (!strcmp(name, heap_names[i]))
			return 1u << i;
	return 0;
}

const char *
functions_heap(const struct function_table *t)
{
	if (t->heap & NOT_FOREIGN)
		return NULL;
	if (t->heap >> NAMED)
		return heap_names[NAMED + __builtin_ctz(t->heap >> NAMED)];
	return (t->heap & OWN) == OWN ? heap_names[0] : NULL;
}

static int
by_start(const void *a, const void *b)
{
	const struct function_symbol *x = a, *y = b;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	/* longest first, then the name that is no alias with underscores */
	if (x->end != y->end)
		return x->end > y->end ? -1 : 1;
	size_t p = strspn(x->raw, "_"), q = strspn(y->raw, "_");
	if (p != q)
		return p < q ? -1 : 1;
	return strcmp(x->raw, y->raw);
}

static void
load_section(struct function_table *t, const struct elf_file *f, Elf_Scn *scn,
	     const GElf_Shdr *sh, enum symbol_kind kind)
{
	Elf_Data *d = elf_getdata(scn, NULL);
	GElf_Sym s;
	if (!d || sh->sh_entsize == 0)
		return;
	size_t n = d->d_size / sh->sh_entsize;
	struct function_symbol *all =
	    reallocarray(t->symbols, t->n + n, sizeof *all);
	if (!all)
		return;
	t->symbols = all;
	for (size_t i = 0; i < n && i < INT32_MAX; i++) {
		if (!gelf_getsym(d, (int)i, &s))
			break;
		const char *name = elf_strptr(f->elf, sh->sh_link, s.st_name);
		if (!is_wanted(&s, name, kind))
			continue;
		if (strstr(name, "malloc") || name[0] == 'f')
			t->heap |= heap_bit(name);
		uint64_t end = s.st_value + s.st_size;
		all[t->n++] = (struct function_symbol){
			s.st_value, end < s.st_value ? s.st_value : end, name,
			NULL
		};
	}
}

static int
is_table(const char *name, const GElf_Shdr *sh)
{
	return sh->sh_type == SHT_SYMTAB || sh->sh_type == SHT_DYNSYM ||
	       (sh->sh_type == SHT_STRTAB && strstr(name, "str"));
}

void
functions_load(struct function_table *t, struct elf_file *f,
	       enum symbol_kind kind)
{
	static const GElf_Word kinds[] = { SHT_SYMTAB, SHT_DYNSYM };
	GElf_Shdr sh;
	elf_file_read(f, is_table);
	for (int k = 0; k < 2 && t->n == 0; k++)
		for (Elf_Scn *s = NULL; (s = elf_nextscn(f->elf, s));)
			if (gelf_getshdr(s, &sh) && sh.sh_type == kinds[k])
				load_section(t, f, s, &sh, kind);
	if (t->n == 0)
		return;
	qsort(t->symbols, t->n, sizeof *t->symbols, by_start);
	size_t kept = 1;
	for (size_t i = 1; i < t->n; i++)
		if (t->symbols[i].start != t->symbols[kept - 1].start)
			t->symbols[kept++] = t->symbols[i];
	t->n = kept;
}

void
functions_free(struct function_table *t)
{
	free(t->symbols);
	*t = (struct function_table){ 0 };
}

const struct function_symbol *
functions_find(struct function_table *t, struct arena *a, uint64_t address)
{
	size_t low = 0, high = t->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (t->symbols[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* The nearest symbol before need not be the one that contains the
	 * address: a short one may lie inside a longer one. */
	for (size_t back = 0; low > 0 && back < 16; back++) {
		struct function_symbol *s = &t->symbols[--low];
		/* without a size it reaches to the next symbol */
		if (address >= s->end && (s->end != s->start || back > 0))
			continue;
		if (!s->name)
			s->name = symbols_demangle(a, s->raw);
		return s;
	}
	return NULL;
}
