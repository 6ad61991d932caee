/*
 * addresses.c - see addresses.h.
 *
 * Relies on metadata memory alone.
 */
#include "zone/addresses.h"

#include <string.h>

#include "zone/szone.h"

enum { FIRST_ROOM = 512 };

static bool
widen(struct zm_addresses *a)
{
	size_t room = a->room ? a->room * 2 : FIRST_ROOM;
	uintptr_t *at = zm_meta_alloc(room * sizeof(*at));
	if (!at)
		return false;
	if (a->count)
		memcpy(at, a->at, a->count * sizeof(*at));
	zm_meta_free(a->at, a->room * sizeof(*at));
	a->at = at;
	a->room = room;
	return true;
}

bool
zm_addresses_add(struct zm_addresses *a, uintptr_t p)
{
	if (a->count == a->room && (a->failed || !widen(a))) {
		a->failed = true;
		return false;
	}
	a->at[a->count++] = p;
	return true;
}

static void
sift(uintptr_t *a, size_t i, size_t n)
{
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && a[child + 1] > a[child])
			child++;
		if (a[i] >= a[child])
			return;
		uintptr_t t = a[i];
		a[i] = a[child];
		a[child] = t;
	}
}

void
zm_addresses_sort(struct zm_addresses *list)
{
	uintptr_t *a = list->at;
	for (size_t i = list->count / 2; i-- > 0;)
		sift(a, i, list->count);
	for (size_t end = list->count; end > 1;) {
		uintptr_t t = a[0];
		a[0] = a[--end];
		a[end] = t;
		sift(a, 0, end);
	}
}

bool
zm_addresses_have(const struct zm_addresses *a, uintptr_t p)
{
	size_t low = 0, high = a->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (a->at[mid] == p)
			return true;
		if (a->at[mid] < p)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

void
zm_addresses_free(struct zm_addresses *a)
{
	zm_meta_free(a->at, a->room * sizeof(*a->at));
	*a = (struct zm_addresses){ 0 };
}
