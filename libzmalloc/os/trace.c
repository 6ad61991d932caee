/*
 * trace.c - see trace.h.
 */
#include "os/trace.h"

void (*zm_trace_counter)(enum zt_point, unsigned zone);
