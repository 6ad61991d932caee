#!/usr/bin/env bash
# tracing_invisible.sh - a recorded program sees the same world as without: its
# descriptors, signals, children, environment, threads and streams.
. tests/lib.sh

view=$PROGRAMS/selfview

# In all three the library is preloaded: the difference is the recording.
LD_PRELOAD=$LIB "$view" a b >"$T/plain" 2>"$T/plain.err" </dev/null
same 'not recorded: exit status' 5 $?
MallocTracing=1 MallocTracingFile=$T/t.db LD_PRELOAD=$LIB "$view" a b \
    >"$T/traced" 2>"$T/traced.err" </dev/null
same 'MallocTracing=1: exit status' 5 $?
check 'MallocTracing=1: the report is finished' wait_for finished "$T/t.db"

# The files of the three runs have other inode numbers; nothing else differs.
view_of() { sed 's/ino [0-9a-f]* //' "$1"; }
same 'MallocTracing=1: the same view' "$(view_of "$T/plain")" \
    "$(view_of "$T/traced")"
same_file 'MallocTracing=1: nothing on stderr' "$T/plain.err" "$T/traced.err"
same 'MallocTracing=1: recorded all the same' 1 "$(query "$T/t.db" "SELECT
    allocations >= 10000 FROM process ORDER BY process_id LIMIT 1")"

# zrecord may stand between the program and the shell, and sets variables.
LD_PRELOAD=$LIB "$view" a b >"$T/plain" 2>"$T/plain.err" </dev/null
record "$T/r.db" "$view" a b >"$T/recorded" 2>"$T/recorded.err" </dev/null
same 'zrecord: exit status' 5 $?
same 'zrecord: the same view' "$(view_of "$T/plain" | grep -v '^env ')" \
    "$(view_of "$T/recorded" | grep -v '^env ')"
same_file 'zrecord: nothing on stderr' "$T/plain.err" "$T/recorded.err"
same 'zrecord: variables, but its own' \
    "$(grep '^env ' "$T/plain" | grep -v '^env LD_PRELOAD\|^env _=' | sort -u)" \
    "$(grep '^env ' "$T/recorded" | grep -v '^env LD_PRELOAD\|^env _=\|^env Malloc\|^env ZRECORD' | sort -u)"

# An existing LD_PRELOAD is kept.
COUNT_FILE=$T/count LD_PRELOAD=$PROGRAMS/libkeep.so record "$T/r2.db" \
    "$PROGRAMS/churn" 0 100 >/dev/null
check 'zrecord: another preloaded library stays' [ -s "$T/count" ]

# Streams: closed ones stay closed, a terminal's settings are not ours here.
check 'MallocTracing=1: streams closed' bash -c "
    MallocTracing=1 MallocTracingFile=$T/c.db LD_PRELOAD=$LIB \
	'$PROGRAMS/churn' 0 100 <&- 2>&-"
# A reader of the program's output sees its end when the program ends, though
# the recorder may go on.
check 'MallocTracing=1: the pipe closes with the program' bash -c "
    { MallocTracing=1 MallocTracingFile=$T/p.db LD_PRELOAD=$LIB \
	'$PROGRAMS/churn' 0 100; } | cat"
# Without write permission, or without a recorder, the program runs on.
MallocTracing=1 MallocTracingFile=$T/none/r.db LD_PRELOAD=$LIB \
    "$PROGRAMS/churn" 0 100 >"$T/out" 2>"$T/err"
same 'MallocTracing=1, no such directory: the program runs' 0 $?
check 'MallocTracing=1, no such directory: one line says so' \
    [ "$(wc -l <"$T/err")" = 1 ]
# %p and %e in the name.
(cd "$T" || exit; MallocTracing=1 MallocTracingFile=%e-%p.db LD_PRELOAD=$LIB \
    "$PROGRAMS/churn" 0 100 >/dev/null & echo $! >"$T/pid"; wait)
check 'MallocTracingFile: %e and %p' wait_for finished \
    "$T/churn-$(cat "$T/pid").db"
(cd "$T" || exit; MallocTracing=1 LD_PRELOAD=$LIB "$PROGRAMS/churn" 0 100 \
    >/dev/null & echo $! >"$T/pid"; wait)
check 'MallocTracingFile: default' wait_for finished \
    "$T/report.$(cat "$T/pid").db"
check 'MallocTracing=0 records nothing' bash -c "cd '$T' && mkdir zero &&
    cd zero && MallocTracing=0 LD_PRELOAD=$LIB '$PROGRAMS/churn' 0 100 &&
    sleep 0.2 && [ -z \"\$(ls)\" ]"
