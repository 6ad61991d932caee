# shellcheck shell=bash disable=SC2034 # variables for those who source it
# lib.sh - what the tests written in shell share.  Sourced by tests/tools/*.sh,
# which tests/run starts in the top folder of the project with BUILD set.
#
# A test prints one line for each thing it checks:
#   ok NAME          not ok NAME - why          skip NAME - why
# Lines that begin with two spaces explain the line before.
set -u
export LC_ALL=C
BUILD=$(cd "${BUILD:-build}" && pwd) || exit 1
PROGRAMS=$BUILD/tests/programs
ZRECORD=$BUILD/zrecord
ZLEAKS=$BUILD/zleaks
LIB=$BUILD/libzmalloc.so

# The test's folder for files; gone when the test ends.
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT

ok() { printf 'ok %s\n' "$1"; }
not_ok() { printf 'not ok %s - %s\n' "$1" "$2"; }
skip() { printf 'skip %s - %s\n' "$1" "$2"; }

indent() { sed 's/^/  /' | head -n "${1:-25}"; }
have() { local p; for p; do command -v "$p" >/dev/null 2>&1 || return 1; done; }

# same NAME EXPECTED ACTUAL: two texts are equal.
same()
{
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1" 'differs from what is expected (-)'
		diff -U0 <(printf '%s\n' "$2") <(printf '%s\n' "$3") |
			tail -n +4 | indent
	fi
}

# same_file NAME EXPECTED ACTUAL: two files are equal.
same_file()
{
	if cmp -s "$2" "$3"; then
		ok "$1"
	else
		not_ok "$1" 'output differs from what is expected (-)'
		diff -a -U0 "$2" "$3" | tail -n +3 | cut -c 1-200 | indent 12
	fi
}

# check NAME COMMAND...: the command succeeds.
check()
{
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then
		ok "$name"
	else
		not_ok "$name" "failed: $*"
		[ -z "$out" ] || printf "%s\n" "$out" | indent
	fi
}

# query FILE SQL: rows of a report, columns separated by a blank.
query()
{
	sqlite3 -batch -readonly -separator ' ' -cmd '.timeout 10000' \
	    "$1" "$2" 2>&1
}

# make_report FILE [SQL...]: the report of tools/mkreport.sql, written by hand,
# changed by the SQL.
make_report()
{
	local file=$1
	shift
	rm -f "$file"
	{
		echo 'BEGIN;'
		cat schema/tables.sql schema/views.sql tests/tools/mkreport.sql
		printf '%s;\n' "$@"
		echo 'COMMIT;'
	} | sqlite3 -batch "$file" >/dev/null
}

# browse NAME FILE [OPTION..] <STEPS: opens a page in a browser (browse.py) and
# keeps the answers in $T/NAME, a line each; its console must stay silent.
# answer NAME N: the Nth of them.
browse()
{
	local name=$1 file=$2
	shift 2
	python3 tests/browse.py "$@" "$file" >"$T/$name" 2>"$T/browse.err"
	same "$name: browser" 0 $?
	same "$name: console" '' "$(grep '^error: ' "$T/$name")"
}
answer() { sed -n "$2p" "$T/$1"; }
have_browser()
{
	have chromium && python3 -c 'import base64, json, subprocess, tempfile, threading' 2>/dev/null
}

# wait_for COMMAND...: until it succeeds, 20 seconds at most.
wait_for()
{
	local i
	for ((i = 0; i < 400; i++)); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	return 1
}

# A recorder that the library started goes on for a moment after the program.
finished()
{
	[ -s "$1" ] && [ "$(query "$1" "SELECT count(*) > 0 AND
	    count(*) = count(ended) FROM process")" = 1 ] &&
	    [ "$(query "$1" "SELECT value FROM meta
		WHERE key = 'state'")" != recording ]
}

# record FILE COMMAND...
record() { local f=$1; shift; "$ZRECORD" -q -o "$f" -- "$@"; }

# traced FILE COMMAND...: the same without zrecord.
traced()
{
	local f=$1 status
	shift
	MallocTracing=1 MallocTracingFile=$f LD_PRELOAD=$LIB "$@"
	status=$?
	wait_for finished "$f" || echo "  traced: $f was not finished" >&2
	return $status
}

# Rows "KIND FUNCTION BLOCKS BYTES" of the live blocks of a report.  FUNCTION
# is the test program's own: the innermost whose name begins with alloc_, with
# "~" in front when it is not the caller of the allocation function itself;
# "-" when there is none (libc's and libstdc++'s own blocks).
leak_rows_sql="
    WITH own AS (SELECT stack_id, min(depth) AS depth FROM stack_frame
	WHERE function GLOB 'alloc_*' GROUP BY stack_id),
    name AS (SELECT own.stack_id, own.depth,
	substr(function, 1, instr(function || '(', '(') - 1) AS function
	FROM own JOIN stack_frame USING (stack_id, depth))
    SELECT leak_kind, iif(depth > 0, '~', '') || coalesce(function, '-'),
	count(*), sum(size)
    FROM block LEFT JOIN name USING (stack_id)
    WHERE freed_at IS NULL GROUP BY 1, 2 ORDER BY 1, 2"
leak_rows() { query "$1" "$leak_rows_sql"; }
