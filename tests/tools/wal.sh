#!/usr/bin/env bash
# wal.sh - the report is an SQLite file that any SQLite shell reads, also while
# the program runs, with the public views and their columns.
. tests/lib.sh

columns()
{
	cat <<'LIST'
process process_id pid parent_pid command exe started ended exit_code signal recording
block process_id address size usable_size zone size_class stack_id thread_id allocated_at freed_at leak_kind
leak_by_stack process_id kind stack_id blocks bytes indirect_blocks indirect_bytes
growth_by_class process_id t zone size_class live_blocks live_bytes total_blocks total_bytes
growth_by_stack process_id t stack_id live_blocks live_bytes
stack_total process_id stack_id allocations frees bytes live_blocks live_bytes peak_bytes temporary
stack_frame stack_id depth function file line module offset inlined
process_sample process_id t live_bytes rss_bytes mapped_bytes
mark process_id t label
LIST
}

# look NAME: what holds in every report, running or finished.
look()
{
	local view wanted
	same "$1: integrity" ok "$(query "$T/r.db" 'PRAGMA integrity_check')"
	check "$1: application_id" [ "$(query "$T/r.db" \
	    'PRAGMA application_id')" != 0 ]
	check "$1: user_version" [ "$(query "$T/r.db" \
	    'PRAGMA user_version')" -gt 0 ]
	while read -r view wanted; do
		same "$1: view $view" '' "$(query "$T/r.db" "
		    SELECT value FROM json_each('[\"${wanted// /\",\"}\"]')
		    EXCEPT SELECT name FROM pragma_table_info('$view')")"
		check "$1: view $view is readable" query "$T/r.db" \
		    "SELECT * FROM $view LIMIT 20"
	done < <(columns)
}

# A program that goes on until it is told to stop, and grows meanwhile.
mkfifo "$T/stop"
record "$T/r.db" "$PROGRAMS/grow" "$T/stop" >"$T/out" 2>&1 &
recorder=$!
samples() { [ "$(query "$T/r.db" 'SELECT count(DISTINCT t) >= 3
    FROM growth_by_class')" = 1 ]; }
if wait_for samples; then
	ok 'running: samples appear'
else
	not_ok 'running: samples appear' 'no three samples in 20 s'
fi
look 'running'
same 'running: not called complete' 0 "$(query "$T/r.db" "SELECT count(*)
    FROM process WHERE recording = 'complete' OR ended IS NOT NULL")"
check 'running: a transaction of a reader disturbs nobody' query "$T/r.db" \
    'BEGIN; SELECT count(*) FROM growth_by_class; SELECT count(*) FROM stack_total; COMMIT'
"$ZLEAKS" "$T/r.db" >/dev/null 2>"$T/err" </dev/null
same 'running: zleaks says incomplete' 3 $?
"$ZLEAKS" growth "$T/r.db" >"$T/growth" 2>"$T/err" </dev/null
check 'running: zleaks growth shows classes' [ -s "$T/growth" ]

echo stop >"$T/stop"
wait $recorder
same 'the program ends as usual' 0 $?
look 'finished'
same 'finished: complete' 'complete 0' "$(query "$T/r.db" \
    'SELECT recording, exit_code FROM process')"
check 'finished: one file' [ ! -s "$T/r.db-wal" ]
same 'finished: known growth' "$(cat "$T/out")" "$(query "$T/r.db" "
    SELECT count(*), sum(size) FROM block JOIN stack_frame USING (stack_id)
    WHERE depth = 0 AND function = 'alloc_growing' AND freed_at IS NULL")"
same 'finished: the growing class grows' 1 "$(query "$T/r.db" "
    SELECT max(live_bytes) > min(live_bytes) FROM growth_by_class
    WHERE size_class = 3072")"
same 'finished: names, files and lines' 1 "$(query "$T/r.db" "
    SELECT count(*) > 0 FROM stack_frame WHERE function = 'main' AND
    file LIKE '%grow.c' AND line > 0 AND module LIKE '%/grow'")"
