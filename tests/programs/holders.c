/*
 * holders.c - who may hold a block: each place where a live pointer can lie.
 * All blocks are reachable, each through another kind of root.
 */
#include "known.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define DEFINE_ALLOC(name)                       \
	static NOINLINE void *alloc_##name(void) \
	{                                        \
		return used(malloc(40));         \
	}

void *global_holder;			       /* .bss */
void *data_holder[2] = { &data_holder, NULL }; /* .data */
static __thread void *volatile tls_holder;

DEFINE_ALLOC(global)
static NOINLINE void
global(void)
{
	global_holder = alloc_global();
	data_holder[1] = alloc_global();
}

DEFINE_ALLOC(function_static)
static NOINLINE void
function_static(void)
{
	static void *volatile holder;

	holder = alloc_function_static();
	used(holder);
}

DEFINE_ALLOC(tls)
static NOINLINE void
tls(void)
{
	tls_holder = alloc_tls();
}

DEFINE_ALLOC(main_stack)
static NOINLINE void
main_stack(void)
{
	on_main_stack[0] = alloc_main_stack();
}

/* argv lies above main's frame. */
DEFINE_ALLOC(environment)
extern char **environ;
static NOINLINE void
environment(void)
{
	if (environ && environ[0])
		environ[0] = (char *)alloc_environment();
	memcpy(environ[0], "A=1", 4);
}

DEFINE_ALLOC(mapping)
static NOINLINE void
mapping(void)
{
	void **page = (void **)mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	page[17] = alloc_mapping();
}

DEFINE_ALLOC(thread_key)
static NOINLINE void
thread_key(void)
{
	pthread_key_t key;

	pthread_key_create(&key, NULL);
	pthread_setspecific(key, alloc_thread_key());
}

/* ---- other threads, alive at exit ---- */

static volatile int ready;

static NOINLINE void
start(void *(*body)(void *))
{
	pthread_t t;

	ready = 0;
	pthread_create(&t, NULL, body, NULL);
	while (!ready)
		usleep(1000);
	usleep(1000);
}

DEFINE_ALLOC(thread_stack)
static void *
stack_body(void *arg)
{
	void *volatile local[2] = { arg, alloc_thread_stack() };

	ready = 1;
	for (;;)
		pause();
	return local[0];
}
static NOINLINE void
thread_stack(void)
{
	start(stack_body);
}

DEFINE_ALLOC(thread_tls)
static void *
tls_body(void *arg)
{
	tls_holder = alloc_thread_tls();
	ready = 1;
	for (;;)
		pause();
	return arg;
}
static NOINLINE void
thread_tls(void)
{
	start(tls_body);
}

/* The pointer is in a register that calls preserve, and nowhere else. */
DEFINE_ALLOC(thread_register)
static void *
register_body(void *arg)
{
	uintptr_t disguise = ~(uintptr_t)alloc_thread_register();

	clear_traces();
#if defined(__x86_64__)
	__asm__ volatile("mov %0, %%rbx\n\tnot %%rbx\n\tmovl $1, %1\n"
			 "1:\tmov %2, %%eax\n\tsyscall\n\tjmp 1b"
			 :
			 : "r"(disguise), "m"(ready), "i"(SYS_pause)
			 : "rbx", "rax", "rcx", "r11", "memory");
#elif defined(__aarch64__)
	__asm__ volatile(
	    "mvn x19, %0\n\tmov w1, 1\n\tstr w1, %1\n"
	    "1:\tmov x0, 0\n\tmov x1, 0\n\tmov x2, 0\n\tmov x3, 0\n"
	    "\tmov x8, %2\n\tsvc 0\n\tb 1b"
	    :
	    : "r"(disguise), "m"(ready), "i"(SYS_ppoll)
	    : "x19", "x0", "x1", "x2", "x3", "x8", "memory");
#endif
	return arg;
}
static NOINLINE void
thread_register(void)
{
	start(register_body);
}

/* The same in a thread that never sleeps. */
DEFINE_ALLOC(busy_register)
static void *
busy_body(void *arg)
{
	uintptr_t disguise = ~(uintptr_t)alloc_busy_register();

	clear_traces();
#if defined(__x86_64__)
	__asm__ volatile("mov %0, %%r12\n\tnot %%r12\n\tmovl $1, %1\n"
			 "1:\tpause\n\tjmp 1b"
			 :
			 : "r"(disguise), "m"(ready)
			 : "r12", "memory");
#elif defined(__aarch64__)
	__asm__ volatile("mvn x20, %0\n\tmov w1, 1\n\tstr w1, %1\n"
			 "1:\tyield\n\tb 1b"
			 :
			 : "r"(disguise), "m"(ready)
			 : "x20", "x1", "memory");
#endif
	return arg;
}
static NOINLINE void
busy_register(void)
{
	start(busy_body);
}

/* In a vector register of a thread that computes. */
DEFINE_ALLOC(vector_register)
static void *
vector_body(void *arg)
{
	uintptr_t disguise = ~(uintptr_t)alloc_vector_register();

	clear_traces();
#if defined(__x86_64__)
	__asm__ volatile("mov %0, %%rax\n\tnot %%rax\n\tmovq %%rax, %%xmm9\n\t"
			 "xor %%eax, %%eax\n\tmovl $1, %1\n"
			 "1:\tpause\n\tjmp 1b"
			 :
			 : "r"(disguise), "m"(ready)
			 : "rax", "xmm9", "memory");
#elif defined(__aarch64__)
	__asm__ volatile(
	    "mvn x1, %0\n\tfmov d9, x1\n\tmov w1, 1\n\tstr w1, %1\n"
	    "1:\tyield\n\tb 1b"
	    :
	    : "r"(disguise), "m"(ready)
	    : "x1", "v9", "memory");
#endif
	return arg;
}
static NOINLINE void
vector_register(void)
{
	start(vector_body);
}

/* In a register of the thread that calls exit(). */
DEFINE_ALLOC(own_register)
static NOINLINE void
own_register(void)
{
	register uintptr_t disguise = ~(uintptr_t)alloc_own_register();

	clear_traces();
#if defined(__x86_64__)
	__asm__ volatile("mov %0, %%rbx\n\tnot %%rbx\n\txor %%edi, %%edi\n\t"
			 "and $-16, %%rsp\n\tcall *%1"
			 :
			 : "r"(disguise), "r"(exit)
			 : "rbx", "rdi", "memory");
#elif defined(__aarch64__)
	__asm__ volatile("mvn x19, %0\n\tmov x0, 0\n\tblr %1"
			 :
			 : "r"(disguise), "r"(exit)
			 : "x19", "x0", "x30", "memory");
#endif
}

static const struct scenario scenarios[] = {
	{ "global", global, "reachable alloc_global 2 80\n", "plain" },
	{ "function_static", function_static,
	  "reachable alloc_function_static 1 40\n", "plain" },
	{ "tls", tls, "reachable alloc_tls 1 40\n", "plain" },
	{ "main_stack", main_stack, "reachable alloc_main_stack 1 40\n",
	  "plain" },
	{ "environment", environment, "reachable alloc_environment 1 40\n",
	  "plain" },
	{ "mapping", mapping, "reachable alloc_mapping 1 40\n", "plain" },
	{ "thread_key", thread_key, "reachable alloc_thread_key 1 40\n",
	  "plain" },
	{ "thread_stack", thread_stack, "reachable alloc_thread_stack 1 40\n",
	  NULL },
	{ "thread_tls", thread_tls, "reachable alloc_thread_tls 1 40\n", NULL },
	{ "thread_register", thread_register,
	  "reachable alloc_thread_register 1 40\n", NULL },
	/* Valgrind runs one thread at a time: no busy one in its company */
	{ "busy_register", busy_register,
	  "reachable alloc_busy_register 1 40\n", "alone novalgrind" },
	{ "vector_register", vector_register,
	  "reachable alloc_vector_register 1 40\n", "alone novalgrind" },
	{ "own_register", own_register, "reachable alloc_own_register 1 40\n",
	  "plain alone" },
};

KNOWN_MAIN(scenarios)
