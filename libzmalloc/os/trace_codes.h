/*
 * trace_codes.h - the trace points of the allocator, once.
 *
 * X(name, code): names and numbers are those that Apple's libmalloc writes
 * into a kernel trace.  The probes (os/trace.h), the counters of a recorded
 * process (logger/session.h), the rows of trace_count in a report and the test
 * of them all (tests/tools/probes.sh) come from these tables.  Macros alone:
 * the tools include this header too, through logger/session.h.
 */
#ifndef ZMALLOC_OS_TRACE_CODES_H
#define ZMALLOC_OS_TRACE_CODES_H

/* What the program calls.  Each is a pair of probes, NAME_start and NAME_end,
 * except free, which is one. */
#define ZT_EXTERNAL(X) \
	X(malloc, 1)   \
	X(free, 2)     \
	X(realloc, 3)  \
	X(memalign, 4) \
	X(calloc, 5)   \
	X(valloc, 6)   \
	X(malloc_options, 7)

/* What happens behind the threads' caches.  One probe each. */
#define ZT_INTERNAL(X)                 \
	X(nano_malloc, 0x1)            \
	X(tiny_malloc, 0x2)            \
	X(small_malloc, 0x3)           \
	X(large_malloc, 0x4)           \
	X(nano_free, 0x5)              \
	X(tiny_free, 0x6)              \
	X(small_free, 0x7)             \
	X(large_free, 0x8)             \
	X(malloc_memory_pressure, 0x9) \
	X(nano_memory_pressure, 0xa)   \
	X(madvise, 0xb)                \
	X(medium_malloc, 0xc)          \
	X(medium_free, 0xd)            \
	X(nanov2_region_allocation, 0x10)

/* Regions and pressure: the original's second set of probes, which has names,
 * under the provider magmalloc, and no codes. */
#define ZT_MAGMALLOC(X)        \
	X(refreshIndex)        \
	X(depotRegion)         \
	X(recircRegion)        \
	X(allocRegion)         \
	X(deallocRegion)       \
	X(madvfreeRegion)      \
	X(pressureReliefBegin) \
	X(pressureReliefEnd)   \
	X(mallocErrorBreak)

#define ZT_CALL_CODE(name, code)  ZT_CALL_##name = (code),
#define ZT_POINT_CODE(name, code) ZT_POINT_##name = (code),
enum zt_call { ZT_EXTERNAL(ZT_CALL_CODE) ZT_CALLS = 8 };
enum zt_point { ZT_INTERNAL(ZT_POINT_CODE) ZT_POINTS = 0x40 };
#undef ZT_CALL_CODE
#undef ZT_POINT_CODE

#endif
