/*
 * new.c - C++ operators new and delete, in all their forms, written in C.
 *
 * A failed new calls the handler that std::set_new_handler installed until it
 * succeeds, throws, or there is no handler; then it throws std::bad_alloc.
 * The library depends on libc alone, so the C++ runtime is reached through
 * weak references, and, when it came with a dlopen and is not in the global
 * scope, by asking the dynamic linker; this happens on the failure path only.
 * The unwinder passes through these frames by their unwind tables.
 */
#include <dlfcn.h>
#include <stddef.h>

#include "malloc/block.h"
#include "malloc/message.h"
#include "malloc/state.h"

typedef void (*handler_fn)(void);
typedef void *(*nothrow_fn)(size_t, const void *);
typedef void *(*aligned_nothrow_fn)(size_t, size_t, const void *);

/* std::get_new_handler(), std::__throw_bad_alloc() */
extern handler_fn _ZSt15get_new_handlerv(void) __attribute__((weak));
extern void _ZSt17__throw_bad_allocv(void) __attribute__((weak));

static void *
runtime_symbol(const char *name)
{
	static const char *const runtime[] = { "libstdc++.so.6",
					       "libc++abi.so.1",
					       "libc++.so.1" };
	void *symbol = NULL;
	for (size_t i = 0; i < 3 && !symbol; i++) {
		void *so = dlopen(runtime[i], RTLD_LAZY | RTLD_NOLOAD);
		if (!so)
			continue;
		symbol = dlsym(so, name);
		dlclose(so);
	}
	return symbol;
}

static handler_fn
new_handler(void)
{
	handler_fn (*get)(void) = _ZSt15get_new_handlerv;
	if (!get)
		get = (handler_fn(*)(void))runtime_symbol(
		    "_ZSt15get_new_handlerv");
	return get ? get() : NULL;
}

static void
throw_bad_alloc(void)
{
	void (*throw)(void) = _ZSt17__throw_bad_allocv;
	if (!throw)
		throw =
		    (void (*)(void))runtime_symbol("_ZSt17__throw_bad_allocv");
	if (throw)
		throw();
	zm_fatal("operator new: out of memory, and no C++ runtime to throw",
		 NULL);
}

static __attribute__((noinline)) void *
new_slow(const struct zm_ask *a)
{
	for (;;) {
		void *p = zm_block_new(a);
		if (ZM_LIKELY(p))
			return p;
		handler_fn handler = new_handler();
		if (!handler)
			throw_bad_alloc();
		handler();
	}
}

/* The runtime's own operator of this name, or NULL. */
static void *
runtime_nothrow(const char *symbol)
{
	void *f = dlsym(RTLD_NEXT, symbol);
	return f ? f : runtime_symbol(symbol);
}

/*
 * The handler may throw, which must end in NULL here; C cannot catch.  The
 * runtime's own nothrow form can: it calls the throwing operator, which is
 * ours, and catches.  Where the runtime is linked in statically there is no
 * such form to be found: then a handler that throws is on its own.
 */
static void *
nothrow(const struct zm_ask *a, const char *symbol, const void *tag)
{
	void *p = zm_block_new(a);
	handler_fn handler;
	if (ZM_LIKELY(p) || !(handler = new_handler()))
		return p;
	void *next = runtime_nothrow(symbol);
	if (next && a->align)
		return ((aligned_nothrow_fn)next)(a->size, a->align, tag);
	if (next)
		return ((nothrow_fn)next)(a->size, tag);
	for (; !p && handler; handler = new_handler()) {
		handler();
		p = zm_block_new(a);
	}
	return p;
}

/* To the tracer, new is malloc, and aligned new is memalign. */
static void
trace_start(const struct zm_ask *a)
{
	if (a->align)
		ZM_TRACE_START(memalign, a->align, a->size);
	else
		ZM_TRACE_START(malloc, a->size);
}

static void *
trace_end(const struct zm_ask *a, void *p)
{
	if (a->align)
		ZM_TRACE_END(memalign, a->size, p);
	else
		ZM_TRACE_END(malloc, a->size, p);
	return p;
}

static void *
new_nothrow(const struct zm_ask *a, const char *symbol, const void *tag)
{
	trace_start(a);
	return trace_end(a, nothrow(a, symbol, tag));
}

static void *
new_aligned(const struct zm_ask *a)
{
	trace_start(a);
	return trace_end(a, new_slow(a));
}

static __attribute__((noinline)) void *
new_plain(size_t size, enum zm_fn fn, const void *ra)
{
	void *p = new_slow(&(struct zm_ask){ .size = size,
					     .fn = fn,
					     .call = ZT_CALL_malloc,
					     .ra = ra,
					     .at = ZM_ENTRY(ra) });
	ZM_TRACE_END(malloc, size, p);
	return p;
}

/* The compiler takes the text of a probe's note for instructions. */
static inline __attribute__((always_inline)) void *
new_fast(size_t size, enum zm_fn fn, const void *ra)
{
	ZM_TRACE_START(malloc, size);
	void *p = zm_fast_new(size);
	if (ZM_UNLIKELY(!p))
		return new_plain(size, fn, ra);
	ZM_TRACE_END(malloc, size, p);
	return p;
}

#define ASK(sz, al, f)                                            \
	&(struct zm_ask)                                          \
	{                                                         \
		.size = (sz), .align = (al), .fn = (f),           \
		.call = (al) ? ZT_CALL_memalign : ZT_CALL_malloc, \
		.ra = ZM_CALLER, .at = ZM_ENTRY(ZM_CALLER)        \
	}

/* The mangled names need prototypes of their own. */
void *_Znwm(size_t);
void *_Znam(size_t);
void *_ZnwmRKSt9nothrow_t(size_t, const void *);
void *_ZnamRKSt9nothrow_t(size_t, const void *);
void *_ZnwmSt11align_val_t(size_t, size_t);
void *_ZnamSt11align_val_t(size_t, size_t);
void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t, size_t, const void *);
void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t, size_t, const void *);

ZM_EXPORT void *
_Znwm(size_t size)
{
	return new_fast(size, ZM_FN_NEW, ZM_CALLER);
}

ZM_EXPORT void *
_Znam(size_t size)
{
	return new_fast(size, ZM_FN_NEW_ARRAY, ZM_CALLER);
}

ZM_EXPORT void *
_ZnwmRKSt9nothrow_t(size_t size, const void *tag)
{
	return new_nothrow(ASK(size, 0, ZM_FN_NEW), "_ZnwmRKSt9nothrow_t", tag);
}

ZM_EXPORT void *
_ZnamRKSt9nothrow_t(size_t size, const void *tag)
{
	return new_nothrow(ASK(size, 0, ZM_FN_NEW_ARRAY), "_ZnamRKSt9nothrow_t",
			   tag);
}

ZM_EXPORT void *
_ZnwmSt11align_val_t(size_t size, size_t align)
{
	return new_aligned(ASK(size, align, ZM_FN_NEW));
}

ZM_EXPORT void *
_ZnamSt11align_val_t(size_t size, size_t align)
{
	return new_aligned(ASK(size, align, ZM_FN_NEW_ARRAY));
}

ZM_EXPORT void *
_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *tag)
{
	return new_nothrow(ASK(size, align, ZM_FN_NEW),
			   "_ZnwmSt11align_val_tRKSt9nothrow_t", tag);
}

ZM_EXPORT void *
_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *tag)
{
	return new_nothrow(ASK(size, align, ZM_FN_NEW_ARRAY),
			   "_ZnamSt11align_val_tRKSt9nothrow_t", tag);
}

/*
 * Every delete frees; size, alignment and the nothrow tag are hints we have no
 * use for, so all names stand for one function of one argument.
 */
void _ZdlPv(void *p);

ZM_EXPORT void
_ZdlPv(void *p)
{
	ZM_TRACE_FREE(p);
	zm_free(p, ZM_CALLER);
}

#define DELETE(name) void name(void *) ZM_ALIAS(_ZdlPv)

DELETE(_ZdaPv);
DELETE(_ZdlPvm);
DELETE(_ZdaPvm);
DELETE(_ZdlPvRKSt9nothrow_t);
DELETE(_ZdaPvRKSt9nothrow_t);
DELETE(_ZdlPvSt11align_val_t);
DELETE(_ZdaPvSt11align_val_t);
DELETE(_ZdlPvmSt11align_val_t);
DELETE(_ZdaPvmSt11align_val_t);
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t);
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t);
