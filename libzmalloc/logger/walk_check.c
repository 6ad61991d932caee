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

static void
differ(const uintptr_t *mine, unsigned ours, const uintptr_t *theirs,
       unsigned n)
{
	say(2, "walks differ: %u frames, libunwind has %u\n", ours, n);
	for (unsigned i = 0; i < ours; i++)
		say_pc("ours", i, mine[i]);
	for (unsigned i = 0; i < n; i++)
		say_pc("libunwind", i, theirs[i]);
	abort();
}

/* One at a time: the frames are in static memory. */
static uintptr_t frames[ZM_WALK_MAX];
static struct zm_lock frames_lock = ZM_LOCK_INIT(ZM_RANK_LOGGER);

static void
compare(struct zm_lthread *t, uintptr_t ra, const uintptr_t *mine,
	unsigned ours, uintptr_t mask)
{
	uintptr_t *pcs = t->pcs;
	unsigned n = zm_unwind(pcs, ZM_WALK_MAX - 1);
	bool all = n < ZM_WALK_MAX - 1;

	for (unsigned i = 0; i < 32 && n && pcs[0] != ra; i++) {
		pcs++;
		n--;
	}
	if (ours > n ? all : ours < n)
		differ(mine, ours, pcs, n);
	for (unsigned i = 0; i < n && i < ours; i++) {
		if ((pcs[i] & mask) != mine[i])
			differ(mine, ours, pcs, n);
	}
	ZM_WALK_COUNT(checked);
}

/* A walk that is done, and begins at ra. */
void
zm_walk_check(const struct zm_climb *c, uintptr_t ra)
{
	unsigned n = 0;

	zm_lock(&frames_lock);
	for (unsigned i = 0; i < c->fresh; i++)
		frames[n++] = c->t->fresh[i].s.pc;
	for (unsigned i = c->left; i--;)
		frames[n++] = c->t->step[i].s.pc;
	compare(c->t, ra, frames, n, UINTPTR_MAX);
	zm_unlock(&frames_lock);
	__atomic_fetch_add(&zm_walk_counts.fresh, c->fresh, __ATOMIC_RELAXED);
}

/* A stack that was found by a shortcut. */
void
zm_walk_check_stack(struct zm_lthread *t, uint32_t stack, uintptr_t ra)
{
	unsigned n = 0;

	zm_lock(&frames_lock);
	for (uint32_t node = zm_session.stacks[stack].node;
	     node && n < ZM_WALK_MAX; node = zm_session.nodes[node].parent)
		frames[n++] = zs_node_pc(&zm_session.nodes[node]);
	compare(t, ra, frames, n, ZM_PC_MASK);
	zm_unlock(&frames_lock);
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
	    "fresh %lu shortcut %lu\n",
	    c->walks, c->checked, c->met, c->complex, c->deep, c->kept,
	    c->fresh, c->shortcut);
	zm_os_close(fd);
}

#else
typedef int zm_walk_unchecked;
#endif
