/*
 * marks.c - see marks.h.  Called by recorder.c while the program runs, so that
 * a report of a running one has its marks, and by finish.c.
 */
#include "marks.h"
#include "utf8.h"

#include <stdlib.h>

enum { LABEL_MAX = 1024, CHUNK = 256 };

void
marks_write(struct process *p, struct writer *w)
{
	const struct segment *seg = &p->seg;
	uint32_t n = segment_count(seg, &seg->h.marks);
	struct zs_mark m[CHUNK];

	while (p->marks < n && !w->failed) {
		uint32_t part = n - p->marks < CHUNK ? n - p->marks : CHUNK;
		if (segment_entries(seg, &seg->h.marks, p->marks, part, m) != 0)
			return;
		for (uint32_t i = 0; i < part; i++) {
			char *label =
			    segment_string(seg, m[i].label, LABEL_MAX);
			if (!label)
				continue; /* entry 0, or damaged */
			utf8_clean(label);
			writer_row(w, ROW_MARK, "idtii", p->id,
				   (double)m[i].t_ns * 1e-9, label,
				   (int64_t)m[i].live_blocks,
				   (int64_t)m[i].live_bytes);
			free(label);
		}
		p->marks += part;
	}
}
