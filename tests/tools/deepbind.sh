#!/usr/bin/env bash
# deepbind.sh - modules opened with RTLD_DEEPBIND, and whoever asks libc's own
# handle for malloc and free, use the same heap as the program.
. tests/lib.sh
ulimit -c 0
module=$PROGRAMS/libdeepbind.so

if ! [ "$("$PROGRAMS/deepbind" handle 2>&1)" = done ]; then
	skip deepbind "no RTLD_DEEPBIND or no libc.so.6 here"
	exit
fi

# run NAME ARGUMENT...
run()
{
	local name=$1 out
	shift
	out=$("$@" 2>&1)
	same "$name: exit status" 0 $?
	same "$name: output" done "$out"
}

run 'exchange' env LD_PRELOAD="$LIB" "$PROGRAMS/deepbind" exchange "$module"
run 'exchange, scribbled' env LD_PRELOAD="$LIB" MallocScribble=1 \
    MallocGuardEdges=1 "$PROGRAMS/deepbind" exchange "$module"
run 'exchange, recorded' "$ZRECORD" -q -o "$T/r.db" \
    "$PROGRAMS/deepbind" exchange "$module"
run "libc's handle" env LD_PRELOAD="$LIB" "$PROGRAMS/deepbind" handle
run "libc's handle, recorded" "$ZRECORD" -q -o "$T/r.db" \
    "$PROGRAMS/deepbind" handle

record "$T/r.db" "$PROGRAMS/deepbind" leak "$module" >/dev/null
same "the module's leak is in the report" 'definite alloc_in_module 1 77' \
    "$(leak_rows "$T/r.db" | grep alloc_in_module)"

# Only the functions of the heap are found elsewhere.
for copy in one two three; do cp "$module" "$T/$copy.so"; done
want=$("$PROGRAMS/deepbind" scope "$T/one.so" "$T/two.so" "$T/three.so")
same 'scope, without the library' $'two.so\none.so\ndone' "$want"
same 'scope' "$want" "$(LD_PRELOAD=$LIB "$PROGRAMS/deepbind" scope \
    "$T/one.so" "$T/two.so" "$T/three.so")"

# A program with a malloc of its own in front of ours keeps it.
if have cc; then
	cat >"$T/own.c" <<-'END'
	#define _GNU_SOURCE
	#include <dlfcn.h>
	#include <stdio.h>
	#include <stdlib.h>
	#include <string.h>
	static char pool[1 << 20]; static size_t used, freed;
	void *malloc(size_t n) { void *p = pool + used; used += (n + 31) & ~31ul; return p; }
	void *calloc(size_t m, size_t n) { return memset(malloc(m * n), 0, m * n); }
	void *realloc(void *p, size_t n) { void *q = malloc(n);
		return p ? memcpy(q, p, n) : q; }
	void free(void *p) { freed += p != NULL; }
	int main(int argc, char **argv)
	{
		size_t before; void *m = dlopen(argv[argc - 1], RTLD_NOW | RTLD_DEEPBIND);
		if (!m) return 1;
		void (*f)(void *) = (void (*)(void *))dlsym(m, "module_free");
		before = freed;
		f(malloc(10));
		return freed == before + 1 ? 0 : 2;
	}
	END
	cc -w -O1 -fno-builtin -rdynamic -o "$T/own" "$T/own.c" -ldl
	LD_PRELOAD=$LIB "$T/own" "$module"
	same "a malloc of the program's own: its module uses it" 0 $?
fi

# What the writes leave behind: no page of libc stays writable that was not.
maps()
{
	sed -n '/libc\.so\.6$/s/^[0-9a-f-]* \(....\) .*/\1/p' | sort -u
}
same "libc's pages have the permissions they had" "$(maps </proc/self/maps)" \
    "$(LD_PRELOAD=$LIB cat /proc/self/maps | maps)"
