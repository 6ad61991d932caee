/*
 * live_at.h - live bytes of stacks at the moments of --from and --to, from the
 * samples.  A stack's value holds from one of its rows to the next; the
 * recorder writes one only when it changed, and of very many stacks not at
 * each sample.
 */
#ifndef ZLEAKS_LIVE_AT_H
#define ZLEAKS_LIVE_AT_H

#include "zleaks.h"

struct live_at;

struct live_at *live_at_new(const struct recording *, const struct settings *);
void live_at_free(struct live_at *);

/* What the stack of that process held at --to (or the end); with --from, what
 * it gained since then.  0 when it shrank or is not known. */
uint64_t live_at_gain(struct live_at *, const struct process *,
		      int64_t stack_id);

#endif
