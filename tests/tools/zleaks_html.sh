#!/usr/bin/env bash
# zleaks_html.sh - zleaks html in headless Chromium: no error on the console,
# everything drawn, figures equal to those of `zleaks --json`, search, sorting,
# keyboard; and a report full of hostile texts does nothing.
# Without chromium what can be said of the files alone is checked.
. tests/lib.sh

R=$T/r.db
{
	echo 'BEGIN;'
	cat schema/tables.sql schema/views.sql tests/tools/mkreport.sql tests/tools/mkgrowth.sql
	echo "UPDATE stack_info SET allocations = 10 * stack_id, bytes = 1000 * stack_id,
	    live_bytes = 100 * stack_id, peak_bytes = 300 * stack_id, temporary = stack_id;
	  INSERT INTO mark_info (process_id, t, label) VALUES (1, 1.0, 'loaded'), (1, 2.5, 'reload');
	  UPDATE process_info SET peak_t = 3.0 WHERE process_id = 1;
	  COMMIT;"
} | sqlite3 -batch "$R"

"$ZLEAKS" html -o "$T/r.html" "$R" 2>"$T/err"
status=$?
if grep -q 'built without' "$T/err"; then
	same 'no libraries: status' 2 $status
	same 'no libraries: one line' 1 "$(wc -l <"$T/err")"
	skip 'html' 'built without its libraries'
	exit
fi
same 'status' 0 $status
same 'nothing to say' '' "$(cat "$T/err")"
"$ZLEAKS" html -o "$T/again.html" "$R"
same_file 'the same report, the same page' "$T/r.html" "$T/again.html"

# ---- the files alone ----------------------------------------------------

# Whatever loads by itself: attributes, style sheets, scripts elsewhere.
same 'nothing from elsewhere' '' "$(grep -aoEi '(src|href|action)=["'\'']?[a-z]+:[^ ]*|url\([^)]*\)|@import[^;]*|<link[^>]*>' "$T/r.html" |
    grep -v '^url(#' | head)"
same 'the elements that begin and end scripts' '5 5' \
    "$(grep -aoi '<script' "$T/r.html" | wc -l) $(grep -aoi '</script>' "$T/r.html" | wc -l)"

# Bytes that do harm where text is taken for markup, code or a terminal's.
hostile="CAST(x'3c2f7363726970743e3c7363726970743e77696e646f772e6861643d313c2f7363726970743e' AS TEXT)"
image="'\"''><img src=x onerror=window.had=1>' || char(8238) || '&amp;' || char(27, 7, 8232, 65534)"
broken="CAST(x'66ff3c212d2d5d5d3ec3' AS TEXT)"
cp "$R" "$T/h.db"
sqlite3 -batch "$T/h.db" "
	UPDATE location SET function = $hostile, file = $image WHERE location_id IN (1, 8);
	UPDATE location SET function = $broken WHERE location_id = 2;
	UPDATE module_info SET path = '/opt/' || $hostile || '.so' WHERE module_id = 2;
	UPDATE process_info SET command = json_array($image, $hostile), exe = $hostile, recording = $hostile;
	UPDATE thread_info SET name = $image;
	UPDATE zone_info SET name = $hostile;
	UPDATE mark_info SET label = $hostile || $image;"
"$ZLEAKS" html -o "$T/h.html" "$T/h.db"
same 'hostile: incomplete by what it says itself' 3 $?
same 'hostile: no more elements' '5 5' \
    "$(grep -aoi '<script' "$T/h.html" | wc -l) $(grep -aoi '</script>' "$T/h.html" | wc -l)"
same 'hostile: no control character' 0 "$(LC_ALL=C tr -d '\n\t\40-\176\200-\377' <"$T/h.html" | wc -c)"
# A large report: what is left out and what is there are together all.
cp "$R" "$T/l.db"
sqlite3 -batch "$T/l.db" "
	WITH RECURSIVE c(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM c WHERE i < 30000)
	INSERT INTO stack_info SELECT i, 1, json_array(1 + i % 8, 1 + i / 8 % 8, 1 + i / 64 % 8,
	    1 + i / 512 % 8, 1 + i / 4096 % 8, 2, 3), i, 0, i * 16, i, 16 * i, 16 * i, 0 FROM c;
	INSERT INTO leak_stack SELECT 1, 4, stack_id, 1, stack_id, 0, 0
	    FROM stack_info WHERE stack_id >= 100 AND stack_id <= 5000;"
"$ZLEAKS" html -o "$T/l.html" "$T/l.db"
sed -n '/<script type="application\/json" id="data">/,/<\/script>/p' "$T/l.html" | sed '1d;$d' >"$T/l.json"
in_page() { sqlite3 -batch -separator ' ' :memory: "WITH d(j) AS (SELECT CAST(readfile('$T/l.json') AS TEXT)) $1"; }
total() { query "$T/l.db" "$1"; }
same 'large: stacks, in the page and left out' "$(total 'SELECT count(*), sum(live_bytes), sum(bytes) FROM stack_info')" "$(in_page "
	SELECT count(*) + json_extract(j, '\$.stacks_left_out.stacks'),
	    sum(json_extract(value, '\$[2]')) + json_extract(j, '\$.stacks_left_out.costs[0]'),
	    sum(json_extract(value, '\$[4]')) + json_extract(j, '\$.stacks_left_out.costs[2]')
	FROM d, json_each(j, '\$.stack_rows')")"
same 'large: leaks, in the page and left out' "$(total 'SELECT count(*), sum(bytes) FROM leak_stack')" "$(in_page "
	SELECT count(*) + json_extract(j, '\$.leaks_left_out.groups'),
	    sum(json_extract(value, '\$.bytes') + json_extract(value, '\$.indirect_bytes'))
		+ json_extract(j, '\$.leaks_left_out.bytes') - 200 -- indirect ones hang on two groups
	FROM d, json_each(j, '\$.leaks')")"
check 'large: something is left out' [ "$(in_page "SELECT json_extract(j, '\$.stacks_left_out.stacks') > 0
	AND json_extract(j, '\$.leaks_left_out.groups') > 0 AND json_extract(j, '\$.flame.left_out') > 0 FROM d")" = 1 ]
same 'large: the graph: a level and its smaller ones are the root' 0 "$(in_page "
	SELECT json_extract(j, '\$.totals.live')
	    - (SELECT sum(json_extract(value, '\$[3]')) FROM json_each(j, '\$.flame.nodes')
		WHERE json_extract(value, '\$[2]') = 0 AND key > 0)
	    - (SELECT coalesce(sum(json_extract(value, '\$[2]')), 0) FROM json_each(j, '\$.flame.smaller')
		WHERE json_extract(value, '\$[0]') = 0)
	FROM d")"
check 'large: the page is not' [ "$(wc -c <"$T/l.html")" -lt 4000000 ]

if ! have_browser; then
	skip 'in a browser' 'chromium or python3 is not installed'
	exit
fi

# ---- in a browser -------------------------------------------------------

find="const n = (s, where = document) => Number(where.querySelector(s + ' [data-n]').dataset.n);
const q = s => [...document.querySelectorAll(s)];
const type = (id, words) => { const e = document.getElementById(id); e.value = words; e.dispatchEvent(new Event('input')); return rest(300); };
const rest = ms => new Promise(done => setTimeout(done, ms));
const ink = c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0;
    for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n > 2000; };"
find=$(tr '\n' ' ' <<<"$find")

browse page "$T/r.html" <<STEPS
$find
document.title
['.k-definite', '.k-indirect', '.k-possible', '.k-reachable'].map(k => n(k)).join(' ')
q('.tiles')[0].querySelectorAll('[data-n]').length + ' ' + [...q('.tiles')[0].querySelectorAll('[data-n]')].map(e => e.dataset.n).join(' ')
q('.leak').map(e => n('.amount', e)).join(' ')
q('canvas').length + ' ' + q('canvas').every(ink)
q('#growth-table tr.grows').map(r => r.children[1].textContent.trim()).sort().join(' ')
q('#growth-table tr.grows').map(r => r.children[1].textContent.trim() + ' ' + r.querySelector('.sure').textContent.trim()).sort().join(', ')
q('#growth-table tbody > tr:not(.more-row)').map(r => r.children[1].textContent + '=' + r.querySelectorAll('[data-n]')[1].dataset.n).sort().join(' ')
document.getElementById('memory-note').textContent.includes('loaded at 1.000 s, reload at 2.500 s')
q('.leak')[0].click(), q('.leak')[0].querySelector('summary').click(), rest(100).then(() => q('.leak')[0].querySelectorAll('.stack li').length)
type('leak-search', 'take_ORDER').then(() => q('.leak').length + ' ' + q('.leak mark').length)
type('leak-search', 'nowhere').then(() => q('.leak').length + ' ' + document.getElementById('leak-count').textContent)
type('leak-search', '').then(() => { document.getElementById('kind-reachable').click(); return q('.leak.k-reachable').length; })
['live', 'peak', 'total', 'count', 'temporary', 'leaked'].map(c => { document.querySelector('#costs [value=' + c + ']').click(); return c + ' ' + d3.select('#flame-chart').datum().data.value; }).join(', ')
document.querySelector('#costs [value=total]').click(), rest(400).then(() => q('#flame-chart .frame').length > 5 && q('#flame-chart .d3-flame-graph-label').some(e => e.textContent === 'take_order'))
type('flame-search', 'add_line').then(() => document.getElementById('flame-details').textContent)
type('flame-search', '').then(() => document.getElementById('flame-chart').focus())
key ArrowDown
key ArrowDown
key ArrowDown
document.getElementById('flame-details').textContent
key Enter
rest(500).then(() => q('#flame-chart .frame.fade').length + ' ' + document.getElementById('flame-reset').disabled)
key Escape
rest(500).then(() => q('#flame-chart .frame.fade').length + ' ' + document.getElementById('flame-reset').disabled)
q('#tabs button').map(b => { b.click(); return b.textContent + ' ' + q('#table tbody tr').length; }).join(', ')
q('#tabs button')[1].click(), q('#table th button')[4].click(), q('#table tbody tr').map(r => r.children[4].querySelector('[data-n]').dataset.n).join(' ')
q('#table th button')[4].click(), q('#table tbody tr').map(r => r.children[4].querySelector('[data-n]').dataset.n).join(' ')
type('table-search', 'lines.cc').then(() => q('#table tbody tr').length)
document.getElementById('memory-chart').focus()
key ArrowRight
q('#memory-chart .u-value')[0].textContent
q('#growth-stacks tbody tr').map(r => r.children[1].firstChild.textContent + ' ' + r.querySelectorAll('[data-n]')[1].dataset.n).join(', ')
document.getElementById('process').value = '1', document.getElementById('process').dispatchEvent(new Event('change')), q('#growth-table tbody tr').length
getComputedStyle(document.body).backgroundColor
document.documentElement.scrollWidth <= innerWidth
performance.getEntriesByType('resource').length
STEPS
"$ZLEAKS" --json "$R" >"$T/r.json"
"$ZLEAKS" growth --json --pid=100 "$R" >"$T/g.json"
json() { sqlite3 -batch -separator ' ' :memory: "SELECT $2 FROM json_each(CAST(readfile('$1') AS TEXT), '$3') ${4-}"; }
leaks=$(json "$T/r.json" "json_extract(value, '\$.bytes') + json_extract(value, '\$.indirect_bytes')" '$.leaks')
same 'title' 'shop - zleaks' "$(answer page 2)"
same 'bytes by kind' "$(for k in definite indirect possible reachable; do json "$T/r.json" "json_extract(value, '\$.bytes')" '$.summary' "WHERE key = '$k'"; done | xargs)" "$(answer page 3)"
same 'totals' "$(json "$T/r.json" value '$.summary' "WHERE key IN ('allocations')") $(json "$T/r.json" value '$.summary' "WHERE key = 'frees'") $(
    json "$T/r.json" value '$.summary' "WHERE key = 'peak_bytes'") $(json "$T/r.json" value '$.summary' "WHERE key = 'live_bytes'")" "$(answer page 4 | cut -d ' ' -f 2-)"
same 'leaks, in order' "$(xargs <<<"$leaks")" "$(answer page 5)"
same 'charts have ink' '2 true' "$(answer page 6)"
same 'what grows' "$(json "$T/g.json" "json_extract(value, '\$.size_class') || ' bytes'" '$.rows' "WHERE json_extract(value, '\$.growing')" | sort | xargs)" "$(answer page 7)"
same 'how sure' "$(json "$T/g.json" "json_extract(value, '\$.size_class') || ' bytes ' || json_extract(value, '\$.confidence')" '$.rows' "WHERE json_extract(value, '\$.growing')" | sort | paste -sd, | sed 's/,/, /g')" "$(answer page 8)"
same 'last bytes of each class' "$(json "$T/g.json" "json_extract(value, '\$.size_class') || ' bytes=' || json_extract(value, '\$.last_bytes')" '$.rows' | sort | xargs)" "$(answer page 9)"
same 'marks' true "$(answer page 10)"
same 'a leak opens: two frames, one that started the program' 3 "$(answer page 11)"
same 'search in leaks' '1 1' "$(answer page 12)"
same 'search in leaks, nothing' '0 Nothing matches “nowhere”.' "$(answer page 13)"
same 'another kind' 2 "$(answer page 14)"
want=
for c in live peak total count temporary leaked; do
	"$ZLEAKS" stacks --json --cost=$c -o "$T/s.json" "$R"
	want="$want${want:+, }$c $(json "$T/s.json" value '$.tree' "WHERE key = 'cost'")"
done
same 'flame graph: each cost' "$want" "$(answer page 15)"
same 'flame graph: drawn' true "$(answer page 16)"
same 'flame graph: search' '1 frame found: 2,000 B, 9.5 %' "$(answer page 17)"
same 'flame graph: arrow keys, to the largest' 'libz.so.1.2+0x1234 [libz.so.1.2]: 12.7 KiB, 61.9 %' "$(answer page 19)"
same 'flame graph: Enter zooms' '2 false' "$(answer page 20)"
same 'flame graph: Escape goes back' '0 true' "$(answer page 21)"
same 'tables' 'Functions 6, Stacks 6, Threads 3, Processes 2' "$(answer page 22)"
same 'table: sorted' '6000 5000 4000 3000 2000 1000' "$(answer page 23)"
same 'table: the other way' '1000 2000 3000 4000 5000 6000' "$(answer page 24)"
same 'table: search' 1 "$(answer page 25)"
same 'chart: keys' '0.000 s' "$(answer page 27)"
same 'stacks that grow' 'open_session 1440' "$(answer page 28)"
same 'another process' 1 "$(answer page 29)"
light=$(answer page 30)
same 'fits the window' true "$(answer page 31)"
same 'asked nobody for anything' 0 "$(answer page 32)"

browse dark "$T/r.html" --dark --size=400x800 <<STEPS
$find
getComputedStyle(document.body).backgroundColor
document.documentElement.scrollWidth <= innerWidth
q('canvas').length + ' ' + q('canvas').every(ink)
media print
getComputedStyle(document.querySelector('nav')).display
STEPS
check 'dark is another colour' [ "$light" != "$(answer dark 2)" ]
same 'dark and narrow: fits, drawn' 'true 2 true' "$(answer dark 3) $(answer dark 4)"
same 'print: no controls' none "$(answer dark 5)"

browse hostile "$T/h.html" <<STEPS
$find
q('#tabs button').forEach(b => b.click()), q('.leak summary').forEach(s => s.click()), q('.open').forEach(b => b.click()), rest(500).then(() => typeof window.had)
q('img, iframe, object, embed, link').length + ' ' + q('script').length
q('.leak .where')[0].firstChild.textContent
q('h1')[0].textContent.includes('<img src=x onerror=window.had=1>')
STEPS
same 'hostile: nothing ran' 'undefined' "$(answer hostile 2)"
same 'hostile: no element came of it' '0 5' "$(answer hostile 3)"
same 'hostile: shown as it is' '</script><script>window.had=1</script>' "$(answer hostile 4)"
same 'hostile: the name' true "$(answer hostile 5)"

browse large "$T/l.html" <<STEPS
$find
q('.leak').length + ' ' + q('#leaks .more')[0].textContent
q('#leaks .more')[0].click(), q('.leak').length
document.getElementById('leak-note').textContent.split(' ').slice(0, 4).join(' ')
STEPS
same 'large: so many at once' '50 Show 50 more of 951' "$(answer large 2)"
same 'large: more' 100 "$(answer large 3)"
same 'large: said' '3,903 smaller groups with' "$(answer large 4)"

# ---- programs: who held it, who keeps it, what each request adds ---------

record "$T/lost.db" "$PROGRAMS/retain" lost >/dev/null
"$ZLEAKS" html -o "$T/lost.html" "$T/lost.db"
"$ZLEAKS" roots --json "$T/lost.db" >"$T/roots.json"
browse lost "$T/lost.html" <<STEPS
$find
q('.leak summary').forEach(s => s.click()), rest(200).then(() => q('.loss').filter(e => e.textContent.includes('last held by g_sessions')).length)
q('#tabs button').find(b => b.textContent === 'Holders').click(), q('#table tbody tr').map(r => r.children[0].textContent.split(' ')[0] + ' ' + r.querySelectorAll('[data-n]')[0].dataset.n + ' ' + r.querySelectorAll('[data-n]')[1].dataset.n).join(', ')
STEPS
same 'last holder' 1 "$(answer lost 2)"
same 'who keeps it' "$(sqlite3 -batch :memory: "SELECT group_concat(value ->> 'symbol' || ' ' || (value ->> 'bytes') || ' ' || (value ->> 'blocks'), ', ')
    FROM json_each(readfile('$T/roots.json'), '\$.processes[0].roots')")" "$(answer lost 3)"

# Each request keeps three blocks of 48 bytes.
"$ZRECORD" -q --interval 5ms -o "$T/requests.db" -- "$PROGRAMS/growing" request 1
"$ZLEAKS" html -o "$T/requests.html" "$T/requests.db"
browse requests "$T/requests.html" <<STEPS
$find
q('#growth-rounds b')[0].textContent
q('#growth-rounds code')[0].textContent
document.getElementById('memory-note').textContent.split(' ').slice(0, 2).join(' ')
STEPS
same 'per request' '+3.00 blocks, +144.0 bytes per “request”' "$(answer requests 2)"
same 'per request, by whom' alloc_request "$(answer requests 3)"
same 'many marks are counted' "$(query "$T/requests.db" 'SELECT count(*) FROM mark') marks" "$(answer requests 4)"
