#!/usr/bin/env bash
# control.sh - recording that starts and stops in a running program: from
# within (zmalloc/record.h), by --duration, and from outside (zrecord --pid).
. tests/lib.sh
set +m
control=$PROGRAMS/control

# row FILE PROCESS: kinds and live blocks of the test's own functions.
rows()
{
	query "$1" "SELECT function, leak_kind, size, count(*) FROM block
	    JOIN stack_frame USING (stack_id)
	    WHERE function GLOB 'alloc_*' AND depth = 0 AND process_id = $2
	    GROUP BY 1, 2, 3 ORDER BY 1, 2"
}

# ---- from within ------------------------------------------------------

same 'off: without the library' 'no library' "$("$control" off)"
same 'off: nothing is recorded, and the calls say so' \
    'mark not recorded
snapshot not recorded
stop not recorded
running 0' "$(LD_PRELOAD=$LIB "$control" off)"

said='start done
start already
running 1
mark done
snapshot done
stop done
stop not recorded
running 0
start done'
same 'self: what the calls say' "$said" "$(cd "$T" && MallocTracingFile=s.db \
    LD_PRELOAD=$LIB "$control" self)"
check 'self: the report is finished' wait_for finished "$T/s.db"
same 'self: two recordings, one report' \
    'attach recording was switched off in the program
attach complete' "$(query "$T/s.db" 'SELECT cause, recording FROM process')"
same 'self: what was live at the stop, with the kinds of the snapshot' \
    'alloc_during reachable 48 20
alloc_lost definite 33 5' "$(rows "$T/s.db" 1)"
same 'self: the second has its own blocks alone' \
    'alloc_after reachable 200 7' "$(rows "$T/s.db" 2)"
same 'self: blocks from before are counted, not recorded' '1 1 10 10' "$(
    query "$T/s.db" 'SELECT max(before_blocks) - min(before_blocks) > 90,
	min(before_blocks) >= 1000, max(inherited_frees), min(inherited_frees)
	FROM process')"
same 'self: marks' 'looked
middle' "$(query "$T/s.db" 'SELECT label FROM mark ORDER BY 1')"

"$ZRECORD" -q -o "$T/z.db" -- "$control" self >"$T/out"
same 'self, under zrecord: start is there already' 'start already' \
    "$(head -n 1 "$T/out")"
same 'self, under zrecord: a row for each recording' 'start attach' \
    "$(query "$T/z.db" 'SELECT group_concat(cause, '"' '"') FROM process')"
same 'self, under zrecord: the second' 'alloc_after reachable 200 7' \
    "$(rows "$T/z.db" 2)"

# ---- --duration -------------------------------------------------------

"$ZRECORD" --duration 300ms -o "$T/d.db" -- "$control" loop 80 \
    >"$T/out" 2>"$T/err"
same '--duration: the exit status is the command'"'s" 7 $?
same '--duration: the program goes on to its end' end "$(cat "$T/out")"
check '--duration: it is told' \
    grep -q 'recording stopped after 0.300 s; the program goes on' "$T/err"
check '--duration: the report says so' [ "$(query "$T/d.db" "SELECT
    recording LIKE 'stopped after % s, as --duration asked: no leak scan'
    FROM process")" = 1 ]
same '--duration: exit status in the report' 7 \
    "$(query "$T/d.db" 'SELECT exit_code FROM process')"
same '--duration: what was live then' '1 1 1' "$(query "$T/d.db" "
    SELECT live_blocks = allocations - frees,
	live_blocks = (SELECT count(*) FROM block),
	(SELECT count(*) BETWEEN 5 AND 60 FROM block WHERE size = 33)
    FROM process")"
same '--duration: kinds are not known' unscanned \
    "$(query "$T/d.db" 'SELECT DISTINCT leak_kind FROM block')"
same '--duration: sound' ok "$(query "$T/d.db" 'PRAGMA integrity_check')"

# ---- --pid ------------------------------------------------------------

# A program that is attached to and left again, three times, and once by one
# that is killed; its end is its own.
# The victim is still a shell for a moment.
until_runs() { until [ "/proc/$victim/exe" -ef "$1" ]; do sleep 0.01; done; }

LD_PRELOAD=$LIB "$control" loop 600 >"$T/out" &
victim=$!
until_runs "$control"
for i in 1 2 3; do
	"$ZRECORD" -q --duration 200ms -o "$T/p$i.db" -p $victim 2>"$T/err"
	same "--pid $i: status" 0 $?
	same "--pid $i: nothing on stderr" '' "$(cat "$T/err")"
	same "--pid $i: recorded, older blocks counted" '1 1 1 attach 0' "$(
	    query "$T/p$i.db" "SELECT allocations > 1000,
		live_blocks = allocations - frees, before_blocks >= 1000,
		cause, lost_events FROM process")"
	same "--pid $i: its blocks" 'alloc_during
alloc_lost' "$(query "$T/p$i.db" "SELECT DISTINCT function FROM block
	    JOIN stack_frame USING (stack_id) WHERE function GLOB 'alloc_*'")"
done
same '--pid: the segment is gone' 0 \
    "$(grep -c zmalloc-session "/proc/$victim/maps")"
same '--pid: no descriptor stays' 0 \
    "$(find "/proc/$victim/fd" -lname '*zmalloc*' 2>/dev/null | wc -l)"
"$ZRECORD" -q -o "$T/k.db" -p $victim &
killed=$!
recording() { [ "$(query "$1" 'SELECT count(*) FROM process')" = 1 ]; }
wait_for recording "$T/k.db"
"$ZRECORD" -q -o "$T/l.db" -p $victim 2>"$T/err"
same '--pid: twice at once: status' 125 $?
same '--pid: twice at once: one line' \
    "zrecord: process $victim: is being recorded already" "$(cat "$T/err")"
check '--pid: twice at once: no report' [ ! -e "$T/l.db" ]
{ kill -KILL $killed; wait $killed; } 2>/dev/null
"$ZRECORD" -o "$T/l.db" -p $victim 2>"$T/err" &
recorder=$!
wait_for recording "$T/l.db"
sleep 0.2
kill -INT $recorder
wait $recorder
same '--pid: interrupted: status' 0 $?
check '--pid: interrupted: the report says so' [ "$(query "$T/l.db" "SELECT
    recording LIKE 'stopped after % when zrecord was told to end%'
    FROM process")" = 1 ]
"$ZRECORD" -q -o "$T/m.db" -p $victim &
recorder=$!
wait $victim
same '--pid: the program'"'s exit status is its own" 7 $?
same '--pid: no system call of it was interrupted' end "$(cat "$T/out")"
wait $recorder
same '--pid: the report is finished when the program ends' finished \
    "$(query "$T/m.db" "SELECT value FROM meta WHERE key = 'state'")"

# One that does not allocate is waited for, and may be left before it did.
mkfifo "$T/in"
LD_PRELOAD=$LIB "$control" idle <"$T/in" >"$T/out" &
victim=$!
exec 9>"$T/in"
until_runs "$control"
sleep 0.2
"$ZRECORD" -o "$T/i.db" -p $victim 2>"$T/err" 9>&- &
recorder=$!
check '--pid, idle: the user is told that it waits' wait_for \
    grep -q "waiting for the next allocation of process $victim" "$T/err"
kill -INT $recorder
wait $recorder
same '--pid, idle: nothing recorded: status' 125 $?
echo >&9
wait_for grep -q did "$T/out"
"$ZRECORD" -q -o "$T/j.db" -p $victim 9>&- &
recorder=$!
sleep 0.2
echo >&9
wait_for recording "$T/j.db"
exec 9>&-
wait $victim
same '--pid, idle: goes on' 0 $?
wait $recorder
same '--pid, idle: recorded from its next allocation on' complete \
    "$(query "$T/j.db" 'SELECT recording FROM process')"

# Children by fork are recorded too, and not with --no-follow.
LD_PRELOAD=$LIB "$control" fork 60 &
victim=$!
until_runs "$control"
"$ZRECORD" -q -o "$T/f.db" -p $victim
wait $victim
same '--pid: children' '1 alloc_after 5' "$(query "$T/f.db" "
    SELECT count(DISTINCT p.process_id) >= 2, min(function), 5 FROM process p
    JOIN block USING (process_id) JOIN stack_frame USING (stack_id)
    WHERE cause = 'fork' AND function = 'alloc_after'")"
LD_PRELOAD=$LIB "$control" fork 60 &
victim=$!
until_runs "$control"
"$ZRECORD" -q --no-follow -o "$T/n.db" -p $victim
wait $victim
same '--pid --no-follow: no children' 1 \
    "$(query "$T/n.db" 'SELECT count(*) FROM process')"
"$ZRECORD" -q --no-follow -o "$T/n2.db" sh -c "$control fork 15; true; :"
same '--no-follow: no children' 1 \
    "$(query "$T/n2.db" "SELECT command LIKE '[_sh_,%' FROM process")"

# Refusals: one line, 125.
sleep 60 &
plain=$!
for what in "$plain:does not run under libzmalloc" 4194000:'no such process' \
    $$:'does not run under libzmalloc'; do
	"$ZRECORD" -o "$T/none.db" -p "${what%%:*}" 2>"$T/err"
	same "--pid ${what#*:}: status" 125 $?
	check "--pid ${what#*:}: one line" [ "$(grep -c "${what#*:}" \
	    "$T/err"):$(wc -l <"$T/err")" = 1:1 ]
done
kill $plain
check '--pid: no report after a refusal' [ ! -e "$T/none.db" ]
"$ZRECORD" -p 1 true 2>/dev/null
same '--pid with a command: status' 125 $?

# Linked with the archive, names not exported: found all the same.
if cc -g -fno-builtin -Ilibzmalloc/include -o "$T/linked" \
    tests/programs/control.c "$BUILD/libzmalloc.a" -lpthread -ldl 2>"$T/err"; then
	"$T/linked" loop 40 >"$T/out" &
	victim=$!
	until_runs "$T/linked"
	"$ZRECORD" -q -o "$T/a.db" -p $victim
	wait $victim
	same '--pid, linked with the archive' '1 attach' "$(query "$T/a.db" \
	    'SELECT allocations > 100, cause FROM process')"
else
	not_ok '--pid, linked with the archive' "$(head -n 3 "$T/err")"
fi
