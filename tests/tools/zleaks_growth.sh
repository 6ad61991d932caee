#!/usr/bin/env bash
# zleaks_growth.sh - zleaks growth and zleaks query over a report written by
# hand (mkreport.sql, mkgrowth.sql), whose curves have a shape that is known.
. tests/lib.sh

R=$T/g.db
{
	echo 'BEGIN;'
	cat schema/tables.sql schema/views.sql tests/tools/mkreport.sql \
	    tests/tools/mkgrowth.sql
	echo 'COMMIT;'
} | sqlite3 -batch "$R"

# status NAME EXPECTED ARGUMENT...
status()
{
	local name=$1 want=$2
	shift 2
	"$ZLEAKS" "$@" >"$T/out" 2>"$T/err" </dev/null
	same "$name: status" "$want" $?
}
# rows FILE EXPRESSION [WHERE]: one line per row of a growth JSON
rows()
{
	sqlite3 -batch -separator ' ' :memory: "SELECT $2 FROM
	    json_each(readfile('$1'), '\$.rows') WHERE ${3:-1} ORDER BY 1"
}

# ---- the rule ---------------------------------------------------------

status 'growth, JSON' 0 growth --json "$R"
cp "$T/out" "$T/g.json"
# From the comment of mkgrowth.sql.
same 'which classes grow' '16 true
32 true
48 false
64 true
80 false
96 false
112 false
128 false
144 false
160 false
176 true' "$(rows "$T/g.json" "value ->> 'size_class',
	iif(value ->> 'growing', 'true', 'false')" "value ->> 'zone' = 'default' AND value ->> 'pid' = 100")"
same 'too few samples: not judged' null \
    "$(rows "$T/g.json" "value -> 'growing'" "value ->> 'pid' = 101")"
same 'first and last' '10 90 160 1440' "$(rows "$T/g.json" \
    "value ->> 'first_blocks', value ->> 'last_blocks', value ->> 'first_bytes', value ->> 'last_bytes'" \
    "value ->> 'size_class' = 16 AND value ->> 'zone' = 'default' AND value ->> 'pid' = 100")"
# 2 blocks of 16 bytes every 0.1 s
same 'rate of a steady leak' 320.0 "$(rows "$T/g.json" \
    "round(value ->> 'bytes_per_second', 3)" \
    "value ->> 'size_class' = 16 AND value ->> 'zone' = 'default' AND value ->> 'pid' = 100")"
same 'rate of what is freed at the end' 640.0 "$(rows "$T/g.json" \
    "round(value ->> 'bytes_per_second', 3)" "value ->> 'size_class' = 32")"
same 'rate of a step: change by time' 19800.0 "$(rows "$T/g.json" \
    "round(value ->> 'bytes_per_second', 3)" "value ->> 'size_class' = 80")"
same 'a constant has its first and last sample' '[[0.0,7,784],[4.0,7,784]]' \
    "$(rows "$T/g.json" "value -> 'samples'" "value ->> 'size_class' = 112")"
same 'a step stands where it was' '[[0.0,10,800],[2.0,1000,80000],[4.0,1000,80000]]' \
    "$(rows "$T/g.json" "value -> 'samples'" "value ->> 'size_class' = 80")"
# Stack 4 holds more of class 16, but has not grown.
same 'who is behind a growing class' '5 30 480 open_session' "$(rows "$T/g.json" \
    "value ->> '\$.top_stacks[0].stack_id', value ->> '\$.top_stacks[0].live_blocks', value ->> '\$.top_stacks[0].live_bytes', value ->> '\$.top_stacks[0].stack[0].function'" \
    "value ->> 'size_class' = 16 AND value ->> 'zone' = 'default' AND value ->> 'pid' = 100")"

# ---- other keys -------------------------------------------------------

status '--by=zone' 0 growth --json --by=zone "$R"
# The sum of all classes of the zone, computed here from the views.
first=$(query "$R" "SELECT sum(live_bytes) FROM growth_by_class WHERE process_id = 1 AND zone = 'default' AND t = 0")
last=$(query "$R" "SELECT sum(live_bytes) FROM (SELECT live_bytes, max(t)
    FROM growth_by_class WHERE process_id = 1 AND zone = 'default' GROUP BY size_class)")
same '--by=zone adds the classes up' "$first $last" "$(rows "$T/out" \
    "value ->> 'first_bytes', value ->> 'last_bytes'" "value ->> 'zone' = 'default' AND value ->> 'pid' = 100")"
status '--by=stack' 0 growth --json --by=stack "$R"
same '--by=stack' '1 0 300 0
4 1120 1120 0
5 160 1440 1' "$(rows "$T/out" "value ->> 'stack_id', value ->> 'first_bytes', value ->> 'last_bytes', value ->> 'growing'")"
status '--by=stack --focus' 0 growth --json --by=stack --focus=open_ "$R"
same '--by=stack --focus' 5 "$(rows "$T/out" "value ->> 'stack_id'")"
status '--focus without stacks' 2 growth --focus=x "$R"
# The blocks of mkreport.sql and mkgrowth.sql, added up here.
status '--by=thread' 0 growth --json --by=thread "$R"
same '--by=thread: last is what is alive' "$(query "$R" "SELECT process_id, thread_id,
	count(*), sum(size) FROM block WHERE freed_at IS NULL
	AND allocated_at IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2")" "$(rows "$T/out" \
    "(value ->> 'pid') - 99, value ->> 'thread_id', value ->> 'last_blocks', value ->> 'last_bytes'")"

# ---- text -------------------------------------------------------------

status 'growth, text' 0 growth "$R"
same 'summary line' 'SUMMARY: zleaks growth: 4 of 13 size classes grow' \
    "$(tail -n 1 "$T/out")"
check 'ASCII spark line' [ -z "$(LC_ALL=C grep '[^ -~]' "$T/out")" ]
check 'a growing row' grep -Eq '^  default +16 +10 +90 +160 +1,440 +\+1,280 +\+320 B/s .* yes +high$' "$T/out"
check 'names the function' grep -q '^ *open_session  /src/shop.c:55' "$T/out"
LC_ALL=C.UTF-8 "$ZLEAKS" growth "$R" >"$T/out"
check 'blocks in UTF-8' grep -q '▁.*█' "$T/out"
status '--top' 0 growth -n 2 "$R"
check '--top says what it leaves out' grep -q '^10 more not shown' "$T/out"
status '--min-bytes' 0 growth --json --min-bytes=70K "$R"
same '--min-bytes' '80 96 144 160 176' "$(rows "$T/out" "value ->> 'size_class'" | xargs)"

# ---- query ------------------------------------------------------------

status 'query' 0 query "$R" 'SELECT pid, exe FROM process'
same 'query: aligned' 'pid  exe
100  /opt/shop
101  /opt/tool' "$(cat "$T/out")"
status 'query, the other order' 0 query 'SELECT pid FROM process WHERE pid > 100' "$R"
same 'query, the other order' 'pid
101' "$(cat "$T/out")"
status 'query --json' 0 query --json "$R" "SELECT 1 AS a, 'x' AS b, NULL AS c, 1.5 AS d, x'00ff' AS e"
same 'query --json' "{\"a\":1,\"b\":\"x\",\"c\":null,\"d\":1.5,\"e\":\"x'00ff'\"}" \
    "$(sqlite3 :memory: "SELECT json_extract(readfile('$T/out'), '\$.rows[0]')")"
status 'query --csv' 0 query --csv "$R" "SELECT 1 AS a, 'x,\"y' AS b, NULL AS c, '' AS d"
same 'query --csv' 'a,b,c,d
1,"x,""y",,""' "$(tr -d '\r' <"$T/out")"
status 'query, many rows' 0 query "$R" 'WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 5000) SELECT i FROM c'
same 'query, many rows' 5001 "$(wc -l <"$T/out")"
status 'query, two statements' 0 query "$R" 'SELECT 1 AS a; SELECT 2 AS b;'
for sql in "ATTACH '$T/new.db' AS x" 'PRAGMA user_version = 3' \
    'PRAGMA journal_mode = DELETE' 'DELETE FROM meta' 'CREATE TEMP TABLE t (a)' \
    "SELECT load_extension('x')" 'VACUUM' "VACUUM INTO '$T/new.db'" \
    'REINDEX' 'DROP VIEW process'; do
	cp "$R" "$T/copy.db"
	status "query, $sql" 2 query "$T/copy.db" "$sql"
	check "query, $sql: one line" [ "$(wc -l <"$T/err")" = 1 ]
	same_file "query, $sql: the report is as it was" "$R" "$T/copy.db"
done
check 'query, no other file' [ ! -e "$T/new.db" ]
status 'query, bad SQL' 2 query "$R" 'SELEKT'
check 'query, bad SQL: one line' [ "$(wc -l <"$T/err")" = 1 ]
check 'query, bad SQL: nothing on stdout' [ ! -s "$T/out" ]
status 'query, bad SQL, JSON' 2 query --json "$R" 'SELECT nosuch FROM process'
check 'query, bad SQL, JSON: nothing on stdout' [ ! -s "$T/out" ]
status 'query, no report' 2 query 'SELECT 1'
status 'query, missing report' 3 query "$T/none.db" 'SELECT 1'
status 'query, a table that is told' 0 query "$R" 'PRAGMA table_info(process)'
