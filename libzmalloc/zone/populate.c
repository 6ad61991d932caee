/*
 * populate.c - see populate.h.
 *
 * The step is a share of what the zone has touched already, so that the
 * fronts of all classes together waste a few percent at most.
 */
#include "zone/populate.h"

#include <errno.h>

enum {
	STEP_MAX = 32 << 10,
	STEP_SHARE = 256, /* of the bytes touched so far */
};

/* The call came with Linux 5.14; sandboxes may forbid it. */
static bool unavailable;

void
zm_touch(uintptr_t p, size_t bytes)
{
	size_t page = zm_os_page_size();
	uintptr_t end = zm_round_up(p + bytes, page);
	p &= ~(page - 1);
	if (ZM_LOAD(&unavailable) || p >= end)
		return;
	int e = zm_os_populate((void *)p, end - p);
	if (e == -EINVAL || e == -ENOSYS || e == -EPERM)
		ZM_STORE(&unavailable, true);
}

void
zm_touch_ahead(struct zm_szone *z, uintptr_t base, size_t *touched, size_t need,
	       size_t end)
{
	size_t page = zm_os_page_size(), from = *touched;
	if (need <= from)
		return;
	size_t all = ZM_LOAD(&z->touched), step = all / STEP_SHARE;
	if (step > STEP_MAX)
		step = STEP_MAX;
	size_t to = zm_round_up(need + step, page);
	to = to > end ? zm_round_up(end, page) : to;
	zm_touch(base + from, to - from);
	ZM_STORE(&z->touched, all + (to - from));
	*touched = to;
}
