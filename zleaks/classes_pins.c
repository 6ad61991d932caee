/*
 * classes_pins.c - who keeps pages and regions that are nearly empty.
 *
 * One array has the bytes and the number of blocks of each page, filled from
 * all blocks; then each block on a thin page gets its part of what the page
 * keeps, and its stack adds up.  Large blocks have regions of their own and
 * keep nothing.
 */
#include "classes.h"

#include "text.h"

#include <stdlib.h>

enum { PAGES_MAX = 1 << 26 }; /* more are not looked at, nor promised */

struct page {
	uint32_t used; /* bytes of live blocks */
	uint32_t blocks;
};

/* Gives the regions that have blocks their part of the array. */
static size_t
place_regions(struct classes *c)
{
	size_t pages = 0;

	for (size_t i = 0; i < c->block_count; i++) {
		struct region *r = &c->region[c->block[i].region];
		size_t n = (size_t)(r->bytes / c->page) + 2;
		if (r->first_page != SIZE_MAX || n > PAGES_MAX - pages)
			continue;
		r->first_page = pages;
		pages += n;
	}
	return pages;
}

/* The pages of a block and its bytes on each of them. */
struct steps {
	size_t page;
	int64_t at, end, page_end;
};

static int
steps_begin(const struct classes *c, const struct block *b, struct steps *s)
{
	const struct region *r = &c->region[b->region];

	if (r->first_page == SIZE_MAX)
		return 0;
	int64_t base = r->address / c->page; /* number of the first page */
	s->page = r->first_page + (size_t)(b->address / c->page - base);
	s->at = b->address;
	s->end = b->address + b->usable;
	s->page_end = (b->address / c->page + 1) * c->page;
	return s->at < s->end;
}

/* Bytes of the block on this page; 0: the block has ended. */
static uint32_t
steps_bytes(const struct steps *s)
{
	int64_t end = s->end < s->page_end ? s->end : s->page_end;
	return end > s->at ? (uint32_t)(end - s->at) : 0;
}

static void
steps_next(const struct classes *c, struct steps *s)
{
	s->at = s->page_end;
	s->page_end += c->page;
	s->page++;
}

static int
is_thin(const struct classes *c, const struct page *p)
{
	return p->used && (double)p->used < THIN_SHARE * (double)c->page;
}

static void
count_pages(struct classes *c, struct page *page)
{
	struct steps s;

	for (size_t i = 0; i < c->block_count; i++) {
		if (!steps_begin(c, &c->block[i], &s))
			continue;
		struct pins *pins =
		    &c->part[c->region[c->block[i].region].process].pages;
		for (uint32_t n; (n = steps_bytes(&s)) != 0;
		     steps_next(c, &s)) {
			struct page *p = &page[s.page];
			pins->all += p->blocks == 0;
			p->used += n;
			p->blocks++;
		}
	}
}

/* Adds a share of what is kept to the stack's; `unit` is the page or region,
 * counted once per stack: units come in rising order. */
static void
pin(struct sums *sums, size_t process, int64_t stack_id, uint64_t kept,
    size_t unit)
{
	struct sum *s = sums_get(sums, (int64_t)process, stack_id);

	s->blocks++;
	s->bytes = count_add(s->bytes, (int64_t)kept);
	if (s->mark != (int64_t)unit + 1)
		s->more++;
	s->mark = (int64_t)unit + 1;
}

static void
pin_pages(struct classes *c, const struct page *page)
{
	struct steps s;

	for (size_t i = 0; i < c->block_count; i++) {
		const struct block *b = &c->block[i];
		if (!steps_begin(c, b, &s))
			continue;
		size_t process = c->region[b->region].process;
		for (; steps_bytes(&s); steps_next(c, &s)) {
			const struct page *p = &page[s.page];
			if (is_thin(c, p))
				pin(&c->page_pins, process, b->stack_id,
				    ((uint64_t)c->page - p->used) / p->blocks,
				    s.page);
		}
	}
}

static void
sum_pages(struct classes *c, const struct page *page)
{
	for (size_t i = 0; i < c->region_count; i++) {
		const struct region *r = &c->region[i];
		struct pins *pins = &c->part[r->process].pages;
		if (r->first_page == SIZE_MAX)
			continue;
		size_t n = (size_t)(r->bytes / c->page) + 2;
		for (size_t j = 0; j < n; j++) {
			const struct page *p = &page[r->first_page + j];
			if (!is_thin(c, p))
				continue;
			pins->thin++;
			pins->blocks += p->blocks;
			pins->kept += (uint64_t)c->page - p->used;
		}
	}
}

/* What of a region is held in memory; where that is not known, the pages that
 * have live blocks. */
static uint64_t
held(const struct classes *c, const struct region *r)
{
	int64_t n = r->resident;

	if (n == UNKNOWN &&
	    (r->pages < 0 || __builtin_mul_overflow(r->pages, c->page, &n)))
		n = 0;
	return n > 0 ? (uint64_t)n : 0;
}

static void
judge_regions(struct classes *c)
{
	for (size_t i = 0; i < c->region_count; i++) {
		struct region *r = &c->region[i];
		struct pins *pins = &c->part[r->process].regions;
		if (r->tier == 5 || r->live_blocks <= 0 || r->usable < 0)
			continue;
		uint64_t used = (uint64_t)r->usable;
		pins->all++;
		pins->bytes += held(c, r);
		r->thin = (double)used < THIN_SHARE * (double)held(c, r);
		if (!r->thin)
			continue;
		pins->thin++;
		pins->blocks += (uint64_t)r->live_blocks;
		pins->kept += held(c, r) - used;
	}
}

static void
pin_regions(struct classes *c)
{
	for (size_t i = 0; i < c->block_count; i++) {
		const struct block *b = &c->block[i];
		const struct region *r = &c->region[b->region];
		if (r->thin)
			pin(&c->region_pins, r->process, b->stack_id,
			    (held(c, r) - (uint64_t)r->usable) /
				(uint64_t)r->live_blocks,
			    b->region);
	}
}

void
classes_find_pins(struct classes *c)
{
	struct page *page = text_alloc(place_regions(c) * sizeof *page);

	count_pages(c, page);
	pin_pages(c, page);
	sum_pages(c, page);
	free(page);
	for (size_t i = 0; i < c->recording->process_count; i++)
		c->part[i].pages.bytes =
		    c->part[i].pages.all * (uint64_t)c->page;
	judge_regions(c);
	pin_regions(c);
}
