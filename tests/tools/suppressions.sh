#!/usr/bin/env bash
# suppressions.sh - suppression files mean to zleaks what they mean to those
# that they were made for: LeakSanitizer's on a build of the same program with
# LeakSanitizer, Valgrind's in both directions.  Then limits, and bad files.
. tests/lib.sh
export ZLEAKS
flags='-g -O1 -fno-omit-frame-pointer -fno-optimize-sibling-calls -fno-builtin'
mkdir "$T/plain" "$T/lsan"

# ---- LeakSanitizer ----------------------------------------------------

# shellcheck disable=SC2086 # a list of flags
gcc $flags -o "$T/plain/leaky" tests/tools/suppressed.c
record "$T/r.db" "$T/plain/leaky"

# left: sizes that are left with suppression file $T/s
left_here()
{
	"$ZLEAKS" --json --suppressions "$T/s" "$T/r.db" >"$T/json" 2>"$T/err"
	sqlite3 -batch :memory: "SELECT value ->> 'bytes', value ->> 'blocks'
	    FROM json_each(readfile('$T/json'), '\$.leaks') ORDER BY 1, 2" |
	    awk -F '|' '{ b[$1 / $2] += $2 } END { for (s in b) print s, b[s] }' |
	    sort -n
}
left_lsan()
{
	LSAN_OPTIONS=suppressions=$T/s:exitcode=23 "$T/lsan/leaky" 2>&1 |
	    awk '/ leak of / { b[$4 / $7] += $7 }
		END { for (s in b) print s, b[s] }' | sort -n
}
# used: "COUNT BYTES PATTERN" of the entries that were used
used_here()
{
	sqlite3 -batch -separator ' ' :memory: "SELECT value ->> 'blocks',
	    value ->> 'bytes', value ->> 'pattern'
	    FROM json_each(readfile('$T/json'), '\$.suppressions')
	    WHERE value ->> 'groups' > 0 ORDER BY 3"
}
used_lsan()
{
	LSAN_OPTIONS=suppressions=$T/s "$T/lsan/leaky" 2>&1 |
	    sed -n '/Suppressions used/,/^---/p' | sed '1,2d; /^---/d' |
	    awk '{ print $1, $2, $3 }' | LC_ALL=C sort -k3
}

# shellcheck disable=SC2086
if gcc $flags -fsanitize=leak -o "$T/lsan/leaky" tests/tools/suppressed.c \
    2>/dev/null && : >"$T/s" && left_lsan | grep -q 1001; then
	same 'without suppressions' "$(left_lsan)" "$(left_here)"
	# parts of names, stars, ties to begin and end; every name is one of a
	# function, of the file or of the program
	python3 - >"$T/patterns" <<'P'
import random
random.seed(7)
parts = ["alloc_foo", "foo", "foo_foo", "bar", "middle", "in_the", "main",
         "suppressed.c", "leaky", "o", "_", "/", "tools"]
seen = set()
while len(seen) < 70:
	p = "".join(random.choice(["", "", "*"]) + random.choice(parts)
	    for _ in range(random.choice([1, 1, 2, 3])))
	p = random.choice(["", "", "^", "^*"]) + p + random.choice(["", "", "$", "*", "*$", "$x"])
	seen.add(p)
for p in sorted(seen): print(p)
P
	bad=0
	while read -r pattern; do
		printf 'leak:%s\n' "$pattern" >"$T/s"
		if [ "$(left_lsan)" != "$(left_here)" ]; then
			not_ok "pattern $pattern" 'LeakSanitizer suppresses other leaks'
			diff <(left_lsan) <(left_here) | indent
			bad=1
		fi
	done <"$T/patterns"
	[ $bad = 0 ] && ok "$(wc -l <"$T/patterns") random patterns suppress what LeakSanitizer suppresses"
	bad=0
	for seed in 1 2 3 4 5 6 7 8; do
		# Some patterns together: which entry a leak is counted with.
		# LeakSanitizer's own frame is in its stacks: not these
		grep -vE '^[^a-z]*[o_/][^a-z]*$|^\^?\*?[o_/]\*|[/_]\*' "$T/patterns" |
		    shuf -n 6 --random-source=<(yes $seed) |
		    sed 's/^/  leak:/; s/$/ \t\r/; 1i # a comment\n' >"$T/s"
		left_here >"$T/left"
		if [ "$(used_lsan)" != "$(used_here)" ] ||
		    [ "$(left_lsan)" != "$(cat "$T/left")" ]; then
			not_ok "entries, file $seed" 'LeakSanitizer counts others'
			diff <(used_lsan) <(used_here) | indent
			bad=1
		fi
	done
	[ $bad = 0 ] && ok 'of several entries the same ones are used'
	printf '# zleaks: max-bytes=5K max-blocks=9\nleak:foo_foo\n' >"$T/s"
	same 'LeakSanitizer reads a file with limits' "$(left_lsan)" "$(left_here)"
	"$ZLEAKS" suppress -o "$T/s" "$T/r.db"
	same 'what zleaks suppress writes suffices for LeakSanitizer' '' "$(left_lsan)"
else
	skip 'as LeakSanitizer does' 'gcc -fsanitize=leak does not work here'
fi

# ---- Valgrind ---------------------------------------------------------

# shellcheck disable=SC2086
gcc $flags -DCOPY -o "$T/c" tests/tools/suppressed.c
# shellcheck disable=SC2086
g++ $flags -std=c++17 -o "$T/cc" tests/tools/suppressed.cc
valgrind_leaks()
{
	valgrind --leak-check=full --show-leak-kinds=definite,possible,indirect \
	    --errors-for-leak-kinds=definite,possible,indirect \
	    --error-exitcode=9 --leak-check-heuristics=none "$@" 2>&1
}
for program in c cc; do
	record "$T/v.db" "$T/$program"
	# which block of a cycle is its entry may differ
	"$ZLEAKS" suppress --kinds=definite,possible,indirect --format=valgrind \
	    "$T/v.db" | sed '/match-leak-kinds/d' >"$T/v.supp"
	valgrind_leaks "$T/$program" >"$T/out"
	same "$program: Valgrind finds leaks" 9 $?
	valgrind_leaks --suppressions="$T/v.supp" "$T/$program" >"$T/out"
	status=$?
	same "$program: none with what zleaks suppress wrote" 0 $status
	[ $status = 0 ] || grep -A12 'loss record' "$T/out" | indent 40

	valgrind_leaks --gen-suppressions=all "$T/$program" |
	    sed '/^==/d; /match-leak-kinds/d' >"$T/gen.supp"
	check "$program: Valgrind wrote entries" grep -q Memcheck:Leak "$T/gen.supp"
	"$ZLEAKS" --kinds=definite,possible,indirect --fail-on=possible \
	    --suppressions "$T/gen.supp" "$T/v.db" >"$T/out"
	status=$?
	same "$program: zleaks finds none with what Valgrind wrote" 0 $status
	[ $status = 0 ] || grep -A5 '^#' "$T/out" | indent 40
	# Its entries with everything but the first words of a name left out.
	sed -E 's/fun:(_Z[NK]*[0-9]+[a-zA-Z_]+).*/fun:\1*/' "$T/gen.supp" >"$T/loose.supp"
	"$ZLEAKS" --fail-on=possible --suppressions "$T/loose.supp" "$T/v.db" >/dev/null
	same "$program: with stars in mangled names too" 0 $?
	# Nothing is suppressed by entries for another program.
	sed 's/fun:\(_Z[NK]*[0-9]*\)[a-z]*/fun:\1q/; s/fun:alloc_foo/fun:alloc_fox/' \
	    "$T/gen.supp" | grep -v 'obj:' >"$T/other.supp"
	"$ZLEAKS" --fail-on=possible --suppressions "$T/other.supp" "$T/v.db" >/dev/null
	same "$program: other names do not match" 1 $?
done

# status NAME EXPECTED-STATUS EXPECTED-BYTES: with the file on stdin
with()
{
	cat >"$T/s"
	"$ZLEAKS" --json --suppressions "$T/s" "$T/r.db" >"$T/json" 2>"$T/err"
	same "$1: status" "$2" $?
	[ $# = 2 ] || same "$1: bytes" "$3" "$(sqlite3 -batch :memory: "SELECT
	    json_extract(readfile('$T/json'), '\$.summary.suppressed.bytes')")"
}
entry() { printf '{\n name\n Memcheck:Leak\n'; printf ' %s\n' "$@"; echo '}'; }
entry 'fun:malloc' 'fun:alloc_foo' | with 'C names' 1 2002
entry 'fun:calloc' 'fun:alloc_foo' | with 'another function allocated' 1 0
entry 'fun:calloc' 'fun:foo_foo' 'fun:main' | with 'calloc' 1 1003
entry 'fun:*alloc' 'fun:alloc_foo' 'fun:bar' | with 'prefix of the stack' 1 1001
entry 'fun:malloc' 'fun:bar' 'fun:alloc_foo' | with 'another order' 1 0
entry 'fun:malloc' '...' 'fun:foo_in_*' | with 'any number of frames' 1 2008
entry '...' 'fun:ma?n' | with 'question mark' 0 5019
entry '...' 'obj:*/leaky' 'fun:main' | with 'object' 0 5019
entry 'match-leak-kinds: possible' '...' 'fun:main' | with 'other kinds' 1 0
entry 'match-leak-kinds: definite,possible' '...' 'src:suppressed.c:*' | with 'source' 0 5019
sed 's/Memcheck/Addrcheck,Memcheck/' <(entry '...' 'fun:main') | with 'several tools' 0 5019
sed 's/Leak/Cond/' <(entry '...' 'fun:main') | with 'entries for other errors are skipped' 1 0
{ entry '...' 'fun:bar'; echo 'leak:foo_foo'; } | with 'both forms in one file' 1 4018

# ---- limits -----------------------------------------------------------

printf '# zleaks: max-bytes=2002 max-blocks=2\nleak:alloc_foo\n' | with 'at the limit' 1 2002
printf '# zleaks: max-bytes=2001\nleak:alloc_foo\n' | with 'a byte more' 1 0
printf '# zleaks: max-blocks=1\nleak:alloc_foo\n' | with 'a block more' 1 0
same 'a block more: said in JSON' 1 "$(sqlite3 -batch :memory: "SELECT
    json_extract(readfile('$T/json'), '\$.suppressions[0].over_limit')")"
"$ZLEAKS" --suppressions "$T/s" "$T/r.db" >"$T/out"
check 'a block more: said on the page' grep -q \
    '^  leak:alloc_foo  2,002 bytes in 2 blocks: more than max-blocks=1, not suppressed$' "$T/out"
printf '# zleaks: max-bytes=1K\nleak:bar\nleak:alloc_foo\n' | with 'a limit is for one entry' 1 2002
{ echo '# zleaks: max-blocks=1'; entry '...' 'fun:main'; } | with 'of a Valgrind entry' 1 0
"$ZLEAKS" suppress --limits "$T/r.db" | with 'zleaks suppress --limits' 0
"$ZLEAKS" suppress --limits --format=valgrind "$T/r.db" | with 'the same for Valgrind' 0

# ---- what cannot be read ----------------------------------------------

refused()
{
	local st
	cat >"$T/s"
	timeout 20 "$ZLEAKS" --suppressions "$T/s" "$T/r.db" >"$T/out" 2>"$T/err"
	st=$?
	if [ $st = 2 ] && [ "$(wc -l <"$T/err")" = 1 ] && [ ! -s "$T/out" ] &&
	    grep -q "$2" "$T/err"; then
		ok "$1"
	else
		not_ok "$1" "status $st, $(head -c 200 "$T/err")"
	fi
}
echo 'leak:' | refused 'an empty pattern' ':1: '
printf '\n\nrace:x\n' | refused 'another kind' ":3: 'race:x'"
printf '{\n a\n' | refused 'an entry without end' ":1: the entry has no '}'"
printf '{\n}\n' | refused 'an entry without a name' ':2: '
printf '{\n a\n Memcheck\n}\n' | refused 'an entry without a kind' ":3: 'Memcheck'"
printf '{\n a\n Memcheck:Leak\n}\n' | refused 'an entry without frames' ':1: '
entry 'fnu:x' | refused 'a misspelt frame' "'fnu:x' is not"
entry 'match-leak-kinds: defnite' 'fun:x' | refused 'a misspelt kind' "'defnite'"
printf '# zleaks: max-byte=3\nleak:x\n' | refused 'a misspelt limit' "'max-byte=3'"
printf 'leak:x\n# zleaks: max-bytes=3\n' | refused 'a limit without an entry' ':2: a limit'
printf 'leak:a\0b\n' | refused 'a NUL byte' ':1: a NUL'
head -c 100000 /dev/zero | tr '\0' x | refused 'a very long line' ':1: the line is too long'
head -c 5000 /dev/urandom | refused 'noise' 's:'

# Entries that Valgrind wrote, with lines lost, doubled and damaged: read or
# refused with one line.
python3 - "$T" <<'P'
import os, random, subprocess, sys
T = sys.argv[1]
base = open(T + "/gen.supp", "rb").read() + b"# zleaks: max-bytes=4K\nleak:^a*b$\n"
random.seed(11)
wrong = 0
for i in range(120):
	lines = base.split(b"\n")
	for _ in range(random.randint(1, 4)):
		k = random.randrange(len(lines))
		what = random.randrange(4)
		if what == 0: del lines[k]
		elif what == 1: lines.insert(k, lines[random.randrange(len(lines))])
		elif what == 2:
			b = bytearray(lines[k])
			for _ in range(3):
				if b: b[random.randrange(len(b))] = random.randrange(256)
			lines[k] = bytes(b)
		else: lines[k] = lines[k] * random.randint(1, 50)
	open(T + "/f", "wb").write(b"\n".join(lines))
	r = subprocess.run([os.environ["ZLEAKS"], "--suppressions", T + "/f", T + "/r.db"],
	    capture_output=True, timeout=20)
	if r.returncode not in (0, 1, 2) or (r.returncode == 2) != (r.stderr.count(b"\n") == 1):
		wrong += 1
		print("  file", i, r.returncode, r.stderr[:200])
print("ok damaged files" if not wrong else "not ok damaged files - %d" % wrong)
P
