#!/usr/bin/env bash
# zleaks_big.sh - a report of 1 million live blocks, 100 000 stacks and 10 000
# samples: each command answers, with less than 200 MB, and the sums are those
# that bench/bigreport.sql was made with.  Times are bench/run zleaks's affair.
. tests/lib.sh

R=$T/big.db
{
	echo 'BEGIN;'
	cat schema/tables.sql schema/views.sql bench/bigreport.sql
	echo 'COMMIT;'
} | sqlite3 -batch "$R"

python3 -B bench/zleaks.py "$BUILD/zleaks" "$R" 1 leaks leaks-json growth growth-zone growth-stack \
    stacks-span stacks-bottom-up threads classes top doctor query folded pprof speedscope massif >"$T/table"
same 'all of them answer' 0 $?
while read -r name _ _ peak output rest; do
	[ "$name" != command ] || continue
	case $BUILD in */san-*) peak=0 ;; esac # a sanitizer's memory is its own
	if [ "${peak%.*}" -ge 200 ] || { [ "$output" = 0 ] && [ "$name" != doctor ]; } || [ -n "$rest" ]; then
		not_ok "$name" "peak $peak MiB, $output bytes of output $rest"
	else
		ok "$name: memory"
	fi
done <"$T/table"

# 25 000 blocks in each of 40 classes; i % 13 bytes of each are slack.
slack=$(python3 -c 'print(sum(i % 13 for i in range(1000000)))')
usable=$(python3 -c 'print(sum((i // 25000 + 1) * 16 for i in range(1000000)))')
"$ZLEAKS" classes --json -o "$T/c.json" "$R"
same 'classes: sums' "1000000 $usable $slack 40" "$(sqlite3 -batch -separator ' ' :memory: "
    WITH p AS (SELECT readfile('$T/c.json') -> '\$.processes[0]' AS p)
    SELECT p ->> 'blocks', p ->> 'usable_bytes', (p ->> 'usable_bytes') - (p ->> 'bytes'),
	json_array_length(p, '\$.classes') FROM p")"
"$ZLEAKS" threads --json -o "$T/t.json" "$R"
same 'threads: sums' "64 1000000 $((usable - slack))" "$(sqlite3 -batch -separator ' ' :memory: "
    SELECT count(*), sum(value ->> 'live_blocks'), sum(value ->> 'live_bytes')
    FROM json_each(readfile('$T/t.json'), '\$.threads')")"
same 'export: sum' "$((usable - slack))" \
    "$("$ZLEAKS" export --format=folded "$R" | awk '{ n += $NF } END { printf "%d\n", n }')"
