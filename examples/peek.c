/*
 * peek.c - shows the zones of a running program and their largest blocks.
 *
 *	peek PID
 *
 * The program must run the same libzmalloc, linked or preloaded, and belong to
 * the same user.  It stands still for a moment meanwhile.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmalloc/malloc.h>

enum { LARGEST = 10 };

struct largest {
	vm_range_t block[LARGEST]; /* the largest first */
	unsigned count;
};

static void
insert(struct largest *l, vm_range_t r)
{
	unsigned at = l->count < LARGEST ? l->count++ : LARGEST - 1;
	if (l->count == LARGEST && l->block[at].size >= r.size)
		return;
	for (; at && l->block[at - 1].size < r.size; at--)
		l->block[at] = l->block[at - 1];
	l->block[at] = r;
}

static void
each_range(task_t task, void *context, unsigned type, vm_range_t *ranges,
	   unsigned count)
{
	(void)task;
	(void)type;
	for (unsigned i = 0; i < count; i++)
		insert(context, ranges[i]);
}

__attribute__((format(printf, 1, 2))) static void
print(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
}

static void
show_zone(pid_t pid, vm_address_t zone)
{
	malloc_introspection_t *table = malloc_default_zone()->introspect;
	struct largest l = { .count = 0 };
	kern_return_t result = table->enumerator(
	    pid, &l, MALLOC_PTR_IN_USE_RANGE_TYPE, zone, NULL, each_range);
	if (result == KERN_NOT_SUPPORTED) {
		printf("Zone %p is the program's own\n", (void *)zone);
		return;
	}
	table->print_task(pid, 0, zone, NULL, print);
	if (result)
		printf("  incomplete: error %d\n", result);
	for (unsigned i = 0; i < l.count; i++)
		printf("  %#14zx %12zu bytes\n", l.block[i].address,
		       l.block[i].size);
}

/* The letter that /proc gives for what the process does; '?': cannot tell. */
static char
state_of(pid_t pid)
{
	char path[64], text[512] = "";
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "r");
	if (!f)
		return '?';
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	const char *name_end = strrchr(text, ')');
	return name_end && name_end[1] ? name_end[2] : '?';
}

static int
show(pid_t pid)
{
	vm_address_t *zones;
	unsigned count;
	kern_return_t result = malloc_get_all_zones(pid, NULL, &zones, &count);
	if (result) {
		fprintf(stderr, "peek: %d: %s\n", (int)pid,
			result == KERN_NOT_SUPPORTED
			    ? "does not run this libzmalloc"
			    : "cannot be read");
		return 1;
	}
	for (unsigned i = 0; i < count; i++)
		show_zone(pid, zones[i]);
	return 0;
}

int
main(int argc, char **argv)
{
	pid_t pid = argc == 2 ? atoi(argv[1]) : 0;
	if (pid <= 0 || pid == getpid()) {
		fprintf(stderr, "usage: peek PID\n");
		return 2;
	}
	bool running = state_of(pid) != 'T';
	if (running && kill(pid, SIGSTOP)) {
		fprintf(stderr, "peek: %d: %s\n", (int)pid, strerror(errno));
		return 1;
	}
	for (int i = 0; i < 1000 && state_of(pid) != 'T'; i++)
		usleep(1000);
	int status = show(pid);
	if (running)
		kill(pid, SIGCONT);
	return status;
}
