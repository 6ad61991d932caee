/*
 * pinned.c - memory whose slack, pages and parts are known:
 *   alloc_slack   1000 blocks of 33 bytes and 300 of 1100 bytes
 *   alloc_pins    20000 blocks of 250 bytes, of which one per page is kept
 *   alloc_touched one block of 40 MiB, all of it written
 *   alloc_idle    one block of 48 MiB, never touched
 *   and 24 MiB that mmap gave, written
 * Waits half a second, so that the recorder has a look, and prints "PINS PAGES
 * KIB": blocks that were kept, the pages they lie on, and its own VmRSS.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLACKS = 1000, MIDDLES = 300, PINS = 20000, MIB = 1 << 20 };

static void *volatile slack[SLACKS], *volatile middle[MIDDLES];
static void *volatile pin[PINS];
static void *volatile touched, *volatile idle, *volatile mapped;

static void
alloc_slack(void)
{
	for (int i = 0; i < SLACKS; i++)
		slack[i] = malloc(33);
	for (int i = 0; i < MIDDLES; i++)
		middle[i] = malloc(1100);
}

static void
alloc_pins(void)
{
	for (int i = 0; i < PINS; i++) {
		pin[i] = malloc(250);
		memset(pin[i], 1, 250);
	}
}

/* One block of each page stays. */
static void
thin_out(void)
{
	uintptr_t last = 0;

	for (int i = 0; i < PINS; i++) {
		uintptr_t page = (uintptr_t)pin[i] / 4096;
		if (page != last) {
			last = page;
			continue;
		}
		free(pin[i]);
		pin[i] = NULL;
	}
}

static void
alloc_touched(void)
{
	touched = malloc(40 * MIB);
	memset(touched, 1, 40 * MIB);
}

static void
alloc_idle(void)
{
	idle = malloc(48 * MIB);
}

static int
by_value(const void *a, const void *b)
{
	const uintptr_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static long
resident_kib(void)
{
	char line[200];
	long kib = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

int
main(void)
{
	static uintptr_t page[PINS];
	int pins = 0, pages = 0;

	alloc_slack();
	alloc_pins();
	thin_out();
	alloc_touched();
	alloc_idle();
	mapped = mmap(NULL, 24 * MIB, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(mapped, 1, 24 * MIB);
	for (int i = 0; i < PINS; i++)
		if (pin[i])
			page[pins++] = (uintptr_t)pin[i] / 4096;
	qsort(page, (size_t)pins, sizeof *page, by_value);
	for (int i = 0; i < pins; i++)
		pages += i == 0 || page[i] != page[i - 1];
	usleep(500000);
	printf("%d %d %ld\n", pins, pages, resident_kib());
	return 0;
}
