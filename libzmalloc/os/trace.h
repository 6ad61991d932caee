/*
 * trace.h - trace points: probes that perf, bpftrace, SystemTap and gdb find
 * in the library, and the hook that counts the internal ones.
 *
 * A probe is one nop and a note about where its arguments are; nothing is
 * computed for it.  So on a fast path a probe may only name what is in a
 * register there anyway, and its end stands before a tail call, not behind it.
 * Where <sys/sdt.h> is missing when the library is built there are no probes.
 *
 * Names and codes are in trace_codes.h, arguments in zmalloc-probes(7).
 */
#ifndef ZMALLOC_OS_TRACE_H
#define ZMALLOC_OS_TRACE_H

#include "os/trace_codes.h"

#if __has_include(<sys/sdt.h>)
#define SDT_USE_VARIADIC
/* Left the choice, clang stores an argument in memory to describe it there. */
#if defined(__clang__)
#define STAP_SDT_ARG_CONSTRAINT nr
#endif
#include <sys/sdt.h>
#define ZM_PROBE(provider, ...) STAP_PROBEV(provider, __VA_ARGS__)
#else
static inline void
zm_no_probe(const char *name, ...)
{
	(void)name;
}
#define ZM_PROBE(provider, name, ...) zm_no_probe(#name, ##__VA_ARGS__)
#endif

/* What the program calls: around the work, also when it fails. */
#define ZM_TRACE_START(name, ...) \
	ZM_PROBE(libzmalloc, name##_start, __VA_ARGS__)
#define ZM_TRACE_END(name, ...) ZM_PROBE(libzmalloc, name##_end, __VA_ARGS__)
#define ZM_TRACE_FREE(p)	ZM_PROBE(libzmalloc, free, p)

/* Set by the recorder while it runs: counts an internal point of that zone
 * (0: of none). */
extern void (*zm_trace_counter)(enum zt_point, unsigned zone);

static inline void
zm_trace_count(enum zt_point code, unsigned zone)
{
	void (*count)(enum zt_point, unsigned) =
	    __atomic_load_n(&zm_trace_counter, __ATOMIC_RELAXED);
	if (__builtin_expect(count != 0, 0))
		count(code, zone);
}

/* Slow paths only: an internal point, and one of the magmalloc set.  zone is
 * the zone's id, 0 where there is none. */
#define ZM_TRACE(name, zone, ...)                                \
	do {                                                     \
		ZM_PROBE(libzmalloc, name, zone, ##__VA_ARGS__); \
		zm_trace_count(ZT_POINT_##name, zone);           \
	} while (0)
#define ZM_TRACE_MAG(name, ...) ZM_PROBE(magmalloc, name, __VA_ARGS__)

#endif
