#!/usr/bin/env bash
# scan.sh - when leak scans run and what they see: random graphs, every way for
# a program to end, the switches for roots, and programs that still run.
. tests/lib.sh
ulimit -c 0
graphs=$PROGRAMS/graphs ends=$PROGRAMS/ends holders=$PROGRAMS/holders

# ---- graphs: at exit, and of a copy of the running program -------------

judge_graphs()
{
	query "$T/g.db" 'SELECT address, leak_kind FROM block' |
		python3 tests/tools/graphs.py "$T/graphs" >"$T/found" 2>&1
	if [ "$(wc -l <"$T/found")" = 1 ] && grep -q '^100 graphs: ' "$T/found"
	then
		ok "$1: $(cat "$T/found")"
	else
		not_ok "$1" 'kinds differ from what the graphs say'
		indent <"$T/found"
	fi
}

if have python3; then
	seed=$RANDOM
	"$ZRECORD" -q -o "$T/g.db" "$graphs" $seed 100 >"$T/graphs"
	judge_graphs "random graphs, seed $seed, at exit"
	rm -f "$T"/g.db*
	"$ZRECORD" -q -o "$T/g.db" "$graphs" $seed 100 snapshot >"$T/graphs" \
	    2>/dev/null
	judge_graphs "random graphs, seed $seed, of a snapshot"
	rm -f "$T"/g.db*
else
	skip 'random graphs' 'no python3'
fi

# ---- ends ---------------------------------------------------------------

lost='definite alloc_lost 5 165' held='reachable alloc_held 3 144'
mine='reachable alloc_stack 1 72'

# Rows "KIND FUNCTION BLOCKS BYTES" of a process of the report.
kinds_of()
{
	query "$T/e.db" "SELECT l.kind, f.function, sum(l.blocks), sum(l.bytes)
	    FROM leak_by_stack l JOIN stack_frame f USING (stack_id)
	    WHERE f.depth = 0 AND f.function LIKE 'alloc_%' AND process_id =
	    (SELECT min(process_id) FROM process) GROUP BY 1, 2 ORDER BY 1, 2"
}

for how in return _exit _Exit quick_exit exec execvpe execl abort \
    abort-handled segv term term-handled term-default pipe thread; do
	"$ends" $how >"$T/out1" 2>"$T/err1"
	want=$?
	rm -f "$T"/e.db*
	"$ZRECORD" -q -o "$T/e.db" "$ends" $how >"$T/out2" 2>"$T/err2"
	same "$how: status" $want $?
	same "$how: output" "$(cat "$T/out1" "$T/err1")" "$(cat "$T/out2" "$T/err2")"
	same "$how: kinds" "$lost
$held
$mine" "$(kinds_of)"
	same "$how: complete" complete "$(query "$T/e.db" 'SELECT recording
	    FROM process ORDER BY process_id LIMIT 1')"
done 2>/dev/null
for how in exec-fails signals children; do
	"$ends" $how >"$T/out1" 2>"$T/err1"
	want=$?
	rm -f "$T"/e.db*
	"$ZRECORD" -q -o "$T/e.db" "$ends" $how >"$T/out2" 2>"$T/err2"
	same "$how: status" $want $?
	same "$how: output" "$(cat "$T/out1" "$T/err1")" "$(cat "$T/out2" "$T/err2")"
done
rm -f "$T"/e.db*
"$ZRECORD" -q -o "$T/e.db" "$ends" exec-fails 2>/dev/null
same 'exec-fails: the recording goes on' "definite alloc_held 3 144
$lost
$held
$mine" "$(kinds_of)"
"$ZRECORD" -q -o "$T/e.db" "$ends" exec
check 'exec: zleaks says what became of it' grep -q 'went on as another program' \
    <("$ZLEAKS" --pid "$(query "$T/e.db" 'SELECT pid FROM process LIMIT 1')" "$T/e.db")

# ---- roots one by one ------------------------------------------------------

# without VARIABLE SCENARIO: what only that root holds is lost.
without()
{
	rm -f "$T"/r.db*
	"$holders" --expect "$2" | sed 's/^reachable/definite/' >"$T/expect"
	env "$1=0" "$ZRECORD" -q -o "$T/r.db" "$holders" "$2"
	same "$1=0: $2" "$(cat "$T/expect")" "$(query "$T/r.db" "
	    SELECT kind, function, sum(blocks), sum(bytes) FROM leak_by_stack
	    JOIN stack_frame USING (stack_id)
	    WHERE depth = 0 AND function LIKE 'alloc_%' GROUP BY 1, 2")"
}
without MallocScanData global
without MallocScanData function_static
without MallocScanStacks main_stack
without MallocScanStacks thread_stack
without MallocScanRegisters thread_register
without MallocScanRegisters vector_register
without MallocScanThreadLocal tls
without MallocScanThreadLocal thread_tls
without MallocScanThreadLocal thread_key
without MallocScanMappings mapping

# ---- while it runs -----------------------------------------------------------

"$ZRECORD" -q --scan-every 100ms -o "$T/s.db" "$PROGRAMS/control" loop 400 \
    >"$T/out" &
recorder=$!
reader() { "$ZLEAKS" "$T/s.db" >"$T/leaks" 2>&1 </dev/null; }
named() { reader; grep -q 'alloc_lost .*control.c:' "$T/leaks"; }
check 'running: its leaks are named' wait_for named
check 'running: of which moment the kinds are' grep -q \
    'still running: kinds are of the leak scan at [0-9.]* s' "$T/leaks"
check 'running: the kind is definite' grep -q '^#1  definite .* in [0-9]* blocks' "$T/leaks"
first=$(query "$T/s.db" "SELECT sum(blocks) FROM leak_by_stack WHERE kind = 'definite'")
more() { [ "$(query "$T/s.db" "SELECT sum(blocks) FROM leak_by_stack
    WHERE kind = 'definite'")" -gt "$first" ]; }
check 'running: the next scan finds more' wait_for more
same 'running: nothing held is called lost' '' "$(query "$T/s.db" "
    SELECT DISTINCT function FROM leak_by_stack JOIN stack_frame USING (stack_id)
    WHERE depth = 0 AND kind IN ('definite', 'indirect') AND function <> 'alloc_lost'")"
wait $recorder
same 'running: the exit status' 7 $?
same 'running: no system call of it was interrupted' end "$(cat "$T/out")"
same 'running: at the end all is known' 'complete 400' "$(query "$T/s.db" "
    SELECT recording, (SELECT sum(blocks) FROM leak_by_stack
    WHERE kind = 'definite') FROM process")"
