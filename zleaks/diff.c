/*
 * diff.c - the command `diff`: what changed between two reports, or between
 * two moments of one: leaks that are new, grown, shrunk and gone, live memory
 * by stack and size class, totals.  Its exit status speaks of the leaks that
 * came: those of the new report alone are what `leaks` is for.
 */
#include "diff.h"

#include "moment.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

const char *const verdict_names[VERDICTS] = { "new", "grown", "shrunk", "gone",
					      "unchanged" };

const struct recording *
diff_recording(const struct diff *d, int side)
{
	return d->leaks[d->moments ? OLD : side].recording;
}

char *
diff_side_name(const struct diff *d, int side)
{
	const struct settings *s = d->settings;

	if (!d->moments)
		return text_printable(d->path[side]);
	if (side == OLD)
		return text_printable(s->from ? s->from : "the begin");
	return text_printable(s->to ? s->to : "the end");
}

int64_t
change_bytes(const struct change *c)
{
	return c->bytes[NEW] - c->bytes[OLD];
}

int64_t
change_blocks(const struct change *c)
{
	return c->blocks[NEW] - c->blocks[OLD];
}

/* By bytes; where those are the same, by blocks. */
enum verdict
change_verdict(const struct change *c)
{
	if (c->blocks[OLD] <= 0 && c->bytes[OLD] <= 0)
		return c->blocks[NEW] > 0 || c->bytes[NEW] > 0 ? FRESH : SAME;
	if (c->blocks[NEW] <= 0 && c->bytes[NEW] <= 0)
		return GONE;
	int64_t more = change_bytes(c);
	if (!more)
		more = change_blocks(c);
	return more > 0 ? GROWN : more < 0 ? SHRUNK : SAME;
}

struct found
diff_found(const struct diff *d)
{
	struct found f = { 0 };

	for (size_t i = 0; i < d->leak.count; i++) {
		const struct change *c = &d->leak.list[i];
		enum verdict v = change_verdict(c);
		if (v != FRESH && v != GROWN)
			continue;
		int64_t blocks = change_blocks(c), bytes = change_bytes(c);
		/* grown in bytes alone is grown */
		f.blocks[c->kind] += blocks > 0 ? (uint64_t)blocks : 1;
		f.bytes[c->kind] += bytes > 0 ? (uint64_t)bytes : 0;
	}
	return f;
}

/* ---- leaks of two reports ---------------------------------------------- */

static void
add_sites(struct diff *d, int side)
{
	struct sites s = leaks_sites(&d->leaks[side]);

	for (size_t i = 0; i < s.count; i++) {
		const struct site *site = &s.list[i];
		struct change *c = changes_get(&d->leak, site->kind,
					       (int64_t)site->fingerprint);
		c->kind = site->kind;
		c->fingerprint = site->fingerprint;
		c->stack = site->group->stack;
		c->blocks[side] = site->blocks;
		c->bytes[side] = site->bytes;
	}
	sites_free(&s);
}

/* A new leak may be an old one that is judged in another way now. */
static void
find_former_kinds(struct diff *d)
{
	for (size_t i = 0; i < d->leak.count; i++) {
		uint64_t fingerprint = d->leak.list[i].fingerprint;
		int kind = d->leak.list[i].kind;
		if (change_verdict(&d->leak.list[i]) != FRESH)
			continue;
		for (int k = 0; k < KIND_COUNT; k++) {
			size_t before = d->leak.count;
			if (k == kind)
				continue;
			struct change *c =
			    changes_get(&d->leak, k, (int64_t)fingerprint);
			if (d->leak.count > before) /* made just now: empty */
				*c = (struct change){ .kind = k,
						      .was_kind = -1 };
			else if (c->blocks[OLD] > 0)
				d->leak.list[i].was_kind = k;
		}
	}
}

/* ---- order and choice ------------------------------------------------- */

static int64_t
magnitude(int64_t n)
{
	return n < 0 ? -n : n;
}

static int
by_change(const void *pa, const void *pb)
{
	const struct change *a = pa, *b = pb;
	enum verdict va = change_verdict(a), vb = change_verdict(b);
	int64_t ma = magnitude(change_bytes(a)),
		mb = magnitude(change_bytes(b));

	/* new and grown, then what became less */
	if ((va > GROWN) != (vb > GROWN))
		return va > GROWN ? 1 : -1;
	if (a->kind != b->kind)
		return b->kind - a->kind;
	if (ma != mb)
		return ma < mb ? 1 : -1;
	if (va != vb)
		return va > vb ? 1 : -1;
	if (a->size_class != b->size_class)
		return a->size_class < b->size_class ? -1 : 1;
	return (a->fingerprint > b->fingerprint) -
	       (a->fingerprint < b->fingerprint);
}

static int
by_magnitude(const void *pa, const void *pb)
{
	const struct change *a = pa, *b = pb;
	int64_t ma = magnitude(change_bytes(a)),
		mb = magnitude(change_bytes(b));

	return ma != mb ? (ma < mb ? 1 : -1) : by_change(pa, pb);
}

/* Leaves what changed by --min-bytes at least, in order; counts verdicts. */
static void
choose(struct changes *c, uint64_t min_bytes, size_t *verdicts,
       int (*order)(const void *, const void *))
{
	size_t kept = 0;

	for (size_t i = 0; i < c->count; i++) {
		struct change *x = &c->list[i];
		enum verdict v = change_verdict(x);
		int empty = x->blocks[OLD] <= 0 && x->blocks[NEW] <= 0;
		if (empty || (min_bytes &&
			      (uint64_t)magnitude(change_bytes(x)) < min_bytes))
			continue;
		if (verdicts)
			verdicts[v]++;
		if (v != SAME)
			c->list[kept++] = *x;
	}
	c->count = kept;
	if (kept)
		qsort(c->list, kept, sizeof *c->list, order);
}

/* ---- the command ------------------------------------------------------ */

static void
load(struct diff *d, struct settings *plain)
{
	for (int side = OLD; side < (d->moments ? NEW : SIDES); side++)
		leaks_open(&d->leaks[side], plain, d->path[side],
			   LEAKS_ALL | LEAKS_NO_BLOCKS);
	if (d->moments) {
		diff_leaks_at_moments(d);
	} else {
		add_sites(d, OLD);
		add_sites(d, NEW);
		find_former_kinds(d);
	}
	diff_sum_up(d, OLD);
	diff_sum_up(d, NEW);
	choose(&d->leak, d->settings->min_bytes, d->verdicts, by_change);
	choose(&d->stack, d->settings->min_bytes, NULL, by_magnitude);
	choose(&d->size_class, d->settings->min_bytes, NULL, by_magnitude);
}

static int
exit_status(const struct diff *d)
{
	struct found f = diff_found(d);

	for (int side = OLD; side < SIDES; side++)
		if (diff_recording(d, side)->problem_count)
			return EXIT_UNREADABLE;
	return failon_failing(&d->settings->fail_on, f.blocks, f.bytes)
		   ? EXIT_LEAKS
		   : EXIT_CLEAN;
}

static int
print(const struct diff *d)
{
	struct output out;

	if (output_open(&out, d->settings->output) != 0)
		return EXIT_USAGE;
	if (d->settings->json)
		diff_json(d, out.file);
	else
		diff_text(d, out.file);
	return output_close(&out) != 0 ? EXIT_UNREADABLE : exit_status(d);
}

int
diff_main(const struct settings *settings, int argc, char **argv)
{
	struct diff d = { .settings = settings,
			  .moments = moment_given(settings) };
	/* what is small in each report may have changed much */
	struct settings plain = *settings;

	plain.min_bytes = 0;
	if (argc != (d.moments ? 1 : 2)) {
		message(d.moments
			    ? "diff: --from and --to compare moments of one "
			      "report: zleaks diff --from=10 --to=20 report.db"
			    : "diff: which two reports? Try: zleaks diff OLD "
			      "NEW");
		return EXIT_USAGE;
	}
	d.path[OLD] = argv[0];
	d.path[NEW] = argv[d.moments ? 0 : 1];
	load(&d, &plain);
	int status = print(&d);
	changes_free(&d.leak);
	changes_free(&d.stack);
	changes_free(&d.size_class);
	for (int side = OLD; side < (d.moments ? NEW : SIDES); side++)
		leaks_close(&d.leaks[side]);
	return status;
}
