#!/usr/bin/env bash
# leaks_page.sh - the leak report as a person reads it: what fits a terminal,
# what is folded, left out and counted, where it leads on; and what is said of
# a program that ends while threads of it run.
. tests/lib.sh
export ZLEAKS

g++ -g -O1 -std=c++17 -fno-optimize-sibling-calls -o "$T/cc" tests/tools/suppressed.cc 2>/dev/null
g++ -g -O0 -std=c++17 -o "$T/deep" tests/tools/rebuilt.cc
record "$T/cc.db" "$T/cc"
record "$T/deep.db" "$T/deep" 1 2 3 4 5 6 7 8

# on_terminal COLUMNS COMMAND...: its output on a terminal of that width
on_terminal()
{
	python3 -c '
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
	fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, int(sys.argv[1]), 0, 0))
	os.environ["TERM"] = "xterm"
	os.execvp(sys.argv[2], sys.argv[2:])
while True:
	try: data = os.read(fd, 65536)
	except OSError: break
	if not data: break
	os.write(1, data.replace(b"\r", b""))
os.waitpid(pid, 0)' "$@"
}
plain() { sed 's/\x1b\[[0-9;]*m//g'; }

# ---- width ------------------------------------------------------------

for report in cc deep; do
	for columns in 80 100 160; do
		on_terminal $columns "$ZLEAKS" --kinds=all "$T/$report.db" >"$T/out"
		# the line for grep and the commands to copy are as long as they are
		wide=$(plain <"$T/out" | grep -v '^SUMMARY\|^  /.*/zleaks ' |
		    awk -v n=$columns 'length > n' | head -n 3)
		same "$report, $columns columns: no line is longer" '' "$wide"
		check "$report, $columns columns: in colour" grep -q "$(printf '\033\\[1;31m')definite" "$T/out"
	done
	"$ZLEAKS" --kinds=all "$T/$report.db" >"$T/out"
	check "$report, in a pipe: no colour" [ "$(plain <"$T/out" | cmp - "$T/out" && echo same)" = same ]
done
on_terminal 80 "$ZLEAKS" --kinds=all "$T/cc.db" | plain >"$T/80"
on_terminal 160 "$ZLEAKS" --kinds=all "$T/cc.db" | plain >"$T/160"
check 'narrow: functions end as they do' grep -Eq ' (shop|\.\.).*::put\(.*\) +tests/tools/suppressed.cc:[0-9]+$' "$T/80"
check 'wide: parameters are there' grep -q 'Registry<..>::put(std::__cxx11::basic_string<..> const&, std::vector<..>)' "$T/160"
check 'paths are relative' [ "$(grep -c "$PWD/tests" "$T/80" "$T/160" | grep -vc ':0$')" = 0 ]
same 'both have the same groups' "$(grep -c '^#' "$T/80")" "$(grep -c '^#' "$T/160")"
same 'COLUMNS is respected' '' "$(COLUMNS=90 on_terminal 160 "$ZLEAKS" --kinds=all "$T/cc.db" |
    plain | grep -v '^SUMMARY\|^  /.*/zleaks ' | awk 'length > 90')"

# ---- folding ----------------------------------------------------------

"$ZLEAKS" --focus='^recurse' "$T/deep.db" >"$T/out"
# argc is 9, so that recurse calls itself 12 times: 13 frames, of which the
# innermost calls malloc
same 'recursion is one line and its count' '2 11' \
    "$(grep -c ' recurse(int)' "$T/out") $(sed -n 's/^ *\.\. \([0-9]*\) more times$/\1/p' "$T/out")"
same '-n 0 shows every frame' 13 "$("$ZLEAKS" -n 0 --focus='^recurse' "$T/deep.db" | grep -c ' recurse(int)')"
"$ZLEAKS" --kinds=indirect --focus='leak_map' "$T/deep.db" >"$T/out"
check 'what is inside the library is one line' grep -Eq 'std::.*\(\+[0-9]+ inside\)$' "$T/out"
cat >"$T/tall.c" <<'C'
#include <stdlib.h>
void *volatile sink;
int f0(int n) { sink = malloc(100); sink = 0; return n; }
C
for i in $(seq 1 60); do echo "__attribute__((noinline)) int f$i(int n) { return f$((i - 1))(n + 1) + $i; }"; done >>"$T/tall.c"
echo 'int main(void) { char b[4096]; int r = f60(1); for (int i = 0; i < 4096; i++) ((volatile char *)b)[i] = 0; return r == 0; }' >>"$T/tall.c"
gcc -O0 -g -o "$T/tall" "$T/tall.c" && record "$T/tall.db" "$T/tall"
"$ZLEAKS" "$T/tall.db" >"$T/out"
same 'a tall stack: innermost, outermost, the rest counted' '20 8 34' \
    "$(grep -cE '^    [ >] f([0-9]|1[0-9]) ' "$T/out") $(grep -cE ' (f5[4-9]|f60|main) ' "$T/out") $(sed -n 's/^ *\.\. \([0-9]*\) frames (-n 0.*/\1/p' "$T/out")"
same 'a tall stack, -n 0' 62 "$("$ZLEAKS" -n 0 "$T/tall.db" | grep -cE '^    [ >] (f[0-9]+|main) ')"

# ---- what is next -----------------------------------------------------

"$ZLEAKS" --fail-on=definite:1 "$T/cc.db" >"$T/out"
check 'a broken limit is said' grep -Eq '^Failed: definite leaks: .*, --fail-on allows 1 byte$' "$T/out"
"$ZLEAKS" --fail-on=definite:1M "$T/cc.db" >"$T/out"
check 'one that is kept is not' [ "$(grep -c '^Failed' "$T/out")" = 0 ]
cp "$T/cc.db" "$T/a 'name.db"
"$ZLEAKS" "$T/a 'name.db" >"$T/out"
sed -n '/^Next$/,/^$/s/^  \(.*db.\)  .*/\1/p' "$T/out" >"$T/next"
check 'there are commands to go on with' [ -s "$T/next" ]
while read -r command; do
	bash -c "$command" >"$T/o" 2>"$T/e" </dev/null
	check "it works: ${command##*zleaks }" [ $? -le 1 -a -s "$T/o" -a ! -s "$T/e" ]
done <"$T/next"
record "$T/two.db" sh -c "'$T/cc'; '$T/deep'; true"
"$ZLEAKS" "$T/two.db" >"$T/out"
same 'several processes: the sum of what is lost' \
    "$(query "$T/two.db" "SELECT sum(bytes), sum(blocks) FROM leak_by_stack WHERE kind = 'definite'")" \
    "$(sed -n '/^  all processes/,/^$/p' "$T/out" | awk '$1 == "definite" { gsub(",", ""); print $2, $3 }')"

# ---- threads that run on ----------------------------------------------

gcc -O1 -g -o "$T/late" tests/tools/late.c -lpthread
late=0
for i in 1 2 3 4 5 6; do
	record "$T/late.db" "$T/late"
	same "threads run on, $i: zleaks" 0 "$("$ZLEAKS" "$T/late.db" >"$T/out"; echo $?)"
	state=$(query "$T/late.db" 'SELECT recording FROM process')
	same "threads run on, $i: complete" complete "$state"
	n=$(query "$T/late.db" "SELECT count(*) FROM block WHERE leak_kind = 'unscanned'")
	[ "$n" = 0 ] || { late=1; cp "$T/late.db" "$T/kept.db"; cp "$T/out" "$T/kept"; }
	rm -f "$T"/late.db*
done
if [ $late = 1 ]; then
	check 'what came later is counted and explained' grep -Eq \
	    '^  unscanned .* allocated after the scan, by threads that ran on$' "$T/kept"
	same 'it is listed as no leak, and not in the line for grep' '0 0' \
	    "$(grep -c '^#.*unscanned' "$T/kept") $(tail -n 1 "$T/kept" | grep -c unscanned)"
	# The same blocks, had they been there before the scan.
	sqlite3 "$T/kept.db" "UPDATE process_info SET recording = 'x not seen by the leak scan'"
	same 'it would be, had the scan missed it' 3 "$("$ZLEAKS" "$T/kept.db" >/dev/null; echo $?)"
fi
