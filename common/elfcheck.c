/*
 * elfcheck.c - see elfcheck.h.
 */
#include "elfcheck.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SCRIPTS_MAX = 5, LINE_MAX_BYTES = 256, PHDRS_MAX = 256 };

#if defined(__x86_64__)
enum { OUR_MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { OUR_MACHINE = EM_AARCH64 };
#else
#error "unsupported machine"
#endif

static void verdict(struct elf_check *c, enum elf_verdict v, const char *format,
		    ...) __attribute__((format(printf, 3, 4)));

static void
verdict(struct elf_check *c, enum elf_verdict v, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	c->verdict = v;
	vsnprintf(c->why, sizeof c->why, format, args);
	va_end(args);
}

/* Would the kernel start it with AT_SECURE, so that ld.so ignores
 * LD_PRELOAD? */
static const char *
privilege(int fd, const struct stat *st)
{
	struct statvfs fs;
	if (fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_NOSUID))
		return NULL;
	if ((st->st_mode & S_ISUID) && st->st_uid != getuid())
		return "set-user-id";
	if ((st->st_mode & S_ISGID) && (st->st_mode & S_IXGRP) &&
	    st->st_gid != getgid())
		return "set-group-id";
	if (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return "file-capability";
	return NULL;
}

static const char *
machine_name(unsigned machine)
{
	switch (machine) {
	case EM_386:
		return "i386";
	case EM_X86_64:
		return "x86-64";
	case EM_ARM:
		return "ARM";
	case EM_AARCH64:
		return "aarch64";
	case EM_RISCV:
		return "RISC-V";
	case EM_PPC64:
		return "PowerPC";
	case EM_S390:
		return "s390";
	case EM_MIPS:
		return "MIPS";
	default:
		return "unknown";
	}
}

/* A program without PT_INTERP is static, unless it is the dynamic linker
 * itself, run by hand; its name tells. */
static int
is_loader(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	return strncmp(name, "ld-linux", 8) == 0 ||
	       strncmp(name, "ld-2.", 5) == 0 || strcmp(name, "ld.so") == 0;
}

static void
check_interpreter(int fd, const Elf64_Phdr *ph, const char *path,
		  struct elf_check *c)
{
	char name[LINE_MAX_BYTES] = { 0 };
	size_t n = ph->p_filesz < sizeof name - 1 ? (size_t)ph->p_filesz
						  : sizeof name - 1;
	(void)path;
	if (pread(fd, name, n, (off_t)ph->p_offset) != (ssize_t)n)
		verdict(c, ELF_NOT_EXECUTABLE, "damaged ELF file");
	else if (strstr(name, "ld-musl") || strstr(name, "linker64"))
		verdict(c, ELF_FOREIGN,
			"uses another libc than glibc (%s): libzmalloc.so "
			"cannot be loaded into it, nothing can be recorded",
			name);
	else if (access(name, X_OK) != 0)
		verdict(c, ELF_NOT_FOUND, "its dynamic linker %s: %s", name,
			strerror(errno));
}

static void
check_headers(int fd, const Elf64_Ehdr *h, const char *path,
	      struct elf_check *c)
{
	Elf64_Phdr ph;
	if (h->e_phentsize != sizeof ph || h->e_phnum > PHDRS_MAX) {
		verdict(c, ELF_NOT_EXECUTABLE, "damaged ELF file");
		return;
	}
	for (unsigned i = 0; i < h->e_phnum; i++) {
		off_t off = (off_t)(h->e_phoff + i * sizeof ph);
		if (pread(fd, &ph, sizeof ph, off) != (ssize_t)sizeof ph)
			break;
		if (ph.p_type == PT_INTERP) {
			check_interpreter(fd, &ph, path, c);
			return;
		}
	}
	if (!is_loader(path))
		verdict(c, ELF_STATIC,
			"statically linked: libzmalloc.so cannot be loaded "
			"into it, nothing can be recorded (link it with "
			"libzmalloc.a, or dynamically)");
}

static void
check_elf(int fd, const unsigned char *head, const char *path,
	  struct elf_check *c)
{
	Elf64_Ehdr h;
	/* both classes have e_machine at the same place */
	memcpy(&h, head, sizeof h);
	unsigned class = h.e_ident[EI_CLASS];
	if (class != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB ||
	    h.e_machine != OUR_MACHINE)
		verdict(c, ELF_FOREIGN,
			"%s-bit program for %s, libzmalloc.so is 64-bit for "
			"%s: nothing can be recorded",
			class == ELFCLASS32 ? "32" : "64",
			machine_name(h.e_machine), machine_name(OUR_MACHINE));
	else if (h.e_type != ET_EXEC && h.e_type != ET_DYN)
		verdict(c, ELF_NOT_EXECUTABLE,
			"is an ELF file, but no program");
	else
		check_headers(fd, &h, path, c);
}

/* "#! /path argument": the path, in place; NULL when there is none. */
static char *
script_interpreter(char *line)
{
	line[strcspn(line, "\n")] = 0;
	line += 2 + strspn(line + 2, " \t");
	line[strcspn(line, " \t\r")] = 0;
	return *line ? line : NULL;
}

static void check_depth(const char *path, struct elf_check *c, int depth);

static void
check_script(char *head, const char *path, struct elf_check *c, int depth)
{
	char *interpreter = script_interpreter(head);
	(void)path;
	if (!interpreter || depth >= SCRIPTS_MAX) {
		verdict(c, ELF_NOT_EXECUTABLE, "script without an interpreter");
		return;
	}
	check_depth(interpreter, c, depth + 1);
	if (c->verdict != ELF_PRELOADABLE) {
		char why[LINE_MAX_BYTES + 32 + sizeof c->why];
		snprintf(why, sizeof why, "its interpreter %s: %s", interpreter,
			 c->why);
		memcpy(c->why, why, sizeof c->why);
		c->why[sizeof c->why - 1] = 0;
	}
}

static void
check_file(int fd, const char *path, struct elf_check *c, int depth)
{
	struct stat st;
	unsigned char head[LINE_MAX_BYTES + 1] = { 0 };
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		verdict(c, ELF_NOT_EXECUTABLE, "%s",
			S_ISDIR(st.st_mode) ? "is a directory"
					    : "is not a regular file");
		return;
	}
	ssize_t n = pread(fd, head, LINE_MAX_BYTES, 0);
	if (n >= 2 && head[0] == '#' && head[1] == '!') {
		/* set-user-id has no effect on scripts */
		check_script((char *)head, path, c, depth);
		return;
	}
	const char *more = privilege(fd, &st);
	if (more)
		verdict(c, ELF_PRIVILEGED,
			"%s program: the system does not load libzmalloc.so "
			"into it, nothing can be recorded (run it as the "
			"user it changes to)",
			more);
	else if (n >= (ssize_t)sizeof(Elf64_Ehdr) &&
		 memcmp(head, ELFMAG, SELFMAG) == 0)
		check_elf(fd, head, path, c);
	else if (depth == 0 && n >= 0)
		/* text without "#!": execvp gives it to the shell */
		check_depth("/bin/sh", c, depth + 1);
	else
		verdict(c, ELF_NOT_EXECUTABLE, "is no program");
}

static void
check_depth(const char *path, struct elf_check *c, int depth)
{
	if (access(path, F_OK) != 0) {
		verdict(c,
			errno == ENOENT || errno == ENOTDIR
			    ? ELF_NOT_FOUND
			    : ELF_NOT_EXECUTABLE,
			"%s", strerror(errno));
		return;
	}
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0) {
		verdict(c, ELF_NOT_EXECUTABLE, "%s", strerror(errno));
		return;
	}
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		/* executable but not readable: a program may be so; whether
		 * it can be recorded will show */
		if (errno != EACCES)
			verdict(c, ELF_NOT_EXECUTABLE, "%s", strerror(errno));
		return;
	}
	check_file(fd, path, c, depth);
	close(fd);
}

void
elf_check(const char *path, struct elf_check *c)
{
	*c = (struct elf_check){ .verdict = ELF_PRELOADABLE };
	check_depth(path, c, 0);
}

static int
candidate(const char *dir, size_t n, const char *command, char *out,
	  size_t bytes)
{
	struct stat st;
	int len = n ? snprintf(out, bytes, "%.*s/%s", (int)n, dir, command)
		    : snprintf(out, bytes, "./%s", command);
	if (len < 0 || (size_t)len >= bytes || stat(out, &st) != 0)
		return ENOENT;
	if (!S_ISREG(st.st_mode) ||
	    faccessat(AT_FDCWD, out, X_OK, AT_EACCESS) != 0)
		return EACCES;
	return 0;
}

int
elf_find(const char *command, char *out, size_t bytes)
{
	int answer = ENOENT;
	if (!*command)
		return ENOENT;
	if (strchr(command, '/')) {
		int n = snprintf(out, bytes, "%s", command);
		return n < 0 || (size_t)n >= bytes ? ENAMETOOLONG : 0;
	}
	const char *path = getenv("PATH");
	if (!path)
		path = "/bin:/usr/bin"; /* as confstr(_CS_PATH) has it */
	for (;;) {
		size_t n = strcspn(path, ":");
		int error = candidate(path, n, command, out, bytes);
		if (error == 0)
			return 0;
		if (error == EACCES)
			answer = EACCES;
		if (!path[n])
			return answer;
		path += n + 1;
	}
}
