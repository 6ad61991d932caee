/*
 * leave.c - _exit and exec: the last moment at which leaks can be seen.
 *
 * Both are functions that signal handlers and children of vfork may call.  So
 * nothing here takes a lock or asks the loader; other threads are stopped and
 * stay so until the kernel ends them.  A process other than the one that is
 * recorded (a child that shares its memory, or was just forked) goes straight
 * on.  A child of fork has inherited all of its parent's heap, which would have
 * to be read for the few blocks of its own: with a big one it is not looked at.
 *
 * Called by libc's functions (patch.c), fatal.c and logger/record.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/os.h"
#include "scan/leave.h"

enum {
	ARGUMENTS = 5,
	INHERITED_MAX = 64 << 20, /* bytes that a fork child may have */
	STEP_NS = 1000000
};

static struct zm_stop stopped;
static uint32_t leaving;   /* id of the thread */
static int32_t leaving_of; /* its process: fork may come in between */

/* ---- the scan ------------------------------------------------------------ */

bool
zm_leave_begin(void)
{
	uint32_t me = (uint32_t)zm_os_gettid(), other = 0;
	int pid = zm_os_getpid();

	if (leaving_of != pid) {
		leaving_of = pid;
		leaving = 0;
	}
	while (!__atomic_compare_exchange_n(
	    &leaving, &other, me, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		if (other == me)
			return false;
		other = 0;
		zm_os_sleep(STEP_NS);
	}
	return true;
}

/* Bytes in memory, as the kernel has it: the second number, in pages. */
static uint64_t
resident(void)
{
	char text[128];
	uint64_t pages = 0;
	int fd = zm_os_open("/proc/self/statm", O_RDONLY | O_CLOEXEC, 0);
	ssize_t n = fd < 0 ? 0 : zm_os_read(fd, text, sizeof text - 1);

	if (fd >= 0)
		zm_os_close(fd);
	text[n > 0 ? n : 0] = 0;
	const char *s = strchr(text, ' ');
	while (s && *++s >= '0' && *s <= '9')
		pages = pages * 10 + (uint64_t)(*s - '0');
	return pages * zm_os_page_size();
}

static bool
worth_it(void)
{
	return zm_session.cause != ZS_CAUSE_FORK || resident() <= INHERITED_MAX;
}

static void
announce(enum zs_end how, int status)
{
	struct zs_header *h = zm_session.h;

	h->exit_ns = zm_session_ns();
	h->end = how;
	h->end_signal = how == ZS_END_SIGNAL ? (uint32_t)status : 0;
	h->exit_status = status;
	h->exit_status_known = how == ZS_END_AT_ONCE;
	__atomic_store_n(&h->state, ZS_EXITING, __ATOMIC_RELEASE);
}

static void
last_look(void *self)
{
	struct zm_thread *t = zm_thread_current;

	zm_threads_names();
	if (t && t->logger)
		zm_count_flush(t->logger);
	zm_snapshot_end(false);
	if (zm_scan(self, false, &stopped) == 0)
		__atomic_store_n(&zm_session.h->state, ZS_SCANNED,
				 __ATOMIC_RELEASE);
}

bool
zm_leave(enum zs_end how, int status, const struct zm_self *self)
{
	struct zm_thread *t = zm_thread_current;

	if (!*zm_session_flag || zm_session.h->pid != zm_os_getpid() ||
	    zm_locks_held || zm_heap_damaged)
		return false;
	if (!zm_leave_begin())
		return false;
	if (!*zm_session_flag || !worth_it()) {
		leaving = 0;
		return false;
	}
	announce(how, status);
	if (t)
		t->in_logger++;
	zm_scan_on_stack(last_look, (void *)self);
	if (t)
		t->in_logger--;
	return true;
}

void
zm_leave_undone(void)
{
	struct zs_header *h = zm_session.h;

	h->end = ZS_END_EXIT;
	h->exit_ns = 0;
	__atomic_store_n(&h->state, ZS_RUNNING, __ATOMIC_RELEASE);
	zm_resume_threads(&stopped);
	__atomic_store_n(&leaving, 0, __ATOMIC_RELEASE);
}

/* ---- in the place of libc's functions ------------------------------------ */

/*
 * Entries that note what the caller has in its registers, and call the function
 * below with that as the argument behind their own.
 */
struct zm_left {
	uintptr_t sp;
	uintptr_t reg[12];
};

#if defined(__x86_64__)
#define ENTRY(name, behind)                         \
	__asm__(".text\n.p2align 4\n"               \
		".hidden zm_left_" name "\n"        \
		".type zm_at_" name ", @function\n" \
		"zm_at_" name ":\n"                 \
		".cfi_startproc\nendbr64\n"         \
		"sub $104, %rsp\n"                  \
		".cfi_adjust_cfa_offset 104\n"      \
		"lea 112(%rsp), %rax\n"             \
		"mov %rax, (%rsp)\n"                \
		"mov %rbx, 8(%rsp)\n"               \
		"mov %rbp, 16(%rsp)\n"              \
		"mov %r12, 24(%rsp)\n"              \
		"mov %r13, 32(%rsp)\n"              \
		"mov %r14, 40(%rsp)\n"              \
		"mov %r15, 48(%rsp)\n"              \
		"movq $0, 56(%rsp)\n"               \
		"movq $0, 64(%rsp)\n"               \
		"movq $0, 72(%rsp)\n"               \
		"movq $0, 80(%rsp)\n"               \
		"movq $0, 88(%rsp)\n"               \
		"movq $0, 96(%rsp)\n"               \
		"mov %rsp, %" behind "\n"           \
		"call zm_left_" name "\n"           \
		"add $104, %rsp\n"                  \
		".cfi_adjust_cfa_offset -104\n"     \
		"ret\n.cfi_endproc\n"               \
		".size zm_at_" name ", .-zm_at_" name "\n")
ENTRY("exit", "rsi");
ENTRY("execve", "rcx");
ENTRY("execveat", "r9");
#else
#define ENTRY(name, behind)                         \
	__asm__(".text\n.p2align 4\n"               \
		".hidden zm_left_" name "\n"        \
		".type zm_at_" name ", %function\n" \
		"zm_at_" name ":\n"                 \
		".cfi_startproc\nhint #34\n"        \
		"sub sp, sp, #128\n"                \
		".cfi_adjust_cfa_offset 128\n"      \
		"str x30, [sp, #112]\n"             \
		".cfi_offset 30, -16\n"             \
		"add x9, sp, #128\n"                \
		"str x9, [sp]\n"                    \
		"str x19, [sp, #8]\n"               \
		"stp x20, x21, [sp, #16]\n"         \
		"stp x22, x23, [sp, #32]\n"         \
		"stp x24, x25, [sp, #48]\n"         \
		"stp x26, x27, [sp, #64]\n"         \
		"stp x28, x29, [sp, #80]\n"         \
		"stp xzr, xzr, [sp, #96]\n"         \
		"mov " behind ", sp\n"              \
		"bl zm_left_" name "\n"             \
		"ldr x30, [sp, #112]\n"             \
		"add sp, sp, #128\n"                \
		".cfi_adjust_cfa_offset -128\n"     \
		"ret\n.cfi_endproc\n"               \
		".size zm_at_" name ", .-zm_at_" name "\n")
ENTRY("exit", "x1");
ENTRY("execve", "x3");
ENTRY("execveat", "x5");
#endif
#undef ENTRY

#define ZM_LEFT __attribute__((visibility("hidden"), used))
void zm_at_exit(int status) __attribute__((visibility("hidden")));
void zm_at_execve(void) __attribute__((visibility("hidden")));
void zm_at_execveat(void) __attribute__((visibility("hidden")));
void zm_left_exit(int status, const struct zm_left *) ZM_LEFT;
int zm_left_execve(const char *path, char *const argv[], char *const envp[],
		   const struct zm_left *) ZM_LEFT;
int zm_left_execveat(int fd, const char *path, char *const argv[],
		     char *const envp[], int flags,
		     const struct zm_left *) ZM_LEFT;

void
zm_left_exit(int status, const struct zm_left *left)
{
	struct zm_self self = { .sp = left->sp, .reg = left->reg, .regs = 12 };

	zm_leave(ZS_END_AT_ONCE, status, &self);
	zm_os_exit(status);
}

/* What exec takes counts as held, wherever the caller has it. */
static long
replace(long nr, const long arg[ARGUMENTS], const struct zm_left *left)
{
	uintptr_t reg[12 + ARGUMENTS];
	struct zm_self self = { .sp = left->sp,
				.reg = reg,
				.regs = 12 + ARGUMENTS };
	int saved = errno;

	for (unsigned i = 0; i < 12; i++)
		reg[i] = left->reg[i];
	for (unsigned i = 0; i < ARGUMENTS; i++)
		reg[12 + i] = (uintptr_t)arg[i];
	bool looked = zm_leave(ZS_END_EXEC, 0, &self);
	long got = zm_os_syscall(nr, arg[0], arg[1], arg[2], arg[3], arg[4], 0);
	if (looked)
		zm_leave_undone();
	errno = got < 0 ? (int)-got : saved;
	return got < 0 ? -1 : got;
}

int
zm_left_execve(const char *path, char *const argv[], char *const envp[],
	       const struct zm_left *left)
{
	const long arg[ARGUMENTS] = { (long)path, (long)argv, (long)envp };

	return (int)replace(SYS_execve, arg, left);
}

int
zm_left_execveat(int fd, const char *path, char *const argv[],
		 char *const envp[], int flags, const struct zm_left *left)
{
	const long arg[ARGUMENTS] = { fd, (long)path, (long)argv, (long)envp,
				      flags };

	return (int)replace(SYS_execveat, arg, left);
}

void
zm_leave_start(void)
{
	static bool started;

	if (started)
		return;
	started = true;
	zm_scan_stack_start();
	zm_patch_function("_exit", (void *)zm_at_exit);
	zm_patch_function("execve", (void *)zm_at_execve);
	zm_patch_function("execveat", (void *)zm_at_execveat);
	zm_fatal_start();
}
