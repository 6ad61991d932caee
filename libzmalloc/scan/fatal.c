/*
 * fatal.c - signals that end the program, when it does not handle them.
 *
 * While a recording runs, such a signal has a handler of ours in place of the
 * kernel's default: it scans, restores the default and sends the same signal
 * with the same siginfo to the same thread.  It comes when the handler returns,
 * in the state in which the first one came: the parent sees the same status,
 * a core dump the same registers.
 *
 * The program does not see the handler: libc's sigaction, which signal() and
 * its relatives call, goes by us (patch.c) and says SIG_DFL where ours stands.
 * exec and posix_spawn reset handlers anyway.  Where sigaction cannot be
 * replaced nothing is done; nor for the first process of a pid namespace, which
 * the kernel does not end by a default, nor for signals that are ignored.
 *
 * The handler does not ask for the program's alternate stack, which may be
 * small: where the stack has come to its end the kernel then does what it would
 * have done.  When the fault lies in this library, or came while it held a
 * lock, the heap may be damaged or half changed, and there is no scan.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "malloc/state.h"
#include "os/os.h"
#include "scan/leave.h"

enum { SIGNALS = 64, RED_ZONE = 128, RESTORER_FLAG = 0x04000000 };

/* What rt_sigaction takes. */
struct kernel_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

static const unsigned char fatal[] = {
	SIGHUP,	 SIGINT,  SIGQUIT, SIGILL,  SIGTRAP,   SIGABRT, SIGBUS,
	SIGFPE,	 SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE,   SIGALRM, SIGTERM,
	SIGXCPU, SIGXFSZ, SIGPROF, SIGIO,   SIGVTALRM, SIGPWR,	SIGSYS,
};

static uint64_t watched; /* bit n - 1: signal n */
static void *restorer;	 /* libc's; NULL on aarch64 */

static bool
is_watched(int sig)
{
	return watched >> (sig - 1) & 1;
}

static int
kernel_sigaction(int sig, const struct kernel_action *act,
		 struct kernel_action *old)
{
	return (int)zm_os_syscall(SYS_rt_sigaction, sig, (long)act, (long)old,
				  sizeof act->mask, 0, 0);
}

/* ---- the end ------------------------------------------------------------- */

static bool
in_library(uintptr_t pc)
{
	unsigned m = zm_module_of(pc);

	return m && m == zm_module_of((uintptr_t)&in_library) &&
	       m != zm_module_of(getauxval(AT_ENTRY));
}

static void
scan(int sig, const ucontext_t *uc)
{
#if defined(__x86_64__)
	struct zm_self self = {
		.sp = (uintptr_t)uc->uc_mcontext.gregs[REG_RSP] - RED_ZONE,
		.reg = (const uintptr_t *)uc->uc_mcontext.gregs,
		.regs = 16,
	};
	uintptr_t pc = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
#else
	struct zm_self self = { .sp = uc->uc_mcontext.sp - RED_ZONE,
				.reg = (const uintptr_t *)uc->uc_mcontext.regs,
				.regs = 31 };
	uintptr_t pc = uc->uc_mcontext.pc;
#endif
	struct zm_thread *t = zm_thread_current;

	if ((t && t->in_logger) || in_library(pc))
		return;
	self.sp &= ~(uintptr_t)7;
	self.vecs = zm_vector_registers(uc, &self.vec);
	zm_leave(ZS_END_SIGNAL, sig, &self);
}

static void
handler(int sig, siginfo_t *info, void *uc)
{
	const struct kernel_action standard = { 0 };
	int saved = errno;

	scan(sig, uc);
	kernel_sigaction(sig, &standard, NULL);
	if (zm_os_syscall(SYS_rt_tgsigqueueinfo, zm_os_getpid(), zm_os_gettid(),
			  sig, (long)info, 0, 0) < 0)
		zm_os_tgkill(zm_os_getpid(), zm_os_gettid(), sig);
	errno = saved;
}

static const struct kernel_action *
ours(void)
{
	static struct kernel_action act = {
		.handler = (void *)handler,
		.flags = SA_SIGINFO | SA_RESTART,
		.mask = ~UINT64_C(0),
	};

	if (restorer) {
		act.restorer = restorer;
		act.flags |= RESTORER_FLAG;
	}
	return &act;
}

/* ---- in the place of libc's sigaction -------------------------------------
 */

static void
from_kernel(const struct kernel_action *k, struct sigaction *act)
{
	static const struct kernel_action standard = { 0 };

	if (k->handler == (void *)handler)
		k = &standard;
	act->sa_handler = (__sighandler_t)k->handler;
	act->sa_flags = (int)k->flags;
	act->sa_restorer = (void (*)(void))k->restorer;
	memcpy(&act->sa_mask, &k->mask, sizeof k->mask);
}

static struct kernel_action
to_kernel(const struct sigaction *act)
{
	struct kernel_action k = {
		.handler = (void *)act->sa_handler,
		.flags = (unsigned int)act->sa_flags,
		.restorer = restorer,
	};

	if (restorer)
		k.flags |= RESTORER_FLAG;
	memcpy(&k.mask, &act->sa_mask, sizeof k.mask);
	return k;
}

static int
at_sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct kernel_action new, before;
	const struct kernel_action *set = NULL;

	/* as libc, which keeps the first two realtime signals for itself */
	if (sig < 1 || sig > SIGNALS || sig == 32 || sig == 33) {
		errno = EINVAL;
		return -1;
	}
	if (act) {
		new = to_kernel(act);
		set = &new;
		if (!new.handler && is_watched(sig) && *zm_session_flag)
			set = ours();
	}
	int err = kernel_sigaction(sig, set, &before);
	if (err < 0) {
		errno = -err;
		return -1;
	}
	if (old)
		from_kernel(&before, old);
	return 0;
}

/* ---- start ----------------------------------------------------------------
 */

/* libc's own restorer, which unwinders know: it comes with an action that libc
 * sets. */
static void
find_restorer(void)
{
	struct sigaction act;
	struct kernel_action k;

	if (sigaction(SIGURG, NULL, &act) || act.sa_handler != SIG_DFL ||
	    sigaction(SIGURG, &act, NULL) ||
	    kernel_sigaction(SIGURG, NULL, &k) < 0)
		return;
	if (k.flags & RESTORER_FLAG)
		restorer = k.restorer;
}

void
zm_fatal_start(void)
{
	struct kernel_action k;

	if (zm_os_getpid() == 1)
		return;
	find_restorer();
#if defined(__x86_64__)
	if (!restorer)
		return;
#endif
	if (!zm_patch_function("sigaction", (void *)at_sigaction))
		return;
	for (size_t i = 0; i < sizeof fatal; i++) {
		int sig = fatal[i];
		if (kernel_sigaction(sig, NULL, &k) < 0 || k.handler)
			continue;
		watched |= UINT64_C(1) << (sig - 1);
		kernel_sigaction(sig, ours(), NULL);
	}
}
