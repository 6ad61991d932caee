/*
 * os.h - the whole contract with the operating system.
 *
 * Every system call of the library goes through this header.  The calls are
 * raw: they work before libc is initialised, after fork in a multi-threaded
 * process, in signal handlers, and never touch errno.  Unless said otherwise a
 * function returns 0 or a count, descriptor or address, or -errno.
 *
 * Tests replace zm_os_override to inject faults.
 *
 * From libc only clock_gettime, sched_getcpu (both read the vDSO or the
 * thread's rseq area; no lock, no allocation) and memory and string
 * functions are used.
 */
#ifndef ZMALLOC_OS_OS_H
#define ZMALLOC_OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct msghdr;
struct sockaddr;
struct timespec;
struct stat;

/*
 * When set, each system call asks it first.  It returns true to answer the
 * call itself with *result (an error as -errno), false to let it happen.
 */
extern bool (*zm_os_override)(long nr, const long arg[6], long *result);

long zm_os_syscall(long nr, long a, long b, long c, long d, long e, long f);

/*
 * For big tables of which a program uses a few entries: they lie behind all
 * other static data, which so fits in few pages.
 */
#define ZM_TABLE __attribute__((section(".bss.zm_tables")))

/* ---- memory ------------------------------------------------------------ */

/* Private anonymous memory, zeroed, readable and writable, named for
 * /proc/PID/maps (name: a constant, NULL: none).  NULL when out of memory. */
void *zm_os_map(size_t bytes, const char *name);
/* The same, start a multiple of align (a power of two, in bytes). */
void *zm_os_map_aligned(size_t bytes, size_t align, const char *name);
/* Address space without access, to be opened with zm_os_commit. */
void *zm_os_reserve(size_t bytes, size_t align, const char *name);
int zm_os_commit(void *p, size_t bytes); /* reserved -> read and write */
/* Back to reserved: contents and commit charge are gone. */
int zm_os_decommit(void *p, size_t bytes);
int zm_os_unmap(void *p, size_t bytes);
int zm_os_protect(void *p, size_t bytes, int prot);
/* Gives the pages back now; they read as zero afterwards. */
int zm_os_purge(void *p, size_t bytes);
/*
 * Between begin and end, bytes of pages that go by purge, decommit and unmap
 * are counted, whoever calls these; zm_os_released takes what begin returned
 * and tells how many.
 */
size_t zm_os_release_begin(void);
size_t zm_os_released(size_t begin);
void zm_os_release_end(void);
/* Makes pages present in one call; -EINVAL on kernels before 5.14. */
int zm_os_populate(void *p, size_t bytes);
int zm_os_madvise(void *p, size_t bytes, int advice);
void zm_os_name(void *p, size_t bytes, const char *name);
/* Moves a mapping's pages; the address or -errno. */
long zm_os_mremap(void *p, size_t bytes, size_t new_bytes, int flags,
		  void *new_address);
long zm_os_mmap(void *p, size_t bytes, int prot, int flags, int fd,
		int64_t offset);
/* Bytes of [p, p + bytes) that are in memory; for statistics and tests. */
size_t zm_os_resident(void *p, size_t bytes);

/*
 * The library's own mappings: what zm_os_map, zm_os_map_aligned and
 * zm_os_reserve made and zm_os_unmap has not taken back.  zm_os_own returns the
 * bytes from addr to the end of such a mapping; 0 when addr is in none, and
 * then lowers *clear to the bytes up to the next one.  It takes no lock.
 */
size_t zm_os_own(uintptr_t addr, size_t *clear);
/* The table of them, for a look from outside: pairs of words, first address
 * and end; first 0: unused. */
const void *zm_os_own_table(uint32_t *entries);
void zm_os_own_add(void *p, size_t bytes);    /* for memory.c */
void zm_os_own_remove(void *p, size_t bytes); /* for memory.c */
void zm_os_own_reinit(void);		      /* in the child of fork */

size_t zm_os_page_size(void);
uint64_t zm_os_ram(void); /* bytes of physical memory */
/* Limit of the address space in bytes, SIZE_MAX when there is none. */
size_t zm_os_address_space(void);

/* ---- processor, time, chance ------------------------------------------- */

unsigned zm_os_cpu(void);      /* number of the CPU that runs us; a hint */
unsigned zm_os_ncpu(void);     /* CPUs this process may use; at least 1 */
uint64_t zm_os_now(void);      /* CLOCK_MONOTONIC, ns */
uint64_t zm_os_realtime(void); /* CLOCK_REALTIME, ns */
/* Never fails: falls back to a mix of clock and addresses. */
void zm_os_random(void *out, size_t bytes);
int zm_os_sleep(uint64_t ns); /* -EINTR when interrupted */
int zm_os_yield(void);

/* ---- futex -------------------------------------------------------------- */

/* Sleeps while *word == value; ns 0: without limit.  Process-private. */
int zm_os_futex_wait(uint32_t *word, uint32_t value, uint64_t ns);
int zm_os_futex_wake(uint32_t *word, int count);

/* ---- files -------------------------------------------------------------- */

int zm_os_open(const char *path, int flags, int mode);
int zm_os_close(int fd);
ssize_t zm_os_read(int fd, void *buf, size_t bytes);
ssize_t zm_os_pread(int fd, void *buf, size_t bytes, int64_t offset);
ssize_t zm_os_write(int fd, const void *buf, size_t bytes);
/* Writes all of it, over interruptions and short writes; 0 or -errno. */
int zm_os_write_all(int fd, const void *buf, size_t bytes);
/* Not terminated by a NUL; the length or -errno. */
ssize_t zm_os_readlink(const char *path, char *buf, size_t bytes);
int zm_os_fstat(int fd, struct stat *);
int zm_os_stat(const char *path, struct stat *);
int zm_os_access(const char *path, int mode);
int zm_os_unlink(const char *path);
int zm_os_ftruncate(int fd, int64_t bytes);
int zm_os_fallocate(int fd, int mode, int64_t offset, int64_t bytes);
int zm_os_memfd(const char *name, unsigned flags);
int zm_os_dup3(int fd, int to, int flags);
int zm_os_fcntl(int fd, int cmd, long arg);
int zm_os_pipe2(int fds[2], int flags);
/* struct linux_dirent64 records; bytes, 0 at the end. */
ssize_t zm_os_getdents(int fd, void *buf, size_t bytes);
int zm_os_close_range(unsigned first, unsigned last, unsigned flags);

int zm_os_socket(int domain, int type, int protocol);
int zm_os_socketpair(int domain, int type, int protocol, int fds[2]);
int zm_os_connect(int fd, const struct sockaddr *, unsigned bytes);
ssize_t zm_os_sendmsg(int fd, const struct msghdr *, int flags);
ssize_t zm_os_recvmsg(int fd, struct msghdr *, int flags);
/* One message with one descriptor attached (fd -1: none). */
ssize_t zm_os_send_fd(int sock, const void *buf, size_t bytes, int fd);

/* ---- processes and threads ---------------------------------------------- */

int zm_os_getpid(void);
int zm_os_getppid(void);
int zm_os_gettid(void);
int zm_os_kill(int pid, int sig);
int zm_os_tgkill(int pid, int tid, int sig);
/* As fork with these clone flags and exit signal (no CLONE_VM, no new stack):
 * 0 in the child.  Runs no atfork handlers; the child may use only os.h and
 * what needs no libc state. */
int zm_os_clone(unsigned long flags);
int zm_os_execve(const char *path, char *const argv[], char *const envp[]);
int zm_os_wait4(int pid, int *status, int options);
int zm_os_setsid(void);
int zm_os_prctl(int option, unsigned long a, unsigned long b, unsigned long c,
		unsigned long d);
int zm_os_getrlimit(int resource, uint64_t *soft, uint64_t *hard);
void zm_os_exit(int status) __attribute__((noreturn)); /* exit_group */
void zm_os_exit_thread(int status) __attribute__((noreturn));
ssize_t zm_os_process_vm_read(int pid, void *to, const void *from,
			      size_t bytes);

/* ---- signals ------------------------------------------------------------ */

/* A set of signals as the kernel has it: bit n - 1 is signal n. */
typedef uint64_t zm_sigset;

struct zm_sigaction {
	void *handler;	     /* SIG_DFL, SIG_IGN or a function */
	unsigned long flags; /* SA_*; the restorer is added where needed */
	zm_sigset mask;
};

/* Not filtered by libc: also the signals that libc reserves for itself. */
int zm_os_sigaction(int sig, const struct zm_sigaction *,
		    struct zm_sigaction *old);
/* how: SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK. */
int zm_os_sigprocmask(int how, const zm_sigset *, zm_sigset *old);

#endif
