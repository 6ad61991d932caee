/*
 * shop.c - a small shop with the usual memory mistakes, for `make demo`.
 *
 * It takes orders for about two seconds.  Its mistakes:
 *   cancel_order    forgets the order's lines and note when it frees the order
 *   remember_visit  keeps every visitor in a global table and never drops one
 *   open_session    two sessions that point at each other, then are forgotten
 * Everything else is freed properly.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct line {
	struct line *next;
	int article;
	int quantity;
};

struct order {
	struct line *lines;
	char *note;
	int number;
};

struct visit {
	struct visit *next;
	char page[40];
};

struct session {
	struct session *peer;
	char token[72];
};

static struct visit *visits;
static unsigned visit_count;

static struct line *
add_line(struct line *next, int article, int quantity)
{
	struct line *l = malloc(sizeof *l);
	if (!l)
		abort();
	*l = (struct line){ next, article, quantity };
	return l;
}

static struct order *
take_order(int number)
{
	struct order *o = malloc(sizeof *o);
	if (!o)
		abort();
	*o = (struct order){ .number = number };
	for (int i = 0; i < 3; i++)
		o->lines = add_line(o->lines, number + i, 1 + i);
	o->note = strdup("leave it with the neighbour, second floor");
	return o;
}

static void
ship_order(struct order *o)
{
	for (struct line *next, *l = o->lines; l; l = next) {
		next = l->next;
		free(l);
	}
	free(o->note);
	free(o);
}

/* The mistake: what the order held is lost. */
static void
cancel_order(struct order *o)
{
	free(o);
}

/* The mistake: nobody ever forgets a visit. */
static void
remember_visit(int number)
{
	struct visit *v = malloc(sizeof *v);
	if (!v)
		abort();
	snprintf(v->page, sizeof v->page, "/article/%d", number);
	v->next = visits;
	visits = v;
	visit_count++;
}

/* The mistake: the two hold each other, nobody holds them. */
static void
open_session(int number)
{
	struct session *a = malloc(sizeof *a);
	struct session *b = malloc(sizeof *b);
	if (!a || !b)
		abort();
	snprintf(a->token, sizeof a->token, "client-%d", number);
	snprintf(b->token, sizeof b->token, "server-%d", number);
	a->peer = b;
	b->peer = a;
}

static void
serve(int number)
{
	struct order *o = take_order(number);
	for (int i = 0; i < 10; i++)
		remember_visit(number);
	if (number % 100 == 0)
		open_session(number);
	if (number % 20 == 0)
		cancel_order(o);
	else
		ship_order(o);
}

int
main(void)
{
	for (int number = 1; number <= 1000; number++) {
		serve(number);
		usleep(2000);
	}
	printf("shop: 1000 orders, %u visits\n", visit_count);
	return 0;
}
