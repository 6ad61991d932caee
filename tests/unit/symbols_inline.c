/*
 * symbols_inline.c - common/symbols against addr2line and nm: every address of
 * this program's own functions, with inlined calls known by construction, a
 * stripped copy, a separate debug file, a replaced file and a damaged one.
 */
#include "symbols.h"
#include "unit/tools_check.h"

#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
volatile int sink, middle_line, outer_line;

/* inner_most is inlined into middle, middle into outer. */
static inline __attribute__((always_inline)) void
inner_most(int x)
{
	sink = x * 3;
	__asm__ volatile(".globl marked_address\nmarked_address: nop");
	sink = x * 5;
}

static inline __attribute__((always_inline)) void
middle(int x)
{
	inner_most(x + 1);
	middle_line = __LINE__ - 1;
}

void outer_function(int x);

__attribute__((noinline, noclone)) void
outer_function(int x)
{
	middle(x);
	outer_line = __LINE__ - 1;
	sink++;
}

extern char marked_address[];

static int
first(struct dl_phdr_info *info, size_t size, void *bias)
{
	(void)size;
	*(uint64_t *)bias = info->dlpi_addr;
	return 1;
}

/* The answer of addr2line -f -i as "function file:line" lines. */
static size_t
truth(const char *file, uint64_t address, char lines[][600], size_t max)
{
	char command[600];
	size_t n = 0;
	snprintf(command, sizeof command,
		 "addr2line -f -i -e '%s' 0x%llx 2>/dev/null", file,
		 (unsigned long long)address);
	FILE *f = popen(command, "r");
	char function[256], place[300];
	while (f && n < max && fgets(function, sizeof function, f) &&
	       fgets(place, sizeof place, f)) {
		function[strcspn(function, "\n")] = 0;
		place[strcspn(place, " \n")] = 0;
		snprintf(lines[n++], 600, "%s %s", function, place);
	}
	if (f)
		pclose(f);
	return n;
}

static size_t
ours(struct symbol_module *m, uint64_t address, char lines[][600], size_t max)
{
	const struct symbol_frame *f;
	size_t n = symbols_lookup(m, address, &f);
	for (size_t i = 0; i < n && i < max; i++)
		snprintf(lines[i], 600, "%s %s:%d",
			 f[i].function ? f[i].function : "??",
			 f[i].file ? f[i].file : "??", f[i].line);
	return n < max ? n : max;
}

/* Every third byte of a function's code. */
static void
compare(struct symbol_module *m, const char *self, uint64_t from, size_t bytes)
{
	static char a[16][600], b[16][600];
	char why[1400];
	for (uint64_t pc = from; pc < from + bytes; pc += 3) {
		size_t n = truth(self, pc, a, 16);
		size_t k = ours(m, pc, b, 16);
		for (size_t i = 0; i < n; i++) {
			if (i < k && strcmp(a[i], b[i]) == 0)
				continue;
			snprintf(why, sizeof why, "%#llx: %.600s, not %.600s",
				 (unsigned long long)pc, i < k ? b[i] : "-",
				 a[i]);
			check(0, "addr2line", why);
			return;
		}
	}
	check(1, "addr2line", "");
}

static int
run(const char *format, const char *a, const char *b)
{
	char command[1200];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(command, sizeof command, format, a, b);
#pragma GCC diagnostic pop
	return system(command);
}

static const char *
name_in(const char *path, const uint8_t *id, size_t bytes, uint64_t address)
{
	static char name[600];
	const struct symbol_frame *f;
	struct symbols *s = symbols_new();
	struct symbol_module *m = symbols_module(s, path, id, bytes);
	size_t n = symbols_lookup(m, address, &f);
	if (n == 0)
		strcpy(name, "");
	else
		snprintf(name, sizeof name, "%s %d",
			 f[n - 1].function ? f[n - 1].function : "??",
			 f[n - 1].line > 0);
	symbols_free(s);
	return name;
}

static void
check_variants(const char *self, uint64_t address)
{
	static const uint8_t other[20] = { 1, 2, 3 };
	char path[200];
	snprintf(path, sizeof path, "%s/copy", folder);
	run("cp '%s' '%s'", self, path);
	check(strcmp(name_in(path, NULL, 0, address), "outer_function 1") == 0,
	      "copy", name_in(path, NULL, 0, address));
	check(strcmp(name_in(path, other, 20, address), "") == 0,
	      "another build-id", name_in(path, other, 20, address));
	run("objcopy --only-keep-debug '%s' '%s.debug'", path, path);
	run("strip '%s' 2>/dev/null; objcopy --add-gnu-debuglink='%s.debug' "
	    "%1$s",
	    path, path);
	check(strcmp(name_in(path, NULL, 0, address), "outer_function 1") == 0,
	      "separate debug file", name_in(path, NULL, 0, address));
	run("rm '%s.debug'", path, "");
	check(strncmp(name_in(path, NULL, 0, address), "outer_function 1",
		      16) != 0,
	      "debug file gone", name_in(path, NULL, 0, address));
	check(strcmp(name_in("/nonexistent", NULL, 0, address), "") == 0,
	      "missing file", "name");
	check(strcmp(name_in("/dev/null", NULL, 0, address), "") == 0, "device",
	      "name");
}

/* Damage: whatever is answered, it must come back. */
static void
check_damage(const char *self, uint64_t address)
{
	char path[200];
	struct stat st;
	unsigned seed = 12345;
	snprintf(path, sizeof path, "%s/damaged", folder);
	for (int round = 0; round < 60; round++) {
		run("cp '%s' '%s'", self, path);
		int fd = open(path, O_RDWR);
		if (fd < 0 || fstat(fd, &st) != 0)
			return;
		if (round % 3 == 0)
			(void)!ftruncate(fd, st.st_size * (round + 1) / 64);
		for (int i = 0; i < 200 && round % 3; i++) {
			seed = seed * 1103515245 + 12345;
			unsigned char byte = (unsigned char)(seed >> 16);
			off_t limit = round % 3 == 1 ? st.st_size : 4096;
			(void)!pwrite(fd, &byte, 1, (seed >> 3) % limit);
		}
		close(fd);
		name_in(path, NULL, 0, address);
	}
	check(1, "damaged files", "");
}

int
main(void)
{
	char self[400];
	uint64_t bias = 0;
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	self[n > 0 ? n : 0] = 0;
	snprintf(folder, sizeof folder, "/tmp/symbols.XXXXXX");
	if (!mkdtemp(folder))
		return 1;
	outer_function(1);
	dl_iterate_phdr(first, &bias);
	uint64_t address = (uint64_t)(uintptr_t)marked_address - bias;
	uint64_t outer = (uint64_t)(uintptr_t)outer_function - bias;

	struct symbols *s = symbols_new();
	struct symbol_module *m = symbols_module(s, self, NULL, 0);
	const struct symbol_frame *f;
	size_t frames = symbols_lookup(m, address, &f);
	check(frames == 3 && strcmp(f[0].function, "inner_most") == 0 &&
		  f[0].inlined && strcmp(f[1].function, "middle") == 0 &&
		  f[1].inlined &&
		  strcmp(f[2].function, "outer_function") == 0 &&
		  !f[2].inlined && f[1].line == middle_line &&
		  f[2].line == outer_line,
	      "inlined frames", frames ? f[0].function : "none");
	compare(m, self, outer, 40);
	compare(m, self, (uint64_t)(uintptr_t)main - bias, 300);
	check(symbols_lookup(m, 1, &f) == 0, "no such address", "found");
	check_variants(self, address);
	check_damage(self, address);
	symbols_free(s);
	char command[100];
	snprintf(command, sizeof command, "rm -r '%s'", folder);
	return system(command) != 0 || failures != 0;
}
