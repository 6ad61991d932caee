/*
 * process.c - programs that make others, and all the ways to end.
 */
#include "known.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

static NOINLINE void
alloc_parent(void)
{
	used(malloc(32));
}
static NOINLINE void
alloc_child(int n)
{
	while (n--)
		used(malloc(48));
}

static void
wait_all(void)
{
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

/* Children leak and exit; what they inherited is not theirs. */
static NOINLINE void
forks(void)
{
	alloc_parent();
	for (int i = 1; i <= 3; i++) {
		if (fork() == 0) {
			alloc_child(i);
			clear_traces();
			exit(0);
		}
	}
	wait_all();
}

/* A child frees what its parent allocated: the parent's is still there. */
static void *volatile inherited;
static NOINLINE void
alloc_inherited(void)
{
	inherited = used(malloc(100));
}
static NOINLINE void
fork_frees(void)
{
	alloc_inherited();
	if (fork() == 0) {
		free(inherited);
		inherited = NULL;
		alloc_child(1);
		clear_traces();
		exit(0);
	}
	wait_all();
}

/* A child of a child. */
static NOINLINE void
fork_twice(void)
{
	alloc_parent();
	if (fork() == 0) {
		alloc_child(1);
		if (fork() == 0) {
			alloc_child(1);
			clear_traces();
			exit(0);
		}
		wait_all();
		clear_traces();
		exit(0);
	}
	wait_all();
}

/* The parent's memory is the child's until it ends. */
static NOINLINE void
vforks(void)
{
	alloc_parent();
	for (int i = 0; i < 3; i++) {
		if (vfork() == 0)
			_exit(7);
		wait_all();
	}
	alloc_parent();
}

static NOINLINE void
spawns(void)
{
	extern char **environ;
	char *argv[] = { (char *)"true", NULL };
	pid_t pid;

	alloc_parent();
	if (posix_spawnp(&pid, "true", NULL, NULL, argv, environ) == 0)
		wait_all();
	alloc_parent();
}

static NOINLINE void
alloc_before_exec(void)
{
	used(malloc(24));
	used(malloc(24));
}
static NOINLINE void
execs(void)
{
	alloc_before_exec();
	clear_traces();
	execl("/proc/self/exe", "process", "after_exec", (char *)NULL);
	_exit(99);
}
static NOINLINE void
alloc_after_exec(void)
{
	used(malloc(40));
}

/* ---- ends ---- */

static NOINLINE void
alloc_last(void)
{
	used(malloc(77));
}

#define END(name, statement)                  \
	static NOINLINE void end_##name(void) \
	{                                     \
		alloc_last();                 \
		clear_traces();               \
		statement;                    \
	}

END(status, exit(42))
END(_exit, _exit(3))
END(quick_exit, quick_exit(4))
END(abort, abort())
END(segv, *(volatile int *)8 = 1)
END(term, raise(SIGTERM))
END(kill, kill(getpid(), SIGKILL))

/* Nothing is alive, and yet nobody saw it end. */
static NOINLINE void
end_kill_empty(void)
{
	kill(getpid(), SIGKILL);
}

static const struct scenario scenarios[] = {
	{ "fork", forks,
	  "definite alloc_parent 1 32\ndefinite alloc_child 6 288\n",
	  "plain novalgrind alone processes=4" },
	{ "fork_frees", fork_frees,
	  "reachable alloc_inherited 1 100\ndefinite alloc_child 1 48\n",
	  "plain novalgrind alone processes=2" },
	{ "fork_twice", fork_twice,
	  "definite alloc_parent 1 32\ndefinite alloc_child 2 96\n",
	  "plain novalgrind alone processes=3" },
	{ "vfork", vforks, "definite alloc_parent 2 64\n",
	  "plain novalgrind alone" },
	{ "spawn", spawns, "definite alloc_parent 2 64\n", "novalgrind alone" },
	{ "exec", execs,
	  "any alloc_before_exec 2 48\ndefinite alloc_after_exec 1 40\n",
	  "plain novalgrind alone" },
	{ "after_exec", alloc_after_exec, "definite alloc_after_exec 1 40\n",
	  "plain" },
	{ "end_status", end_status, "definite alloc_last 1 77\n",
	  "plain alone status=42" },
	{ "end__exit", end__exit, "any alloc_last 1 77\n",
	  "plain alone novalgrind status=3" },
	{ "end_quick_exit", end_quick_exit, "any alloc_last 1 77\n",
	  "plain alone novalgrind status=4" },
	{ "end_abort", end_abort, "any alloc_last 1 77\n",
	  "plain alone novalgrind status=134" },
	{ "end_segv", end_segv, "any alloc_last 1 77\n",
	  "plain alone novalgrind status=139" },
	{ "end_term", end_term, "any alloc_last 1 77\n",
	  "plain alone novalgrind status=143" },
	{ "end_kill_empty", end_kill_empty, "",
	  "plain alone novalgrind status=137" },
	{ "end_kill", end_kill, "unscanned alloc_last 1 77\n",
	  "plain alone novalgrind status=137" },
};

KNOWN_MAIN(scenarios)
