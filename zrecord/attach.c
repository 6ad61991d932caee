/*
 * attach.c - see attach.h.
 *
 * The two symbols are looked up in the files that the process has mapped:
 * libzmalloc.so, or a program that was linked with libzmalloc.a.  What is read
 * from the process counts only when it looks as it must.
 */
#include "attach.h"
#include "message.h"
#include "pidinfo.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- the other's memory ------------------------------------------------ */

static int
read_there(pid_t pid, uint64_t from, void *to, size_t n)
{
	struct iovec here = { to, n };
	struct iovec there = { (void *)(uintptr_t)from, n };
	ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);
	return got == (ssize_t)n ? 0 : got < 0 ? errno : EFAULT;
}

static int
write_there(pid_t pid, uint64_t to, const void *from, size_t n)
{
	struct iovec here = { (void *)(uintptr_t)from, n };
	struct iovec there = { (void *)(uintptr_t)to, n };
	ssize_t got = process_vm_writev(pid, &here, 1, &there, 1, 0);
	return got == (ssize_t)n ? 0 : got < 0 ? errno : EFAULT;
}

/* ---- symbols of a file -------------------------------------------------- */

struct found {
	uint64_t control, word; /* as in the file; 0: not there */
	uint64_t first;		/* address of the file's start */
};

static void
look_in_table(Elf *elf, Elf_Scn *scn, const GElf_Shdr *sh, struct found *f)
{
	Elf_Data *d = elf_getdata(scn, NULL);
	size_t n = d && sh->sh_entsize ? d->d_size / sh->sh_entsize : 0;
	GElf_Sym sym;
	for (size_t i = 0; i < n && i < INT_MAX; i++) {
		if (!gelf_getsym(d, (int)i, &sym) || sym.st_shndx == SHN_UNDEF)
			continue;
		const char *name = elf_strptr(elf, sh->sh_link, sym.st_name);
		if (!name)
			continue;
		if (strcmp(name, ZS_CONTROL_SYMBOL) == 0)
			f->control = sym.st_value;
		else if (strcmp(name, ZS_WORD_SYMBOL) == 0)
			f->word = sym.st_value;
	}
}

static void
look_in_file(int fd, struct found *f)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	GElf_Phdr ph;
	size_t phdrs = 0;
	*f = (struct found){ .first = UINT64_MAX };
	if (elf && elf_kind(elf) == ELF_K_ELF &&
	    gelf_getclass(elf) == ELFCLASS64) {
		while (!(f->control && f->word) &&
		       (scn = elf_nextscn(elf, scn)))
			if (gelf_getshdr(scn, &sh) &&
			    (sh.sh_type == SHT_DYNSYM ||
			     sh.sh_type == SHT_SYMTAB))
				look_in_table(elf, scn, &sh, f);
		if (elf_getphdrnum(elf, &phdrs) != 0)
			phdrs = 0;
		for (size_t i = 0; i < phdrs; i++)
			if (gelf_getphdr(elf, (int)i, &ph) &&
			    ph.p_type == PT_LOAD && ph.p_offset == 0)
				f->first = ph.p_vaddr;
	}
	if (elf)
		elf_end(elf);
}

/* ---- the process -------------------------------------------------------- */

/* Looks into the file behind a line of maps.  1: it is the library. */
static int
look_at_line(struct attach *a, char *line)
{
	unsigned long start, offset, inode;
	char path[PATH_MAX + 32];
	struct stat st;
	struct found f;
	int at = 0;
	if (sscanf(line, "%lx-%*x %*s %lx %*s %lu %n", &start, &offset, &inode,
		   &at) != 3 ||
	    !inode || offset || !at || line[at] != '/')
		return 0;
	line[strcspn(line, "\n")] = 0;
	snprintf(path, sizeof path, "/proc/%d/root%s", (int)a->pid, line + at);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		look_in_file(fd, &f);
	else
		f = (struct found){ 0 };
	close(fd);
	if (!f.control || !f.word || f.first == UINT64_MAX)
		return 0;
	a->control = start - f.first + f.control;
	a->word = start - f.first + f.word;
	return 1;
}

static int
look_at_maps(struct attach *a)
{
	char path[64];
	char *line = NULL;
	size_t room = 0;
	int found = 0;
	snprintf(path, sizeof path, "/proc/%d/maps", (int)a->pid);
	FILE *maps = fopen(path, "re");
	if (!maps)
		return -errno;
	elf_version(EV_CURRENT);
	while (!found && getline(&line, &room, maps) > 0)
		found = look_at_line(a, line);
	free(line);
	fclose(maps);
	return found;
}

static int
yama_scope(void)
{
	int scope = 0;
	FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	if (f && fscanf(f, "%d", &scope) != 1)
		scope = 0;
	if (f)
		fclose(f);
	return scope;
}

static void
not_permitted(pid_t pid)
{
	if (yama_scope() > 0)
		die(EXIT_TROUBLE,
		    "process %d: kernel.yama.ptrace_scope forbids access to "
		    "processes of the same user; root may, or start it under "
		    "zrecord",
		    (int)pid);
	die(EXIT_TROUBLE,
	    "process %d: not permitted: it is another user's, or protected",
	    (int)pid);
}

void
attach_find(struct attach *a, pid_t pid)
{
	struct zs_control c;
	char path[64];
	*a = (struct attach){ .pid = pid, .pidfd = pidinfo_open(-1, pid) };
	snprintf(path, sizeof path, "/proc/%d", (int)pid);
	if (pid == getpid() || access(path, F_OK) != 0)
		die(EXIT_TROUBLE, "process %d: %s", (int)pid,
		    pid == getpid() ? "that is zrecord itself"
				    : "no such process");
	int found = look_at_maps(a);
	if (found == -EACCES || found == -EPERM)
		not_permitted(pid);
	if (found <= 0)
		die(EXIT_TROUBLE,
		    "process %d: does not run under libzmalloc: start it "
		    "under zrecord, or with LD_PRELOAD=libzmalloc.so",
		    (int)pid);
	int error = read_there(pid, a->control, &c, sizeof c);
	if (error == EPERM || error == EACCES)
		not_permitted(pid);
	if (error)
		die(EXIT_TROUBLE, "process %d: %s", (int)pid, strerror(error));
	if (c.magic != ZS_CONTROL_MAGIC || c.version != ZS_CONTROL_VERSION ||
	    c.bytes != sizeof c)
		die(EXIT_TROUBLE,
		    "process %d: its libzmalloc.so is of another version, or "
		    "was replaced since it started",
		    (int)pid);
}

int
attach_request(const struct attach *a, const char *session, uint32_t depth,
	       uint64_t sample)
{
	struct zs_control c;
	uint8_t wake = 1;
	int error = read_there(a->pid, a->control, &c, sizeof c);
	if (error)
		return error;
	c.request = ZS_CONTROL_NONE;
	c.error = 0;
	c.depth = depth;
	c.sample = sample;
	snprintf(c.session, sizeof c.session, "%s", session);
	/* what it says of itself is not written back */
	size_t from = offsetof(struct zs_control, error);
	error = write_there(a->pid, a->control + from, (char *)&c + from,
			    sizeof c - from);
	c.request = ZS_CONTROL_START;
	if (!error)
		error = write_there(
		    a->pid, a->control + offsetof(struct zs_control, request),
		    &c.request, sizeof c.request);
	if (!error)
		error = write_there(a->pid, a->word + ZS_WAKE_BYTE, &wake, 1);
	return error;
}

void
attach_withdraw(const struct attach *a)
{
	uint32_t none = ZS_CONTROL_NONE;
	uint8_t sleep = 0;
	write_there(a->pid, a->control + offsetof(struct zs_control, request),
		    &none, sizeof none);
	write_there(a->pid, a->word + ZS_WAKE_BYTE, &sleep, 1);
}

int
attach_error(const struct attach *a)
{
	struct zs_control c;
	if (read_there(a->pid, a->control, &c, sizeof c) != 0 ||
	    c.request != ZS_CONTROL_NONE)
		return 0;
	return c.error;
}
