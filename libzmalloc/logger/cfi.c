/*
 * cfi.c - see cfi.h.
 *
 * .eh_frame_hdr is a sorted table from function to FDE; the FDE names its CIE;
 * the instructions of both, run up to the call, say where things are.  Formats:
 * Linux Standard Base and the DWARF standard.
 */
#include "logger/cfi.h"

#include <stddef.h>
#include <string.h>

#if defined(__x86_64__)
enum { REG_FP = 6, REG_SP = 7, REG_RA = 16 };
#else
enum { REG_FP = 29, REG_SP = 31, REG_RA = 30 };
#endif

enum {
	HDR_TABLE = 0x3b, /* relative to the table's header, 4 bytes, signed */
	ROW_BYTES = 8,
	STATES = 8,	     /* nested DW_CFA_remember_state */
	INSTRUCTIONS = 20000 /* of one function, at most */
};

/* Bytes that are still to be read; ok turns false when they do not do. */
struct in {
	const uint8_t *p, *end;
	bool ok;
};

/* ---- reading ---------------------------------------------------------- */

static bool
has(struct in *in, uint64_t n)
{
	if (in->ok && (uint64_t)(in->end - in->p) >= n)
		return true;
	in->ok = false;
	return false;
}

static void
skip(struct in *in, uint64_t n)
{
	if (has(in, n))
		in->p += n;
}

static uint64_t
fixed(struct in *in, unsigned bytes)
{
	uint64_t v = 0;

	if (has(in, bytes)) {
		memcpy(&v, in->p, bytes); /* little endian */
		in->p += bytes;
	}
	return v;
}

static int64_t
extend(uint64_t v, unsigned bits)
{
	return (int64_t)(v << (64 - bits)) >> (64 - bits);
}

static uint64_t
uleb(struct in *in)
{
	uint64_t v = 0;

	for (unsigned shift = 0; has(in, 1); shift += 7) {
		uint8_t b = *in->p++;
		if (shift < 64)
			v |= (uint64_t)(b & 127) << shift;
		if (!(b & 128))
			break;
	}
	return v;
}

static int64_t
sleb(struct in *in)
{
	uint64_t v = 0;
	unsigned shift = 0;

	while (has(in, 1)) {
		uint8_t b = *in->p++;
		if (shift < 64)
			v |= (uint64_t)(b & 127) << shift;
		shift += 7;
		if (b & 128)
			continue;
		return shift < 64 ? extend(v, shift) : (int64_t)v;
	}
	return 0;
}

/* A pointer by its encoding: absolute or relative to itself. */
static uintptr_t
pointer(struct in *in, uint8_t encoding)
{
	uintptr_t at = (uintptr_t)in->p, v = 0;

	switch (encoding & 15) {
	case 0:
	case 4:
	case 12:
		v = fixed(in, 8);
		break;
	case 3:
		v = fixed(in, 4);
		break;
	case 11:
		v = (uintptr_t)extend(fixed(in, 4), 32);
		break;
	default:
		in->ok = false;
	}
	if ((encoding & 0x70) == 0x10)
		v += at;
	else if (encoding & 0xf0)
		in->ok = false;
	return v;
}

/* ---- finding ---------------------------------------------------------- */

static bool
inside(const struct zm_frames *f, uintptr_t at, uintptr_t bytes)
{
	return at >= f->lo && at <= f->hi && f->hi - at >= bytes;
}

/* The entry at `at`: what is behind its length. */
static bool
entry_at(const struct zm_frames *f, uintptr_t at, struct in *in)
{
	*in = (struct in){ NULL, NULL, true };
	if (!inside(f, at, 4))
		return false;
	in->p = (const uint8_t *)at;
	in->end = (const uint8_t *)f->hi;
	uint64_t length = fixed(in, 4);
	if (!length || length >= 0xfffffff0 || !has(in, length))
		return false;
	in->end = in->p + length;
	return true;
}

static int32_t
row_word(const uint8_t *rows, uint64_t i, unsigned which)
{
	int32_t v;

	memcpy(&v, rows + i * ROW_BYTES + which * 4, 4);
	return v;
}

/* Address of the FDE of the last function that begins at or before at. */
static uintptr_t
search(const struct zm_frames *f, uintptr_t at)
{
	struct in in = { (const uint8_t *)f->hdr, (const uint8_t *)f->hi,
			 true };

	if (!f->hdr || !inside(f, f->hdr, 4) || in.p[0] != 1 ||
	    in.p[3] != HDR_TABLE)
		return 0;
	uint8_t frame = in.p[1], counts = in.p[2];
	skip(&in, 4);
	pointer(&in, frame);
	uint64_t count = pointer(&in, counts);
	if (!in.ok || count > (uint64_t)(in.end - in.p) / ROW_BYTES)
		return 0;
	uint64_t lo = 0, hi = count;
	int64_t want = (int64_t)(at - f->hdr);
	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;
		if (row_word(in.p, mid, 0) <= want)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? f->hdr + (uintptr_t)(intptr_t)row_word(in.p, lo - 1, 1) : 0;
}

/* ---- CIE and FDE ------------------------------------------------------ */

struct function {
	struct in common, own; /* instructions */
	uint64_t code_align;
	int64_t data_align;
	uint8_t encoding;
	bool augmented;
	uintptr_t begin, bytes;
};

/* The letters behind the z, with what belongs to them. */
static bool
augmentation(struct function *fn, struct in *in, const char *letters)
{
	uint64_t length = uleb(in);

	if (!has(in, length))
		return false;
	struct in data = { in->p, in->p + length, true };
	skip(in, length);
	for (; *letters; letters++) {
		uint8_t encoding = (uint8_t)fixed(&data, 1);
		if (*letters == 'R') {
			fn->encoding = encoding;
		} else if (*letters == 'P') {
			/* its value may be indirect; only its size matters */
			pointer(&data, encoding & 15);
		} else if (*letters != 'L') {
			return false; /* signal frames among others */
		}
	}
	return data.ok;
}

static bool
read_cie(const struct zm_frames *f, uintptr_t at, struct function *fn)
{
	struct in in;
	char letters[8] = { 0 };
	size_t n = 0;

	if (!entry_at(f, at, &in) || fixed(&in, 4) != 0)
		return false;
	uint8_t version = (uint8_t)fixed(&in, 1);
	if (version != 1 && version != 3)
		return false;
	for (char c; in.ok && (c = (char)fixed(&in, 1)) != 0;) {
		if (n == sizeof letters - 1)
			return false;
		letters[n++] = c;
	}
	fn->code_align = uleb(&in);
	fn->data_align = sleb(&in);
	uint64_t ra = version == 1 ? fixed(&in, 1) : uleb(&in);
	if (!in.ok || ra != REG_RA)
		return false;
	fn->augmented = letters[0] == 'z';
	if (fn->augmented ? !augmentation(fn, &in, letters + 1) : letters[0])
		return false;
	fn->common = in;
	return in.ok;
}

static bool
read_fde(const struct zm_frames *f, uintptr_t at, struct function *fn)
{
	struct in in;

	memset(fn, 0, sizeof *fn);
	if (!entry_at(f, at, &in))
		return false;
	uintptr_t here = (uintptr_t)in.p;
	uint64_t back = fixed(&in, 4);
	if (!in.ok || !back || back > here || !read_cie(f, here - back, fn))
		return false;
	fn->begin = pointer(&in, fn->encoding);
	fn->bytes = pointer(&in, fn->encoding & 15);
	if (fn->augmented)
		skip(&in, uleb(&in));
	fn->own = in;
	return in.ok;
}

/* ---- instructions ----------------------------------------------------- */

static int64_t
times(uint64_t n, int64_t align)
{
	return (int64_t)(n * (uint64_t)align);
}

enum where { UNCHANGED, SAVED, UNDEFINED, STRANGE };

/* Where a register of the caller is. */
struct place {
	enum where where;
	int64_t offset; /* from the CFA */
};

struct row {
	enum zm_rule_kind kind;
	int64_t offset;
	struct place fp, ra, sp;
};

struct machine {
	const struct function *fn;
	struct row now, initial, kept[STATES];
	unsigned depth;
	uintptr_t at;	  /* the rows so far hold from here on */
	uintptr_t target; /* the place that is asked for */
	bool failed, done;
};

static void
place(struct machine *m, uint64_t reg, enum where where, int64_t offset)
{
	struct place p = { where, offset };

	if (reg == REG_FP)
		m->now.fp = p;
	else if (reg == REG_RA)
		m->now.ra = p;
	else if (reg == REG_SP)
		m->now.sp = p;
}

static void
place_initial(struct machine *m, uint64_t reg)
{
	if (reg == REG_FP)
		m->now.fp = m->initial.fp;
	else if (reg == REG_RA)
		m->now.ra = m->initial.ra;
	else if (reg == REG_SP)
		m->now.sp = m->initial.sp;
}

static void
advance(struct machine *m, uint64_t delta)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(delta, m->fn->code_align, &bytes) ||
	    bytes > m->target - m->at)
		m->done = true;
	else
		m->at += bytes;
}

static void
cfa_register(struct machine *m, uint64_t reg)
{
	m->now.kind = reg == REG_SP   ? ZM_RULE_SP
		      : reg == REG_FP ? ZM_RULE_FP
				      : ZM_RULE_COMPLEX;
}

/* The one expression that compilers write for a realigned stack: the word at
 * frame pointer + n. */
static void
cfa_expression(struct machine *m, struct in *in)
{
	enum { OP_BREG0 = 0x70, OP_DEREF = 0x06 };
	uint64_t length = uleb(in);

	m->now.kind = ZM_RULE_COMPLEX;
	if (!has(in, length))
		return;
	struct in e = { in->p, in->p + length, true };
	skip(in, length);
	if (fixed(&e, 1) != OP_BREG0 + REG_FP)
		return;
	int64_t offset = sleb(&e);
	if (fixed(&e, 1) == OP_DEREF && e.ok && e.p == e.end) {
		m->now.kind = ZM_RULE_DEREF;
		m->now.offset = offset;
	}
}

static void
remember(struct machine *m)
{
	if (m->depth == STATES)
		m->failed = true;
	else
		m->kept[m->depth++] = m->now;
}

static void
restore_state(struct machine *m)
{
	if (m->depth == 0)
		m->failed = true;
	else
		m->now = m->kept[--m->depth];
}

/* Instructions that say where a register is. */
static bool
register_op(struct machine *m, uint8_t op, struct in *in)
{
	int64_t align = m->fn->data_align;
	uint64_t reg = uleb(in);

	switch (op) {
	case 0x05: /* offset_extended */
		place(m, reg, SAVED, times(uleb(in), align));
		return true;
	case 0x06: /* restore_extended */
		place_initial(m, reg);
		return true;
	case 0x07: /* undefined */
		place(m, reg, UNDEFINED, 0);
		return true;
	case 0x08: /* same_value */
		place(m, reg, UNCHANGED, 0);
		return true;
	case 0x09: /* register */
	case 0x14: /* val_offset */
		uleb(in);
		place(m, reg, STRANGE, 0);
		return true;
	case 0x11: /* offset_extended_sf */
		place(m, reg, SAVED, times((uint64_t)sleb(in), align));
		return true;
	case 0x15: /* val_offset_sf */
		sleb(in);
		place(m, reg, STRANGE, 0);
		return true;
	case 0x10: /* expression */
	case 0x16: /* val_expression */
		skip(in, uleb(in));
		place(m, reg, STRANGE, 0);
		return true;
	case 0x2f: /* GNU_negative_offset_extended */
		place(m, reg, SAVED, times(-uleb(in), align));
		return true;
	}
	return false;
}

/* Instructions about the CFA. */
static bool
cfa_op(struct machine *m, uint8_t op, struct in *in)
{
	switch (op) {
	case 0x0c: /* def_cfa */
		cfa_register(m, uleb(in));
		m->now.offset = (int64_t)uleb(in);
		return true;
	case 0x0d: /* def_cfa_register */
		cfa_register(m, uleb(in));
		return true;
	case 0x0e: /* def_cfa_offset */
		m->now.offset = (int64_t)uleb(in);
		return true;
	case 0x0f:
		cfa_expression(m, in);
		return true;
	case 0x12: /* def_cfa_sf */
		cfa_register(m, uleb(in));
		m->now.offset = times((uint64_t)sleb(in), m->fn->data_align);
		return true;
	case 0x13: /* def_cfa_offset_sf */
		m->now.offset = times((uint64_t)sleb(in), m->fn->data_align);
		return true;
	}
	return false;
}

static bool
plain_op(struct machine *m, uint8_t op, struct in *in)
{
	switch (op) {
	case 0x00: /* nop */
		return true;
	case 0x01: /* set_loc */
		return false;
	case 0x02:
		advance(m, fixed(in, 1));
		return true;
	case 0x03:
		advance(m, fixed(in, 2));
		return true;
	case 0x04:
		advance(m, fixed(in, 4));
		return true;
	case 0x0a:
		remember(m);
		return true;
	case 0x0b:
		restore_state(m);
		return true;
	case 0x2e: /* GNU_args_size */
		uleb(in);
		return true;
	}
	return false;
}

static void
run(struct machine *m, struct in in)
{
	for (unsigned i = 0; in.p < in.end && !m->done && !m->failed; i++) {
		uint8_t op = (uint8_t)fixed(&in, 1), low = op & 63;
		if (op >> 6 == 1) {
			advance(m, low);
		} else if (op >> 6 == 2) {
			place(m, low, SAVED,
			      times(uleb(&in), m->fn->data_align));
		} else if (op >> 6 == 3) {
			place_initial(m, low);
		} else if (!plain_op(m, op, &in) && !cfa_op(m, op, &in) &&
			   !register_op(m, op, &in)) {
			m->failed = true;
		}
		if (!in.ok || i == INSTRUCTIONS)
			m->failed = true;
	}
}

/* ---- a rule ----------------------------------------------------------- */

/* Words below the CFA; 0: cannot be said in a rule. */
static uint64_t
words_below(const struct place *p)
{
	if (p->where != SAVED || p->offset >= 0 || p->offset % 8 ||
	    p->offset < -8 * (int64_t)ZM_RULE_WORDS_MAX)
		return 0;
	return (uint64_t)-p->offset / 8;
}

static uint64_t
encode(const struct row *r)
{
	uint64_t ra = words_below(&r->ra), fp = words_below(&r->fp);

	if (r->kind == ZM_RULE_NONE || r->kind == ZM_RULE_COMPLEX)
		return ZM_RULE_COMPLEX;
	if (r->ra.where == UNDEFINED)
		return ZM_RULE_END;
	if (!ra || (!fp && r->fp.where != UNCHANGED) ||
	    r->sp.where != UNCHANGED || r->offset != (int32_t)r->offset ||
	    r->offset % 8)
		return ZM_RULE_COMPLEX;
	return (uint64_t)r->kind | (fp ? 8 : 0) | fp << 4 | ra << 18 |
	       (uint64_t)r->offset << 32;
}

uint64_t
zm_cfi_rule(const struct zm_frames *f, uintptr_t pc)
{
	struct function fn;
	struct machine m = { .fn = &fn };
	uintptr_t call = pc - 1; /* inside the call instruction */
	uintptr_t fde = search(f, call);

	if (!fde || !read_fde(f, fde, &fn) || call < fn.begin ||
	    call - fn.begin >= fn.bytes)
		return ZM_RULE_COMPLEX;
	m.at = fn.begin;
	m.target = call;
	run(&m, fn.common);
	m.initial = m.now;
	m.depth = 0;
	if (!m.failed && !m.done)
		run(&m, fn.own);
	return m.failed ? (uint64_t)ZM_RULE_COMPLEX : encode(&m.now);
}
