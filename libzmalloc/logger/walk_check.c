/*
 * walk_check.c - for tests only: compares each walk by rules with a full one
 * by libunwind.
 *
 * Compiled into a build of the library that is made with -DZM_WALK_CHECK
 * (make WALK_CHECK=1, see tests/tools/unwind.sh); otherwise empty.  The first
 * difference is printed with both stacks and aborts.  At exit one line with
 * counts is added to the file that ZM_WALK_CHECK names.  With ZM_WALK_BREAK=1
 * old stacks are believed unseen, which the comparison has to find.
 */
#include "logger/logger.h"

#ifdef ZM_WALK_CHECK

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/os.h"

struct zm_walk_counts zm_walk_counts;

bool
zm_walk_broken(void)
{
	static int broken;

	if (!broken)
		broken = getenv("ZM_WALK_BREAK") ? 2 : 1;
	return broken == 2;
}

static void
say(int fd, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n > 0)
		zm_os_write(fd, text, (size_t)n);
}

static void
say_pc(const char *who, unsigned i, uintptr_t pc)
{
	uintptr_t start = 0, end;

	zm_module_range(pc, &start, &end);
	say(2, "%s %u: %lx = %lx + %lx\n", who, i, pc, start, pc - start);
}

static uintptr_t
frame(const struct zm_climb *c, unsigned i)
{
	return i < c->fresh ? c->t->fresh[i].s.pc
			    : c->t->step[c->left - 1 - (i - c->fresh)].s.pc;
}

static void
differ(const struct zm_climb *c, const uintptr_t *theirs, unsigned n)
{
	say(2, "walks differ: %u + %u frames, libunwind has %u\n", c->fresh,
	    c->left, n);
	for (unsigned i = 0; i < c->fresh + c->left; i++)
		say_pc("ours", i, frame(c, i));
	for (unsigned i = 0; i < n; i++)
		say_pc("libunwind", i, theirs[i]);
	abort();
}

/* A walk that is done, and begins at ra. */
void
zm_walk_check(const struct zm_climb *c, uintptr_t ra)
{
	uintptr_t *pcs = c->t->pcs;
	unsigned n = zm_unwind(pcs, ZM_WALK_MAX - 1);
	unsigned ours = c->fresh + c->left;
	bool all = n < ZM_WALK_MAX - 1;

	for (unsigned i = 0; i < 32 && n && pcs[0] != ra; i++) {
		pcs++;
		n--;
	}
	if (ours > n ? all : ours < n)
		differ(c, pcs, n);
	for (unsigned i = 0; i < n && i < ours; i++) {
		if (pcs[i] != frame(c, i))
			differ(c, pcs, n);
	}
	ZM_WALK_COUNT(checked);
	__atomic_fetch_add(&zm_walk_counts.fresh, c->fresh, __ATOMIC_RELAXED);
}

void
zm_walk_report(void)
{
	const char *path = getenv("ZM_WALK_CHECK");
	const struct zm_walk_counts *c = &zm_walk_counts;
	int fd =
	    path ? zm_os_open(path, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;

	if (fd < 0)
		return;
	say(fd,
	    "walks %lu checked %lu met %lu complex %lu deep %lu kept %lu "
	    "fresh %lu\n",
	    c->walks, c->checked, c->met, c->complex, c->deep, c->kept,
	    c->fresh);
	zm_os_close(fd);
}

#else
typedef int zm_walk_unchecked;
#endif
