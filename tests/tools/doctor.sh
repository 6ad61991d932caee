#!/usr/bin/env bash
# doctor.sh - zleaks doctor: silent on a whole report, one line and status 3 for
# each thing that is missing.
. tests/lib.sh

# doctor NAME STATUS PATTERN FILE: PATTERN '' means no line at all.
doctor()
{
	local status out
	out=$("$ZLEAKS" doctor "$4" 2>&1)
	status=$?
	same "$1: status" "$2" "$status"
	if [ -n "$3" ]; then
		check "$1: line" grep -qE "$3" <<<"$out"
	else
		same "$1: nothing to say" '' "$out"
	fi
	check "$1: JSON" python3 -c 'import json, sys
d = json.load(sys.stdin)
assert d["format"] == "zleaks/1"
assert d["complete"] == (sys.argv[1] == "0"), d
assert all(set(f) == {"finding", "severity", "count", "what", "advice"}
    for f in d["findings"])' "$2" < <("$ZLEAKS" doctor --json "$4")
}

# build NAME [FLAGS]: a program from standard input.
build() { local n=$1; shift; gcc -O1 -g -fno-builtin "$@" -x c -o "$T/$n" - ; }

build plain <<'C'
#include <stdlib.h>
int main(void) { free(malloc(10)); return 0; }
C
record "$T/whole.db" "$T/plain"
doctor 'whole' 0 '' "$T/whole.db"

build deep -fno-optimize-sibling-calls <<'C'
#include <stdlib.h>
static void *down(int n) { void *p = n ? down(n - 1) : malloc(10); __asm__ volatile(""); return p; }
int main(void) { free(down(100)); return 0; }
C
"$ZRECORD" -q --depth 20 -o "$T/r.db" -- "$T/deep"
doctor 'depth limit' 3 '^incomplete: 1 stacks were cut' "$T/r.db"

build killed <<'C'
#include <signal.h>
#include <stdlib.h>
int main(void) { if (!malloc(10)) return 1; raise(SIGKILL); return 0; }
C
record "$T/r.db" "$T/killed" 2>/dev/null
doctor 'killed' 3 '^incomplete: 1 process: killed by signal 9' "$T/r.db"

build own -rdynamic <<'C'
#include <stddef.h>
#include <string.h>
static char heap[1 << 20];
static size_t used;
void *malloc(size_t n) { used = (used + 15) & ~(size_t)15; void *p = heap + used; used += n; return used > sizeof heap ? NULL : p; }
void *calloc(size_t n, size_t m) { return malloc(n * m); }
void *realloc(void *p, size_t n) { void *q = malloc(n); return p && q ? memmove(q, p, n) : q; }
void free(void *p) { (void)p; }
int main(void) { return malloc(100) == NULL; }
C
record "$T/r.db" "$T/own"
doctor 'own malloc' 3 'module brings its own allocator \(malloc\): .*/own' "$T/r.db"
same 'own malloc: in the view' malloc "$(query "$T/r.db" "
    SELECT allocator FROM module WHERE path LIKE '%/own'")"
same 'own malloc: libc is none' 0 "$(query "$T/r.db" "
    SELECT count(*) FROM module WHERE allocator NOT NULL AND path LIKE '%libc.so%'")"

# A static allocator under names of its own; the symbol tables tell.
build static <<'C'
#include <stdlib.h>
void *je_malloc(size_t n) { static char b[64]; return n < 64 ? b : NULL; }
int main(void) { free(malloc(1)); return je_malloc(3) == NULL; }
C
record "$T/r.db" "$T/static"
doctor 'static jemalloc' 3 'allocator \(je_malloc\): .*/static' "$T/r.db"
strip "$T/plain" -o "$T/stripped"
record "$T/r.db" "$T/stripped"
doctor 'stripped' 0 '^note: [0-9]+ places in the code have no name.*stripped' "$T/r.db"

# A report whose recorder was killed.
mkfifo "$T/stop"
"$ZRECORD" -q -o "$T/r.db" -- "$PROGRAMS/grow" "$T/stop" >"$T/out" 2>/dev/null &
recorder=$!
has_names() { [ "$(query "$T/r.db" "SELECT count(*) > 0 FROM stack_frame
    WHERE function = 'alloc_growing'")" = 1 ]; }
wait_for has_names
kill -KILL $recorder
wait $recorder 2>/dev/null
timeout 20 sh -c 'echo stop >"$1"' sh "$T/stop"
doctor 'recorder killed' 3 'recorder .* ended before it had finished' "$T/r.db"
check 'recorder killed: names are there' has_names
wait_for [ -s "$T/out" ]

# Numbers that only a report by hand can have here.
cp "$T/whole.db" "$T/hand.db"
sqlite3 "$T/hand.db" "UPDATE process_info SET lost_events = 7,
    scan_threads_missed = 2; INSERT INTO meta VALUES ('thinned_rows', 5)"
doctor 'lost events' 3 '^incomplete: 7 events were lost' "$T/hand.db"
doctor 'threads missed' 3 '^incomplete: 2 threads did not stop' "$T/hand.db"
doctor 'thinned' 3 '^note: 5 growth rows' "$T/hand.db"
sqlite3 "$T/hand.db" 'PRAGMA writable_schema = 1; UPDATE process_info SET
    lost_events = 0, scan_threads_missed = 0;
    ALTER TABLE stack_info RENAME TO s; CREATE TABLE stack_info AS
    SELECT * FROM s; UPDATE stack_info SET frames = '"'no JSON'" 2>/dev/null
"$ZLEAKS" doctor "$T/hand.db" >/dev/null 2>&1
check 'frames that are no JSON: no crash' [ $? -le 3 ]
