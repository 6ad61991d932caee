#!/usr/bin/env bash
# kill.sh - a program killed at a random moment leaves a report of exactly what
# was alive then, as its own diary says, give or take the call in flight.
. tests/lib.sh
set +m

# live_from_diary: "ADDRESS SIZE" of what was alive.
live_from_diary()
{
	awk '$1 == "+" && NF == 3 { size[$2] = $3 }
	    $1 == "-" && NF == 2 { delete size[$2] }
	    END { for (a in size) print a, size[a] }' "$1" | sort
}

long_enough() { [ "$(stat -c %s "$T/diary" 2>/dev/null || echo 0)" -gt $size ]; }

judge()
{
	local name=$1 off
	query "$T/r.db" "SELECT address, size FROM block
	    JOIN stack_frame USING (stack_id) WHERE depth = 0 AND
	    function = 'alloc_diary' AND freed_at IS NULL" | sort >"$T/ours"
	live_from_diary "$T/diary" >"$T/theirs"
	off=$(comm -3 "$T/theirs" "$T/ours" | wc -l)
	if [ "$off" -le 1 ]; then
		ok "$name: $(wc -l <"$T/theirs") live blocks, $off in flight"
	else
		not_ok "$name" "$off blocks differ from the diary (left) of $(wc -l <"$T/theirs")"
		comm -3 "$T/theirs" "$T/ours" | indent 6
	fi
	same "$name: integrity" ok "$(query "$T/r.db" 'PRAGMA integrity_check')"
	# the shell before it, if there was one, ended by exec
	same "$name: not called complete" 0 "$(query "$T/r.db" "SELECT count(*)
	    FROM process WHERE recording = 'complete' AND process_id =
	    (SELECT max(process_id) FROM process)")"
	same "$name: kinds are not known" '' "$(query "$T/r.db" "SELECT DISTINCT
	    leak_kind FROM block WHERE leak_kind <> 'unscanned' AND process_id =
	    (SELECT max(process_id) FROM process)")"
}

for i in $(seq 20); do
	size=$((RANDOM * 8))
	rm -f "$T/diary" "$T"/r.db*
	if [ $((i % 4)) = 0 ]; then
		MallocTracing=1 MallocTracingFile=$T/r.db LD_PRELOAD=$LIB \
		    "$PROGRAMS/diary" "$T/diary" &
		victim=$!
		wait_for long_enough
		kill -KILL $victim
		wait $victim 2>/dev/null
		wait_for finished "$T/r.db" ||
			not_ok "kill $i" 'the report is not finished after 20 s'
		judge "kill $i, MallocTracing=1"
	else
		record "$T/r.db" sh -c 'echo $$ >"$1"; exec "$2" "$3"' sh \
		    "$T/pid" "$PROGRAMS/diary" "$T/diary" &
		recorder=$!
		wait_for long_enough
		kill -KILL "$(cat "$T/pid")"
		wait $recorder 2>/dev/null
		status=$?
		[ $status = 137 ] ||
			not_ok "kill $i: exit status" "$status, expected 137"
		judge "kill $i"
	fi
done 2>/dev/null

# The recorder dies: the program goes on, and the report is not called whole.
rm -f "$T"/r.db*
mkfifo "$T/stop"
"$ZRECORD" -q -o "$T/r.db" -- "$PROGRAMS/grow" "$T/stop" >"$T/out" 2>"$T/err" &
recorder=$!
has_samples() { [ "$(query "$T/r.db" 'SELECT count(*) > 0
    FROM growth_by_class')" = 1 ]; }
wait_for has_samples
kill -KILL $recorder
wait $recorder 2>/dev/null
sleep 0.1
echo stop >"$T/stop"
wait_for [ -s "$T/out" ]
check 'zrecord killed: the program goes on to its end' [ -s "$T/out" ]
same 'zrecord killed: integrity' ok "$(query "$T/r.db" 'PRAGMA integrity_check')"
same 'zrecord killed: not called complete' 0 "$(query "$T/r.db" "SELECT count(*)
    FROM process WHERE recording = 'complete'")"
"$ZLEAKS" "$T/r.db" >/dev/null 2>"$T/err" </dev/null
same 'zrecord killed: zleaks says incomplete' 3 $?
