#!/usr/bin/env bash
# zleaks_classes.sh - zleaks classes over a program whose slack, thin pages and
# mappings are known (tests/programs/pinned.c).
. tests/lib.sh

"$ZRECORD" -q -o "$T/r.db" -- "$PROGRAMS/pinned" >"$T/truth"
read -r pins pages kib <"$T/truth"
J=$T/classes.json

classes() { "$ZLEAKS" classes --json "$@" -o "$J" "$T/r.db" || echo "  status $?"; }
# one EXPRESSION: of the first process, named p
one()
{
	sqlite3 -batch -separator ' ' :memory: "WITH p AS (SELECT
	    readfile('$J') -> '\$.processes[0]' AS p) SELECT $1 FROM p"
}
# each LIST EXPRESSION [WHERE]: a line for each element of a list of p
each()
{
	sqlite3 -batch -separator ' ' :memory: "SELECT $2 FROM
	    json_each(readfile('$J'), '\$.processes[0].$1') WHERE ${3:-1}"
}
leaf="value ->> '\$.stack[0].function'"

classes
# 33 in 48; 1100 in 1536; 250 in 256
same 'slack by class' '1536 300 330000 460800 130800
48 1000 33000 48000 15000' "$(each classes "value ->> 'size_class', value ->> 'blocks', value ->> 'bytes',
	value ->> 'usable_bytes', value ->> 'slack_bytes'" "value ->> 'size_class' IN (48, 1536)")"
same 'class of the pins' "$pins $((pins * 250)) $((pins * 6))" "$(each classes \
    "value ->> 'blocks', value ->> 'bytes', value ->> 'slack_bytes'" "value ->> 'size_class' = 256")"
same 'slack by stack' "alloc_slack 300 130800
alloc_slack 1000 15000
alloc_pins $pins $((pins * 6))" "$(each slack_stacks "$leaf, value ->> 'blocks', value ->> 'slack_bytes'")"
same 'sums are those of the blocks' "$(query "$T/r.db" \
    "SELECT count(*), sum(size), sum(usable_size) FROM block WHERE freed_at IS NULL")" \
    "$(one "p ->> 'blocks', p ->> 'bytes', p ->> 'usable_bytes'")"

# Each of the pages has one block of 256 bytes; shares are whole numbers.
same 'who keeps pages' "alloc_pins $pins $pages $((pages * 4096 - pins * 256))" \
    "$(each pages.stacks "$leaf, value ->> 'blocks', value ->> 'pages', value ->> 'kept_bytes'" "key = 0")"
same 'nobody else keeps more than a page' 0 \
    "$(each pages.stacks 'count(*)' "key > 0 AND value ->> 'kept_bytes' > 4096")"
same 'who keeps regions' "alloc_pins" \
    "$(each thin_regions.stacks "$leaf" "key = 0 AND value ->> 'blocks' >= $pins * 9 / 10")"

# Resident memory: all parts are the whole, and the whole is what the kernel
# told the program itself a moment later.
sum=$(sqlite3 -batch :memory: "SELECT sum(value) FROM
    json_each(readfile('$J'), '\$.processes[0].memory.bytes') WHERE key <> 'rss'")
rss=$(one "p ->> '\$.memory.bytes.rss'")
same 'parts add up' "$rss" "$sum"
# between NAME LEAST MOST: a part in KiB
between()
{
	local n=$(($(one "p ->> '\$.memory.bytes.$1'") / 1024))
	if [ "$n" -ge "$2" ] && [ "$n" -le "$3" ]; then
		ok "$1"
	else
		not_ok "$1" "$n KiB, expected $2 to $3"
	fi
}
between rss $((kib - 1024)) $((kib + 1024))
# 40 MiB written, slack and pins; not the 48 MiB that were never touched
between live $((40 * 1024)) $((41 * 1024 + 512))
between slack $(((130800 + 15000) / 1024 - 8)) 200
between anonymous $((24 * 1024)) $((25 * 1024))
between free $(((pages * 4096 - pins * 256) / 1024 - 64)) $((8 * 1024))
between metadata 1 4096
between session 1 4096
between files 100 16384
same 'untouched memory is held, not resident' '88 40' "$(each regions \
    "value ->> 'bytes' >> 20, (value ->> 'resident_bytes') + 65536 >> 20" "value ->> 'tier' = 'large'")"
same 'views' "$rss 1" "$(query "$T/r.db" "SELECT (SELECT bytes FROM memory WHERE part = 'rss'),
    (SELECT sum(live_blocks) FROM region) = (SELECT count(*) FROM block)")"

"$ZLEAKS" classes --csv -o "$T/c.csv" "$T/r.db"
same 'csv' '1000 33000 48000 15000' "$(python3 -c 'import csv, sys
for r in csv.DictReader(open(sys.argv[1], newline="")):
    if r["size_class"] == "48":
        print(r["blocks"], r["bytes"], r["usable_bytes"], r["slack_bytes"])' "$T/c.csv")"
"$ZLEAKS" classes "$T/r.db" >"$T/page"
same 'page: the pins' 1 "$(grep -c "kept by $(printf "%d,%03d" $((pins / 1000)) $((pins % 1000))) blocks on .* pages, from" "$T/page")"
same 'page: the last line' 1 "$(tail -n 1 "$T/page" | grep -c '^SUMMARY: zleaks classes: 88\.[0-9] MiB live in')"
classes --focus='^alloc_slack$'
same 'focus' 'alloc_slack
alloc_slack' "$(each slack_stacks "$leaf")"

# A process that is gone before it was looked at, and a report from before.
"$ZRECORD" -q -o "$T/short.db" -- true
same 'too short to be seen' 1 "$("$ZLEAKS" classes "$T/short.db" |
    grep -c 'not known, the process ended before it was looked at')"
{
	sed '/^CREATE TABLE region_info/,/^) WITHOUT/d; /^CREATE TABLE memory_info/,/^) WITHOUT/d' schema/tables.sql
	sed '/^CREATE VIEW region /,/;$/d; /^CREATE VIEW memory /,/;$/d' schema/views.sql
	cat tests/tools/mkreport.sql
} | sqlite3 -batch "$T/old.db"
"$ZLEAKS" classes "$T/old.db" >"$T/page"
same 'an older report: status' 0 $?
same 'an older report: what it has' '2 1' "$(grep -c 'the report is of an older zrecord' "$T/page") $(
    grep -cE '^  all  +20 ' "$T/page")"

# With sampling what is not recorded cannot be told from what is free.
"$ZRECORD" -q --sample=16K -o "$T/r.db" -- "$PROGRAMS/pinned" >/dev/null
classes
same 'sampled: one part for the heap' '1 0' "$(one "p ->> '\$.memory.bytes.heap' > 40 << 20,
    coalesce(p ->> '\$.memory.bytes.free', 0)")"

"$ZLEAKS" classes --sort=age "$T/r.db" >"$T/out" 2>"$T/err"
same 'no such key' '2 zleaks: --sort: classes knows bytes and blocks; by slack without it' "$? $(cat "$T/err")"
