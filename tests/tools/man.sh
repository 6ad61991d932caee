#!/usr/bin/env bash
# Manual pages, --help and the option tables say the same.
. "$(dirname "$0")/../lib.sh"
man=$(dirname "$0")/../../man

# Long options of a text, one a line, sorted.
long_options() { grep -oE -e '--[a-z][a-z-]+' | sort -u; }

for tool in zrecord zleaks; do
	help=$("$BUILD/$tool" --help 2>&1 | long_options)
	page=$(sed 's/\\-/-/g' "$man/$tool.1" | sed '/^\.SH EXAMPLES/,/^\.SH/d' | long_options)
	diff=$(diff <(echo "$help") <(echo "$page"))
	if [ -n "$help" ] && [ -z "$diff" ]; then
		ok "man $tool options"
	else
		not_ok "man $tool options" "help < > page: $diff"
	fi
done

help=$(MallocHelp=1 LD_PRELOAD=$BUILD/libzmalloc.so ls / 2>&1 | grep -oE '\bMalloc[A-Z][A-Za-z]+' | sort -u)
page=$(grep -E '^\.B Malloc[A-Za-z]+$' "$man/zmalloc-environment.7" | sed 's/^.B //' | sort -u)
diff=$(diff <(echo "$help") <(echo "$page"))
if [ -n "$help" ] && [ -z "$diff" ]; then
	ok 'man environment'
else
	not_ok 'man environment' "MallocHelp < > page: $diff"
fi

# Every name that the library adds to libc's is declared, and in the manual.
names=$(nm -D --defined-only "$BUILD/libzmalloc.so" | awk '{ print $3 }' |
    grep -E '^(malloc_|zmalloc_|scalable_|mag_|mstats|realloc.*f$|vfree)' |
    grep -vE '^malloc_(info|stats|trim|usable_size)$')
headers=$(cat "$(dirname "$0")"/../../libzmalloc/include/zmalloc/*.h)
for where in headers page; do
	[ $where = headers ] && text=$headers || text=$(cat "$man/zmalloc.3")
	missing=
	for name in $names; do
		grep -qw "$name" <<<"$text" || missing="$missing $name"
	done
	if [ -n "$names" ] && [ -z "$missing" ]; then
		ok "exported functions, $where"
	else
		not_ok "exported functions, $where" "not there:$missing"
	fi
done

# Each view's columns that the page names exist.
for view in process block leak_by_stack growth_by_class growth_by_stack stack_total \
    stack_frame process_sample mark thread module trace_count block_holder root \
    root_retained scan last_holder region memory; do
	have=$(cat "$(dirname "$0")"/../../schema/{tables,views}.sql |
	    { cat; echo "select name from pragma_table_info('$view');"; } | sqlite3 :memory:)
	text=$(sed -n "/^\.B $view\$/,/^\.TP/p" "$man/zmalloc-report.5" | sed '1d' |
	    sed '/^\./d; s/([^)]*)//g' | sed '/\.$/q' | tr ',.' '  ')
	missing=
	for column in $text; do
		grep -qx "$column" <<<"$have" || missing="$missing $column"
	done
	if [ -n "$text" ] && [ -z "$missing" ]; then
		ok "man report $view"
	else
		not_ok "man report $view" "no column:$missing"
	fi
done
