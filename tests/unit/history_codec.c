/*
 * history_codec.c - chunks of history.h: what goes in comes out, whatever the
 * events; bytes that are broken on purpose are refused or give events, but
 * never harm.  The events are those of a simulated program, which keeps its
 * own list.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "tools_check.h"

enum { MANY = 3 * HISTORY_CHUNK / 2, LIVE = 5000 };

static const char *why; /* first claim that did not hold */
#define CHECK(claim)                  \
	do {                          \
		if (!(claim) && !why) \
			why = #claim; \
	} while (0)

static void
result(const char *name)
{
	check(!why, name, why);
	why = NULL;
}

static struct history_event *events;
static size_t count;
static uint64_t state = 1;

static uint64_t
rnd(void)
{
	state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t x = state;
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* A program that allocates at a few places, frees the latest, the oldest or
 * any, and gets freed addresses again. */
static void
simulate(unsigned threads, int wild)
{
	static uint64_t live[LIVE], freed[LIVE];
	size_t alive = 0, gone = 0;
	uint64_t time = 7, fresh = 0x7f0000000000;
	for (count = 0; count < MANY; count++) {
		struct history_event *v = &events[count];
		*v = (struct history_event){ .time = time,
					     .stack = 1 + rnd() % 50,
					     .thread =
						 (uint32_t)(rnd() % threads) };
		time += rnd() % 8 ? 0 : rnd() % 3;
		if (alive == LIVE || (alive && rnd() % 2)) {
			size_t i = rnd() % 3 ? alive - 1 : rnd() % alive;
			v->kind = rnd() % 9 ? HISTORY_FREE : HISTORY_FREE_OTHER;
			v->address = live[i];
			live[i] = live[--alive];
			if (gone < LIVE)
				freed[gone++] = v->address;
			continue;
		}
		v->kind = HISTORY_ALLOC + (uint32_t)(rnd() % 8);
		v->size = rnd() % 4 ? 40 : rnd() % 100000;
		v->address = gone && rnd() % 8 ? freed[--gone] : (fresh += 48);
		if (wild) {
			v->address = rnd() & ~UINT64_C(15);
			v->size = rnd();
			v->stack = rnd();
		}
		live[alive++] = v->address;
	}
}

static size_t next, wrong;

static int
compare(const struct history_event *v, void *ctx)
{
	(void)ctx;
	wrong += next >= count || memcmp(v, &events[next], sizeof *v) != 0;
	next++;
	return 0;
}

static int
swallow(const struct history_event *v, void *ctx)
{
	(*(size_t *)ctx)++;
	return v->kind == 0 || v->kind >= HISTORY_KINDS;
}

static size_t bytes_of_all;

static void
flush(struct history_encoder *e)
{
	const void *blob;
	size_t n = history_chunk(e, &blob);
	CHECK(n > 0);
	bytes_of_all += n;
	CHECK(history_decode(blob, n, compare, NULL) == 0);
}

static void
round_trip(const char *name)
{
	struct history_encoder *e = history_encoder_new();
	next = wrong = bytes_of_all = 0;
	for (size_t i = 0; i < count; i++) {
		if (history_add(e, &events[i]) == 0)
			continue;
		flush(e);
		CHECK(history_add(e, &events[i]) == 0);
	}
	flush(e);
	CHECK(next == count);
	CHECK(wrong == 0);
	CHECK(bytes_of_all < count * sizeof(struct history_event));
	history_encoder_free(e);
	result(name);
}

/* Each byte changed, and each length cut off: at most the true number of
 * events, none that is no event. */
static void
broken(void)
{
	struct history_encoder *e = history_encoder_new();
	const void *blob;
	size_t seen, refused = 0;
	for (size_t i = 0; i < 300; i++)
		history_add(e, &events[i]);
	size_t n = history_chunk(e, &blob);
	unsigned char *copy = malloc(n);
	for (size_t i = 0; i < n; i++) {
		for (int bit = 0; bit < 8; bit += 3) {
			memcpy(copy, blob, n);
			copy[i] ^= (unsigned char)(1 << bit);
			seen = 0;
			int got = history_decode(copy, n, swallow, &seen);
			CHECK(got == 0 || got == -1);
			CHECK(seen <= HISTORY_CHUNK);
			refused += got == -1;
		}
		seen = 0;
		CHECK(history_decode(blob, i, swallow, &seen) == -1);
		CHECK(seen == 0);
	}
	CHECK(refused > n);
	free(copy);
	history_encoder_free(e);
	result("history_codec broken bytes");
}

int
main(void)
{
	events = calloc(MANY, sizeof *events);
	simulate(1, 0);
	round_trip("history_codec one thread");
	broken();
	simulate(7, 0);
	round_trip("history_codec threads");
	simulate(5000, 0);
	round_trip("history_codec more threads than a chunk has");
	simulate(3, 1);
	round_trip("history_codec wild numbers");
	return failures != 0;
}
