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
	    WHERE f.depth = 0 AND f.function GLOB 'alloc_*' AND process_id =
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
	    WHERE depth = 0 AND function GLOB 'alloc_*' GROUP BY 1, 2")"
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

# Whatever the threads are doing when they are stopped.
for i in 1 2 3 4; do
	rm -f "$T"/h.db*
	"$ZRECORD" -q --scan-every 10ms -o "$T/h.db" "$PROGRAMS/honest" 400
	same "honest threads $i: nothing is called lost, something is judged" '0 1' \
	    "$(query "$T/h.db" "SELECT count(*) FILTER (WHERE leak_kind IN
	    ('definite', 'indirect')), count(*) FILTER (WHERE leak_kind =
	    'reachable') > 0 FROM block")"
done 2>/dev/null

# ---- clean programs ------------------------------------------------------------

# What Valgrind calls definite is the reference: nothing, in these.
clean()
{
	local name=$1
	shift
	rm -f "$T"/c.db*
	"$ZRECORD" -q -o "$T/c.db" "$@" >/dev/null 2>&1
	same "$name: no definite leaks" '0 0' "$(query "$T/c.db" "SELECT
	    count(*), (SELECT count(*) FROM process WHERE recording <> 'complete')
	    FROM block WHERE leak_kind = 'definite'")"
}
echo 'int main(void) { return 0; }' >"$T/x.c"
cat >"$T/x.cc" <<'CC'
#include <map>
#include <string>
#include <vector>
static std::map<std::string, std::vector<std::string>> table;
static std::vector<std::string *> held{ new std::string("a string too long to be short") };
int main()
{
	for (int i = 0; i < 1000; i++)
		table["a key that is long enough " + std::to_string(i % 97)]
		    .push_back(std::string(40, 'x'));
	static std::vector<std::string *> &kept = *new std::vector<std::string *>(held);
	return (int)kept.size() - 1;
}
CC
python=python3
[ -x /usr/bin/python3 ] && python=/usr/bin/python3
have git && clean git git --no-pager log --stat -n 20
have sqlite3 && clean sqlite3 sqlite3 :memory: 'CREATE TABLE t (a, b);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
    INSERT INTO t SELECT i, hex(i) FROM n; SELECT count(*) FROM t'
if have $python; then
	clean 'python3, pymalloc' $python -c pass
	PYTHONMALLOC=malloc clean 'python3, malloc' $python -c pass
fi
have gcc && clean cc1 "$(gcc -print-prog-name=cc1)" -quiet "$T/x.c" -o "$T/x.s"
if have g++ && g++ -O1 -o "$T/x" "$T/x.cc"; then
	clean 'C++ static containers' "$T/x"
fi
clean dash sh -c 'x=1; for i in 1 2 3; do x=$x$i; done; echo $x; exit 0'
