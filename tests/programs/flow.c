/*
 * flow.c - allocations at the moments that are hard for a recorder: before
 * main, in a signal handler, on other stacks, after longjmp, at exit, in a
 * shared library that is gone by then.
 */
#include "known.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

/* ---- before main ---- */

static int early; /* only "early" wants these: argv is passed here too */

static NOINLINE void
alloc_in_preinit(void)
{
	used(malloc(56));
}
static NOINLINE void
alloc_in_constructor(void)
{
	used(malloc(57));
}
static void
preinit(int argc, char **argv, char **env)
{
	(void)env;
	early = argc == 2 && !strcmp(argv[1], "early");
	if (early)
		alloc_in_preinit();
}
__attribute__((section(".preinit_array"),
	       used)) static void (*const hook)(int, char **,
						char **) = preinit;

__attribute__((constructor(101))) static void
constructor(void)
{
	if (early)
		alloc_in_constructor();
}

/* ---- signal handlers ---- */

static NOINLINE void
alloc_in_handler(void)
{
	used(malloc(64));
}
static void
handler(int sig)
{
	(void)sig;
	alloc_in_handler();
}
static NOINLINE void
signal_handler(void)
{
	signal(SIGUSR1, handler);
	raise(SIGUSR1);
	raise(SIGUSR1);
	signal(SIGUSR1, SIG_DFL);
}

static NOINLINE void
alloc_on_alternate(void)
{
	used(malloc(65));
}
static void
alternate_handler(int sig)
{
	(void)sig;
	alloc_on_alternate();
	memset(used(alloca(4096)), 0, 4096);
}
static NOINLINE void
alternate_stack(void)
{
	static char memory[64 << 10];
	stack_t ss = { .ss_sp = memory, .ss_size = sizeof(memory) };
	stack_t off = { .ss_flags = SS_DISABLE };
	struct sigaction sa = { .sa_flags = SA_ONSTACK };

	sa.sa_handler = alternate_handler;
	sigaltstack(&ss, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	raise(SIGUSR2);
	signal(SIGUSR2, SIG_DFL);
	sigaltstack(&off, NULL);
	memset(memory, 0, sizeof(memory));
}

/* ---- jumps ---- */

static jmp_buf back;
static NOINLINE void
alloc_before_jump(int depth)
{
	if (depth > 0)
		alloc_before_jump(depth - 1);
	used(malloc(24));
	if (depth == 0)
		longjmp(back, 1);
}
static NOINLINE void
alloc_after_jump(void)
{
	used(malloc(25));
}
static NOINLINE void
long_jump(void)
{
	for (volatile int i = 0; i < 10; i++) {
		if (setjmp(back) == 0)
			alloc_before_jump(i * 3);
		else
			alloc_after_jump();
	}
}

/* ---- coroutines ---- */

static ucontext_t main_context, coroutine_context;
static void *coroutine_stack;

static NOINLINE void
alloc_coroutine_stack(void)
{
	coroutine_stack = used(malloc(256 << 10));
	memset(coroutine_stack, 0, 256 << 10);
}
static NOINLINE void
alloc_in_coroutine(void)
{
	used(malloc(33));
}
static NOINLINE void *
alloc_held_by_coroutine(void)
{
	return used(malloc(34));
}
static void
coroutine(void)
{
	void *volatile local = alloc_held_by_coroutine();

	for (int i = 0; i < 3; i++) {
		alloc_in_coroutine();
		clear_traces();
		swapcontext(&coroutine_context, &main_context);
	}
	used(local);
}
/* It is suspended at exit: its stack, a block, holds another block. */
static NOINLINE void
coroutines(void)
{
	alloc_coroutine_stack();
	getcontext(&coroutine_context);
	coroutine_context.uc_stack.ss_sp = coroutine_stack;
	coroutine_context.uc_stack.ss_size = 256 << 10;
	coroutine_context.uc_link = &main_context;
	makecontext(&coroutine_context, coroutine, 0);
	for (int i = 0; i < 3; i++)
		swapcontext(&main_context, &coroutine_context);
}

/* ---- at exit ---- */

static NOINLINE void
alloc_at_exit(void)
{
	used(malloc(41));
	clear_traces();
}
static NOINLINE void
at_exit(void)
{
	atexit(alloc_at_exit);
}

/* ---- a library that comes and goes ---- */

static NOINLINE void
plugin(int close)
{
	char path[4096], *slash;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	void *handle;
	void (*leak)(int);

	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	strcpy(slash ? slash + 1 : path, "libplugin.so");
	handle = dlopen(path, RTLD_NOW);
	if (!handle)
		abort();
	*(void **)&leak = dlsym(handle, "plugin_leak");
	leak(3);
	if (close)
		dlclose(handle);
}
static NOINLINE void
plugin_closed(void)
{
	plugin(1);
}
static NOINLINE void
plugin_open(void)
{
	plugin(0);
}

/* ---- deep stacks ---- */

static NOINLINE void
alloc_deep(int depth)
{
	if (depth > 0)
		alloc_deep(depth - 1);
	else
		used(malloc(99));
	__asm__ volatile("");
}
static NOINLINE void
deep(void)
{
	alloc_deep(1000);
}

static const struct scenario scenarios[] = {
	{ "early", clear_stack,
	  "definite alloc_in_preinit 1 56\n"
	  "definite alloc_in_constructor 1 57\n",
	  "plain alone" },
	{ "signal_handler", signal_handler, "definite alloc_in_handler 2 128\n",
	  "plain" },
	{ "alternate_stack", alternate_stack,
	  "definite alloc_on_alternate 1 65\n", "plain" },
	{ "long_jump", long_jump,
	  "definite alloc_before_jump 10 240\n"
	  "definite alloc_after_jump 10 250\n",
	  "plain" },
	{ "coroutine", coroutines,
	  "reachable alloc_coroutine_stack 1 262144\n"
	  "definite alloc_in_coroutine 3 99\n"
	  "reachable alloc_held_by_coroutine 1 34\n",
	  "plain" },
	{ "at_exit", at_exit, "definite alloc_at_exit 1 41\n", "plain" },
	/* held by a variable of the library: gone with it */
	{ "plugin_closed", plugin_closed, "definite alloc_in_plugin 4 120\n",
	  NULL },
	{ "plugin_open", plugin_open,
	  "definite alloc_in_plugin 3 90\n"
	  "reachable alloc_in_plugin 1 30\n",
	  "alone" },
	{ "deep", deep, "definite alloc_deep 1 99\n", "plain" },
};

KNOWN_MAIN(scenarios)
