/*
 * fingerprint.c - a number by which a leak is known again: of its chain of
 * functions, so that it stays the same when the program is built again, moves
 * in memory, or is compiled in another way.
 *
 * What is left out: lines, offsets, versions of libraries, and what only the
 * build or the machine decides:
 *   - endings that optimisers give to names (".constprop.0", ".cold");
 *   - classes, namespaces, parameters and template arguments: a function that
 *     was inlined, and is known outside of its file to nobody, has no such
 *     name in the debug information, only its own;
 *   - leading underscores and "__GI_": libc's functions have several names,
 *     and which one a report has depends on its debug information;
 *   - frames below main, and operator new where it is linked into the program;
 *   - of a run of frames inside C++'s standard library all but the outermost:
 *     its insides differ between versions and levels of optimisation;
 *   - of a function that calls itself directly all but one frame.
 * Inlined functions count like others: they are in the stack wherever there is
 * debug information.  A frame without a name is its module.
 */
#include "stack.h"

#include "text.h"

#include <string.h>

/* Length of a name without what optimisers add to it. */
static size_t
without_endings(const char *name, size_t n)
{
	static const char *const added[] = { ".constprop.", ".isra.",
					     ".part.",	    ".cold",
					     ".lto_priv.",  "[" };

	for (size_t i = 0; i < sizeof added / sizeof *added; i++) {
		const char *at = memmem(name, n, added[i], strlen(added[i]));
		if (at && at != name)
			n = (size_t)(at - name);
	}
	return n;
}

/* Length of a module's name without the library's version. */
static size_t
without_version(const char *name)
{
	const char *so = strstr(name, ".so");
	return so && (so[3] == '.' || !so[3]) ? (size_t)(so + 3 - name)
					      : strlen(name);
}

/* The parts of "void ns::Pool<int>::grow<int>(int const&) [clone ..]". */
struct parts {
	const char *qualified; /* "ns::..": behind the return type */
	const char *own;       /* "grow" */
	size_t own_bytes;
};

/* Behind "operator" and what it is called, of which '<', '>' and "()" are no
 * brackets. */
static const char *
behind_operator(const char *p)
{
	p += strlen("operator");
	if (!strncmp(p, "()", 2))
		return p + 2;
	p += strspn(p, "<>=-");
	return p + strcspn(p, "(<"); /* "[]", " new", " int" */
}

/* Where a name goes on behind the parentheses at p: with the "::" of a scope in
 * a function, "load() const::{lambda()#1}::operator()()", or with the name
 * behind a return type, "decltype(auto) std::visit<..>(..)"; or NULL. */
static const char *
behind_parentheses(const char *p)
{
	int depth = 0;

	do {
		depth += (*p == '(') - (*p == ')');
		p++;
	} while (*p && depth);
	if (!strncmp(p, " const", 6))
		p += 6;
	if (p[0] == ':' && p[1] == ':')
		return p;
	return p[0] == ' ' && strchr(p, '(') && p[1] != '[' ? p : NULL;
}

/* An unbalanced name, which anyone may have written into a report, gives some
 * part of itself. */
static struct parts
parts_of(const char *name)
{
	struct parts part = { name, name, 0 };
	const char *end = NULL; /* of the own name */
	int depth = 0;

	for (const char *p = name; *p;) {
		if (!depth && !strncmp(p, "operator", 8) &&
		    (p == part.own || p == part.qualified)) {
			p = end = behind_operator(p);
			continue;
		}
		if (*p == '(' && !depth && p != part.own) {
			p = behind_parentheses(p);
			if (!p)
				break;
			continue;
		}
		if (*p == '<' || *p == '(' || *p == '{') {
			if (!depth++ && p != part.own)
				end = p;
		} else if (depth && (*p == '>' || *p == ')' || *p == '}')) {
			depth--;
		} else if (!depth && *p == ':' && p[1] == ':') {
			part.own = p + 2;
			end = NULL;
			p++;
		} else if (!depth && *p == ' ' && strncmp(p, " [", 2) != 0) {
			part.own = part.qualified = p + 1;
			end = NULL;
		} else if (!depth && !end && *p == ' ') {
			end = p;
		}
		p++;
	}
	if (!end)
		end = part.own + strcspn(part.own, "(");
	part.own_bytes = (size_t)(end - part.own);
	return part;
}

const char *
own_name(const char *function, size_t *bytes)
{
	struct parts part = parts_of(function);

	*bytes = part.own_bytes;
	return part.own;
}

const char *
qualified_name(const char *function)
{
	return parts_of(function).qualified;
}

void
frame_prepare(struct frame *f)
{
	const char *name = f->function;

	if (!name) {
		f->plain = f->module ? text_basename(f->module) : "?";
		f->plain_bytes = without_version(f->plain);
		return;
	}
	f->plain = name;
	f->plain_bytes = strlen(name);
	if (*name == '<') /* a remark, not a function */
		return;
	struct parts part = parts_of(name);
	/* of inlined functions nobody may know the scope, but the header */
	f->is_std = (f->file && strstr(f->file, "/include/c++/")) ||
		    !strncmp(part.qualified, "std::", 5) ||
		    !strncmp(part.qualified, "__gnu_cxx::", 11) ||
		    !strncmp(name, "operator new", 12);
	if (part.own_bytes) {
		f->plain = part.own;
		f->plain_bytes = part.own_bytes;
	}
	if (!strncmp(f->plain, "__GI_", 5) && f->plain_bytes > 5) {
		f->plain += 5;
		f->plain_bytes -= 5;
	}
	while (*f->plain == '_' && f->plain_bytes > 1) {
		f->plain++;
		f->plain_bytes--;
	}
	f->plain_bytes = without_endings(f->plain, f->plain_bytes);
}

static int
same_function(const struct frame *a, const struct frame *b)
{
	return a->function && b->function && a->plain_bytes == b->plain_bytes &&
	       !memcmp(a->plain, b->plain, a->plain_bytes);
}

static uint64_t
hash_bytes(uint64_t h, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * UINT64_C(0x100000001b3);
	return (h ^ '\n') * UINT64_C(0x100000001b3);
}

uint64_t
stack_fingerprint(const struct stack *stack)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	size_t n = stack_frames_worth_showing(stack);

	size_t first = 0;

	while (first + 1 < n && stack->frames[first]->function &&
	       !strncmp(stack->frames[first]->function, "operator new", 12))
		first++;
	for (size_t i = first; i < n; i++) {
		const struct frame *f = stack->frames[i];
		const struct frame *caller =
		    i + 1 < n ? stack->frames[i + 1] : NULL;
		if (caller &&
		    ((f->is_std && caller->is_std) || same_function(f, caller)))
			continue;
		h = hash_bytes(h, f->plain, f->plain_bytes);
	}
	/* the last bytes have met few multiplications: mix them in */
	h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return h ^ h >> 32;
}
