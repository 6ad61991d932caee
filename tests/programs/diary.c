/*
 * diary.c - allocates and frees at random, for ever or as often as its second
 * argument says, and writes down in the file that its first argument names what
 * it is about to do and what it has done:
 *   + ADDRESS SIZE   allocated       - ADDRESS   about to free
 * Each line is one write(2): it survives the death of the program.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SLOTS = 1000 };

static void *slots[SLOTS];

static void *
alloc_diary(size_t n)
{
	return malloc(n);
}

/* No stdio: its buffer would be a block. */
static void
note(int fd, const char *format, void *p, size_t n)
{
	char line[64];
	int len = snprintf(line, sizeof(line), format, (uintptr_t)p, n);

	if (write(fd, line, (size_t)len) != len)
		_exit(1);
}

int
main(int argc, char **argv)
{
	int fd = open(argc > 1 ? argv[1] : "/dev/null",
		      O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	uint32_t r = (uint32_t)getpid();
	long steps = argc > 2 ? atol(argv[2]) : -1;

	for (; steps; steps--) {
		r = r * 1664525u + 1013904223u;
		unsigned i = r >> 8 & 0xffff, n = (r >> 4) % 3000 + 1;
		i %= SLOTS;
		if (slots[i]) {
			note(fd, "- %lu\n", slots[i], 0);
			free(slots[i]);
			slots[i] = NULL;
		} else {
			slots[i] = alloc_diary(n);
			note(fd, "+ %lu %zu\n", slots[i], n);
		}
	}
	return 0;
}
