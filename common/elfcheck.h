/*
 * elfcheck.h - can libzmalloc be preloaded into this program?
 *
 * Looks at the file that execve would load: an ELF program, or a script and
 * its interpreter.  Reads headers only; any file is safe to ask about.  Used
 * by zrecord before it starts a command, and by zleaks doctor.
 */
#ifndef COMMON_ELFCHECK_H
#define COMMON_ELFCHECK_H

#include <stddef.h>

enum elf_verdict {
	ELF_PRELOADABLE,
	ELF_NOT_FOUND,
	ELF_NOT_EXECUTABLE, /* permission, directory, or no known format */
	ELF_STATIC,	    /* no dynamic linker runs */
	ELF_FOREIGN,	    /* other word size, machine or libc */
	ELF_PRIVILEGED	    /* set-user-id, set-group-id, capabilities */
};

/* why completes "PROGRAM: " for all but ELF_PRELOADABLE. */
struct elf_check {
	enum elf_verdict verdict;
	char why[512];
};

/* path is used as it is, without a search in PATH. */
void elf_check(const char *path, struct elf_check *);

/*
 * Finds a command as execvp does: names with a slash as they are, others in
 * PATH.  0 with the path in out; else ENOENT or EACCES.
 */
int elf_find(const char *command, char *out, size_t bytes);

#endif
