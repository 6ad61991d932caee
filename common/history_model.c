/*
 * history_model.c - see history_model.h.
 */
#include "history_model.h"

#include <string.h>

void
history_model_reset(struct history_model *m)
{
	m->classes = m->places = m->threads = 0;
	m->far = 0;
	memset(m->pair, 0xff, sizeof m->pair);
	memset(m->freed, 0xff, sizeof m->freed);
	memset(m->near, 0, sizeof m->near);
}
