#!/usr/bin/env bash
# zleaks_diff.sh - what changed between two reports: reports written by hand
# (mkreport.sql), so that every number here was computed from the comment there;
# and a program that leaks more in its second half than in its first.
. tests/lib.sh

# status NAME EXPECTED ARGUMENT...: exit status; output in $T/out, $T/err
status()
{
	local name=$1 want=$2
	shift 2
	"$ZLEAKS" diff "$@" >"$T/out" 2>"$T/err" </dev/null
	same "$name: status" "$want" $?
}
summary() { tail -n 1 "$T/out" | sed 's/^SUMMARY: zleaks diff: //'; }
json() { sqlite3 -batch :memory: "SELECT json_extract(readfile('$T/out'), '$1')"; }

O=$T/old.db N=$T/new.db
make_report "$O" 'SELECT 1'

# ---- nothing changed --------------------------------------------------

status 'the same report' 0 "$O" "$O"
same 'the same report: summary' '0 new, 0 grown, 0 shrunk, 0 gone, 3 unchanged' "$(summary)"
make_report "$N" 'UPDATE location SET line = line + 7, offset = offset * 3 + 16' \
    "UPDATE location SET function = function || '.part.0' WHERE function = 'take_order'" \
    'UPDATE process_info SET pid = pid + 1000, started = started + 5000' \
    'UPDATE stack_info SET stack_id = stack_id + 100' \
    'UPDATE leak_stack SET stack_id = stack_id + 100' \
    'UPDATE block_info SET stack_id = stack_id + 100, address = address * 7'
status 'another build, another process' 0 "$O" "$N"
same 'another build: summary' '0 new, 0 grown, 0 shrunk, 0 gone, 3 unchanged' "$(summary)"

# ---- new, grown, shrunk, gone ----------------------------------------

# take_order's leak grows by 2 blocks of 150, open_session's is gone, the
# possible one shrinks, and set_up's is new.
make_report "$N" \
    'UPDATE leak_stack SET blocks = 5, bytes = 600 WHERE stack_id = 1' \
    'DELETE FROM leak_stack WHERE stack_id = 5' \
    'UPDATE leak_stack SET bytes = 1000 WHERE stack_id = 3' \
    "INSERT INTO location VALUES (9, 1, 900, 'set_up', '/src/shop.c', 5, 0)" \
    "INSERT INTO stack_info (stack_id, process_id, frames, live_blocks, live_bytes) VALUES (7, 1, '[9,2,3]', 1, 64)" \
    'INSERT INTO leak_stack VALUES (1, 4, 7, 1, 64, 0, 0)' \
    'UPDATE process_info SET allocations = 1030, peak_bytes = 60000, live_blocks = 0 WHERE process_id = 1'
status 'changes' 1 "$O" "$N"
same 'changes: summary' '1 new, 1 grown, 1 shrunk, 1 gone, 0 unchanged: definite +364 bytes in +3 blocks' "$(summary)"
same 'changes: what came is first, the largest first' \
    'GROWN +300 NEW +64 GONE -2,000 SHRUNK -3,096' \
    "$(awk '/^(NEW|GROWN|SHRUNK|GONE) / { printf "%s%s %s", n++ ? " " : "", $1, $3 }' "$T/out")"
check 'changes: before and after' grep -q '(500 bytes in 7 -> 800 in 9)$' "$T/out"
check 'changes: the stack of a new one' grep -q ' set_up  /src/shop.c:5$' "$T/out"
check 'totals' grep -Eq '^  allocations +1,045 +1,055 +\+10$' "$T/out"
check 'totals: peak' grep -Eq '^  peak bytes +50,000 +60,000 +\+10,000$' "$T/out"
status 'the other way round' 1 "$N" "$O"
same 'the other way round: summary' '1 new, 1 grown, 1 shrunk, 1 gone, 0 unchanged: definite +2000 bytes in +2 blocks, possible +3096 bytes in +1 blocks' "$(summary)"

status '--json' 1 --json "$O" "$N"
for pair in 'format zleaks/1' 'summary.new 1' 'summary.gone 1' \
    'old.allocations 1045' 'new.peak_bytes 60000' 'leaks[0].change grown' \
    'leaks[0].kind definite' 'leaks[0].old.bytes 500' 'leaks[0].new.blocks 9' \
    'leaks[1].change new' 'leaks[1].stack[0].function set_up' \
    'leaks[1].old.bytes 0' 'leaks[2].change gone' 'stacks[0].new.bytes 64' \
    'stacks[0].change new' 'old.report '"$O" 'new.complete 1'; do
	same "JSON ${pair%% *}" "${pair#* }" "$(json "\$.${pair%% *}")"
done

# ---- what fails -------------------------------------------------------

status '--fail-on=none' 0 --fail-on=none "$O" "$N"
status 'as much as is allowed' 0 --fail-on=definite:364 "$O" "$N"
status 'a byte more' 1 --fail-on=definite:363 "$O" "$N"
status 'blocks' 0 --fail-on=definite:3blocks "$O" "$N"
status 'a block more' 1 --fail-on=definite:2blocks "$O" "$N"
status 'a kind that did not grow' 0 --fail-on=possible:364,definite:364 "$O" "$N"
status '--kinds=possible' 0 --kinds=possible "$O" "$N"
make_report "$T/kind.db" 'UPDATE leak_stack SET kind = 4 WHERE stack_id = 3'
status 'another kind' 1 "$O" "$T/kind.db"
check 'another kind: said' grep -q '^NEW .* definite .*(was possible)$' "$T/out"
make_report "$T/bytes.db" 'UPDATE leak_stack SET bytes = bytes + 1 WHERE stack_id = 1'
status 'more bytes, not more blocks' 1 "$O" "$T/bytes.db"
printf 'leak:set_up\nleak:take_order\n' >"$T/supp"
status 'suppressed ones do not fail' 0 --suppressions "$T/supp" "$O" "$N"
status '--focus' 0 --focus='open_session' "$O" "$N"
same '--focus: summary' '0 new, 0 grown, 0 shrunk, 1 gone, 0 unchanged' "$(summary)"
status '--min-bytes: of the change' 1 --min-bytes=100 "$O" "$N"
same '--min-bytes: summary' '0 new, 1 grown, 1 shrunk, 1 gone, 0 unchanged: definite +300 bytes in +2 blocks' "$(summary)"
status '-n' 1 -n 1 "$O" "$N"
check '-n says what it leaves out' grep -q '^3 more not shown' "$T/out"

# ---- operands ---------------------------------------------------------

make_report "$T/part.db" "UPDATE process_info SET recording = 'killed' WHERE pid = 100"
status 'NEW is incomplete' 3 "$O" "$T/part.db"
check 'NEW is incomplete: said' grep -q '^INCOMPLETE .*killed' "$T/out"
status 'OLD is incomplete' 3 "$T/part.db" "$O"
refused()
{
	local name=$1 want=$2
	shift 2
	status "$name" "$want" "$@"
	same "$name: one line" 1 "$(wc -l <"$T/err")"
	same "$name: nothing on stdout" '' "$(cat "$T/out")"
}
echo text >"$T/text"
: >"$T/empty"
refused 'no operand' 2
refused 'one report' 2 "$O"
refused 'three reports' 2 "$O" "$O" "$N"
refused 'OLD missing' 3 "$T/none" "$N"
refused 'NEW missing' 3 "$O" "$T/none"
refused 'NEW is text' 3 "$O" "$T/text"
refused 'NEW is empty' 3 "$O" "$T/empty"
refused 'a folder' 3 "$T" "$O"
refused 'moments of two reports' 2 --from=1 --to=2 "$O" "$N"
refused 'no such mark' 2 --from=nowhere "$O"
refused 'an option of another command' 2 --by=class "$O" "$N"
size=$(stat -c %s "$N")
for i in 1 2 3 4 5 6 7 8; do
	cp "$N" "$T/bad.db"
	head -c 2000 /dev/urandom | dd of="$T/bad.db" bs=1 conv=notrunc \
	    seek=$((4096 + i * (size - 8192) / 9)) 2>/dev/null
	timeout 20 "$ZLEAKS" diff "$O" "$T/bad.db" >"$T/out" 2>"$T/err"
	st=$?
	check "garbage at place $i: an answer or one line" [ $st -le 1 -o \
	    \( $st = 3 -a "$(wc -l <"$T/err")" -le 1 \) ]
done

# ---- two moments of one report ----------------------------------------

# until 1.2 s one block of 100 (stack 1) was there, until 3 s three and the
# first of open_session's
status 'moments' 1 --from=1.2 --to=3 "$O"
same 'moments: summary' '1 new, 1 grown, 0 shrunk, 0 gone, 1 unchanged: definite +1200 bytes in +3 blocks' "$(summary)"
status 'moments, nothing between' 0 --from=0.6 --to=0.9 "$O"

# A program that grows until it is told to end.
mkfifo "$T/fifo"
(sleep 0.5; timeout 20 sh -c "echo x >'$T/fifo'") &
"$ZRECORD" -q --interval=20ms -o "$T/grow.db" -- "$PROGRAMS/grow" "$T/fifo" >"$T/kept"
wait
status 'a program that grows' 0 --fail-on=none --json --from=0.2 --to=9 "$T/grow.db"
same 'a program that grows: all of it at the end' "$(cut -d' ' -f2 "$T/kept")" \
    "$(json '$.stacks[0].new.bytes')"
same 'a program that grows: as much as the samples say in between' \
    "$(query "$T/grow.db" "SELECT live_bytes FROM growth_by_stack WHERE t <= 0.2
	ORDER BY live_bytes DESC, t DESC LIMIT 1")" "$(json '$.stacks[0].old.bytes')"
check 'a program that grows: between the two' [ "$(json '$.stacks[0].old.bytes')" -gt 0 ]
