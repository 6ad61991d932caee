/*
 * holder.h - chains of holders in words: from a root, a global variable or a
 * thread's stack, over blocks, to a block.  Used by `why`, `roots` and `leaks`.
 */
#ifndef ZLEAKS_HOLDER_H
#define ZLEAKS_HOLDER_H

#include "stack.h"

/* One holder, and where in it the pointer to the next lies. */
struct holder_link {
	int64_t root_id;  /* UNKNOWN: a block */
	int64_t stack_id; /* of a block; UNKNOWN: not recorded */
	int64_t type_id;  /* UNKNOWN: no C++ type is known */
	int64_t offset;	  /* bytes; UNKNOWN: over blocks not recorded */
	int64_t times;	  /* so many equal ones in a row; 0: left out */
};

struct holders; /* the names of roots and types */

/* 0 when the report has nothing of holders: an older zrecord wrote it. */
int holders_there(const struct recording *);
struct holders *holders_new(const struct recording *, struct stacks *);
void holders_free(struct holders *);

/* NULL: not known */
const char *holders_type(struct holders *, int64_t type_id);

/* "g_cache (data of server)", without an offset; the caller's to free. */
char *holders_root_text(struct holders *, int64_t root_id);
/* Adds its members to an object. */
void holders_root_json(struct holders *, int64_t root_id, json_t *object);

/* "Session (session.c:41)" or "open_session (session.c:41)": a block by its
 * type or by who allocated it; the caller's to free. */
char *holders_block_text(struct holders *, int64_t stack_id, int64_t type_id);

/* "g_sessions+0x18 (data of server) -> Session (session.c:41) +24"; printable,
 * the caller's to free. */
char *holders_text(struct holders *, const struct holder_link *, size_t n);
json_t *holders_json(struct holders *, const struct holder_link *, size_t n);

/* The links of a chain of last holders; n 0: none.  The caller's to free. */
struct holder_link *holders_path(struct holders *, int64_t path_id, size_t *n);

#endif
