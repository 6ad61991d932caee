/*
 * options.h - the environment variables, once.
 *
 * ZM_OPTIONS is the only place that knows a variable's name, type, range,
 * default and description.  The struct below, the parser (options.c),
 * MallocHelp and the test that compares the manual page all come from it.
 *
 * The values are read once, at the first malloc of the process, before libc
 * is initialised, and are constant afterwards.  Processes with AT_SECURE (set
 * user id and the like) keep the defaults, whatever the environment says.
 * Called by boot.c; read by malloc/, logger/ and scan/.
 */
#ifndef ZMALLOC_MALLOC_OPTIONS_H
#define ZMALLOC_MALLOC_OPTIONS_H

#include <limits.h> /* LONG_MAX, in the table */
#include <stdbool.h>
#include <stddef.h>

/*
 * X(name, field, type, min, max, default, help)
 *
 * type  FLAG    bool; on when the variable is there and is not 0
 *       BOOL    bool; 0 or 1
 *       NUMBER  long within min..max, in C notation
 *       WORD    long: the place of the value in the list of words that min is
 *       TEXT    string or NULL; min and max are unused
 * A value that does not parse, or lies outside of its range, leaves the
 * default, and a message says so.  A name may have an underscore in front, as
 * the original's documentation has it for some.
 */
#define ZM_OPTIONS(X)                                                          \
	X(MallocHelp, help, FLAG, 0, 1, 0,                                     \
	  "print this list when the program starts, then go on")               \
	X(MallocScribble, scribble, FLAG, 0, 1, 0,                             \
	  "fill new blocks with 0xAA and freed blocks with 0x55")              \
	X(MallocGuardEdges, guard_edges, TEXT, 0, 0, NULL,                     \
	  "guard pages around large blocks; 'all': around regions too")        \
	X(MallocDoNotProtectPrelude, no_prelude, FLAG, 0, 1, 0,                \
	  "no guard page in front of a large block")                           \
	X(MallocDoNotProtectPostlude, no_postlude, FLAG, 0, 1, 0,              \
	  "no guard page behind a large block")                                \
	X(MallocNanoZone, nano, WORD, "0|1|V1|V2", 0, 1,                       \
	  "the nano tier, blocks of up to 256 bytes")                          \
	X(MallocNanoMadvisePolicy, nano_madvise, WORD,                         \
	  "immediate|warning|critical", 0, 1,                                  \
	  "empty nano pages go at once, when many, or on demand")              \
	X(MallocMediumZone, medium, BOOL, 0, 1, 1,                             \
	  "the medium tier, blocks of up to 8 MiB")                            \
	X(MallocMediumActivationThreshold, medium_ram, NUMBER, 0, LONG_MAX, 0, \
	  "bytes of RAM that the machine needs for the medium tier")           \
	X(MallocLargeCache, large_cache, BOOL, 0, 1, 1,                        \
	  "keep freed large blocks for reuse")                                 \
	X(MallocLargeExpandedCacheThreshold, large_ram, NUMBER, 0, LONG_MAX,   \
	  34359738368, "bytes of RAM from which on 64, not 16, are kept")      \
	X(MallocMaxMagazines, max_magazines, NUMBER, 0, 64, 0,                 \
	  "magazines per tier; 0: one per CPU")                                \
	X(MallocMaxMediumMagazines, max_medium, NUMBER, 0, 64, 0,              \
	  "magazines of the medium tier; 0: as the others")                    \
	X(MallocNanoMaxMagazines, max_nano, NUMBER, 0, 64, 0,                  \
	  "magazines of the nano tier; 0: as the others")                      \
	X(MallocRecircRetainedRegions, retained_regions, NUMBER, 0, 1024, 2,   \
	  "empty regions that a tier keeps for reuse")                         \
	X(MallocAggressiveMadvise, aggressive_madvise, BOOL, 0, 1, 0,          \
	  "give free pages back at each free")                                 \
	X(MallocSpaceEfficient, space_efficient, BOOL, 0, 1, 0,                \
	  "aggressive madvise on, large cache off, nothing retained")          \
	X(MallocMediumSpaceEfficient, medium_efficient, BOOL, 0, 1, 0,         \
	  "with MallocSpaceEfficient: one medium magazine")                    \
	X(MallocErrorAbort, error_abort, FLAG, 0, 1, 0,                        \
	  "abort on any error, out of memory included")                        \
	X(MallocCorruptionAbort, corruption_abort, BOOL, 0, 1, 1,              \
	  "abort when the heap is damaged; 0: go on where possible")           \
	X(MallocErrorStop, error_stop, FLAG, 0, 1, 0,                          \
	  "stop the process (SIGSTOP) after an error's message")               \
	X(MallocErrorSleep, error_sleep, FLAG, 0, 1, 0,                        \
	  "sleep for an hour after an error's message")                        \
	X(MallocDebugReport, debug_report, WORD, "stderr|none|crash", 0, 0,    \
	  "messages: all, none, or only those before an abort")                \
	X(MallocLogFile, log_file, TEXT, 0, 0, NULL,                           \
	  "messages are appended to this file, not to standard error")         \
	X(MallocCheckHeapStart, check_start, NUMBER, -1, LONG_MAX, 0,          \
	  "check all zones from this operation on; 0: never")                  \
	X(MallocCheckHeapEach, check_each, NUMBER, -1, LONG_MAX, 1000,         \
	  "then again after so many operations")                               \
	X(MallocCheckHeapSleep, check_sleep, NUMBER, -3600, 3600, 100,         \
	  "seconds to sleep when a check fails; negative: only once")          \
	X(MallocCheckHeapAbort, check_abort, BOOL, 0, 1, 0,                    \
	  "abort when a check fails, instead of sleeping")                     \
	X(MallocTracing, tracing, BOOL, 0, 1, 0,                               \
	  "record every block and write a report")                             \
	X(MallocTracingFile, tracing_file, TEXT, 0, 0, NULL,                   \
	  "the report; %p: process id, %e: program; report.%p.db if unset")    \
	X(MallocTracingDepth, tracing_depth, NUMBER, 1, 4096, 128,             \
	  "frames kept of a stack")                                            \
	X(MallocTracingHistory, tracing_history, BOOL, 0, 1, 0,                \
	  "record every allocation and free in order, with both stacks")       \
	X(MallocTracingSample, tracing_sample, NUMBER, 0, 1L << 40, 0,         \
	  "record one allocation in so many bytes; 0: all of them")            \
	X(MallocTracingProcess, tracing_process, NUMBER, 0, LONG_MAX, 0,       \
	  "record the process with this id, not its children; 0: all")         \
	X(MallocTracingRecorder, tracing_recorder, TEXT, 0, 0, NULL,           \
	  "path of the zrecord program to start as recorder")                  \
	X(MallocTracingSession, tracing_session, TEXT, 0, 0, NULL,             \
	  "socket of a recorder that is running; set by zrecord")              \
	X(MallocScanData, scan_data, BOOL, 0, 1, 1,                            \
	  "leak scans follow pointers in the data of modules")                 \
	X(MallocScanStacks, scan_stacks, BOOL, 0, 1, 1,                        \
	  "leak scans follow pointers on the stacks of threads")               \
	X(MallocScanRegisters, scan_registers, BOOL, 0, 1, 1,                  \
	  "leak scans follow pointers in registers, of vectors too")           \
	X(MallocScanThreadLocal, scan_thread_local, BOOL, 0, 1, 1,             \
	  "leak scans follow thread-local data and pthread keys")              \
	X(MallocScanMappings, scan_mappings, BOOL, 0, 1, 1,                    \
	  "leak scans follow pointers in other private mappings")              \
	X(MallocScanHeuristics, scan_heuristics, BOOL, 0, 1, 1,                \
	  "pointers inside that compilers keep count as to the start")         \
	X(MallocStackLogging, stack_logging, TEXT, 0, 0, NULL,                 \
	  "1, lite, malloc or full: as MallocTracing=1")                       \
	X(MallocStackLoggingDirectory, logging_directory, TEXT, 0, 0, NULL,    \
	  "folder of the report when MallocTracingFile is unset")

enum zm_option_type {
	ZM_OPTION_FLAG,
	ZM_OPTION_BOOL,
	ZM_OPTION_NUMBER,
	ZM_OPTION_WORD,
	ZM_OPTION_TEXT
};

typedef bool zm_option_FLAG;
typedef bool zm_option_BOOL;
typedef long zm_option_NUMBER;
typedef long zm_option_WORD;
typedef const char *zm_option_TEXT;

/* Values of the words above that somebody compares with. */
enum { ZM_NANO_OFF, ZM_NANO_ON };
enum { ZM_NANO_IMMEDIATE, ZM_NANO_WARNING, ZM_NANO_CRITICAL };
enum { ZM_REPORT_STDERR, ZM_REPORT_NONE, ZM_REPORT_CRASH };

/* The values, one field per row of the table.  Texts are copies of their own,
 * valid for ever. */
struct zm_options {
#define ZM_FIELD(name, field, type, min, max, def, help) zm_option_##type field;
	ZM_OPTIONS(ZM_FIELD)
#undef ZM_FIELD
};

extern struct zm_options zm_options;

/* Tracing was asked for by MallocStackLogging alone, which programs inherit
 * unknowingly: that it cannot start is no news for them. */
extern bool zm_tracing_quiet;

/* The table as data, for the parser, MallocHelp and tests. */
struct zm_option {
	const char *name;
	enum zm_option_type type;
	size_t offset; /* of the field in struct zm_options */
	long min, max;
	const char *words;    /* of WORD, separated by '|' */
	const char *standard; /* default, as text */
	const char *help;
};
extern const struct zm_option zm_option_table[];
extern const size_t zm_option_count;

/* Reads envp into zm_options; secure processes pass NULL. */
void zm_options_read(char *const *envp);

/* Parses one value; false when it does not fit the type or the range.  Used
 * by zm_options_read, open to tests. */
bool zm_option_set(struct zm_options *o, const struct zm_option *opt,
		   const char *value);

/* True for an entry of the environment that may be one of the table's. */
bool zm_option_looks_like(const char *entry);

/* Prints the table on standard error. */
void zm_options_help(void);

#endif
