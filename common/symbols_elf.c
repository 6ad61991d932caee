/*
 * symbols_elf.c - opening ELF files and finding their separate debug files:
 * by build-id and by .gnu_debuglink, below /usr/lib/debug and beside the file.
 */
#include "symbols_parts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEBUG_ROOT "/usr/lib/debug"

enum { PATH_LIMIT = 4096, LARGE_FILE = 8 << 20 };

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE_DATA ELFDATA2LSB
#else
#define NATIVE_DATA ELFDATA2MSB
#endif

/* ---- the image -------------------------------------------------------- */

static void
copy(struct elf_file *f, uint64_t at, uint64_t n)
{
	if (at > f->bytes || n > f->bytes - at || n > f->budget)
		return;
	f->budget -= n;
	while (n > 0) {
		ssize_t got = pread(f->fd, f->image + at, (size_t)n, (off_t)at);
		if (got <= 0)
			return; /* what is missing is zero */
		at += (uint64_t)got;
		n -= (uint64_t)got;
	}
}

/* The header, and what it leads to. */
static void
copy_headers(struct elf_file *f)
{
	Elf64_Ehdr *h = (Elf64_Ehdr *)f->image;
	copy(f, 0, sizeof *h);
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 ||
	    h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != NATIVE_DATA)
		return;
	uint64_t sections = h->e_shnum;
	if (sections == 0 && h->e_shoff % 8 == 0 &&
	    h->e_shoff < f->bytes - sizeof(Elf64_Shdr)) {
		/* too many for the header: the first entry has the number */
		copy(f, h->e_shoff, sizeof(Elf64_Shdr));
		sections = ((Elf64_Shdr *)(f->image + h->e_shoff))->sh_size;
	}
	copy(f, h->e_phoff, (uint64_t)h->e_phnum * sizeof(Elf64_Phdr));
	if (sections < f->bytes)
		copy(f, h->e_shoff, sections * sizeof(Elf64_Shdr));
}

void
elf_file_read(struct elf_file *f,
	      int (*wanted)(const char *, const GElf_Shdr *))
{
	size_t names;
	GElf_Shdr sh;
	if (elf_getshdrstrndx(f->elf, &names) != 0)
		return;
	for (Elf_Scn *s = NULL; (s = elf_nextscn(f->elf, s));) {
		if (!gelf_getshdr(s, &sh) || sh.sh_type == SHT_NOBITS)
			continue;
		const char *name = elf_strptr(f->elf, names, sh.sh_name);
		if (name && wanted(name, &sh))
			copy(f, sh.sh_offset, sh.sh_size);
	}
}

/* What is small and asked for in every file. */
static int
is_basic(const char *name, const GElf_Shdr *sh)
{
	return sh->sh_type == SHT_NOTE || strcmp(name, ".gnu_debuglink") == 0;
}

static void
copy_basics(struct elf_file *f)
{
	size_t names, phdrs;
	GElf_Shdr sh;
	GElf_Phdr ph;
	Elf_Scn *s = elf_getshdrstrndx(f->elf, &names) == 0
			 ? elf_getscn(f->elf, names)
			 : NULL;
	if (s && gelf_getshdr(s, &sh) && sh.sh_type != SHT_NOBITS)
		copy(f, sh.sh_offset, sh.sh_size);
	if (elf_getphdrnum(f->elf, &phdrs) != 0)
		phdrs = 0;
	for (size_t i = 0; i < phdrs; i++)
		if (gelf_getphdr(f->elf, (int)i, &ph) && ph.p_type == PT_NOTE)
			copy(f, ph.p_offset, ph.p_filesz);
	elf_file_read(f, is_basic);
}

static int
make_image(struct elf_file *f)
{
	struct stat st;
	if (fstat(f->fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_size < (off_t)sizeof(Elf64_Ehdr))
		return -1;
	f->bytes = (size_t)st.st_size;
	/* sections may overlap in a hostile file */
	f->budget = 4 * (uint64_t)f->bytes;
	void *p = mmap(NULL, f->bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -1;
	f->image = p;
	if (f->bytes >= LARGE_FILE)
		madvise(p, f->bytes, MADV_HUGEPAGE);
	copy_headers(f);
	return 0;
}

int
elf_file_open(struct elf_file *f, const char *path)
{
	*f = (struct elf_file){ .fd = -1 };
	elf_version(EV_CURRENT);
	/* O_NONBLOCK: not to hang on what is no file any more */
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (f->fd < 0)
		return -1;
	if (make_image(f) == 0)
		f->elf = elf_memory(f->image, f->bytes);
	f->path = strdup(path);
	if (f->elf && f->path && elf_kind(f->elf) == ELF_K_ELF &&
	    gelf_getclass(f->elf) == ELFCLASS64) {
		copy_basics(f);
		return 0;
	}
	elf_file_close(f);
	return -1;
}

void
elf_file_close(struct elf_file *f)
{
	if (f->elf)
		elf_end(f->elf);
	if (f->image)
		munmap(f->image, f->bytes);
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	*f = (struct elf_file){ .fd = -1 };
}

/* ---- what is in it ---------------------------------------------------- */

/* The build-id among the notes of d. */
static size_t
id_in_notes(Elf_Data *d, const uint8_t **id)
{
	size_t at = 0, name, desc;
	GElf_Nhdr n;
	while (d && (at = gelf_getnote(d, at, &n, &name, &desc)) > 0) {
		if (n.n_type != NT_GNU_BUILD_ID || n.n_namesz != 4 ||
		    memcmp((char *)d->d_buf + name, "GNU", 4) != 0)
			continue;
		*id = (const uint8_t *)d->d_buf + desc;
		return n.n_descsz;
	}
	return 0;
}

size_t
elf_file_build_id(const struct elf_file *f, const uint8_t **id)
{
	size_t n, phdrs;
	GElf_Phdr ph;
	GElf_Shdr sh;
	if (elf_getphdrnum(f->elf, &phdrs) != 0)
		phdrs = 0;
	for (size_t i = 0; i < phdrs; i++) {
		if (!gelf_getphdr(f->elf, (int)i, &ph) || ph.p_type != PT_NOTE)
			continue;
		n = id_in_notes(elf_getdata_rawchunk(
				    f->elf, (int64_t)ph.p_offset, ph.p_filesz,
				    ph.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR),
				id);
		if (n)
			return n;
	}
	/* debug files have program headers, but not always their contents */
	for (Elf_Scn *s = NULL; (s = elf_nextscn(f->elf, s));) {
		if (!gelf_getshdr(s, &sh) || sh.sh_type != SHT_NOTE)
			continue;
		n = id_in_notes(elf_getdata(s, NULL), id);
		if (n)
			return n;
	}
	return 0;
}

static Elf_Scn *
section(const struct elf_file *f, const char *wanted)
{
	size_t names;
	GElf_Shdr sh;
	if (elf_getshdrstrndx(f->elf, &names) != 0)
		return NULL;
	for (Elf_Scn *s = NULL; (s = elf_nextscn(f->elf, s));) {
		if (!gelf_getshdr(s, &sh) || sh.sh_type == SHT_NOBITS)
			continue;
		const char *name = elf_strptr(f->elf, names, sh.sh_name);
		if (name && strcmp(name, wanted) == 0)
			return s;
	}
	return NULL;
}

int
elf_file_has(const struct elf_file *f, const char *name)
{
	return section(f, name) != NULL;
}

/* The checksum of .gnu_debuglink: CRC-32 as zlib and PNG have it. */
static uint32_t
checksum(int fd)
{
	unsigned char buf[16384];
	uint32_t crc = ~0u;
	ssize_t n;
	off_t at = 0;
	while ((n = pread(fd, buf, sizeof buf, at)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			crc ^= buf[i];
			for (int bit = 0; bit < 8; bit++)
				crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
		}
		at += n;
	}
	return ~crc;
}

/* Opens path if it is the debug file of a program with that build-id. */
static int
open_matching(struct elf_file *f, const char *path, const uint8_t *id,
	      size_t bytes)
{
	const uint8_t *other;
	if (elf_file_open(f, path) != 0)
		return -1;
	if (elf_file_build_id(f, &other) == bytes &&
	    memcmp(other, id, bytes) == 0)
		return 0;
	elf_file_close(f);
	return -1;
}

static int
open_by_id(struct elf_file *f, const uint8_t *id, size_t bytes)
{
	char path[256];
	if (bytes < 2 || bytes > 64)
		return -1;
	int at =
	    snprintf(path, sizeof path, DEBUG_ROOT "/.build-id/%02x/", id[0]);
	for (size_t i = 1; i < bytes; i++)
		at += snprintf(path + at, sizeof path - (size_t)at, "%02x",
			       id[i]);
	snprintf(path + at, sizeof path - (size_t)at, ".debug");
	return open_matching(f, path, id, bytes);
}

/* One place where .gnu_debuglink may lead. */
static int
open_link(struct elf_file *f, const char *path, uint32_t crc, const uint8_t *id,
	  size_t bytes)
{
	if (bytes)
		return open_matching(f, path, id, bytes);
	if (elf_file_open(f, path) != 0)
		return -1;
	if (checksum(f->fd) == crc)
		return 0;
	elf_file_close(f);
	return -1;
}

int
elf_file_open_debug(const struct elf_file *main, struct elf_file *debug)
{
	static const char *const places[] = { "%s/%s", "%s/.debug/%s",
					      DEBUG_ROOT "%s/%s" };
	char path[PATH_LIMIT + 64], dir[PATH_LIMIT];
	const uint8_t *id = NULL;
	uint32_t crc;
	size_t bytes = elf_file_build_id(main, &id);
	if (bytes && open_by_id(debug, id, bytes) == 0)
		return 0;
	Elf_Scn *s = section(main, ".gnu_debuglink");
	Elf_Data *d = s ? elf_rawdata(s, NULL) : NULL;
	if (!d || !d->d_buf || d->d_size < 8)
		return -1;
	const char *name = d->d_buf;
	size_t length = strnlen(name, d->d_size);
	size_t at = (length + 4) & ~(size_t)3;
	if (length == d->d_size || at + 4 > d->d_size || strchr(name, '/') ||
	    !realpath(main->path, dir))
		return -1;
	memcpy(&crc, name + at, 4);
	char *slash = strrchr(dir, '/');
	*slash = 0;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		int n = snprintf(path, sizeof path, places[i], dir, name);
#pragma GCC diagnostic pop
		/* a file may name itself */
		if ((size_t)n < sizeof path && strcmp(path, main->path) != 0 &&
		    open_link(debug, path, crc, id, bytes) == 0)
			return 0;
	}
	return -1;
}
