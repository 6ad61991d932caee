/*
 * grow.c - grows by one block of 3000 bytes each millisecond until somebody
 * writes into the FIFO that its argument names; then prints how many blocks and
 * bytes it has kept.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct piece {
	struct piece *next;
	char bytes[3000 - sizeof(void *)];
};
static struct piece *volatile pieces;

static struct piece *
alloc_growing(void)
{
	return (struct piece *)malloc(sizeof(struct piece));
}

int
main(int argc, char **argv)
{
	int fd = open(argc > 1 ? argv[1] : "", O_RDONLY | O_NONBLOCK);
	char line[100], c;
	long n = 0;

	while (fd >= 0 && read(fd, &c, 1) != 1) {
		struct piece *p = alloc_growing();
		p->next = pieces;
		pieces = p;
		n++;
		usleep(1000);
	}
	int len = snprintf(line, sizeof(line), "%ld %ld\n", n, n * 3000);
	return write(1, line, (size_t)len) == len ? 0 : 1;
}
