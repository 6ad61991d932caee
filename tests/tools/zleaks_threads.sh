#!/usr/bin/env bash
# zleaks_threads.sh - zleaks threads over a program whose threads, counts and
# blocks are known (tests/programs/workers.c).
. tests/lib.sh

"$ZRECORD" -q -o "$T/r.db" -- "$PROGRAMS/workers"
J=$T/threads.json

# threads ARGUMENT...: status 0 and JSON into $J
threads() { "$ZLEAKS" threads --json "$@" -o "$J" "$T/r.db" || echo "  status $?"; }
# each EXPRESSION [WHERE]: a line per thread
each()
{
	sqlite3 -batch -separator ' ' :memory: "SELECT $1 FROM
	    json_each(readfile('$J'), '\$.threads') WHERE ${2:-1}
	    ORDER BY value ->> 'name'"
}
own="value ->> 'name' IN ('alpha', 'beta', 'gamma')"

threads
same 'counts' 'alpha 100 60 3200 40 1280
beta 10 0 10000 6 6000
gamma 1 4 500 1 500' "$(each "value ->> 'name', value ->> 'allocations', value ->> 'frees',
	value ->> 'bytes', value ->> 'live_blocks', value ->> 'live_bytes'" "$own")"
same 'top stacks' 'alpha alloc_alpha 40 1280
beta alloc_beta 6 6000
gamma alloc_gamma 1 500' "$(each "value ->> 'name', value ->> '\$.top_stacks[0].stack[0].function',
	value ->> '\$.top_stacks[0].live_blocks', value ->> '\$.top_stacks[0].live_bytes'" "$own")"
same 'who ended' 'alpha 1
beta 0
gamma 1' "$(each "value ->> 'name', value ->> 'ended' IS NOT NULL" "$own")"
same 'gamma began later' 1 "$(each "value ->> 'started' BETWEEN 0.3 AND 10" "value ->> 'name' = 'gamma'")"
same 'the main thread' '1 1' "$(each "count(*), max(value ->> 'tid' = value ->> 'pid')" "value -> 'main' = 'true'")"
same 'all live blocks are somebody'\''s' "$(query "$T/r.db" \
    "SELECT count(*), sum(size) FROM block WHERE freed_at IS NULL")" \
    "$(each "sum(value ->> 'live_blocks'), sum(value ->> 'live_bytes')")"

threads --thread=beta
same 'one thread' beta "$(each "value ->> 'name'")"
threads --focus='^alloc_main$'
same 'focus' '7 539' "$(each "value ->> 'live_blocks', value ->> 'live_bytes'" "value -> 'main' = 'true'")"
same 'focus: nobody else' 0 "$(each "coalesce(sum(value ->> 'live_blocks'), 0)" "value -> 'main' <> 'true'")"
threads --min-bytes=2000
same 'least bytes' 'beta' "$(each "value ->> 'name'" "$own")"
threads --to=0.25
same 'to: gamma was not there yet' 'alpha 40
beta 6' "$(each "value ->> 'name', value ->> 'live_blocks'" "$own")"
threads --from=0.25
same 'from: alpha was gone, beta allocated nothing' 'beta 0
gamma 1' "$(each "value ->> 'name', value ->> 'live_blocks'" "$own")"

"$ZLEAKS" threads --csv -o "$T/t.csv" "$T/r.db"
same 'csv' 'alpha,100,60,3200,40,1280
beta,10,0,10000,6,6000
gamma,1,4,500,1,500' "$(python3 -c 'import csv, sys
for r in sorted(csv.DictReader(open(sys.argv[1], newline="")), key=lambda r: r["name"]):
    if r["name"] in ("alpha", "beta", "gamma"):
        print(r["name"], *[r[k] for k in ("allocations", "frees", "bytes", "live_blocks", "live_bytes")], sep=",")' "$T/t.csv")"

"$ZLEAKS" threads "$T/r.db" >"$T/page"
same 'page: rows' 'alpha 100 60 40 1,280
beta 10 0 6 6,000
gamma 1 4 1 500' "$(awk '$1 == "alpha" || $1 == "gamma" { if (NF > 9) print $1, $7, $8, $(NF-1), $NF }
    $1 == "beta" && NF > 7 { print $1, $5, $6, $(NF-1), $NF }' "$T/page" | sort)"
same 'page: the last line' 'SUMMARY: zleaks threads: 4 threads' "$(tail -n 1 "$T/page" | cut -d, -f1)"
same 'page: a cut list says so' 1 "$("$ZLEAKS" threads -n 1 "$T/r.db" | grep -c '^3 more not shown')"

# refused NAME WORDS ARGUMENT...
refused()
{
	local name=$1 words=$2 status
	shift 2
	"$ZLEAKS" threads "$@" "$T/r.db" >"$T/out" 2>"$T/err"
	status=$?
	same "$name" "2 1 $words" "$status $(wc -l <"$T/err") $(sed 's/^zleaks: //' "$T/err")"
}
refused 'no such key' '--sort: threads knows bytes, blocks and age' --sort=rate
refused 'two formats' 'threads: --json or --csv, not both' --json --csv
refused 'an option of others' '--by: no option of zleaks threads' --by=zone
