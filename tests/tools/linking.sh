#!/usr/bin/env bash
# linking.sh - every way to get the library into a program: preloaded, linked
# with -lzmalloc, from the archive, C and C++; what the library exports and
# needs; what it prints when asked.
. tests/lib.sh
ulimit -c 0
CC=${CC:-cc} CXX=${CXX:-c++}
INCLUDE=libzmalloc/include

cat >"$T/app.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <zmalloc/malloc.h>
/* weak: the program also runs without the library */
#pragma weak malloc_zone_from_ptr
#pragma weak malloc_get_zone_name
int
main(void)
{
	void *p = malloc(100);
	if (!malloc_zone_from_ptr)
		return puts("another malloc"), 3;
	puts(malloc_get_zone_name(malloc_zone_from_ptr(p)));
	free(p);
	return 0;
}
END

# says NAME EXPECTED COMMAND...
says()
{
	local name=$1 want=$2 got
	shift 2
	got=$("$@" 2>&1)
	same "$name" "$want" "$got"
}

# The archive needs what the recorder needs: threads and dlopen of libc.
build()
{
	"$@" >"$T/build" 2>&1 || { not_ok "build" "$*"; indent <"$T/build"; }
}
build "$CC" -fno-builtin -I"$INCLUDE" -o "$T/preload" "$T/app.c"
build "$CC" -fno-builtin -I"$INCLUDE" -o "$T/shared" "$T/app.c" \
    -L"$BUILD" -lzmalloc -Wl,-rpath,"$BUILD"
build "$CC" -fno-builtin -I"$INCLUDE" -o "$T/archive" "$T/app.c" \
    "$BUILD/libzmalloc.a" -lpthread -ldl
build "$CC" -fno-builtin -no-pie -I"$INCLUDE" -o "$T/nopie" "$T/app.c" \
    "$BUILD/libzmalloc.a" -lpthread -ldl
build "$CC" -fno-builtin -static -I"$INCLUDE" -o "$T/static" "$T/app.c" \
    "$BUILD/libzmalloc.a"
says 'without the library' 'another malloc' "$T/preload"
says 'preloaded' DefaultMallocZone env LD_PRELOAD="$LIB" "$T/preload"
says 'linked with -lzmalloc' DefaultMallocZone "$T/shared"
says 'linked with the archive' DefaultMallocZone "$T/archive"
says 'linked with the archive, no pie' DefaultMallocZone "$T/nopie"
says 'linked into a static program' DefaultMallocZone "$T/static"

op=$PROGRAMS/operators
build "$CXX" -std=c++17 -O1 -fno-builtin -o "$T/cxx" \
    tests/programs/operators.cc "$BUILD/libzmalloc.a" -lpthread -ldl
build "$CXX" -std=c++17 -O1 -fno-builtin -static-libstdc++ -static-libgcc \
    -o "$T/cxxs" tests/programs/operators.cc "$BUILD/libzmalloc.a" \
    -lpthread -ldl
build "$CXX" -std=c++17 -O1 -fno-builtin -static-libstdc++ -static-libgcc \
    -o "$T/cxxr" tests/programs/operators.cc
says 'C++, its own operators' 'operators: good' "$op"
says 'C++, preloaded' 'operators: good' env LD_PRELOAD="$LIB" "$op"
says 'C++, archive' 'operators: good' "$T/cxx"
says 'C++, archive, runtime linked in' 'operators: good' "$T/cxxs" static
says 'C++, runtime linked in, preloaded' 'operators: good' \
    env LD_PRELOAD="$LIB" "$T/cxxr"


# Options
LD_PRELOAD=$LIB MallocHelp=1 "$T/preload" >"$T/out" 2>"$T/help"
same 'MallocHelp: the program goes on' DefaultMallocZone "$(cat "$T/out")"
undocumented=
for v in $(sed -n 's/^  \(Malloc[A-Za-z]*\) .*/\1/p' "$T/help"); do
	grep -q "$v" man/zmalloc-environment.7 2>/dev/null ||
	    undocumented="$undocumented $v"
done
same 'the manual knows all variables' '' "$undocumented"
says 'a bad value is told' \
    "preload(PID) malloc: MallocMaxMagazines: bad value, ignored
DefaultMallocZone" bash -c "LD_PRELOAD='$LIB' MallocMaxMagazines=x \
    '$T/preload' 2>&1 | sed 's/([0-9]*)/(PID)/'"
for v in MallocScribble=1 MallocGuardEdges=all MallocNanoZone=0 \
    MallocMediumZone=0 MallocLargeCache=0 MallocMaxMagazines=1 \
    MallocAggressiveMadvise=1 MallocCheckHeapStart=1; do
	says "C++ under $v" 'operators: good' env "$v" LD_PRELOAD="$LIB" "$op"
done

# Patterns, seen from the program; 100 and 5000 and 100000 bytes: three tiers.
cat >"$T/scribble.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
int
main(void)
{
	size_t sizes[] = {100, 5000, 100000};
	for (int k = 0; k < 3; k++) {
		unsigned char *volatile p = malloc(sizes[k]);
		int new = 1, old = 1;
		for (size_t i = 0; i < sizes[k]; i++)
			new &= p[i] == 0xaa;
		unsigned char *volatile q = malloc(sizes[k]);
		free(p);
		for (size_t i = 16; i < sizes[k]; i++)
			old &= p[i] == 0x55;
		free(q);
		printf("%d %d ", new, old);
	}
	return 0;
}
END
build "$CC" -fno-builtin -O0 -w -o "$T/scribble" "$T/scribble.c"
says 'MallocScribble' '1 1 1 1 1 1 ' env LD_PRELOAD="$LIB" MallocScribble=1 \
    "$T/scribble"

# A freed block of a list is overwritten: found by the check, before use.
cat >"$T/damage.c" <<'END'
#include <stdlib.h>
#include <string.h>
int
main(void)
{
	void *volatile p = malloc(100);
	free(p);
	memset(p, 1, 100);
	p = malloc(5000);
	return 0;
}
END
build "$CC" -fno-builtin -O0 -w -o "$T/damage" "$T/damage.c"
LD_PRELOAD=$LIB MallocCheckHeapStart=1 MallocCheckHeapEach=1 \
    MallocCheckHeapAbort=1 bash -c '"$0" 2>"$1"' "$T/damage" "$T/err" \
    2>/dev/null
check 'MallocCheckHeap finds the damage' grep -q \
    'MallocCheckHeap: zone 0x[0-9a-f]* is damaged at operation' "$T/err"
check 'MallocCheckHeap aborts' grep -q \
    'error: MallocCheckHeap: a zone is damaged' "$T/err"
