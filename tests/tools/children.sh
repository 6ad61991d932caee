#!/usr/bin/env bash
# children.sh - one report, and one row of `process` for each process and
# program, with its name and how it ended, however it was made.
. tests/lib.sh
ulimit -c 0
children=$PROGRAMS/children

# ends FILE: how each process ended, in order of their rows.
ends()
{
	query "$1" "SELECT cause, coalesce(exit_code, 'signal ' || signal)
	    FROM process ORDER BY process_id"
}

# child NAME SAID ROWS: runs it; what it says, and what the report does.
child()
{
	rm -f "$T"/r.db*
	same "$1: the program sees" "$2" \
	    "$(record "$T/r.db" "$children" $1 </dev/null)"
	same "$1: rows" "$3" "$(ends "$T/r.db")"
	same "$1: sound" ok "$(query "$T/r.db" 'PRAGMA integrity_check')"
}

child spawn_fails 'spawn: No such file or directory' 'start 0'
child spawn 'status 5' 'start 0
start 5'
same 'spawn: the command of the child' '["children","status","5"]' \
    "$(query "$T/r.db" 'SELECT command FROM process WHERE exit_code = 5')"
same 'spawn: its parent' 1 "$(query "$T/r.db" 'SELECT count(*) FROM process a
    JOIN process b ON a.parent_pid = b.pid WHERE a.exit_code = 5')"
child vfork_fails 'status 66' 'start 0'
child clone 'status 21' 'start 0
fork 21'
same 'clone: the blocks of the child are its own' '3 144' "$(query "$T/r.db" "
    SELECT count(*), sum(size) FROM block JOIN process USING (process_id)
    JOIN stack_frame USING (stack_id) WHERE cause = 'fork' AND
    function = 'alloc_some' AND depth = 0")"
rm -f "$T"/r.db*
same 'many: the program sees' '100 ended, 0 wrong' \
    "$(record "$T/r.db" "$children" many 100)"
same 'many: each of 100 has its row' "$(seq 0 99)" "$(query "$T/r.db" "
    SELECT exit_code FROM process WHERE cause = 'fork' ORDER BY 1")"
same 'many: and its blocks' 0 "$(query "$T/r.db" "SELECT count(*) FROM process p
    WHERE cause = 'fork' AND exit_code + 1 <> (SELECT count(*) FROM block b
	JOIN stack_frame USING (stack_id) WHERE function = 'alloc_some' AND
	depth = 0 AND b.process_id = p.process_id)")"
same 'many: all complete' 101 "$(query "$T/r.db" "SELECT count(*) FROM process
    WHERE recording = 'complete'")"

# A daemon outlives the command: its blocks of then are in the report, and it
# goes on, unrecorded.
export DAEMON_DONE=$T/done
rm -f "$T"/r.db*
record "$T/r.db" "$children" daemon >"$T/out" </dev/null
same 'daemon: zrecord ends with the command' 0 $?
check 'daemon: it still runs' [ ! -e "$T/done" ]
same 'daemon: its row' '4|1' "$(query "$T/r.db" "SELECT (SELECT count(*)
	FROM block b JOIN stack_frame USING (stack_id) WHERE depth = 0 AND
	function = 'alloc_some' AND b.process_id = p.process_id) || '|' ||
	(ended IS NULL)
    FROM process p WHERE recording LIKE 'still ran when the command%'")"
check 'daemon: it goes on to its end' wait_for [ -e "$T/done" ]

# Ways to end.
child 'status 9' '' 'start 9'
child '_exit 9' '' 'start 9'
child 'kill 15' '' 'start signal 15'
child 'kill 9' '' 'start signal 9'
rm -f "$T"/r.db*
record "$T/r.db" sh -c "'$children' status 3; '$children' _exit 4
    '$children' kill 9; '$children' kill 15; exit 0" 2>/dev/null
same 'ends of children' '3 4 9 15' "$(query "$T/r.db" "SELECT
    group_concat(coalesce(exit_code, signal), ' ') FROM process
    WHERE command LIKE '%children%' AND command NOT LIKE '[_sh_%'")"

# A pipeline and a parallel make: every program once.
rm -f "$T"/r.db*
for i in all $(seq 20); do
	[ "$i" = all ] && printf 'all:%s\n' "$(printf ' t%d' $(seq 20))" ||
	    printf 't%d: ; @%s status 0\n' "$i" "$children"
done >"$T/makefile"
record "$T/r.db" make -s -j 4 -f "$T/makefile"
same 'make -j 4: each job' 20 "$(query "$T/r.db" "SELECT count(*) FROM process
    WHERE command LIKE '%children\",\"status%' AND exit_code = 0 AND
    recording = 'complete'")"
rm -f "$T"/r.db*
record "$T/r.db" bash -c 'seq 1 1000 | sort -rn | head -n 5 | tail -n 1; :' \
    >"$T/out"
same 'pipeline: its output' 996 "$(cat "$T/out")"
same 'pipeline: its programs' 'bash head seq sort tail' "$(query "$T/r.db" "
    SELECT group_concat(name, ' ') FROM (SELECT DISTINCT
	substr(exe, instr(exe, 'bin/') + 4) AS name FROM process ORDER BY 1)")"

# ---- what cannot be run or recorded: the contract's statuses ----------

printf '#include <stdlib.h>\nint main(void) { return malloc(1) == 0; }\n' \
    >"$T/a.c"
refused()
{
	local name=$1 want=$2
	shift 2
	"$ZRECORD" -o "$T/none.db" -- "$@" >"$T/out" 2>"$T/err"
	same "$name: status" "$want" $?
	same "$name: one line" 1 "$(wc -l <"$T/err")"
	check "$name: no report" [ ! -e "$T/none.db" ]
}
refused 'not found' 127 "$T/nothing"
refused 'not found in PATH' 127 no-such-command-anywhere
refused 'not executable' 126 "$T/a.c"
refused 'a directory' 126 "$T"
if cc -static -o "$T/static" "$T/a.c" 2>/dev/null; then
	refused 'static' 125 "$T/static"
else
	skip 'static' 'no static libc'
fi
if cc -m32 -o "$T/m32" "$T/a.c" 2>/dev/null; then
	refused '32-bit' 125 "$T/m32"
else
	# the header of a 32-bit program is all that is looked at
	{ printf '\177ELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0\3\0\1\0\0\0'
	  head -c 4096 /dev/zero; } >"$T/m32"
	chmod +x "$T/m32"
	refused '32-bit' 125 "$T/m32"
fi
cc -o "$T/suid" "$T/a.c" && chmod 4755 "$T/suid"
if [ "$(id -u)" != 0 ] || chown nobody "$T/suid" 2>/dev/null &&
    chmod 4755 "$T/suid"; then
	refused 'set-user-id' 125 "$T/suid"
else
	skip 'set-user-id' 'cannot be made'
fi
"$ZRECORD" --no-such-option true 2>/dev/null
same 'a bad option: status' 125 $?
"$ZRECORD" -v -o "$T/v.db" "$children" status 0 2>"$T/err"
check '-v: says what it does' grep -q 'recording process' "$T/err"
