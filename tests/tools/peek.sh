#!/usr/bin/env bash
# peek.sh - examples/peek.c looks into programs that have the library in
# different ways; it sees what they allocated, and refuses other builds.
. tests/lib.sh
CC=${CC:-cc}
peek=$BUILD/examples/peek

# Two blocks of known sizes, in a zone of its own and in the default one.
cat >"$T/app.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmalloc/malloc.h>
#ifdef WEAK /* also runs without the library */
#pragma weak malloc_create_zone
#pragma weak malloc_set_zone_name
#pragma weak malloc_zone_malloc
#pragma weak malloc_zones
#endif
int
main(void)
{
	if (malloc_create_zone) {
		malloc_zone_t *z = malloc_create_zone(0, 0);
		malloc_set_zone_name(z, "garden");
		if (malloc_zones[1] != z || !malloc_zone_malloc(z, 40960000))
			return 1;
	}
	void *freed = malloc(204800000), *kept = malloc(102400000);
	free(freed);
	puts(kept ? "ready" : "no");
	fflush(stdout);
	pause();
	return 0;
}
END
build()
{
	"$CC" -fno-builtin -I libzmalloc/include -o "$@" >"$T/build" 2>&1 ||
		{ not_ok "build" "$*"; indent <"$T/build"; }
}
build "$T/preload" -DWEAK "$T/app.c"
build "$T/shared" "$T/app.c" -L"$BUILD" -lzmalloc -Wl,-rpath,"$BUILD"
# malloc_zones is in the program's own data
build "$T/copy" -no-pie -fno-pie "$T/app.c" -L"$BUILD" -lzmalloc -Wl,-rpath,"$BUILD"
same 'malloc_zones is there' '1' "$(readelf -rW "$T/copy" | grep -c 'COPY.*malloc_zones')"
build "$T/archive" "$T/app.c" "$BUILD/libzmalloc.a" -lpthread -ldl

# look COMMAND...: what peek says of it, without addresses and small blocks.
look()
{
	"$@" >"$T/ready" &
	local pid=$! status
	wait_for grep -q ready "$T/ready"
	$peek_with "$peek" $pid >"$T/out" 2>&1
	status=$?
	grep -q '^State:.*stopped' /proc/$pid/status && echo 'still stopped'
	{ kill $pid && wait $pid; } 2>/dev/null
	sed "s/^\(Zone\) 0x[0-9a-f]* \([A-Za-z]*\).*/\1 \2/; s/ $pid: / /
	    s/^ *0x[0-9a-f]* */  /" "$T/out" |
	    grep -E '^Zone|^peek|[0-9]{8} bytes'
	echo "status $status"
}
peek_with=
wanted='Zone DefaultMallocZone
  102400000 bytes
Zone garden
  40960000 bytes
status 0'
same 'preloaded' "$wanted" "$(look env LD_PRELOAD="$LIB" "$T/preload")"
same 'linked' "$wanted" "$(look "$T/shared")"
same 'linked, table of zones in the program' "$wanted" "$(look "$T/copy")"
no='peek: does not run this libzmalloc
status 1'
same 'another malloc' "$no" "$(look "$T/preload")"
same 'another copy, in an archive' "$no" "$(look "$T/archive")"

# Without a build id the code itself is compared.
mkdir "$T/lib"
if have objcopy && objcopy -R .note.gnu.build-id "$LIB" "$T/lib/libzmalloc.so"; then
	same 'another build' "$no" \
	    "$(look env LD_LIBRARY_PATH="$T/lib" "$T/shared")"
	peek_with="env LD_LIBRARY_PATH=$T/lib"
	same 'no build id' "$wanted" \
	    "$(look env LD_LIBRARY_PATH="$T/lib" "$T/shared")"
	same 'no build id here, one there' "$no" "$(look "$T/shared")"
	peek_with=
else
	skip 'no build id' 'needs objcopy'
fi

same 'usage' 'usage: peek PID
status 2' "$("$peek" 0 2>&1; echo "status $?")"
