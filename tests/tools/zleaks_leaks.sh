#!/usr/bin/env bash
# zleaks_leaks.sh - the leak report of zleaks over a report written by hand
# (mkreport.sql): every number here was computed from the comment there.
. tests/lib.sh

R=$T/r.db
make_report "$R" 'SELECT 1' >/dev/null

# json FILE PATH: one value of a JSON file.
json()
{
	sqlite3 -batch :memory: "SELECT json_extract(readfile('$1'), '$2')"
}
summary() { tail -n 1 "$1" | sed 's/^SUMMARY: zleaks: //'; }

# status NAME EXPECTED ARGUMENT...: exit status; output in $T/out, $T/err
status()
{
	local name=$1 want=$2
	shift 2
	"$ZLEAKS" "$@" >"$T/out" 2>"$T/err" </dev/null
	same "$name: status" "$want" $?
}

# ---- text -------------------------------------------------------------

status 'leaks' 1 "$R"
same 'summary line' 'leaks: definite 2300 bytes in 5 blocks, indirect 200 bytes in 4 blocks, possible 4096 bytes in 1 blocks, reachable 560 bytes in 15 blocks' \
    "$(summary "$T/out")"
same 'groups, largest first' '#1 2,000 2 #2 500 7 #3 4,096 1' \
    "$(awk '/^#/ { printf "%s%s %s %s", n++ ? " " : "", $1, $3, $6 }' "$T/out")"
check 'direct and indirect parts' \
    grep -q '(300 direct in 3 + 200 indirect in 4)' "$T/out"
check 'size class, thread, times' grep -q 'malloc, 100 bytes each, size class 112; thread main; allocated 1.000 s to 2.000 s' "$T/out"
check 'two threads, two classes' \
    grep -q 'size classes 1,008, 2,048; 2 threads' "$T/out"
check 'file and line' grep -q 'take_order  /src/shop.c:10$' "$T/out"
check 'module and offset' grep -q 'libz.so.1.2+0x1234$' "$T/out"
check 'process without leaks in one line' grep -q '^tool (pid 101): no leaks, 80 bytes in 5 blocks reachable, exit 3$' "$T/out"
check 'no colour in a file' [ "$(grep -c "$(printf '\033')" "$T/out")" = 0 ]
cp "$T/out" "$T/plain"
status 'the same by its name' 1 leaks "$R"
same_file 'the same by its name' "$T/plain" "$T/out"
status 'indirect asked for' 1 "$R" --kinds=indirect
check 'inlined frame' grep -q 'add_line .*/src/shop.c:33 (inlined)' "$T/out"
status 'colour asked for' 1 --color=always "$R"
check 'colour asked for' grep -q "$(printf '\033\\[')" "$T/out"
status '--top' 1 -n 1 "$R"
check '--top says what it leaves out' \
    grep -q '^2 more groups not shown: 4,596 bytes in 8 blocks' "$T/out"
same '--sort=blocks' '#1 7 #2 2 #3 1' "$("$ZLEAKS" --sort=blocks "$R" |
    awk '/^#/ { printf "%s%s %s", n++ ? " " : "", $1, $6 }')"
same '--sort=age' '#1 500 #2 2,000 #3 4,096' "$("$ZLEAKS" --sort=age "$R" |
    awk '/^#/ { printf "%s%s %s", n++ ? " " : "", $1, $3 }')"

# ---- filters ----------------------------------------------------------

status '--pid' 0 --pid=101 "$R"
status '--pid, none such' 2 --pid=55 "$R"
status '--kinds alone does not hide the verdict' 1 --kinds=possible "$R"
same '--kinds lists only those' 1 "$(grep -c '^#' "$T/out")"
status '--focus' 1 --focus='^open_' "$R"
same '--focus counts' 'leaks: definite 2000 bytes in 2 blocks, indirect 0 bytes in 0 blocks, possible 0 bytes in 0 blocks, reachable 0 bytes in 0 blocks (of what the options leave)' \
    "$(summary "$T/out")"
status '--ignore' 0 --ignore='take_order|open_session' "$R"
status '--focus, bad expression' 2 --focus='(' "$R"
status '--min-bytes' 1 --min-bytes=501 "$R"
same '--min-bytes counts' 'definite 2000' \
    "$(summary "$T/out" | grep -o 'definite [0-9]*')"
status '--thread by name' 1 --thread=worker "$R"
same '--thread by name counts' 'definite 1000 bytes in 1' \
    "$(summary "$T/out" | grep -o 'definite [0-9]* bytes in [0-9]*')"
status '--thread by number' 1 --thread=105 --json "$R"
same '--thread by number counts' 1000 "$(json "$T/out" '$.summary.definite.bytes')"
status '--thread=main' 1 --thread=main --json "$R"
same '--thread=main counts' 1300 "$(json "$T/out" '$.summary.definite.bytes')"

# ---- what fails -------------------------------------------------------

status '--fail-on=none' 0 --fail-on=none "$R"
status '--fail-on=possible, definite ones too' 1 --fail-on=possible "$R"
make_report "$T/possible.db" 'DELETE FROM leak_stack WHERE kind > 2' \
    'UPDATE process_info SET live_blocks = 0'
status 'only possible ones' 0 "$T/possible.db"
same 'only possible ones, summary' 'possible leaks' \
    "$(summary "$T/out" | cut -d: -f1)"
status '--fail-on=possible' 1 --fail-on=possible "$T/possible.db"
make_report "$T/clean.db" 'DELETE FROM leak_stack WHERE kind > 1' \
    'UPDATE process_info SET live_blocks = 0'
status 'clean' 0 "$T/clean.db"
same 'clean, summary' 'no leaks' "$(summary "$T/out" | cut -d: -f1)"
status '--fail-on=reachable' 1 --fail-on=reachable "$T/clean.db"

# ---- suppressions -----------------------------------------------------

suppress() { printf "$1" >"$T/supp"; shift; status "$@" --suppressions "$T/supp" "$R"; }
suppress '# known\n\n  leak:open_*ion \nleak:nowhere\n' 'suppressed' 1 --json
same 'suppressed blocks and bytes' '2 2000' "$(json "$T/out" '$.summary.suppressed.blocks') $(json "$T/out" '$.summary.suppressed.bytes')"
same 'suppressed ones are not counted' 300 "$(json "$T/out" '$.summary.definite.bytes')"
suppress 'leak:open_session\nleak:nowhere\n' 'suppressed, text' 1
check 'used suppressions' grep -q '^  leak:open_session  2,000 bytes in 2 blocks$' "$T/out"
check 'unused suppressions' grep -q '^  leak:nowhere  unused (line 2)$' "$T/out"
suppress 'leak:^take_order$\nleak:shop.c\n' 'all suppressed' 0 --json
same 'what hangs on suppressed ones goes too' '0 10 6596' "$(json "$T/out" '$.summary.indirect.blocks') $(json "$T/out" '$.summary.suppressed.blocks') $(json "$T/out" '$.summary.suppressed.bytes' )"
for case in '^take:1' 'take_order:0' 'order$:0' '^order:1' 'take$:1' \
    'libz.so:1' '/src/*.c:0' '^*session$:1' 't*k*e_*r:1' 'open$ession:1'; do
	printf 'leak:%s\n' "${case%:*}" >"$T/supp"
	"$ZLEAKS" --json --focus=take_order --suppressions "$T/supp" "$R" \
	    >"$T/out"
	want=$((1 - ${case##*:}))
	[ "${case%:*}" = '^take' ] && want=1
	[ "${case%:*}" = 't*k*e_*r' ] && want=1
	same "suppression ${case%:*}" $want \
	    "$(($(json "$T/out" '$.summary.suppressed.blocks') > 0))"
done
suppress 'race:foo\n' 'suppressions of another kind' 2
status 'suppressions, no file' 2 --suppressions "$T/none" "$R"

# ---- JSON -------------------------------------------------------------

status 'JSON' 1 --json "$R"
cp "$T/out" "$T/a.json"
for pair in 'format zleaks/1' 'processes[0].pid 100' \
    'processes[0].command[2] two words' 'processes[1].exit_code 3' \
    'processes[0].duration_s 4.0' 'summary.allocations 1045' \
    'summary.frees 1020' 'summary.bytes_allocated 100399' \
    'summary.peak_bytes 50000' 'summary.live_blocks 25' \
    'summary.live_bytes 7156' 'summary.definite.blocks 5' \
    'summary.indirect.bytes 200' 'summary.unscanned.blocks 0' \
    'leaks[0].kind definite' 'leaks[0].bytes 2000' 'leaks[1].blocks 3' \
    'leaks[1].bytes 300' 'leaks[1].indirect_blocks 4' \
    'leaks[1].indirect_bytes 200' 'leaks[1].pid 100' 'leaks[1].thread 1' \
    'leaks[1].size_class 112' 'leaks[1].stack[0].function take_order' \
    'leaks[1].stack[0].file /src/shop.c' 'leaks[1].stack[0].line 10' \
    'leaks[1].stack[0].module /opt/shop' 'leaks[1].stack[0].offset 256' \
    'leaks[1].stack[0].inlined 0' 'leaks[0].size_class ' \
    'leaks[2].stack[0].function ' 'processes[0].signal '; do
	same "JSON ${pair%% *}" "${pair#* }" \
	    "$(json "$T/a.json" "\$.${pair%% *}")"
done

# ---- fingerprints survive rebuilds ------------------------------------

prints() { "$ZLEAKS" --json "$1" | grep -o '"fingerprint": "[0-9a-f]*"'; }
make_report "$T/rebuilt.db" \
    'UPDATE location SET line = line + 7, offset = offset * 3 + 16' \
    "UPDATE location SET function = function || '.constprop.0' WHERE function = 'take_order'" \
    "UPDATE location SET file = '/other' || file" \
    "UPDATE module_info SET path = '/other/lib/libz.so.1.3' WHERE module_id = 2"
same 'fingerprints after a rebuild' "$(prints "$R")" "$(prints "$T/rebuilt.db")"
make_report "$T/renamed.db" \
    "UPDATE location SET function = 'other' WHERE function = 'take_order'"
check 'fingerprints of another function differ' [ "$(prints "$R")" != \
    "$(prints "$T/renamed.db")" ]

# ---- incomplete recordings --------------------------------------------

# incomplete NAME SQL WORDS: line 1 says it, the report is there, status 3
incomplete()
{
	make_report "$T/i.db" 'DELETE FROM leak_stack WHERE kind > 1' \
	    'UPDATE process_info SET live_blocks = 0' "$2"
	status "$1" 3 "$T/i.db"
	check "$1: line 1" grep -q "^INCOMPLETE .*$3" <(head -n 1 "$T/out")
	check "$1: the report stands" grep -q 'pid 101' "$T/out"
	same "$1: not called clean" 'incomplete recording' \
	    "$(summary "$T/out" | cut -d: -f1)"
	status "$1, JSON" 3 --json "$T/i.db"
	same "$1, JSON says so" 0 "$(json "$T/out" '$.complete')"
	status "$1, growth" "${4:-3}" growth "$T/i.db"
}
incomplete 'killed' "UPDATE process_info SET recording = 'killed before a scan' WHERE pid = 100" \
    'shop (pid 100): killed before a scan'
incomplete 'recorder gone' "UPDATE meta SET value = 'recording' WHERE key = 'state'; UPDATE meta SET value = 999999999 WHERE key = 'recorder_pid'" \
    'the recorder (pid 999999999) ended before'
incomplete 'events lost' 'UPDATE process_info SET lost_events = 7 WHERE pid = 100' \
    '7 events were lost'
incomplete 'no verdict' 'UPDATE process_info SET live_blocks = 30 WHERE pid = 100' \
    '20 live blocks without a verdict' 0
make_report "$T/i.db" 'DELETE FROM process_info'
status 'no process' 3 "$T/i.db"
check 'no process: line 1' grep -q '^INCOMPLETE no process' "$T/out"

# ---- a report in the making -------------------------------------------

make_report "$T/live.db" 'UPDATE process_info SET ended = NULL' \
    "UPDATE process_info SET pid = $$ WHERE pid = 100" \
    "UPDATE meta SET value = 'recording' WHERE key = 'state'" \
    "UPDATE meta SET value = $$ WHERE key = 'recorder_pid'"
status 'still running' 3 "$T/live.db"
check 'still running: line 1' grep -q '^INCOMPLETE still recording' "$T/out"
make_report "$T/late.db" \
    "UPDATE meta SET value = 'recording' WHERE key = 'state'" \
    "UPDATE meta SET value = $$ WHERE key = 'recorder_pid'"
(sleep 1; sqlite3 -batch -cmd '.timeout 5000' "$T/late.db" \
    "UPDATE meta SET value = 'finished' WHERE key = 'state'") &
status 'waits for the recorder' 1 "$T/late.db"
wait

# ---- hostile text -----------------------------------------------------

make_report "$T/evil.db" \
    "UPDATE location SET function = 'a' || char(27) || '[2J' || char(10) || 'b' || char(8238) || CAST(x'ff' AS TEXT) WHERE location_id = 1" \
    "UPDATE location SET file = '/src/' || char(7) || char(155) || '.c' WHERE location_id = 2" \
    "UPDATE module_info SET path = CAST(x'2fc3282e736f' AS TEXT) WHERE module_id = 2" \
    "UPDATE process_info SET command = CAST(x'5b2261ff1b22' AS TEXT) || ',\"' || char(27) || '\"]' WHERE pid = 100" \
    "UPDATE process_info SET recording = 'x' || char(27) || char(10) || 'SUMMARY: zleaks: no leaks' WHERE pid = 101" \
    "UPDATE thread_info SET name = char(13) || 'x'"
status 'hostile text' 3 "$T/evil.db"
check 'no control character comes through' \
    [ "$(tr -d '\n' <"$T/out" | LC_ALL=C grep -c '[[:cntrl:]]')" = 0 ]
check 'escaped function' grep -qF 'a\x1b[2J\nb\u{202e}\xff' "$T/out"
same 'one line cannot pass for two' 1 "$(grep -c '^SUMMARY' "$T/out")"
status 'hostile text, JSON' 3 --json --kinds=all "$T/evil.db"
same 'hostile text, JSON is valid' 1 \
    "$(sqlite3 :memory: "SELECT json_valid(readfile('$T/out'))")"
make_report "$T/long.db" "UPDATE location SET function = printf('%.*c', 3000000, 'x')"
status 'very long names' 1 "$T/long.db"
check 'very long names are cut' [ "$(wc -c <"$T/out")" -lt 100000 ]
make_report "$T/odd.db" "UPDATE stack_info SET frames = '[1,2,' WHERE stack_id = 2" \
    "UPDATE stack_info SET frames = '[99,-5,99999999999999999999999]' WHERE stack_id = 3" \
    "UPDATE stack_info SET frames = NULL WHERE stack_id = 5" \
    "UPDATE leak_stack SET bytes = 9223372036854775807, indirect_bytes = 9223372036854775807 WHERE stack_id = 5" \
    "UPDATE leak_stack SET bytes = -5 WHERE stack_id = 3" \
    "INSERT INTO leak_stack VALUES (1, 77, 1, 1, 1, 1, 1), (99, 4, 1, 1, 1, 1, 1)"
status 'odd numbers' 1 "$T/odd.db"
status 'odd numbers, JSON' 1 --json --kinds=all "$T/odd.db"
status 'odd numbers, growth' 0 growth "$T/odd.db"

# ---- output -----------------------------------------------------------

status '-o' 1 -o "$T/page" "$R"
same_file '-o writes the page' "$T/plain" "$T/page"
check '-o writes nothing else' [ ! -s "$T/out" ]
same '-o leaves no other file' 0 "$(find "$T" -name 'page.*' | wc -l)"
echo old >"$T/kept"
sqlite3 "$T/i.db" 'DROP TABLE meta'
status '-o, unreadable report' 3 -o "$T/kept" "$T/i.db"
same '-o, the old page stands' old "$(cat "$T/kept")"
status '-o, no such directory' 2 -o "$T/none/page" "$R"
"$ZLEAKS" "$R" >/dev/full 2>"$T/err"
same 'full device: status' 3 $?
check 'full device: one line' [ "$(wc -l <"$T/err")" = 1 ]

# ---- words ------------------------------------------------------------

status 'misspelt command' 2 grwoth "$R"
check 'misspelt command: proposal' grep -q 'did you mean growth' "$T/err"
status 'option of another command' 2 query --kinds=all "$R" 'SELECT 1'
check 'option of another command: named' grep -q -- '--kinds' "$T/err"
status 'help of a command' 0 help growth
check 'help of a command: its options' grep -q -- '--by' "$T/out"
check 'help of a command: no others' [ "$(grep -c -- '--kinds' "$T/out")" = 0 ]
