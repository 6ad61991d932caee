#!/usr/bin/env bash
# history.sh - --history: the stream of events against a program's own diary,
# line by line; the order of threads that free each other's blocks; kills.
. tests/lib.sh
set +m

ask() { "$ZLEAKS" query --csv "$T/r.db" "$1" | tr -d '\r' | tail -n +2; }

# Events of the program itself, in the diary's form.
events()
{
	ask "SELECT CASE call WHEN 'malloc' THEN '+ ' || address || ' ' || size
	         ELSE '- ' || address END AS line
	     FROM event WHERE stack_id IN (SELECT stack_id FROM stack_frame
	         WHERE function = 'main')"
}

recorded()
{
	"$ZRECORD" -q --history -o "$T/r.db" "$@"
}

# The diary of a run that ends by itself is the history.
recorded "$PROGRAMS/diary" "$T/diary" 30000
events >"$T/ours"
sed 's/ 0$//' "$T/diary" >"$T/theirs"
same_file 'each event as the program wrote it down' "$T/theirs" "$T/ours"
same 'complete' complete "$(query "$T/r.db" 'SELECT recording FROM process')"
same 'freed blocks in view block' \
    "$(grep -c '^-' "$T/diary") $(grep -c '^+' "$T/diary")" \
    "$(ask "SELECT count(freed_at) || ' ' || count(*) FROM block
        WHERE stack_id IN (SELECT stack_id FROM stack_frame
        WHERE function = 'alloc_diary')")"
same 'stacks of frees' "$(grep -c '^-' "$T/diary")" \
    "$(ask "SELECT count(*) FROM event JOIN stack_frame USING (stack_id)
        WHERE call = 'free' AND depth = 0 AND function = 'main'")"
same 'times do not go back' 0 "$(ask "SELECT count(*) FROM (SELECT t,
    lag(t) OVER () AS before FROM event) WHERE t < before")"
same 'the file is only read' 'zleaks: query: not allowed' \
    "$("$ZLEAKS" query "$T/r.db" 'CREATE TEMP TABLE x(a)' 2>&1 | cut -d: -f1-3)"

# The owners of an address.
address=$(awk '$1 == "+" { n[$2]++; if (n[$2] > n[most]) most = $2 }
    END { print most }' "$T/diary")
"$ZLEAKS" history --json "$address" "$T/r.db" >"$T/j"
same 'zleaks history: status' 0 $?
same 'zleaks history: sizes of all owners' \
    "$(awk -v a="$address" '$1 == "+" && $2 == a { print $3 }' "$T/diary")" \
    "$(python3 -c 'import json, sys
for o in json.load(open(sys.argv[1]))["owners"]: print(o["size"])' "$T/j")"
"$ZLEAKS" history -n 0 "$((address + 1))" "$T/r.db" >"$T/text"
same 'zleaks history: all owners of an inner address are printed' \
    "$(awk -v a="$address" '$1 == "+" && $2 == a && $3 > 1 { n++ }
	END { print n }' "$T/diary")" "$(grep -c '^#' "$T/text")"
same 'zleaks history: where it was allocated' \
    "$(grep -c '^#' "$T/text")" "$(grep -c '  alloc_diary' "$T/text")"

# Threads: what one frees, another one made; then the address is a third's.
made=$(recorded "$PROGRAMS/handoff" 6 20000 3)
same 'threads: as many events as calls' "$made" \
    "$(ask "SELECT sum(call = 'malloc') || ' ' || sum(call = 'free') FROM event
        WHERE stack_id IN (SELECT stack_id FROM stack_frame
        WHERE function = 'worker')")"
same 'threads: allocation and free of each address take turns' 0 \
    "$(ask "SELECT count(*) FROM (SELECT call, lag(call) OVER
        (PARTITION BY address ORDER BY n) AS before FROM
        (SELECT call, address, row_number() OVER () AS n FROM event))
        WHERE (call IN ('free', 'freed by realloc')) =
        (ifnull(before, 'free') IN ('free', 'freed by realloc'))")"
same 'threads: by whom' 18 "$(ask "SELECT count(DISTINCT thread_id) FROM event
    JOIN stack_frame USING (stack_id) WHERE depth = 0 AND
    function = 'alloc_handed'")"

huge=$(recorded "$PROGRAMS/huge")
if [ -n "$huge" ]; then
	same 'more than 4 GiB' 5368721465 \
	    "$(ask "SELECT size FROM event WHERE address = $huge AND size")"
else
	skip 'more than 4 GiB' 'no room'
fi

# Fork children have a history of their own.
recorded sh -c "$PROGRAMS/diary $T/a 3000 & $PROGRAMS/diary $T/b 3000; wait"
same 'two processes' "$(cat "$T/a" "$T/b" | grep -c .)" \
    "$(ask "SELECT count(*) FROM event WHERE stack_id IN (SELECT stack_id
        FROM stack_frame WHERE function = 'main' AND module LIKE '%/diary')")"

# Killed: all but the call in flight.
long_enough() { [ "$(stat -c %s "$T/diary" 2>/dev/null || echo 0)" -gt 200000 ]; }
rm -f "$T/diary"
recorded sh -c 'echo $$ >"$1"; exec "$2" "$3"' sh "$T/pid" "$PROGRAMS/diary" \
    "$T/diary" 2>/dev/null &
wait_for long_enough
kill -KILL "$(cat "$T/pid")"
wait
events >"$T/ours"
sed 's/ 0$//' "$T/diary" >"$T/theirs"
n=$(($(wc -l <"$T/theirs") - 1))
same_file 'killed: each event up to the last' <(head -n $n "$T/theirs") \
    <(head -n $n "$T/ours")
more=$(($(wc -l <"$T/ours") - n))
[ $more -ge 0 ] && [ $more -le 2 ] && ok 'killed: one call in flight' ||
	not_ok 'killed: one call in flight' "$more events more than the diary"

# The recorder killed: the program goes on to its end.
rm -f "$T/diary"
"$ZRECORD" -q --history -o "$T/r.db" "$PROGRAMS/diary" "$T/diary" 400000 &
recorder=$!
wait_for long_enough
kill -KILL $recorder
wait $recorder 2>/dev/null
all_there() { [ "$(wc -l <"$T/diary")" = 400000 ]; }
check 'recorder killed: the program goes on' wait_for all_there
same 'recorder killed: the report can be read' ok \
    "$(query "$T/r.db" 'PRAGMA integrity_check')"

# Without a history there is the live block, and a word about it.
"$ZRECORD" -q -o "$T/r.db" "$PROGRAMS/diary" "$T/diary" 1001
address=$(query "$T/r.db" "SELECT address FROM block JOIN stack_frame
    USING (stack_id) WHERE function = 'alloc_diary' LIMIT 1")
"$ZLEAKS" history "$address" "$T/r.db" >"$T/text" 2>"$T/error"
same 'no history: status' 3 $?
same 'no history: the live block' 1 "$(grep -c '^#1' "$T/text")"
grep -q 'recorded without --history' "$T/error" && ok 'no history: said so' ||
	not_ok 'no history: said so' "$(cat "$T/error")"
