/*
 * <zmalloc/record.h> - the recorder, from inside the program.
 *
 * A program that runs under the library can have itself recorded from some
 * moment on, and leave marks in its report.  Functions that return int return
 * 0 when it was done, else an error number of <errno.h>: ENOTCONN when this
 * process is not being recorded.  errno is left alone.  Any thread may call
 * them, a signal handler may not (except zmalloc_record_running).
 *
 * A program that must also run without the library defines ZMALLOC_RECORD_WEAK
 * before it includes this, links without -lzmalloc, and tests for NULL:
 *
 *	if (zmalloc_record_mark)
 *		zmalloc_record_mark("loaded");
 */
#ifndef ZMALLOC_RECORD_H
#define ZMALLOC_RECORD_H

#ifdef ZMALLOC_RECORD_WEAK
#define ZMALLOC_RECORD_API __attribute__((weak))
#else
#define ZMALLOC_RECORD_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Starts a recording.  Blocks that live already are not part of it; the report
 * says how many there were.  The recorder is the zrecord that the program was
 * started under, else one that is started for it, with the report that
 * MallocTracingFile names.  EALREADY: there is a recording; EBUSY: another
 * thread is about to start or stop one; else why it could not be.
 */
int zmalloc_record_start(void) ZMALLOC_RECORD_API;

/*
 * Ends the recording; the report is written with what is live now.  Another
 * one may be started later; it is a process of its own in the report.
 */
int zmalloc_record_stop(void) ZMALLOC_RECORD_API;

/*
 * Notes the moment, and what is live, under a label, up to 255 bytes, which is
 * copied.  Reports can be cut at marks (zleaks --from, --to); the same label
 * set for each request, frame or round makes zleaks growth say what each of
 * them keeps.  Takes about 0.2 microseconds.  ENOMEM: 65535 marks were set, or
 * there is no memory for the record.
 */
int zmalloc_record_mark(const char *label) ZMALLOC_RECORD_API;

/*
 * Looks for leaks of this moment, in a copy of the process: other threads stand
 * still for as long as fork takes, the call returns when the copy is done.
 * What it finds stands in the report, also while the program runs, until a
 * later scan replaces it.  label: of a mark, or NULL.  EBUSY: a scan is going
 * on; EAGAIN: it could not be done.
 */
int zmalloc_record_snapshot(const char *label) ZMALLOC_RECORD_API;

/* Non-zero while this process is being recorded. */
int zmalloc_record_running(void) ZMALLOC_RECORD_API;

/* Where zrecord --pid asks for a recording; not for programs. */
struct zs_control;
extern struct zs_control zmalloc_record_control ZMALLOC_RECORD_API;
extern unsigned zmalloc_record_word ZMALLOC_RECORD_API;

#ifdef __cplusplus
}
#endif
#endif
