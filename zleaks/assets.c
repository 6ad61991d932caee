/* assets.c - see assets.h.  ZM_ASSETS is the folder of the files. */
#include "assets.h"

#define ASSET(name, file)                                 \
	__asm__(".pushsection .rodata\n"                  \
		".global " #name "\n" #name ":\n"         \
		".incbin \"" ZM_ASSETS "/" file "\"\n"    \
		".global " #name "_end\n" #name "_end:\n" \
		".byte 0\n"                               \
		".popsection\n")

ASSET(page_head, "page_head");
ASSET(page_tail, "page_tail");
ASSET(flame_script, "flame_script");
