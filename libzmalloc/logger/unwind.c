/*
 * unwind.c - the stack of the thread that allocates.
 *
 * libunwind is loaded when the library's constructor runs, with local scope,
 * so that the program sees no symbol of it.  zm_unwind is the only place that
 * knows an unwinder.  No lock of ours is held while it works: libunwind asks
 * the loader for modules, and the loader's lock may be held by a thread that
 * waits for us.
 *
 * libunwind tests whether an address can be read by writing the byte at it
 * into a pipe that it opens once.  A program that closes descriptors which it
 * does not know, and opens files, would then find our bytes in its files.  So
 * the private copy that we load gets its pipe calls replaced by functions
 * here, which ask the kernel without a descriptor (redirect_calls).
 */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "logger/logger.h"
#include "os/os.h"

enum { CACHE_PER_THREAD = 2 }; /* libunwind's UNW_CACHE_PER_THREAD */

#if defined(__x86_64__)
#define UNW_NAME(name)	   "_ULx86_64_" name
#define UNW_ANY_NAME(name) "_Ux86_64_" name
#define JUMP_SLOT	   R_X86_64_JUMP_SLOT
#define GLOB_DAT	   R_X86_64_GLOB_DAT
#else
#define UNW_NAME(name)	   "_ULaarch64_" name
#define UNW_ANY_NAME(name) "_Uaarch64_" name
#define JUMP_SLOT	   R_AARCH64_JUMP_SLOT
#define GLOB_DAT	   R_AARCH64_GLOB_DAT
#endif

/* ---- libunwind without its pipe --------------------------------------- */

enum { NO_PIPE = -4711 }; /* no descriptor has this number */

static int
fake_pipe2(int fds[2], int flags)
{
	(void)flags;
	fds[0] = fds[1] = NO_PIPE;
	return 0;
}

static int
fake_pipe(int fds[2])
{
	return fake_pipe2(fds, 0);
}

static int
fake_fcntl(int fd, int cmd, long arg)
{
	if (fd == NO_PIPE)
		return 0;
	long r = zm_os_fcntl(fd, cmd, arg);
	if (r < 0)
		errno = (int)-r;
	return r < 0 ? -1 : (int)r;
}

static ssize_t
result(ssize_t r)
{
	if (r < 0)
		errno = (int)-r;
	return r < 0 ? -1 : r;
}

/* The pipe is always empty .. */
static ssize_t
fake_read(int fd, void *buf, size_t bytes)
{
	return result(fd == NO_PIPE ? -EAGAIN : zm_os_read(fd, buf, bytes));
}

/* .. and accepts a byte that can be read: the kernel copies the set before it
 * finds that there is no such operation. */
static ssize_t
fake_write(int fd, const void *buf, size_t bytes)
{
	if (fd != NO_PIPE)
		return result(zm_os_write(fd, buf, bytes));
	uintptr_t word = (uintptr_t)buf & ~(uintptr_t)7;
	long r = zm_os_syscall(SYS_rt_sigprocmask, -1, (long)word, 0, 8, 0, 0);
	return result(r == -EFAULT ? -EFAULT : (ssize_t)bytes);
}

/* libunwind writes in this way. */
static long
fake_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr == SYS_write)
		return fake_write((int)a, (const void *)b, (size_t)c);
	return result(zm_os_syscall(nr, a, b, c, d, e, f));
}

static int
fake_close(int fd)
{
	return fd == NO_PIPE ? 0 : (int)result(zm_os_close(fd));
}

static const struct {
	const char *name;
	void *ours;
} redirected[] = {
	{ "pipe2", (void *)fake_pipe2 },     { "pipe", (void *)fake_pipe },
	{ "fcntl", (void *)fake_fcntl },     { "fcntl64", (void *)fake_fcntl },
	{ "read", (void *)fake_read },	     { "write", (void *)fake_write },
	{ "syscall", (void *)fake_syscall }, { "close", (void *)fake_close },
};

struct dynamic {
	const ElfW(Sym) * sym;
	const char *str;
	const ElfW(Rela) * jmp, *rela;
	size_t jmp_bytes, rela_bytes;
};

static void
redirect_one(uintptr_t base, const struct dynamic *d, const ElfW(Rela) * r)
{
	unsigned type = (unsigned)ELF64_R_TYPE(r->r_info);
	const char *name = d->str + d->sym[ELF64_R_SYM(r->r_info)].st_name;

	if (type != JUMP_SLOT && type != GLOB_DAT)
		return;
	for (size_t i = 0; i < sizeof redirected / sizeof redirected[0]; i++) {
		if (strcmp(name, redirected[i].name))
			continue;
		size_t page = zm_os_page_size();
		uintptr_t slot = base + r->r_offset;
		void *at = (void *)(slot & ~(page - 1));
		/* The table may be read-only by now; it stays as it was but
		 * for being writable. */
		if (zm_os_protect(at, page, PROT_READ | PROT_WRITE) == 0)
			*(void **)slot = redirected[i].ours;
	}
}

static void
redirect_calls(const struct link_map *lm)
{
	struct dynamic d = { 0 };

	for (const ElfW(Dyn) *e = lm->l_ld; e->d_tag != DT_NULL; e++) {
		const void *p = (const void *)e->d_un.d_ptr;
		if (e->d_tag == DT_SYMTAB)
			d.sym = p;
		else if (e->d_tag == DT_STRTAB)
			d.str = p;
		else if (e->d_tag == DT_JMPREL)
			d.jmp = p;
		else if (e->d_tag == DT_RELA)
			d.rela = p;
		else if (e->d_tag == DT_PLTRELSZ)
			d.jmp_bytes = e->d_un.d_val;
		else if (e->d_tag == DT_RELASZ)
			d.rela_bytes = e->d_un.d_val;
	}
	if (!d.sym || !d.str)
		return;
	for (size_t i = 0; d.jmp && i < d.jmp_bytes / sizeof *d.jmp; i++)
		redirect_one(lm->l_addr, &d, &d.jmp[i]);
	for (size_t i = 0; d.rela && i < d.rela_bytes / sizeof *d.rela; i++)
		redirect_one(lm->l_addr, &d, &d.rela[i]);
}

/* ---- the unwinder ----------------------------------------------------- */

static int (*unw_backtrace)(void **, int);
static int (*unw_init_local)(void *cursor, void *context);
static int (*unw_step)(void *cursor);
static int (*unw_get_reg)(void *cursor, int reg, uintptr_t *value);

static void (*unw_flush_cache)(void *space, uintptr_t lo, uintptr_t hi);
static void **unw_space;

static unsigned
no_unwinder(uintptr_t *pcs, unsigned max)
{
	(void)pcs;
	(void)max;
	return 0;
}

static unsigned
libunwind(uintptr_t *pcs, unsigned max)
{
	int n = unw_backtrace((void **)pcs, (int)max);

	while (n > 0 && !pcs[n - 1]) /* the mark of the outermost frame */
		n--;
	return n > 0 ? (unsigned)n : 0;
}

unsigned (*zm_unwind)(uintptr_t *, unsigned) = no_unwinder;
bool zm_unwind_started;

void
zm_unwind_start(void)
{
	void *lib = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
	int (*policy)(void *, int);

	zm_unwind_started = true;
	if (lib) {
		redirect_calls(lib); /* glibc's handle is its link map */
		*(void **)&unw_backtrace = dlsym(lib, "unw_backtrace");
		*(void **)&unw_init_local = dlsym(lib, UNW_NAME("init_local"));
		*(void **)&unw_step = dlsym(lib, UNW_NAME("step"));
		*(void **)&unw_get_reg = dlsym(lib, UNW_NAME("get_reg"));
		*(void **)&policy = dlsym(lib, UNW_NAME("set_caching_policy"));
		unw_space = dlsym(lib, UNW_NAME("local_addr_space"));
		*(void **)&unw_flush_cache =
		    dlsym(lib, UNW_ANY_NAME("flush_cache"));
		if (policy && unw_space)
			policy(*unw_space, CACHE_PER_THREAD);
	}
	if (unw_backtrace) {
		uintptr_t warm[16];
		libunwind(warm, 16); /* its own start happens here */
		zm_unwind = libunwind;
	} else {
		zm_trouble(ZS_TROUBLE_NO_UNWINDER);
	}
	dlerror(); /* leaves no message behind for the program */
}

/* ---- one step --------------------------------------------------------- */

#if defined(__x86_64__)
enum { UNW_IP = 16, UNW_SP = 7, UNW_FP = 6 };
static const int preserved[] = { 3, 6, 12, 13, 14, 15 };

static void
set_context(ucontext_t *c, const struct zm_regs *s)
{
	c->uc_mcontext.gregs[REG_RIP] = (greg_t)s->pc;
	c->uc_mcontext.gregs[REG_RSP] = (greg_t)s->sp;
	c->uc_mcontext.gregs[REG_RBP] = (greg_t)s->fp;
}
#else
/* libunwind keeps the ip with the lr */
enum { UNW_IP = 30, UNW_SP = 31, UNW_FP = 29 };
static const int preserved[] = { 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29 };

static void
set_context(ucontext_t *c, const struct zm_regs *s)
{
	c->uc_mcontext.pc = c->uc_mcontext.regs[30] = s->pc;
	c->uc_mcontext.sp = s->sp;
	c->uc_mcontext.regs[29] = s->fp;
}
#endif

/*
 * A context with the three registers alone: a frame for which libunwind needs
 * others comes out wrong and is then no frame for rules.
 */
int
zm_unwind_step(struct zm_lthread *t, const struct zm_regs *from,
	       struct zm_regs *to)
{
	static const ucontext_t empty;
	int more;

	if (!unw_init_local || !unw_step || !unw_get_reg)
		return -1;
	t->context = empty;
	set_context(&t->context, from);
	if (unw_init_local(t->cursor, &t->context) < 0)
		return -1;
	more = unw_step(t->cursor);
	if (more > 0 && (unw_get_reg(t->cursor, UNW_IP, &to->pc) < 0 ||
			 unw_get_reg(t->cursor, UNW_SP, &to->sp) < 0 ||
			 unw_get_reg(t->cursor, UNW_FP, &to->fp) < 0))
		return -1;
	return more;
}

void
zm_unwind_flush(void)
{
	if (unw_flush_cache && unw_space)
		unw_flush_cache(*unw_space, 0, 0);
}

/* ---- the program's innermost frame ------------------------------------ */

/* Whether pc lies in this library, in libc or in the loader; libc must not be
 * a part of the program. */
static bool
not_program(uintptr_t pc)
{
	unsigned m = zm_module_of(pc - 1);
	unsigned libc = zm_module_of((uintptr_t)&exit);

	return m && libc && libc != zm_module_of(getauxval(AT_ENTRY)) &&
	       (m == libc || m == zm_module_of((uintptr_t)&not_program) ||
		m == zm_module_of(getauxval(AT_BASE)));
}

static bool
read_frame(void *cursor, struct zm_frame *f)
{
	unsigned n = sizeof preserved / sizeof preserved[0];

	if (unw_get_reg(cursor, UNW_SP, &f->sp) < 0)
		return false;
	for (f->count = 0; f->count < n; f->count++) {
		if (unw_get_reg(cursor, preserved[f->count],
				&f->reg[f->count]) < 0)
			return false;
	}
	return true;
}

/*
 * getcontext is libc's: two dozen stores and a system call.  What libunwind
 * calls a context is the same struct on the machines we run on.
 */
bool
zm_unwind_program(struct zm_frame *f)
{
	enum { CURSOR = 8192, FRAMES = 64 };
	static uintptr_t cursor[CURSOR / sizeof(uintptr_t)];
	static ucontext_t context; /* one thread exits at a time */
	struct zm_frame got;
	uintptr_t pc;

	if (!unw_init_local || !unw_step || !unw_get_reg ||
	    getcontext(&context) || unw_init_local(cursor, &context) < 0)
		return false;
	for (int i = 0; i < FRAMES; i++) {
		if (unw_step(cursor) <= 0 ||
		    unw_get_reg(cursor, UNW_IP, &pc) < 0)
			return false;
		if (not_program(pc))
			continue;
		if (!read_frame(cursor, &got) || i == 0)
			return false;
		*f = got;
		return true;
	}
	return false;
}
