/*
 * patch.c - libc's own functions for the end of a program are to go by us.
 *
 * The library must not export _exit or execve, and exporting them would not
 * help: libc's exec family, exit and quick_exit call libc's own.  So the first
 * bytes of libc's function are replaced by a jump.  They are written through
 * /proc/self/mem, which makes a private copy of the page and changes no
 * protection, so that it works where memory may not be writable and executable
 * by turns.  Where that file cannot be written, or the function does not begin
 * as it must, nothing is done, and the report says how the process ended.
 *
 * The function that takes its place must do all of its work: what the jump
 * overwrites is gone.  Called by leave.c and fatal.c.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "malloc/state.h"
#include "os/os.h"
#include "scan/leave.h"

#if defined(__x86_64__)
enum { JUMP = 14 };

/* jmp *0(%rip) and the address. */
static void
make_jump(unsigned char *out, uintptr_t to)
{
	static const unsigned char jump[] = { 0xff, 0x25, 0, 0, 0, 0 };

	memcpy(out, jump, sizeof jump);
	memcpy(out + sizeof jump, &to, sizeof to);
}

/* endbr64 stays: it is where calls through pointers land. */
static size_t
landing(const unsigned char *code)
{
	static const unsigned char endbr[] = { 0xf3, 0x0f, 0x1e, 0xfa };

	return memcmp(code, endbr, sizeof endbr) ? 0 : sizeof endbr;
}

/* A debugger's breakpoint, or somebody else's jump. */
static bool
is_touched(const unsigned char *code)
{
	return code[0] == 0xcc || code[0] == 0xe9 || code[0] == 0xeb ||
	       (code[0] == 0xff && code[1] == 0x25);
}
#else
enum { JUMP = 16 };

/* ldr x16, .+8; br x16 and the address. */
static void
make_jump(unsigned char *out, uintptr_t to)
{
	static const uint32_t jump[] = { 0x58000050, 0xd61f0200 };

	memcpy(out, jump, sizeof jump);
	memcpy(out + sizeof jump, &to, sizeof to);
}

/* bti c, paciasp. */
static size_t
landing(const unsigned char *code)
{
	uint32_t first;

	memcpy(&first, code, sizeof first);
	return first == 0xd503245f ? sizeof first : 0;
}

/* brk, or a branch. */
static bool
is_touched(const unsigned char *code)
{
	uint32_t first;

	memcpy(&first, code, sizeof first);
	return (first & 0xffe0001f) == 0xd4200000 ||
	       (first & 0xfc000000) == 0x14000000 || first == 0x58000050;
}
#endif

static bool
write_code(uintptr_t at, const unsigned char *code, size_t bytes)
{
	int fd = zm_os_open("/proc/self/mem", O_WRONLY | O_CLOEXEC, 0);
	long n;

	if (fd < 0)
		return false;
	n = zm_os_syscall(SYS_pwrite64, fd, (long)code, (long)bytes, (long)at,
			  0, 0);
	zm_os_close(fd);
	return n == (long)bytes;
}

bool
zm_patch_function(const char *name, void *to)
{
	unsigned char code[JUMP];
	size_t bytes;
	uintptr_t at = zm_libc_function(name, &bytes);

	if (!at || bytes < JUMP + 8)
		return false;
	at += landing((const unsigned char *)at);
	if (is_touched((const unsigned char *)at))
		return false;
	make_jump(code, (uintptr_t)to);
	return write_code(at, code, sizeof code);
}
