#!/usr/bin/env bash
# debuginfod.sh - debug files from a server, only where the user named one, and
# never longer than a few seconds.
. tests/lib.sh

if ! ldconfig -p 2>/dev/null | grep -q libdebuginfod || ! have python3 objcopy strip; then
	skip debuginfod 'no libdebuginfod, python3 or binutils'
	exit
fi
cat >"$T/p.c" <<'C'
#include <stdlib.h>
static __attribute__((noinline)) void *alloc_hidden(void) { void *p = malloc(77); __asm__ volatile(""); return p; }
int main(void) { return alloc_hidden() == NULL; }
C
gcc -O1 -g -fno-builtin -Wl,--build-id -o "$T/p" "$T/p.c"
id=$(readelf -n "$T/p" | sed -n 's/.*Build ID: //p')
mkdir -p "$T/www/buildid/$id"
objcopy --only-keep-debug "$T/p" "$T/www/buildid/$id/debuginfo"
strip "$T/p"
python3 - "$T" <<'PY' &
import functools, http.server, os, socket, sys
d = sys.argv[1]
h = functools.partial(http.server.SimpleHTTPRequestHandler, directory=d + "/www")
h.func.log_message = lambda *a: None
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), h)
mute = socket.socket()
mute.bind(("127.0.0.1", 0))
mute.listen()
open(d + "/ports.new", "w").write(f"{s.server_port} {mute.getsockname()[1]}")
os.rename(d + "/ports.new", d + "/ports")
s.serve_forever()
PY
server=$!
trap 'kill $server; rm -rf "$T"' EXIT
wait_for [ -s "$T/ports" ]
read -r port mute <"$T/ports"

named() { query "$1" "SELECT function, line FROM block JOIN stack_frame
    USING (stack_id) WHERE depth = 0 AND size = 77"; }
export DEBUGINFOD_CACHE_PATH=$T/cache
unset DEBUGINFOD_URLS
record "$T/r.db" "$T/p"
same 'no server named: no name' ' ' "$(named "$T/r.db")"
check 'no server named: none was asked' [ ! -e "$T/cache" ]
DEBUGINFOD_URLS=http://127.0.0.1:$port record "$T/r.db" "$T/p"
same 'from a server' 'alloc_hidden 2' "$(named "$T/r.db")"
rm -rf "$T/cache"
# The bound is 5 seconds; the machine may be slow.
DEBUGINFOD_URLS=http://127.0.0.1:$mute DEBUGINFOD_TIMEOUT=600 timeout 60 \
    "$ZRECORD" -q -o "$T/r.db" -- "$T/p"
same 'a server that never answers does not stop us' 0 $?
same 'a server that never answers: complete' complete \
    "$(query "$T/r.db" 'SELECT recording FROM process')"
