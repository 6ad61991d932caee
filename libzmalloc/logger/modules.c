/*
 * modules.c - which file a return address belongs to, also after dlclose.
 *
 * Modules are learnt with dl_iterate_phdr when a stack with a new frame is
 * seen and the loader's counters have moved; each gets an entry in the
 * segment that stays for ever.  Look-ups go through a sorted map that is
 * replaced as a whole and read without a lock; replaced maps are kept, they
 * are small.  The loader's lock is taken while no lock of ours is held.
 * Called by stacks.c.
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "logger/logger.h"
#include "logger/rules.h"
#include "os/os.h"

#define uthash_malloc(bytes)	zm_logger_alloc(bytes)
#define uthash_free(p, bytes)	zm_logger_free(p)
#define HASH_NONFATAL_OOM	1
#define uthash_nonfatal_oom(el) ((void)(el))
#include <uthash.h>

enum { PATH_BYTES = 4096, IDS_MAX = 4096 };

/* What the loader says of one module. */
struct found {
	uintptr_t start, end, bias;
	struct zm_frames frames;
	uint8_t id_bytes;
	uint8_t id[31];
	char name[]; /* with its NUL */
};

/* A module of the table that is loaded. */
struct known {
	uintptr_t start; /* key */
	uintptr_t end;
	uint32_t index;
	uint32_t seen; /* number of the refresh that met it last */
	struct zm_frames frames;
	UT_hash_handle hh;
};

struct span {
	uintptr_t start, end;
	struct zm_frames frames;
	uint32_t index;
};

/* Modules that are gone since the rules for their addresses were learnt. */
enum { GONE_MAX = 16 };
struct gone {
	unsigned count;
	struct {
		uintptr_t start, end;
	} span[GONE_MAX];
};

struct map {
	uint32_t count;
	struct span span[];
};

/* Everything the callback writes. */
struct listing {
	unsigned long long adds, subs;
	struct found **list;
	uint32_t count, room;
	bool changed, failed;
	char *path; /* [PATH_BYTES]; threads may have little stack */
};

static struct zm_lock modules_lock = ZM_LOCK_INIT(ZM_RANK_LOGGER);
static struct known *known;
static struct map *map; /* atomic */
static uint32_t round_number;
static unsigned long long last_adds, last_subs;
/* What the parent knew last, in a fork child until it looks itself. */
static unsigned long long forked_adds, forked_subs;

static const struct span *
span_of(uintptr_t pc)
{
	const struct map *m = __atomic_load_n(&map, __ATOMIC_ACQUIRE);
	uint32_t lo = 0, hi = m ? m->count : 0;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		if (pc < m->span[mid].start)
			hi = mid;
		else if (pc >= m->span[mid].end)
			lo = mid + 1;
		else
			return &m->span[mid];
	}
	return NULL;
}

unsigned
zm_module_of(uintptr_t pc)
{
	const struct span *s = span_of(pc);

	return s ? s->index : 0;
}

bool
zm_module_frames(uintptr_t pc, struct zm_frames *f)
{
	const struct span *s = span_of(pc);

	if (!s || !s->frames.hdr)
		return false;
	*f = s->frames;
	return true;
}

bool
zm_module_range(uintptr_t pc, uintptr_t *start, uintptr_t *end)
{
	const struct span *s = span_of(pc);

	if (!s)
		return false;
	*start = s->start;
	*end = s->end;
	return true;
}

/* ---- listing ---------------------------------------------------------- */

/* The NT_GNU_BUILD_ID note between p and end. */
static void
note_id(struct found *f, const char *p, const char *end, size_t align)
{
	size_t mask = (align == 8 ? 8 : 4) - 1;

	while (p + sizeof(ElfW(Nhdr)) <= end) {
		const ElfW(Nhdr) *n = (const void *)p;
		const char *name = p + sizeof *n;
		size_t names = (n->n_namesz + mask) & ~mask;
		size_t descs = (n->n_descsz + mask) & ~mask;
		if (names > (size_t)(end - name) ||
		    descs > (size_t)(end - name) - names)
			return;
		if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 &&
		    !memcmp(name, "GNU", 4)) {
			f->id_bytes = n->n_descsz < sizeof f->id
					  ? (uint8_t)n->n_descsz
					  : (uint8_t)sizeof f->id;
			memcpy(f->id, name + names, f->id_bytes);
			return;
		}
		p = name + names + descs;
	}
}

/* The table of frames, and the readable segment that it lies in. */
static void
find_frames(struct found *f, const struct dl_phdr_info *info)
{
	const ElfW(Phdr) *p = info->dlpi_phdr, *end = p + info->dlpi_phnum;
	uintptr_t hdr = 0;

	for (; p < end; p++) {
		if (p->p_type == PT_GNU_EH_FRAME)
			hdr = info->dlpi_addr + p->p_vaddr;
	}
	for (p = info->dlpi_phdr; hdr && p < end; p++) {
		uintptr_t a = info->dlpi_addr + p->p_vaddr;
		if (p->p_type == PT_LOAD && p->p_flags & PF_R && hdr >= a &&
		    hdr - a < p->p_filesz)
			f->frames =
			    (struct zm_frames){ hdr, a, a + p->p_filesz };
	}
}

static void
read_headers(struct found *f, const struct dl_phdr_info *info)
{
	f->start = UINTPTR_MAX;
	f->bias = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t a = info->dlpi_addr + p->p_vaddr;
		if (p->p_type != PT_LOAD)
			continue;
		if (a < f->start)
			f->start = a;
		if (a + p->p_memsz > f->end)
			f->end = a + p->p_memsz;
	}
	find_frames(f, info);
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t a = info->dlpi_addr + p->p_vaddr;
		if (p->p_type == PT_NOTE && !f->id_bytes && a >= f->start &&
		    p->p_memsz <= f->end - a)
			note_id(f, (const char *)a,
				(const char *)a + p->p_memsz, p->p_align);
	}
}

/* The path of a module: absolute where it can be known. */
static size_t
module_path(const struct dl_phdr_info *info, bool first, char *to)
{
	const char *name = info->dlpi_name ? info->dlpi_name : "";
	unsigned long vdso = getauxval(AT_SYSINFO_EHDR);
	size_t len = strlen(name), at = 0;
	ssize_t n;

	if (vdso && info->dlpi_addr == vdso) {
		memcpy(to, "[vdso]", 6);
		return 6;
	}
	if (first && !len) {
		n = zm_os_readlink("/proc/self/exe", to, PATH_BYTES - 1);
		return n > 0 ? (size_t)n : 0;
	}
	if (len && name[0] != '/' && strchr(name, '/')) {
		n = zm_os_syscall(SYS_getcwd, (long)to, PATH_BYTES / 2, 0, 0, 0,
				  0);
		if (n > 1) {
			at = (size_t)n; /* counts the NUL, which becomes '/' */
			to[at - 1] = '/';
		}
	}
	if (len > PATH_BYTES - 1 - at)
		len = PATH_BYTES - 1 - at;
	memcpy(to + at, name, len);
	return at + len;
}

static bool
listing_add(struct listing *l, struct found *f)
{
	if (l->count == l->room) {
		uint32_t room = l->room ? l->room * 2 : 64;
		struct found **list = zm_logger_alloc(room * sizeof *list);
		if (!list)
			return false;
		if (l->count)
			memcpy(list, l->list, l->count * sizeof *list);
		zm_logger_free(l->list);
		l->list = list;
		l->room = room;
	}
	l->list[l->count++] = f;
	return true;
}

/* Stops at the first module when nothing was loaded or unloaded since. */
static int
visit(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct listing *l = ctx;
	bool first = l->count == 0;

	if (first && size >= offsetof(struct dl_phdr_info, dlpi_subs) +
				 sizeof info->dlpi_subs) {
		l->adds = info->dlpi_adds;
		l->subs = info->dlpi_subs;
		if (l->adds == last_adds && l->subs == last_subs)
			return 1;
	}
	l->changed = true;
	if (!l->path)
		l->path = zm_logger_alloc(PATH_BYTES);
	size_t len = l->path ? module_path(info, first, l->path) : 0;
	struct found *f = l->path ? zm_logger_alloc(sizeof *f + len + 1) : NULL;
	if (!f || !listing_add(l, f)) {
		l->failed = true;
		return 1;
	}
	memset(f, 0, sizeof *f);
	memcpy(f->name, l->path, len);
	f->name[len] = 0;
	read_headers(f, info);
	return 0;
}

/* ---- taking it over; modules_lock held -------------------------------- */

static bool
same(const struct known *k, const struct found *f)
{
	const struct zs_module *m = &zm_session.modules[k->index];

	return k->end == f->end && m->build_id_bytes == f->id_bytes &&
	       !memcmp(m->build_id, f->id, f->id_bytes) && m->path &&
	       !strcmp(zm_session.base + m->path, f->name);
}

static void
module_gone(struct known *k, struct gone *gone)
{
	uint64_t now = zm_session_ns();

	if (gone->count < GONE_MAX) {
		gone->span[gone->count].start = k->start;
		gone->span[gone->count].end = k->end;
	}
	gone->count++;
	zm_session.modules[k->index].unloaded_ns = now ? now : 1;
	HASH_DEL(known, k);
	zm_logger_free(k);
}

static void
module_new(const struct found *f)
{
	struct known *k = zm_logger_alloc(sizeof *k);
	uint32_t i = k ? zm_session.h->modules.count : 0;
	struct zs_module *m = &zm_session.modules[i];

	if (!k || i >= zm_session.h->modules.capacity ||
	    !zm_table_open(&zm_session.h->modules, i)) {
		zm_logger_free(k);
		return;
	}
	m->start = f->start;
	m->end = f->end;
	m->bias = f->bias;
	m->path = zm_pool_string(f->name, strlen(f->name));
	m->loaded_ns = zm_session_ns();
	m->build_id_bytes = f->id_bytes;
	memcpy(m->build_id, f->id, sizeof m->build_id);
	__atomic_store_n(&zm_session.h->modules.count, i + 1, __ATOMIC_RELEASE);
	memset(k, 0, sizeof *k);
	k->start = f->start;
	k->end = f->end;
	k->index = i;
	k->frames = f->frames;
	k->seen = round_number;
	HASH_ADD(hh, known, start, sizeof k->start, k);
}

static void
publish_map(void)
{
	uint32_t n = HASH_COUNT(known), at = 0;
	struct map *m = zm_logger_alloc(sizeof *m + n * sizeof m->span[0]);

	if (!m)
		return;
	for (struct known *k = known; k && at < n; k = k->hh.next) {
		uint32_t i = at++;
		for (; i && m->span[i - 1].start > k->start; i--)
			m->span[i] = m->span[i - 1];
		m->span[i] =
		    (struct span){ k->start, k->end, k->frames, k->index };
	}
	m->count = at;
	__atomic_store_n(&map, m, __ATOMIC_RELEASE);
}

static void
take_over(const struct listing *l, struct gone *gone)
{
	struct known *k, *next;

	round_number++;
	for (uint32_t i = 0; i < l->count; i++) {
		const struct found *f = l->list[i];
		if (f->start >= f->end)
			continue;
		HASH_FIND(hh, known, &f->start, sizeof f->start, k);
		if (k && !same(k, f)) {
			module_gone(k, gone);
			k = NULL;
		}
		if (k)
			k->seen = round_number;
		else
			module_new(f);
	}
	for (k = known; k; k = next) {
		next = k->hh.next;
		if (k->seen != round_number)
			module_gone(k, gone);
	}
	publish_map();
}

/* What was learnt about addresses that may mean something else now. */
static void
forget(const struct gone *gone)
{
	if (gone->count > GONE_MAX)
		zm_rules_drop(0, UINTPTR_MAX);
	for (unsigned i = 0; i < gone->count && i < GONE_MAX; i++)
		zm_rules_drop(gone->span[i].start, gone->span[i].end);
	if (gone->count)
		zm_unwind_flush();
}

/* ---- entry points ----------------------------------------------------- */

int
zm_modules_refresh(void)
{
	struct listing l = { 0 };
	struct gone gone = { 0 };

	dl_iterate_phdr(visit, &l);
	if (l.changed && !l.failed) {
		zm_lock(&modules_lock);
		take_over(&l, &gone);
		last_adds = l.adds;
		last_subs = l.subs;
		/* rules of before the fork: the parent's modules, if still so
		 */
		if (forked_adds &&
		    (forked_adds != l.adds || forked_subs != l.subs))
			gone.count = GONE_MAX + 1;
		forked_adds = 0;
		zm_unlock(&modules_lock);
		forget(&gone);
	}
	for (uint32_t i = 0; i < l.count; i++)
		zm_logger_free(l.list[i]);
	zm_logger_free(l.list);
	zm_logger_free(l.path);
	return gone.count > 0;
}

void
zm_modules_reset(void)
{
	zm_lock_init(&modules_lock, ZM_RANK_LOGGER);
	known = NULL; /* may be in any state: another thread could hold it */
	map = NULL;
	if (last_adds) {
		forked_adds = last_adds;
		forked_subs = last_subs;
	}
	last_adds = last_subs = 0;
}
