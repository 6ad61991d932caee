/*
 * deepbind.c - libc's own malloc is not to be found by anybody.
 *
 * The global scope has our malloc in front of libc's, and libc itself calls
 * ours.  Two roads lead past that: a module opened with RTLD_DEEPBIND looks
 * into its own dependencies first, and dlsym(dlopen("libc.so.6"), "free") asks
 * libc alone.  Both get libc's functions, and the first block of strdup,
 * getline or the program that they free kills the program (php's modules do).
 *
 * So the entries of libc's symbol table that name functions which take or
 * return blocks are made to mean what the global scope means by them.  Whatever
 * the dynamic linker resolves from then on, a module's relocations before its
 * constructors as well as dlsym, ends here; all other symbols keep the order
 * that the program asked for.  What is bound already does not change, it is
 * ours anyway.  The table lies in a private mapping; a few pages of it are
 * copied by the writes.
 *
 * The writes cost a dozen page faults, which most programs need not pay: they
 * happen when the first module is about to be loaded (zm_deepbind_watch), or
 * at once where the program itself calls dlsym.
 *
 * Nothing is done where libc comes before this library in the order of loading
 * (then libc's malloc is the program's), where there is no libc.so, or where
 * the kernel does not allow the write.
 * From libc: dl_iterate_phdr, getauxval, memory and string functions.
 */
#include <link.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "malloc/entry.h"
#include "malloc/state.h"
#include "os/os.h"

/* Addresses come from the GOT: the first definition in the global scope. */
/* clang-format off */
#define BLOCK_FUNCTIONS(X) \
	X(malloc) X(free) X(calloc) X(realloc) \
	X(reallocarray) X(memalign) X(aligned_alloc) X(posix_memalign) \
	X(valloc) X(pvalloc) X(cfree) X(malloc_usable_size) \
	X(free_sized) X(free_aligned_sized) X(__libc_malloc) X(__libc_free) \
	X(__libc_calloc) X(__libc_realloc) X(__libc_memalign) X(__libc_valloc) \
	X(__libc_pvalloc)
/* clang-format on */

enum { FUNCTIONS_MAX = 32 };

typedef ElfW(Addr) elf_addr;
typedef ElfW(Sym) elf_sym;
typedef ElfW(Dyn) elf_dyn;
typedef ElfW(Phdr) elf_phdr;

/* A module's dynamic symbols. */
struct symbols {
	elf_addr bias;
	elf_sym *table;
	const char *names;
	const uint32_t *hash; /* DT_GNU_HASH */
	const char *soname;
	const elf_dyn *dynamic;
	bool ours; /* this library is part of the module */
};

/* A symbol and what it is to mean. */
struct change {
	elf_sym *symbol;
	elf_addr value;
};

struct changes {
	unsigned count;
	struct change list[FUNCTIONS_MAX];
};

/* ---- reading ------------------------------------------------------------ */

ZM_STARTUP static bool
inside(const struct dl_phdr_info *info, uintptr_t p, const elf_phdr **segment)
{
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const elf_phdr *h = &info->dlpi_phdr[i];
		if (h->p_type != PT_LOAD ||
		    p - info->dlpi_addr - h->p_vaddr >= h->p_memsz)
			continue;
		*segment = h;
		return true;
	}
	return false;
}

ZM_STARTUP static bool
read_symbols(const struct dl_phdr_info *info, struct symbols *s)
{
	const elf_dyn *d = NULL;
	uint64_t soname = 0;
	for (unsigned i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			d = (const void *)(info->dlpi_addr +
					   info->dlpi_phdr[i].p_vaddr);
	*s = (struct symbols){ .bias = info->dlpi_addr, .dynamic = d };
	for (; d && d->d_tag != DT_NULL; d++) {
		elf_addr p = d->d_un.d_ptr;
		if (d->d_tag == DT_SYMTAB)
			s->table = (void *)p;
		else if (d->d_tag == DT_STRTAB)
			s->names = (const void *)p;
		else if (d->d_tag == DT_GNU_HASH)
			s->hash = (const void *)p;
		else if (d->d_tag == DT_SONAME)
			soname = d->d_un.d_val;
	}
	/* the vDSO's are not relocated; it is no libc */
	if (!s->table || !s->names || !s->hash ||
	    (uintptr_t)s->names < info->dlpi_addr)
		return false;
	s->soname = s->names + soname;
	return true;
}

static uint32_t
gnu_hash(const char *name)
{
	uint32_t h = 5381;
	for (; *name; name++)
		h = h * 33 + (unsigned char)*name;
	return h;
}

/* All definitions of a name; there is one for each version of it. */
static void
collect(struct changes *c, const struct symbols *s, const char *name,
	elf_addr function)
{
	uint32_t buckets = s->hash[0], first = s->hash[1], words = s->hash[2];
	const uint32_t *bucket =
	    s->hash + 4 + words * (sizeof(elf_addr) / sizeof(uint32_t));
	const uint32_t *chain = bucket + buckets;
	uint32_t h = gnu_hash(name);
	uint32_t i = buckets ? bucket[h % buckets] : 0;
	for (; i >= first && i; i++) {
		elf_sym *y = &s->table[i];
		uint32_t link = chain[i - first];
		if ((link | 1) == (h | 1) && y->st_shndx != SHN_UNDEF &&
		    ELF64_ST_TYPE(y->st_info) == STT_FUNC &&
		    strcmp(s->names + y->st_name, name) == 0 &&
		    c->count < FUNCTIONS_MAX)
			c->list[c->count++] =
			    (struct change){ y, function - s->bias };
		if (link & 1)
			break;
	}
}

/* ---- writing ------------------------------------------------------------ */

/* The pages are writable for the moment of the write only. */
static void
apply(const struct changes *c, unsigned segment_flags)
{
	uintptr_t mask = ~(uintptr_t)(zm_os_page_size() - 1);
	uintptr_t from = UINTPTR_MAX, to = 0;
	int prot = PROT_READ | (segment_flags & PF_X ? PROT_EXEC : 0);
	for (unsigned i = 0; i < c->count; i++) {
		uintptr_t p = (uintptr_t)c->list[i].symbol;
		if ((p & mask) < from)
			from = p & mask;
		if (p + sizeof(elf_sym) > to)
			to = p + sizeof(elf_sym);
	}
	if (to <= from)
		return;
	to = (to + ~mask) & mask;
	if (zm_os_protect((void *)from, to - from, prot | PROT_WRITE))
		return;
	for (unsigned i = 0; i < c->count; i++)
		c->list[i].symbol->st_value = c->list[i].value;
	zm_os_protect((void *)from, to - from, prot);
}

/* Modules come in the order in which the global scope is searched. */
static int
visit(struct dl_phdr_info *info, size_t bytes, void *seen_ours)
{
	struct symbols s;
	const elf_phdr *segment;
	struct changes c = { 0 };
	(void)bytes;
	if (inside(info, (uintptr_t)&zm_slow, &segment))
		*(bool *)seen_ours = true;
	if (!read_symbols(info, &s) || strncmp(s.soname, "libc.so.", 8) != 0)
		return 0;
	if (!*(bool *)seen_ours ||
	    !inside(info, (uintptr_t)s.table, &segment) ||
	    (segment->p_flags & PF_W))
		return 1;
#define COLLECT(name) collect(&c, &s, #name, (elf_addr)&name);
	BLOCK_FUNCTIONS(COLLECT)
#undef COLLECT
	apply(&c, segment->p_flags);
	return 1;
}

void
zm_deepbind(void)
{
	bool seen_ours = false;
	if (!__atomic_exchange_n(&zm_linker.bytes, 0, __ATOMIC_RELAXED))
		return;
	dl_iterate_phdr(visit, &seen_ours);
}

/* ---- libc's functions themselves ---------------------------------------- */

struct wanted {
	const char *name;
	uintptr_t at;
	size_t bytes;
};

static int
find_function(struct dl_phdr_info *info, size_t bytes, void *ctx)
{
	struct wanted *w = ctx;
	struct symbols s;
	struct changes c = { 0 };
	(void)bytes;
	if (!read_symbols(info, &s) || strncmp(s.soname, "libc.so.", 8) != 0)
		return 0;
	collect(&c, &s, w->name, 0);
	if (c.count) {
		w->at = s.bias + c.list[0].symbol->st_value;
		w->bytes = c.list[0].symbol->st_size;
	}
	return 1;
}

uintptr_t
zm_libc_function(const char *name, size_t *bytes)
{
	struct wanted w = { name, 0, 0 };
	dl_iterate_phdr(find_function, &w);
	*bytes = w.bytes;
	return w.at;
}

/* ---- when --------------------------------------------------------------- */

enum { SYMBOLS_MAX = 4096 }; /* a program with more is not searched */

struct zm_linker zm_linker;

/* What a module at base takes up; 0 when there is none. */
ZM_STARTUP static size_t
extent(uintptr_t base)
{
	const ElfW(Ehdr) *e = (const void *)base;
	size_t end = 0;
	if (!base)
		return 0;
	const elf_phdr *h = (const void *)(base + e->e_phoff);
	for (unsigned i = 0; i < e->e_phnum; i++)
		if (h[i].p_type == PT_LOAD && h[i].p_vaddr + h[i].p_memsz > end)
			end = h[i].p_vaddr + h[i].p_memsz;
	return end;
}

/* The main program's own symbols, found without the dynamic linker's help. */
ZM_STARTUP static bool
program_symbols(struct symbols *s)
{
	struct dl_phdr_info info = {
		.dlpi_phdr = (const elf_phdr *)getauxval(AT_PHDR),
		.dlpi_phnum = (ElfW(Half))getauxval(AT_PHNUM),
	};
	bool have = false;
	for (unsigned i = 0; info.dlpi_phdr && i < info.dlpi_phnum; i++)
		if (info.dlpi_phdr[i].p_type == PT_PHDR) {
			info.dlpi_addr = (elf_addr)info.dlpi_phdr -
					 info.dlpi_phdr[i].p_vaddr;
			have = true;
		}
	const elf_phdr *segment;
	if (!have || !read_symbols(&info, s))
		return false;
	s->ours = inside(&info, (uintptr_t)&zm_slow, &segment);
	return true;
}

ZM_STARTUP static bool
is_dlsym(const char *s)
{
	return s[0] == 'd' && s[1] == 'l' && s[2] == 's' && s[3] == 'y' &&
	       s[4] == 'm' && !s[5];
}

/* Symbols lie before their names; so the linkers have it. */
ZM_STARTUP static bool
calls_dlsym(const struct symbols *s)
{
	uintptr_t bytes = (uintptr_t)s->names - (uintptr_t)s->table;
	size_t count = bytes / sizeof(elf_sym);
	if (count > SYMBOLS_MAX)
		return true;
	for (size_t i = 1; i < count; i++)
		if (s->table[i].st_shndx == SHN_UNDEF &&
		    is_dlsym(s->names + s->table[i].st_name))
			return true;
	return false;
}

ZM_STARTUP static bool
is_libzmalloc(const char *s)
{
	return s[0] == 'l' && s[1] == 'i' && s[2] == 'b' && s[3] == 'z' &&
	       s[4] == 'm' && s[5] == 'a' && s[6] == 'l' && s[7] == 'l' &&
	       s[8] == 'o' && s[9] == 'c';
}

/* Not only preloaded: the program was linked with the library. */
ZM_STARTUP static bool
is_linked(const struct symbols *s)
{
	if (s->ours)
		return true;
	for (const elf_dyn *d = s->dynamic; d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_NEEDED &&
		    is_libzmalloc(s->names + d->d_un.d_val))
			return true;
	return false;
}

ZM_STARTUP bool
zm_deepbind_start(void)
{
	struct symbols s;
	zm_linker.base = getauxval(AT_BASE);
	zm_linker.bytes = extent(zm_linker.base);
	if (!program_symbols(&s))
		return true; /* static, or something else to be careful with */
	if (calls_dlsym(&s))
		zm_deepbind();
	return is_linked(&s);
}
