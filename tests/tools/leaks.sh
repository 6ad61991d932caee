#!/usr/bin/env bash
# leaks.sh - programs whose leaks are known by construction: blocks and
# requested bytes of each kind are exact, the allocating function is on top of
# the stack.  The truth is in the programs (see tests/programs/known.h), and
# Valgrind has its say on the same binaries.
. tests/lib.sh
ulimit -c 0

# comparable EXPECTED-FILE FLAGS: rows on stdin in the words of the expected
# ones: kinds merged where no kind is promised, and without blocks of the C
# and C++ libraries unless the flags say "plain".
comparable()
{
	awk -v plain="$(case $2 in *plain*) echo 1 ;; *) echo 0 ;; esac)" '
	NR == FNR { if ($1 == "any" || $1 == "lost") how[$2] = $1; next }
	$2 == "-" && !plain && $1 != "definite" && $1 != "indirect" { next }
	how[$2] == "any" { $1 = "any" }
	how[$2] == "lost" && ($1 == "definite" || $1 == "indirect") { $1 = "lost" }
	{ blocks[$1 " " $2] += $3; bytes[$1 " " $2] += $4 }
	END { for (k in blocks) printf "%s %d %.0f\n", k, blocks[k], bytes[k] }
	' "$1" - | sort
}

# Rows in the same form out of what Valgrind printed.
valgrind_rows()
{
	sed 's/^==[0-9]*== *//; s/\([0-9]\),\([0-9]\)/\1\2/g; s/\([0-9]\),\([0-9]\)/\1\2/g' |
	awk '
	function flush()
	{
		if (kind) print kind, found ? found : "-", blocks, bytes
		kind = ""
	}
	/ in loss record / {
		flush()
		bytes = $1; found = ""; depth = 0
		if ($2 ~ /^\(/) bytes = substr($2, 2)
		for (i = 1; i < NF; i++) if ($i == "in") { blocks = $(i + 1); break }
		kind = "reachable"
		if (/definitely/) kind = "definite"
		if (/indirectly/) kind = "indirect"
		if (/possibly/) kind = "possible"
		next
	}
	kind && /^(at|by) 0x/ {
		name = $3; sub(/\(.*/, "", name)
		if (!found && name ~ /^alloc_/) found = (depth > 0 ? "~" : "") name
		if (!/vg_replace|vgpreload/) depth++
		next
	}
	/^$/ || /LEAK SUMMARY/ { flush() }
	END { flush() }'
}

flag_value() { sed -n "s/.*\b$1=\([0-9]*\).*/\1/p" <<<"$2"; }

# What speaks against a report: processes that are called complete and are not;
# with strict=1 also those that are not called so.
dishonest="SELECT 'honest ' || p.pid, p.recording, p.signal, p.ended,
	count(b.address), p.allocations, p.frees FROM process p
    LEFT JOIN block b USING (process_id)
    WHERE b.freed_at IS NULL GROUP BY process_id
    HAVING p.recording = 'complete' AND (p.ended IS NULL OR
	p.lost_events > 0 OR p.signal = 9 OR sum(b.leak_kind = 'unscanned') > 0 OR
	p.allocations - p.frees <> count(b.address))"

# judge NAME EXPECTED-FILE FLAGS REPORT STATUS: one query for all of it, for
# there are many scenarios.
judge()
{
	local name=$1 expected=$2 flags=$3 report=$4 want n strict bad
	want=$(flag_value status "$flags")
	if [ "$5" != "${want:-0}" ]; then
		not_ok "$name" "exit status $5, expected ${want:-0}"
		return
	fi
	case $flags in
	*any* | *status=1[34]* | *alone*) strict=0 ;;
	*) strict=1 ;;
	esac
	query "$report" "$leak_rows_sql; $dishonest;
	    SELECT 'honest ' || pid, recording FROM process
		WHERE $strict AND recording <> 'complete';
	    SELECT 'processes', count(*) FROM process" >"$T/rows"
	same "$name" "$(comparable "$expected" plain <"$expected")" \
	    "$(grep -v '^honest \|^processes ' "$T/rows" | comparable "$expected" "$flags")"
	n=$(flag_value processes "$flags")
	[ -z "$n" ] || same "$name: processes" "processes $n" "$(grep '^processes ' "$T/rows")"
	bad=$(grep '^honest ' "$T/rows")
	[ -z "$bad" ] || not_ok "$1: honest" "$bad"
}

# ---- each scenario alone, under zrecord -------------------------------

for program in shapes holders family threads flow process cxx; do
	"$PROGRAMS/$program" --list >/dev/null || exit 1
done
for program in shapes holders family threads flow process cxx; do
	while read -r scenario flags; do
		name="$program $scenario"
		"$PROGRAMS/$program" --expect "$scenario" >"$T/expect"
		record "$T/r.db" "$PROGRAMS/$program" "$scenario" \
		    >/dev/null 2>"$T/err"
		judge "$name" "$T/expect" "$flags" "$T/r.db" $?
		if [ -s "$T/err" ]; then
			not_ok "$name: stderr" "$(head -n 1 "$T/err")"
		fi
		rm -f "$T"/r.db*
	done < <("$PROGRAMS/$program" --list)
done

# ---- all scenarios of a program together, in four ways ----------------

compile_linked()
{
	local source=tests/programs/$1 compiler=${CC:-gcc}
	case $1 in *.cc) compiler="${CXX:-g++} -std=c++17" ;; esac
	$compiler -O0 -fno-builtin -D_GNU_SOURCE \
	    -fno-optimize-sibling-calls -o "$T/linked" "$source" \
	    -L"$BUILD" -Wl,--no-as-needed -lzmalloc -Wl,-rpath,"$BUILD" \
	    -lpthread -ldl >"$T/err" 2>&1
}

for program in shapes holders family threads flow process cxx; do
	"$PROGRAMS/$program" --expect all >"$T/expect"

	record "$T/z.db" "$PROGRAMS/$program" all
	judge "$program all, zrecord" "$T/expect" '' "$T/z.db" $?
	whole=$(query "$T/z.db" 'SELECT leak_kind, count(*), sum(size)
	    FROM block WHERE freed_at IS NULL GROUP BY 1')

	traced "$T/t.db" "$PROGRAMS/$program" all
	judge "$program all, MallocTracing=1" "$T/expect" '' "$T/t.db" $?
	same "$program all, the same figures in both ways" "$whole" \
	    "$(query "$T/t.db" 'SELECT leak_kind, count(*), sum(size)
		FROM block WHERE freed_at IS NULL GROUP BY 1')"

	# Linked with the library, nothing preloaded.
	source=$program.c
	[ -e "tests/programs/$source" ] || source=$program.cc
	if compile_linked "$source"; then
		cp -f "$PROGRAMS/libplugin.so" "$T/" 2>/dev/null
		MallocTracing=1 MallocTracingFile=$T/l.db "$T/linked" all
		status=$?
		wait_for finished "$T/l.db"
		judge "$program all, linked" "$T/expect" '' "$T/l.db" $status
	else
		not_ok "$program all, linked" 'does not link with -lzmalloc'
		indent <"$T/err"
	fi

	# The views agree with each other, and zleaks with the views.
	same "$program all, leak_by_stack" "$(query "$T/z.db" "
	    SELECT leak_kind, count(*), sum(size) FROM block
	    WHERE freed_at IS NULL GROUP BY 1")" "$(query "$T/z.db" "
	    SELECT kind, sum(blocks), sum(bytes) FROM leak_by_stack
	    GROUP BY 1")"
	"$ZLEAKS" --json "$T/z.db" >"$T/json"
	status=$?
	leaks=$(grep -c '^definite\|^lost' "$T/expect")
	same "$program all, zleaks' exit status" $((leaks > 0)) $status
	same "$program all, zleaks --json" "$whole" "$(sqlite3 -batch \
	    -separator ' ' :memory: "SELECT key, value ->> 'blocks',
		value ->> 'bytes' FROM json_each(readfile('$T/json'), '\$.summary')
		WHERE type = 'object' AND value ->> 'blocks' > 0
		AND key <> 'suppressed' ORDER BY 1")"
	rm -f "$T"/*.db*
done

# ---- what Valgrind says of the same binaries --------------------------

for program in shapes holders family threads flow process cxx; do
	names=
	while read -r scenario flags; do
		case $flags in *novalgrind* | *alone*) continue ;; esac
		names="$names $scenario"
	done < <("$PROGRAMS/$program" --list)
	# shellcheck disable=SC2086 # a list of names
	"$PROGRAMS/$program" --expect $names >"$T/expect"
	# shellcheck disable=SC2086
	valgrind --leak-check=full --show-leak-kinds=all --num-callers=40 \
	    --leak-resolution=high --leak-check-heuristics=none \
	    --keep-debuginfo=yes --run-libc-freeres=no --run-cxx-freeres=no \
	    "$PROGRAMS/$program" $names >/dev/null 2>"$T/valgrind"
	same "$program, Valgrind agrees" \
	    "$(comparable "$T/expect" plain <"$T/expect")" \
	    "$(valgrind_rows <"$T/valgrind" | comparable "$T/expect" '')"
done
