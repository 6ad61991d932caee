#!/usr/bin/env bash
# zleaks_flamegraph.sh - zleaks flamegraph: the widths are the report's, and in
# headless Chromium search, zoom and keyboard work; hostile names do nothing.
. tests/lib.sh

R=$T/r.db
{
	echo 'BEGIN;'
	cat schema/tables.sql schema/views.sql tests/tools/mkreport.sql
	echo "UPDATE stack_info SET allocations = 10 * stack_id, bytes = 1000 * stack_id,
	    live_bytes = 100 * stack_id, peak_bytes = 300 * stack_id, temporary = 0;
	  COMMIT;"
} | sqlite3 -batch "$R"
"$ZLEAKS" flamegraph -o "$T/r.svg" --cost=total "$R"
same 'status' 0 $?
"$ZLEAKS" flamegraph --cost=total "$R" >"$T/again.svg"
same_file 'the same report, the same picture' "$T/r.svg" "$T/again.svg"

# "NAME WIDTH" of each frame, in order; 21000 bytes are 1180 wide.
frames()
{
	grep -A3 '^<g class="f">' "$1" | tr '\n' ' ' | sed 's/<g class/\n&/g' |
	    sed -n 's/.*<title>\([^ ]*\).* width="\([0-9.]*\)".*/\1 \2/p'
}
width() { awk "BEGIN { printf \"%.2f\", $1 * 1180 / 21000 }"; }
same 'frames and their widths' "all 1180.00
main 1180.00
libz.so.1.2+0x1234 $(width 13000)
open_session $(width 5000)
Shop::lines(std::string $(width 2000)
add_line $(width 2000)
take_order $(width 1000)" "$(frames "$T/r.svg" | sed 's/&#[0-9]*;//g')"
"$ZLEAKS" flamegraph --cost=total --bottom-up --focus=take_order -o "$T/up.svg" "$R"
same 'bottom-up, of one function' 'all take_order main' "$(frames "$T/up.svg" | cut -d ' ' -f 1 | xargs)"
"$ZLEAKS" flamegraph --cost=temporary -o "$T/none.svg" "$R"
same 'nothing to draw' '0 shop and 1 more: 0 temporary allocations' "$(grep -c '<g class="f">' "$T/none.svg") $(
    sed -n 's/.*class="title"[^>]*>\([^<]*\)<.*/\1/p' "$T/none.svg")"

# Ten thousand frames of one byte beside one of a million: said, not drawn.
cp "$R" "$T/l.db"
sqlite3 -batch "$T/l.db" "
	WITH RECURSIVE c(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM c WHERE i < 10099)
	INSERT INTO location (location_id, module_id, offset, function, file, line, inlined)
	    SELECT i, 1, i, 'f' || i, NULL, NULL, 0 FROM c;
	INSERT INTO stack_info (stack_id, process_id, frames, allocations, frees, bytes, live_blocks, live_bytes, peak_bytes, temporary)
	    SELECT location_id, 1, json_array(location_id, 2), 1, 0, 1, 1, 1, 1, 0
	    FROM location WHERE location_id >= 100;
	UPDATE stack_info SET bytes = 1000000 WHERE stack_id = 5;"
"$ZLEAKS" flamegraph --cost=total -o "$T/l.svg" "$T/l.db"
check 'narrow frames: together' grep -q '^<g class="f"><title>100[0-9][0-9] smaller$' "$T/l.svg"
check 'narrow frames: said' grep -q '>10,0[0-9][0-9] branches are too narrow' "$T/l.svg"

# Names that end the element they stand in, if they can.
hostile="CAST(x'3c2f7363726970743e3c7363726970743e77696e646f772e6861643d313c2f7363726970743e' AS TEXT)"
cp "$R" "$T/h.db"
sqlite3 -batch "$T/h.db" "
	UPDATE location SET function = $hostile || ']]>' WHERE location_id IN (1, 8);
	UPDATE location SET function = CAST(x'66ff3c212d2d5d5d3ec3' AS TEXT) || char(1, 27, 8238, 65534, 65535) WHERE location_id = 2;
	UPDATE module_info SET path = '/opt/' || $hostile || '.so' WHERE module_id = 2;
	UPDATE process_info SET command = json_array('<script>window.had=1</script>');"
"$ZLEAKS" flamegraph --cost=total -o "$T/h.svg" "$T/h.db"
if have xmllint; then
	check 'XML' xmllint --noout "$T/r.svg"
	check 'XML, hostile' xmllint --noout "$T/h.svg"
fi

if ! have_browser; then
	skip 'in a browser' 'chromium or python3 is not installed'
	exit
fi

svg="const q = s => [...document.querySelectorAll(s)]; const type = w => { const e = document.getElementById('search'); e.value = w; e.dispatchEvent(new Event('input')); return document.getElementById('details').textContent; };"
browse svg "$T/r.svg" <<STEPS
$svg
document.documentElement.nodeName + ' ' + q('parsererror').length + ' ' + q('.f').length
type('add_line') + ', ' + q('.hit').length
type('')
q('.f').find(g => g.textContent.startsWith('add_line')).dispatchEvent(new Event('click')), q('.f').filter(g => g.style.display !== 'none').map(g => g.querySelector('text').textContent).join(' ')
document.documentElement.focus()
key Escape
q('.f').filter(g => g.style.display === 'none').length
key ArrowDown
key ArrowDown
q('.here title')[0].textContent.split(String.fromCharCode(10))[0]
STEPS
same 'svg: drawn' 'svg 0 7' "$(answer svg 2)"
same 'svg: search' '1 frame found: 9.5 %, 1' "$(answer svg 3)"
same 'svg: search, nothing' 'from 6 stacks' "$(answer svg 4)"
same 'svg: zoom' 'all main Shop::lines(std::string const&) add_line' "$(answer svg 5)"
same 'svg: Escape' 0 "$(answer svg 7)"
same 'svg: arrow keys' main "$(answer svg 8)"

browse hostile_svg "$T/h.svg" <<STEPS
$svg
typeof window.had + ' ' + q('img, parsererror').length + ' ' + q('script').length
q('.f title').some(t => t.textContent.startsWith('</script><script>window.had=1</script>'))
STEPS
same 'hostile svg: nothing ran' 'undefined 0 1' "$(answer hostile_svg 2)"
same 'hostile svg: shown as it is' true "$(answer hostile_svg 3)"
