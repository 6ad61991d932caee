/*
 * stack.c - a stack for the scan: it begins wherever the program is, which may
 * be on one that has little room left, of a coroutine or of a signal.
 *
 * One is kept, for one scan at a time begins.  It is one of the library's own
 * mappings, no root.  Called by leave.c and snapshot.c.
 */
#include "os/os.h"
#include "scan/scan.h"

enum { BYTES = 256 << 10 };

static char *spare; /* NULL: not there, or in use */

void zm_call_on(void *top, void (*fn)(void *), void *ctx)
    __attribute__((visibility("hidden")));

#if defined(__x86_64__)
__asm__(".text\n.p2align 4\n"
	".hidden zm_call_on\n"
	".type zm_call_on, @function\n"
	"zm_call_on:\n"
	".cfi_startproc\nendbr64\n"
	"push %rbp\n"
	".cfi_def_cfa_offset 16\n.cfi_offset 6, -16\n"
	"mov %rsp, %rbp\n"
	".cfi_def_cfa_register 6\n"
	"mov %rdi, %rsp\n"
	"mov %rdx, %rdi\n"
	"call *%rsi\n"
	"mov %rbp, %rsp\n"
	"pop %rbp\n"
	".cfi_def_cfa 7, 8\n"
	"ret\n.cfi_endproc\n"
	".size zm_call_on, .-zm_call_on\n");
#else
__asm__(".text\n.p2align 4\n"
	".hidden zm_call_on\n"
	".type zm_call_on, %function\n"
	"zm_call_on:\n"
	".cfi_startproc\nhint #34\n"
	"stp x29, x30, [sp, #-16]!\n"
	".cfi_def_cfa_offset 16\n.cfi_offset 29, -16\n.cfi_offset 30, -8\n"
	"mov x29, sp\n"
	".cfi_def_cfa_register 29\n"
	"mov sp, x0\n"
	"mov x0, x2\n"
	"blr x1\n"
	"mov sp, x29\n"
	"ldp x29, x30, [sp], #16\n"
	".cfi_def_cfa 31, 0\n"
	"ret\n.cfi_endproc\n"
	".size zm_call_on, .-zm_call_on\n");
#endif

void
zm_scan_stack_start(void)
{
	if (!spare)
		spare = zm_os_map(BYTES, "zmalloc scan stack");
}

void
zm_scan_on_stack(void (*fn)(void *), void *ctx)
{
	char *stack = __atomic_exchange_n(&spare, NULL, __ATOMIC_ACQUIRE);

	if (!stack) {
		fn(ctx);
		return;
	}
	zm_call_on(stack + BYTES, fn, ctx);
	__atomic_store_n(&spare, stack, __ATOMIC_RELEASE);
}
