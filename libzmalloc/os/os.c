/*
 * os.c - system calls for memory, processor, time, files and processes.
 *
 * Contract in os.h.  Relies on the kernel, and on nothing of libc but its
 * constants.  Called by every other part of the library.
 */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

bool (*zm_os_override)(long nr, const long arg[6], long *result);

#if defined(__x86_64__)
static inline long
raw(long nr, long a, long b, long c, long d, long e, long f)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
static inline long
raw(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory", "cc");
	return x0;
}
#else
#error "not ported to this processor"
#endif

long
zm_os_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	if (__builtin_expect(zm_os_override != NULL, 0)) {
		long arg[6] = { a, b, c, d, e, f }, result;
		if (zm_os_override(nr, arg, &result))
			return result;
	}
	return raw(nr, a, b, c, d, e, f);
}

#define CALL(nr, a, b, c, d, e, f)                                    \
	zm_os_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), \
		      (long)(e), (long)(f))

/* ---- futex -------------------------------------------------------------- */

enum { FUTEX_WAIT_PRIVATE_OP = 0 | 128, FUTEX_WAKE_PRIVATE_OP = 1 | 128 };

int
zm_os_futex_wait(uint32_t *word, uint32_t value, uint64_t ns)
{
	struct {
		int64_t s, ns;
	} ts = { (int64_t)(ns / 1000000000), (int64_t)(ns % 1000000000) };
	return (int)CALL(SYS_futex, word, FUTEX_WAIT_PRIVATE_OP, value,
			 ns ? (long)&ts : 0, 0, 0);
}

int
zm_os_futex_wake(uint32_t *word, int count)
{
	return (int)CALL(SYS_futex, word, FUTEX_WAKE_PRIVATE_OP, count, 0, 0,
			 0);
}

/* ---- files -------------------------------------------------------------- */

int
zm_os_open(const char *path, int flags, int mode)
{
	return (int)CALL(SYS_openat, AT_FDCWD, path, flags, mode, 0, 0);
}

int
zm_os_close(int fd)
{
	return (int)CALL(SYS_close, fd, 0, 0, 0, 0, 0);
}

ssize_t
zm_os_read(int fd, void *buf, size_t bytes)
{
	return CALL(SYS_read, fd, buf, bytes, 0, 0, 0);
}

ssize_t
zm_os_pread(int fd, void *buf, size_t bytes, int64_t offset)
{
	return CALL(SYS_pread64, fd, buf, bytes, offset, 0, 0);
}

ssize_t
zm_os_write(int fd, const void *buf, size_t bytes)
{
	return CALL(SYS_write, fd, buf, bytes, 0, 0, 0);
}

int
zm_os_write_all(int fd, const void *buf, size_t bytes)
{
	const char *p = buf;
	while (bytes) {
		ssize_t n = zm_os_write(fd, p, bytes);
		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int)n;
		if (n == 0)
			return -EIO;
		p += n;
		bytes -= (size_t)n;
	}
	return 0;
}

ssize_t
zm_os_readlink(const char *path, char *buf, size_t bytes)
{
	return CALL(SYS_readlinkat, AT_FDCWD, path, buf, bytes, 0, 0);
}

int
zm_os_fstat(int fd, struct stat *st)
{
	return (int)CALL(SYS_fstat, fd, st, 0, 0, 0, 0);
}

int
zm_os_stat(const char *path, struct stat *st)
{
	return (int)CALL(SYS_newfstatat, AT_FDCWD, path, st, 0, 0, 0);
}

int
zm_os_access(const char *path, int mode)
{
	return (int)CALL(SYS_faccessat, AT_FDCWD, path, mode, 0, 0, 0);
}

int
zm_os_unlink(const char *path)
{
	return (int)CALL(SYS_unlinkat, AT_FDCWD, path, 0, 0, 0, 0);
}

int
zm_os_ftruncate(int fd, int64_t bytes)
{
	return (int)CALL(SYS_ftruncate, fd, bytes, 0, 0, 0, 0);
}

int
zm_os_fallocate(int fd, int mode, int64_t offset, int64_t bytes)
{
	return (int)CALL(SYS_fallocate, fd, mode, offset, bytes, 0, 0);
}

int
zm_os_memfd(const char *name, unsigned flags)
{
	return (int)CALL(SYS_memfd_create, name, flags, 0, 0, 0, 0);
}

int
zm_os_dup3(int fd, int to, int flags)
{
	return (int)CALL(SYS_dup3, fd, to, flags, 0, 0, 0);
}

int
zm_os_fcntl(int fd, int cmd, long arg)
{
	return (int)CALL(SYS_fcntl, fd, cmd, arg, 0, 0, 0);
}

int
zm_os_pipe2(int fds[2], int flags)
{
	return (int)CALL(SYS_pipe2, fds, flags, 0, 0, 0, 0);
}

ssize_t
zm_os_getdents(int fd, void *buf, size_t bytes)
{
	return CALL(SYS_getdents64, fd, buf, bytes, 0, 0, 0);
}

int
zm_os_close_range(unsigned first, unsigned last, unsigned flags)
{
	enum { NR_CLOSE_RANGE = 436 }; /* the same on all processors */
	return (int)CALL(NR_CLOSE_RANGE, first, last, flags, 0, 0, 0);
}

int
zm_os_socket(int domain, int type, int protocol)
{
	return (int)CALL(SYS_socket, domain, type, protocol, 0, 0, 0);
}

int
zm_os_socketpair(int domain, int type, int protocol, int fds[2])
{
	return (int)CALL(SYS_socketpair, domain, type, protocol, fds, 0, 0);
}

int
zm_os_connect(int fd, const struct sockaddr *addr, unsigned bytes)
{
	return (int)CALL(SYS_connect, fd, addr, bytes, 0, 0, 0);
}

ssize_t
zm_os_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return CALL(SYS_sendmsg, fd, msg, flags, 0, 0, 0);
}

ssize_t
zm_os_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return CALL(SYS_recvmsg, fd, msg, flags, 0, 0, 0);
}

ssize_t
zm_os_send_fd(int sock, const void *buf, size_t bytes, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { (void *)(uintptr_t)buf, bytes };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	if (fd >= 0) {
		__builtin_memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int));
	}
	return zm_os_sendmsg(sock, &msg, MSG_NOSIGNAL);
}

/* ---- processes and threads ---------------------------------------------- */

int
zm_os_getpid(void)
{
	return (int)CALL(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

int
zm_os_getppid(void)
{
	return (int)CALL(SYS_getppid, 0, 0, 0, 0, 0, 0);
}

int
zm_os_gettid(void)
{
	return (int)CALL(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

int
zm_os_kill(int pid, int sig)
{
	return (int)CALL(SYS_kill, pid, sig, 0, 0, 0, 0);
}

int
zm_os_tgkill(int pid, int tid, int sig)
{
	return (int)CALL(SYS_tgkill, pid, tid, sig, 0, 0, 0);
}

/* A debugger takes a child without exit signal for a thread of the program: it
 * is not to see it. */
int
zm_os_clone(unsigned long flags)
{
	enum { UNTRACED = 0x00800000 };
	return (int)CALL(SYS_clone, flags | UNTRACED, 0, 0, 0, 0, 0);
}

int
zm_os_execve(const char *path, char *const argv[], char *const envp[])
{
	return (int)CALL(SYS_execve, path, argv, envp, 0, 0, 0);
}

int
zm_os_wait4(int pid, int *status, int options)
{
	return (int)CALL(SYS_wait4, pid, status, options, 0, 0, 0);
}

int
zm_os_setsid(void)
{
	return (int)CALL(SYS_setsid, 0, 0, 0, 0, 0, 0);
}

int
zm_os_prctl(int option, unsigned long a, unsigned long b, unsigned long c,
	    unsigned long d)
{
	return (int)CALL(SYS_prctl, option, a, b, c, d, 0);
}

int
zm_os_getrlimit(int resource, uint64_t *soft, uint64_t *hard)
{
	uint64_t limit[2];
	int error = (int)CALL(SYS_prlimit64, 0, resource, 0, limit, 0, 0);
	if (error)
		return error;
	if (soft)
		*soft = limit[0];
	if (hard)
		*hard = limit[1];
	return 0;
}

void
zm_os_exit(int status)
{
	for (;;)
		raw(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

void
zm_os_exit_thread(int status)
{
	for (;;)
		raw(SYS_exit, status, 0, 0, 0, 0, 0);
}

ssize_t
zm_os_process_vm_read(int pid, void *to, const void *from, size_t bytes)
{
	struct iovec local = { to, bytes };
	struct iovec remote = { (void *)(uintptr_t)from, bytes };
	return CALL(SYS_process_vm_readv, pid, &local, 1, &remote, 1, 0);
}

/* ---- signals ------------------------------------------------------------ */

/* What rt_sigaction takes; libc's struct differs. */
struct kernel_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer; /* not on aarch64's kernel side, see below */
	uint64_t mask;
};

#if defined(__x86_64__)
enum { SA_RESTORER_FLAG = 0x04000000 };
void zm_os_sigreturn(void) __attribute__((visibility("hidden")));
__asm__(".text\n"
	".globl zm_os_sigreturn\n"
	".hidden zm_os_sigreturn\n"
	".type zm_os_sigreturn, @function\n"
	"nop\n" /* unwinders look one byte before a return address */
	"zm_os_sigreturn:\n"
	"	mov $15, %rax\n"
	"	syscall\n"
	".size zm_os_sigreturn, . - zm_os_sigreturn\n");
#endif

int
zm_os_sigaction(int sig, const struct zm_sigaction *act,
		struct zm_sigaction *old)
{
	struct kernel_sigaction to = { 0 }, from = { 0 };
	if (act) {
		to.handler = act->handler;
		to.flags = act->flags;
		to.mask = act->mask;
#if defined(__x86_64__)
		to.flags |= SA_RESTORER_FLAG;
		to.restorer = (void *)zm_os_sigreturn;
#endif
	}
	int error = (int)CALL(SYS_rt_sigaction, sig, act ? (long)&to : 0,
			      old ? (long)&from : 0, sizeof(to.mask), 0, 0);
	if (!error && old) {
		old->handler = from.handler;
		old->flags = from.flags;
		old->mask = from.mask;
#if defined(__x86_64__)
		old->flags &= ~(unsigned long)SA_RESTORER_FLAG;
#endif
	}
	return error;
}

int
zm_os_sigprocmask(int how, const zm_sigset *set, zm_sigset *old)
{
	return (int)CALL(SYS_rt_sigprocmask, how, set, old, sizeof(zm_sigset),
			 0, 0);
}
