/*
 * walks.cc - makes every kind of stack that the recorder's walks must get
 * right, at random: see tests/tools/unwind.sh, which compiles it in several
 * ways and records it with a library that compares each walk with libunwind's.
 *
 *   walks ROUNDS [WITHOUT]    WITHOUT: letters, s signals, c coroutines,
 *                             d dlopen of ./a.so and ./b.so
 */
#include <alloca.h>
#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <map>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

#define NOINLINE __attribute__((noinline))
#define NOT_A_TAIL __asm__ volatile("")

enum { COROUTINES = 4, CO_STACK = 256 << 10, JUMPS = 60 };

static long rounds = 1000;
static bool signals = true, coroutines = true, modules = true;

static __thread unsigned long seed = 1;
static __thread void *kept[64];
static __thread jmp_buf jump[JUMPS];
static __thread int jumps;
static __thread ucontext_t home, co[COROUTINES];
static __thread int current = -1;
static __thread bool alive[COROUTINES];
static __thread char *co_stack[COROUTINES];

static unsigned
any(unsigned n)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (unsigned)(seed >> 33) % n;
}

static NOINLINE void
leaf()
{
	unsigned i = any(64);
	free(kept[i]);
	kept[i] = malloc(any(300));
	NOT_A_TAIL;
}

static NOINLINE void go(int depth);

static NOINLINE void
with_alloca(int depth)
{
	volatile char *p = (volatile char *)alloca(any(200) + 1);
	p[0] = 1;
	go(depth - 1);
	__asm__ volatile("" : : "r"(p));
}

static NOINLINE void
with_exceptions(int depth)
{
	try {
		go(depth - 1);
		if (any(3) == 0)
			throw std::runtime_error("a text");
		leaf();
	} catch (std::exception &) {
		leaf();
	}
}

static NOINLINE void
with_longjmp(int depth)
{
	if (jumps == JUMPS || current >= 0) {
		go(depth - 1);
		return;
	}
	volatile int mine = jumps++;
	if (!setjmp(jump[mine])) {
		go(depth - 1);
		if (any(2))
			longjmp(jump[mine], 1);
	}
	jumps = mine;
	leaf();
}

#if defined(__GNUC__) && !defined(__clang__)
#define WITH(flags) __attribute__((optimize(flags)))
#else
#define WITH(flags)
#endif

#define PLAIN(name, attribute)             \
	attribute static NOINLINE void     \
	name(int depth)                    \
	{                                  \
		int some[10];              \
		some[0] = depth;           \
		leaf();                    \
		go(some[0] - 1);           \
		leaf();                    \
		NOT_A_TAIL;                \
	}
PLAIN(with_pointer, WITH("no-omit-frame-pointer"))
PLAIN(without_pointer, WITH("omit-frame-pointer"))
PLAIN(unoptimized, WITH("O0"))
PLAIN(small, WITH("Os"))
#if defined(__x86_64__)
PLAIN(realigned_by_entry, __attribute__((force_align_arg_pointer)))
#else
PLAIN(realigned_by_entry, )
#endif

static NOINLINE void
realigned(int depth)
{
	alignas(64) volatile char wide[64];
	wide[0] = 1;
	leaf();
	go(depth - 1);
	leaf();
	__asm__ volatile("" : : "r"(wide));
}

/* Registers that calls preserve are full, the frame pointer's too. */
static NOINLINE void
busy(int depth, long a, long b, long c)
{
	long x = any(9), y = any(9), z = any(9), u = any(9), v = any(9);
	leaf();
	go(depth - 1);
	leaf();
	__asm__ volatile("" : : "r"(x + a), "r"(y + b), "r"(z + c), "r"(u + v));
}

static NOINLINE void
large(int depth)
{
	volatile char much[70000];
	much[1] = 1;
	leaf();
	go(depth - 1);
	__asm__ volatile("" : : "r"(much));
}

static NOINLINE void
with_signal(int depth, int number)
{
	leaf();
	if (signals && any(4) == 0)
		raise(number);
	go(depth - 1);
	leaf();
}

static void
on_signal(int)
{
	leaf();
	std::string s(100, 'x');
	leaf();
}

static NOINLINE void
with_objects(int depth)
{
	std::vector<std::string> v;
	for (unsigned i = any(6); i; i--)
		v.push_back(std::string(any(60), 'a'));
	std::map<int, int> m;
	m[1] = 2;
	go(depth - 1);
	m[(int)any(9)] = 3;
}

static NOINLINE void
leave_coroutine()
{
	int c = current;
	current = -1;
	swapcontext(&co[c], &home);
}

static void
co_body()
{
	for (;;) {
		go((int)any(8));
		leave_coroutine();
		leaf();
	}
}

static NOINLINE void
enter_coroutine(int depth)
{
	if (current >= 0 || !coroutines) {
		go(depth - 1);
		return;
	}
	int c = (int)any(COROUTINES), j = jumps;
	if (!alive[c] || any(16) == 0) {
		free(co_stack[c]);
		co_stack[c] = (char *)malloc(CO_STACK);
		getcontext(&co[c]);
		co[c].uc_stack.ss_sp = co_stack[c];
		co[c].uc_stack.ss_size = CO_STACK;
		co[c].uc_link = &home;
		makecontext(&co[c], co_body, 0);
		alive[c] = true;
	}
	current = c;
	swapcontext(&home, &co[c]);
	current = -1;
	jumps = j;
	leaf();
}

static NOINLINE void
with_module(int depth)
{
	typedef void *plug_fn(int, void (*)(int));
	if (!modules || any(500)) {
		go(depth - 1);
		return;
	}
	void *so = dlopen(any(2) ? "./a.so" : "./b.so", RTLD_NOW);
	if (so) {
		free(((plug_fn *)dlsym(so, "plug"))(depth, go));
		dlclose(so);
	}
	leaf();
}

static NOINLINE void
go(int depth)
{
	leaf();
	if (depth <= 0)
		return;
	switch (any(18)) {
	case 0: with_alloca(depth); break;
	case 1: with_exceptions(depth); break;
	case 2: with_longjmp(depth); break;
	case 3: with_pointer(depth); break;
	case 4: unoptimized(depth); break;
	case 5: small(depth); break;
	case 6: any(3) ? busy(depth, 1, 2, 3) : realigned(depth); break;
	case 7: busy(depth, 4, 5, 6); break;
	case 8: any(8) || current >= 0 ? with_pointer(depth) : large(depth);
		break;
	case 9: with_signal(depth, SIGUSR1); break;
	case 10: with_signal(depth, SIGUSR2); break;
	case 11: with_objects(depth); break;
	case 12: enter_coroutine(depth); break;
	case 13: with_module(depth); break;
	case 14: without_pointer(depth); break;
	case 15: realigned_by_entry(depth); break;
	default: go(depth - 1);
	}
	leaf();
	NOT_A_TAIL;
}

/* Deeper than a walk goes. */
static NOINLINE int
deep(int n)
{
	if (n % 64 == 0)
		leaf();
	int r = n ? deep(n - 1) : 0;
	if (n % 512 == 0)
		leaf();
	NOT_A_TAIL;
	return r + 1;
}

static void *
body(void *number)
{
	static __thread char alternate[65536];
	stack_t ss = {};
	ss.ss_sp = alternate;
	ss.ss_size = sizeof alternate;
	sigaltstack(&ss, NULL);
	seed = (unsigned long)number * 77 + 5;
	for (long i = 0; i < rounds; i++)
		go((int)any(24));
	ss.ss_flags = SS_DISABLE;
	sigaltstack(&ss, NULL);
	return NULL;
}

int
main(int argc, char **argv)
{
	const char *without = argc > 2 ? argv[2] : "";
	struct sigaction s = {};
	pthread_t t[3];
	if (argc > 1)
		rounds = atol(argv[1]);
	signals = !strchr(without, 's');
	coroutines = !strchr(without, 'c');
	modules = !strchr(without, 'd');
	s.sa_handler = on_signal;
	s.sa_flags = SA_ONSTACK | SA_NODEFER;
	sigaction(SIGUSR1, &s, NULL);
	s.sa_flags = SA_NODEFER;
	sigaction(SIGUSR2, &s, NULL);
	body((void *)1);
	deep(3000);
	deep(6000);
	for (long i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, body, (void *)(i + 2));
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	if (fork() == 0) {
		rounds /= 4;
		body((void *)9);
		exit(0);
	}
	deep(1000);
	return 0;
}
