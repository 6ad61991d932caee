/*
 * remote_build.c - whether, and where, another process has this very library.
 *
 * Only a process that runs the same build has structures like ours.  The build
 * is the same when the ELF header, the program headers and the build id are;
 * where the linker made no build id, the code itself is compared.  That works
 * as well when the library is part of the program (libzmalloc.a).
 *
 * Relies on the other's memory and, to find the place, on /proc/PID/maps.
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>

#include "malloc/remote.h"
#include "os/os.h"

enum { PIECE = 4096, LINE = 96 /* of maps, without the path */ };

/* The first byte of the module that this code is in. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));

/* ---- the same build ----------------------------------------------------- */

static const ElfW(Ehdr) * header(void)
{
	return (const ElfW(Ehdr) *)__ehdr_start;
}

static const ElfW(Phdr) * program_headers(void)
{
	return (const ElfW(Phdr) *)(__ehdr_start + header()->e_phoff);
}

/* Where something of the file is in memory: the header is at its start. */
static const char *
loaded(uintptr_t vaddr)
{
	const ElfW(Phdr) *p = program_headers();
	for (unsigned i = 0; i < header()->e_phnum; i++)
		if (p[i].p_type == PT_LOAD && !p[i].p_offset)
			return __ehdr_start + (vaddr - p[i].p_vaddr);
	return __ehdr_start + vaddr;
}

static bool
equal(const struct zm_task *t, const char *ours, size_t bytes)
{
	char theirs[PIECE];
	for (size_t n; bytes; ours += n, bytes -= n) {
		n = bytes < PIECE ? bytes : PIECE;
		if (!zm_task_read(t, (uintptr_t)ours + t->shift, theirs, n) ||
		    memcmp(ours, theirs, n) != 0)
			return false;
	}
	return true;
}

/* The build id's note in a segment of notes; NULL: there is none. */
static const ElfW(Nhdr) * build_id(const char *at, size_t bytes, size_t *length)
{
	while (bytes >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *n = (const ElfW(Nhdr) *)at;
		size_t name = (n->n_namesz + 3u) & ~3u;
		size_t all = sizeof(*n) + name + ((n->n_descsz + 3u) & ~3u);
		if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 &&
		    memcmp(n + 1, "GNU", 4) == 0) {
			*length = all;
			return n;
		}
		if (all > bytes)
			break;
		at += all;
		bytes -= all;
	}
	return NULL;
}

static bool
same_code(const struct zm_task *t)
{
	const ElfW(Phdr) *p = program_headers();
	for (unsigned i = 0; i < header()->e_phnum; i++)
		if (p[i].p_type == PT_LOAD && p[i].p_flags & PF_X &&
		    !equal(t, loaded(p[i].p_vaddr), p[i].p_filesz))
			return false;
	return true;
}

bool
zm_task_same_build(const struct zm_task *t)
{
	const ElfW(Phdr) *p = program_headers();
	if (!equal(t, __ehdr_start, sizeof(ElfW(Ehdr))) ||
	    !equal(t, (const char *)p, header()->e_phnum * sizeof(*p)))
		return false;
	for (unsigned i = 0; i < header()->e_phnum; i++) {
		size_t length;
		const ElfW(Nhdr) *id =
		    p[i].p_type == PT_NOTE
			? build_id(loaded(p[i].p_vaddr), p[i].p_filesz, &length)
			: NULL;
		if (id)
			return equal(t, (const char *)id, length);
	}
	return same_code(t);
}

/* ---- its place ---------------------------------------------------------- */

static const char path_end[] = "/maps";

static void
maps_path(char *out, task_t pid)
{
	char digits[16];
	unsigned n = 0, left = (unsigned)pid;
	do
		digits[n++] = (char)('0' + left % 10);
	while (left /= 10);
	memcpy(out, "/proc/", 6);
	for (out += 6; n; n--)
		*out++ = digits[n - 1];
	memcpy(out, path_end, sizeof(path_end));
}

static uint64_t
number(const char **s, unsigned base)
{
	uint64_t value = 0;
	for (;; ++*s) {
		unsigned c = (unsigned char)**s;
		unsigned digit = c - '0' <= 9 ? c - '0' : (c | 32) - 'a' + 10;
		if (digit >= base)
			return value;
		value = value * base + digit;
	}
}

/* "start-end perms offset major:minor inode path": the start, when it is the
 * start of a file as well and can be read; else 0. */
static uintptr_t
file_start(const char *line)
{
	const char *s = line;
	uintptr_t start = number(&s, 16);
	if (*s++ != '-')
		return 0;
	number(&s, 16);
	if (*s++ != ' ' || *s != 'r' || !(s = strchr(s, ' ')))
		return 0;
	s++;
	if (number(&s, 16) || *s++ != ' ' || !(s = strchr(s, ' ')))
		return 0;
	s++;
	return number(&s, 10) ? start : 0;
}

/* The next line of maps, as much of it as fits. */
struct text {
	int fd;
	ssize_t have, next;
	char piece[PIECE];
};

static bool
next_line(struct text *t, char *line)
{
	size_t n = 0;
	for (;;) {
		if (t->next == t->have) {
			t->have = zm_os_read(t->fd, t->piece, PIECE);
			t->next = 0;
			if (t->have <= 0)
				return false;
		}
		char c = t->piece[t->next++];
		if (c == '\n')
			break;
		if (n < LINE - 1)
			line[n++] = c;
	}
	line[n] = '\0';
	return true;
}

kern_return_t
zm_task_find_build(struct zm_task *t)
{
	char path[32], line[LINE];
	struct text text = { .have = 0 };
	if (t->task <= 0)
		return KERN_INVALID_ARGUMENT;
	maps_path(path, t->task);
	text.fd = zm_os_open(path, O_RDONLY | O_CLOEXEC, 0);
	if (text.fd < 0)
		return KERN_FAILURE;
	bool found = false;
	while (!found && next_line(&text, line)) {
		uintptr_t start = file_start(line);
		t->shift = start - (uintptr_t)__ehdr_start;
		found = start && zm_task_same_build(t);
	}
	zm_os_close(text.fd);
	if (text.have < 0)
		return KERN_FAILURE;
	return found ? KERN_SUCCESS : KERN_NOT_SUPPORTED;
}
