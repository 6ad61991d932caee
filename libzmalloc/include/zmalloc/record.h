/*
 * <zmalloc/record.h> - the recorder, from inside the program.
 *
 * A program that runs under zrecord, or with MallocTracing=1, can leave marks
 * in its report.  Without a recorder these functions do nothing.  A program
 * that must also run without the library declares them weak and tests for
 * NULL.
 *
 * Link with -lzmalloc, or preload the library.
 */
#ifndef ZMALLOC_RECORD_H
#define ZMALLOC_RECORD_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Notes the moment under a label, up to 255 bytes, which is copied.  Reports
 * can be cut at marks (zleaks --from, --to).  Any thread, any time.
 */
void zmalloc_record_mark(const char *label);

/* Non-zero while this process is being recorded. */
int zmalloc_record_running(void);

#ifdef __cplusplus
}
#endif
#endif
