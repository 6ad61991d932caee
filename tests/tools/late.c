/* late.c - ends while a thread of it goes on allocating, and keeps all. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct piece {
	struct piece *next;
};
static struct piece *volatile pieces;

static void *
work(void *unused)
{
	(void)unused;
	for (;;) {
		struct piece *p = malloc(sizeof *p);
		p->next = pieces;
		pieces = p;
	}
	return NULL;
}

int
main(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, work, NULL) != 0)
		return 1;
	usleep(3000);
	return 0;
}
