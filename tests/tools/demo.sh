#!/usr/bin/env bash
# demo.sh - `make demo` shows what it promises: the mistakes of examples/shop.c
# with function, file and line, and the size class that grows.
. tests/lib.sh

mkdir -p "$T/build/examples"
ln -s "$ZRECORD" "$ZLEAKS" "$LIB" "$T/build/"
ln -s "$BUILD/examples/shop" "$T/build/examples/"
BUILD=$T/build examples/demo >"$T/out" 2>"$T/err" </dev/null
same 'exit status' 0 $?
for mistake in take_order add_line open_session; do
	check "names $mistake with file and line" \
	    grep -Eq "$mistake.*shop\.c:[0-9]+" "$T/out"
done
check 'shows the growing class' grep -Eq '\bgrow(s|ing)?\b' "$T/out"
check 'leaves a report' [ -s "$T/build/report.db" ]
if grep -q 'built without' "$T/err"; then
	skip 'leaves a page' "zleaks has none: make deps, with network, brings its libraries"
else
	check 'leaves a page' grep -q '<title>' "$T/build/report.html"
	check 'says so' grep -q 'build/report.html. Open it in a browser' "$T/out"
fi

# The mistakes counted from the source: one order in 20 is cancelled (its three
# lines and its note are lost), every 100th opens two sessions.
orders=$(query "$T/build/report.db" "SELECT sum(allocations) FROM stack_total
    WHERE stack_id IN (SELECT stack_id FROM stack_frame
	WHERE depth = 0 AND function = 'take_order')")
lost() { query "$T/build/report.db" "SELECT count(*), sum(size) FROM block
    JOIN stack_frame USING (stack_id) WHERE depth = 0 AND
    leak_kind IN ('definite', 'indirect') AND function = '$1'"; }
check 'orders were taken' [ "$orders" -gt 100 ]
same 'lost lines' "$((orders / 20 * 3)) $((orders / 20 * 3 * 16))" "$(lost add_line)"
same 'lost sessions' "$((orders / 100 * 2)) $((orders / 100 * 2 * 80))" \
    "$(lost open_session)"
same 'kept visits' "$((orders * 10)) $((orders * 10 * 48)) reachable" "$(
    query "$T/build/report.db" "SELECT count(*), sum(size), min(leak_kind)
	FROM block JOIN stack_frame USING (stack_id) WHERE depth = 0 AND
	function = 'remember_visit'")"
