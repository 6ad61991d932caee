#!/usr/bin/env bash
# probes.sh - trace points: the library has every probe of the table, gdb stops
# on them and sees their arguments, and a report counts what the program did.
# shellcheck disable=SC2016 # expressions are for gdb
. tests/lib.sh
ulimit -c 0
table=libzmalloc/os/trace_codes.h
program=$PROGRAMS/points

# names LIST: "NAME CODE" of each X(..) of one list of the table.
names()
{
	sed -n "/^#define $1(X)/,/[^\\\\]\$/p" "$table" |
	    sed -n 's/^.*X(\([A-Za-z0-9_]*\),* *\([0-9a-fx]*\)).*/\1 \2/p'
}

same 'the table has all points' '7 14 9' "$(for list in EXTERNAL INTERNAL \
    MAGMALLOC; do names ZT_$list | wc -l; done | tr '\n' ' ' | sed 's/ $//')"

# ---- in the library ---------------------------------------------------

wanted()
{
	names ZT_EXTERNAL | while read -r name _; do
		if [ "$name" = free ]; then
			echo "libzmalloc $name"
		else
			printf 'libzmalloc %s\n' "${name}_start" "${name}_end"
		fi
	done
	names ZT_INTERNAL | sed 's/^\([^ ]*\).*/libzmalloc \1/'
	names ZT_MAGMALLOC | sed 's/^\([^ ]*\).*/magmalloc \1/'
}
readelf -n "$LIB" >"$T/notes" 2>/dev/null
if grep -q stapsdt "$T/notes"; then
	same 'the library has the probes, and no others' \
	    "$(wanted | sort)" "$(awk '$1 == "Provider:" { provider = $2 }
		$1 == "Name:" { print provider, $2 }' "$T/notes" | sort -u)"
else
	skip 'the probes' 'built without <sys/sdt.h>'
fi

undocumented=
for name in $(wanted | cut -d ' ' -f 2); do
	grep -qE "(^\.BR |\" |, \" )${name}[ (\"]" man/zmalloc-probes.7 ||
	    undocumented="$undocumented $name"
done
same 'the manual knows all probes' '' "$undocumented"

# ---- counted in a report ----------------------------------------------

# counts FILE: "KIND NAME COUNT" of the only process.
counts() { query "$1" 'SELECT kind, name, count FROM trace_count ORDER BY 1, 2'; }

# What a run did more than another: the loader and libc allocate too.
difference()
{
	join -j 1 <(counts "$1" | sed 's/ /:/' | sort) \
	    <(counts "$2" | sed 's/ /:/' | sort) |
	    awk '$3 != $2 { print $1, $3 - $2 }'
}

record "$T/0.db" "$program" 0
record "$T/1.db" "$program" 1
same 'the report has every point, with its code' "$({
    names ZT_EXTERNAL | sed 's/^/external /'
    names ZT_INTERNAL | sed 's/^/internal /'
    } | while read -r kind name code; do
	echo "$kind $name $((code))"
    done | sort)" "$(query "$T/1.db" \
    'SELECT kind, name, code FROM trace_count' | sort)"
same 'external points: what the program called' \
    'external:calloc 5
external:free 1030
external:malloc 1014
external:malloc_options 2
external:memalign 9
external:realloc 10
external:valloc 6' "$(difference "$T/0.db" "$T/1.db" | grep ^external | sort)"
same 'large blocks: what the program called' 'internal:large_free 3
internal:large_malloc 5' "$(difference "$T/0.db" "$T/1.db" |
    grep ^internal:large | sort)"
# A tier's points are passed for chains of blocks, so at least once and at most
# once a block.
same 'the other tiers were visited' '' "$(difference "$T/0.db" "$T/1.db" | awk '
    { n[$1] = $2 }
    END { for (i = split("nano tiny small", tier); i; i--) {
	    c = n["internal:" tier[i] "_malloc"]
	    if (c < 1 || c > 1046) print tier[i], c
    } }')"
record "$T/t0.db" "$program" threads 0
record "$T/t1.db" "$program" threads 5000
same 'external points, four threads' 'external:calloc 20000
external:free 40000
external:malloc 20000' "$(difference "$T/t0.db" "$T/t1.db" |
    grep ^external | sort)"

# A forked child counts its own, from the first block that it allocates.
cat >"$T/fork.c" <<'C'
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int
main(void)
{
	void *volatile p;
	for (int i = 0; i < 2; i++)
		p = malloc(30 << 20);
	if (fork() == 0) {
		p = malloc(1);
		for (int i = 0; i < 3; i++)
			p = malloc(40 << 20);
		exit(0);
	}
	wait(NULL);
	return p == NULL;
}
C
if gcc -O0 -fno-builtin -o "$T/fork" "$T/fork.c"; then
	record "$T/f.db" "$T/fork"
	same 'parent and child, large blocks' 'start 2
fork 3' "$(query "$T/f.db" "SELECT cause, count FROM trace_count
	    JOIN process USING (process_id) WHERE name = 'large_malloc'
	    ORDER BY process_id")"
else
	not_ok 'parent and child' 'the program was not built'
fi

# ---- seen by a debugger ------------------------------------------------

cat >"$T/one.c" <<'C'
#include <stdlib.h>
int
main(void)
{
	char *volatile p = malloc(12345);
	*p = 'x';
	free(p);
	return 0;
}
C
# debug PROGRAM ARGUMENTS... -- COMMAND...: gdb from main on.
debug()
{
	local -a run=() commands=()
	while [ "$1" != -- ]; do run+=("$1"); shift; done
	shift
	for c; do commands+=(-ex "$c"); done
	timeout 60 gdb -nx -batch -ex 'set startup-with-shell off' \
	    -ex 'set pagination off' -ex 'set debuginfod enabled off' \
	    -ex "set environment LD_PRELOAD=$LIB" -ex 'break main' -ex run \
	    "${commands[@]}" --args "${run[@]}" 2>&1
}
if ! have gdb || ! grep -q stapsdt "$T/notes"; then
	skip 'probes in gdb' 'no gdb, or no probes'
elif ! gcc -g -O0 -fno-builtin -o "$T/one" "$T/one.c" ||
    ! debug "$T/one" -- 'print 6 * 7' | grep -q '= 42$'; then
	skip 'probes in gdb' 'gdb cannot run a program here'
else
	debug "$T/one" -- 'tbreak -probe-stap libzmalloc:malloc_start' \
	    'continue' 'print $_probe_argc' 'print $_probe_arg0' \
	    'tbreak -probe-stap libzmalloc:malloc_end' 'continue' \
	    'print $_probe_arg0' 'printf "end %p\n", $_probe_arg1' \
	    'finish' 'next' 'printf "block %p\n", p' \
	    'break -probe-stap libzmalloc:free' 'continue' \
	    'printf "free %p %c\n", $_probe_arg0, *(char *)$_probe_arg0' \
	    >"$T/said"
	same 'gdb: sizes at start and end of malloc' '1
12345
12345' "$(sed -n 's/^\$[0-9]* = \([0-9]*\)$/\1/p' "$T/said")"
	block=$(sed -n 's/^block //p' "$T/said")
	same 'gdb: the block at the end of malloc and at free' \
	    "end $block free $block x" "$(grep -E '^(end|free) 0x' "$T/said" |
	    tr '\n' ' ' | sed 's/ $//')"
	set --
	for probe in calloc_start calloc_end realloc_start realloc_end \
	    memalign_start memalign_end valloc_start valloc_end \
	    malloc_options_start malloc_options_end large_malloc large_free; do
		set -- "$@" "break -probe-stap libzmalloc:$probe" \
		    'ignore $bpnum 100000'
	done
	debug "$program" 1 -- 'delete' "$@" 'continue' 'info breakpoints' \
	    >"$T/said"
	same 'gdb: probes fire as often as the program calls' '5 5 12 12 9 9 6 6 2 2 5 3' "$(
	    sed -n 's/.*already hit \([0-9]*\) times\?$/\1/p' "$T/said" |
	    tr '\n' ' ' | sed 's/ $//')"
fi
