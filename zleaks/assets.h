/*
 * assets.h - the files that zleaks/web/assemble makes when zleaks is built:
 * the HTML page without its data, and the script of stand-alone flame graphs.
 */
#ifndef ZLEAKS_ASSETS_H
#define ZLEAKS_ASSETS_H

#include <stddef.h>
#include <stdio.h>

/* The page in front of its data and behind it.  Both are empty (their first
 * character is 0) when its libraries were not there at build time. */
extern const char page_head[], page_head_end[];
extern const char page_tail[], page_tail_end[];

/* For a <script> in SVG, inside CDATA. */
extern const char flame_script[], flame_script_end[];

static inline void
asset_write(const char *begin, const char *end, FILE *out)
{
	fwrite(begin, 1, (size_t)(end - begin), out);
}

#endif
