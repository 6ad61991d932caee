/*
 * known.h - frame of the programs whose leaks are known by construction.
 *
 * A program is a table of scenarios.  Each allocates in functions whose names
 * begin with alloc_ and says what is left of that at exit, in lines
 *   KIND FUNCTION BLOCKS BYTES
 * KIND is one of the contract's, or "lost" (definite or indirect: which of a
 * cycle is the entry is not promised) or "any".  FUNCTION has "~" in front
 * when it is not the direct caller of the allocation function (strdup, C++
 * containers).
 *
 *   prog --list            names, and behind each name its flags
 *   prog --expect NAME..   the lines that hold after `prog NAME..`
 *   prog NAME..            runs scenarios and exits; "all": those that are not
 *                          flagged "alone"
 *
 * Flags: alone (ends the process, or is no good in company), plain (every
 * live block is named: nothing else may be left), status=N (exit status),
 * novalgrind (Valgrind's notion is another one).
 *
 * No stdio here except for --list and --expect: its buffers are blocks too.
 * Stale pointers: what ran is followed by clear_traces(), so that neither the
 * dead part of the stack nor a register keeps a lost block alive.
 */
#ifndef TESTS_KNOWN_H
#define TESTS_KNOWN_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__clang__)
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noipa))
#endif

struct scenario {
	const char *name;
	void (*run)(void);
	const char *expect;
	const char *flags;
};

/* Four words in main's frame, which is alive at exit. */
static void *volatile *on_main_stack;

static NOINLINE void
clear_stack(void)
{
	char dead[64 << 10];

	memset(dead, 0, sizeof(dead));
	__asm__ volatile("" : : "r"(dead) : "memory");
}

static inline void
clear_registers(void)
{
#if defined(__x86_64__)
	__asm__ volatile(
	    "xor %%eax,%%eax; xor %%ecx,%%ecx; xor %%edx,%%edx;"
	    "xor %%esi,%%esi; xor %%edi,%%edi; xor %%r8d,%%r8d;"
	    "xor %%r9d,%%r9d; xor %%r10d,%%r10d; xor %%r11d,%%r11d;"
	    "pxor %%xmm0,%%xmm0; pxor %%xmm1,%%xmm1;"
	    "pxor %%xmm2,%%xmm2; pxor %%xmm3,%%xmm3;"
	    "pxor %%xmm4,%%xmm4; pxor %%xmm5,%%xmm5;"
	    "pxor %%xmm6,%%xmm6; pxor %%xmm7,%%xmm7"
	    :
	    :
	    : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
	      "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
#elif defined(__aarch64__)
	__asm__ volatile("mov x0,0; mov x1,0; mov x2,0; mov x3,0; mov x4,0;"
			 "mov x5,0; mov x6,0; mov x7,0; mov x9,0; mov x10,0;"
			 "mov x11,0; mov x12,0; mov x13,0; mov x14,0; mov x15,0"
			 :
			 :
			 : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x9",
			   "x10", "x11", "x12", "x13", "x14", "x15");
#endif
}

static NOINLINE void
clear_traces(void)
{
	clear_stack();
	clear_registers();
}

/* A block may be used: keeps the compiler from knowing what it holds. */
static NOINLINE void *
used(void *p)
{
	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

static int
flagged(const struct scenario *s, const char *flag)
{
	return s->flags && strstr(s->flags, flag);
}

static int
wanted(const struct scenario *s, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], s->name) ||
		    (!strcmp(argv[i], "all") && !flagged(s, "alone")))
			return 1;
	return 0;
}

static __attribute__((unused)) int
known_main(int argc, char **argv, const struct scenario *s, size_t n)
{
	void *volatile slots[4] = { NULL, NULL, NULL, NULL };
	const char *mode = argc > 1 ? argv[1] : "";

	on_main_stack = (void *volatile *)used((void *)slots);
	if (!strcmp(mode, "--list")) {
		for (; n; n--, s++)
			printf("%s %s\n", s->name, s->flags ? s->flags : "");
		return 0;
	}
	if (!strcmp(mode, "--expect")) {
		for (; n; n--, s++)
			if (wanted(s, argc, argv))
				fputs(s->expect, stdout);
		return 0;
	}
	for (; n; n--, s++) {
		if (wanted(s, argc, argv)) {
			s->run();
			clear_traces();
		}
	}
	exit(0); /* not return: main's frame must be alive at exit */
}

#define KNOWN_MAIN(table)                                            \
	int main(int argc, char **argv)                              \
	{                                                            \
		return known_main(argc, argv, table,                 \
				  sizeof(table) / sizeof(table[0])); \
	}

#endif
