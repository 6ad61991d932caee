#!/usr/bin/env bash
# programs.sh - programs of other people behave under zrecord as without it:
# output, errors and exit status are the same, the report opens with zleaks,
# and no process in it is called complete that was not recorded to its end.
. tests/lib.sh
ulimit -c 0
export PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0 PERL_HASH_SEED=0

# unchanged NAME COMMAND...
unchanged()
{
	local name=$1 want got
	shift
	(cd "$T/a" && exec "$@") >"$T/out1" 2>"$T/err1" </dev/null
	want=$?
	(cd "$T/b" && exec "$ZRECORD" -q -o "$T/r.db" -- "$@") \
	    >"$T/out2" 2>"$T/err2" </dev/null
	got=$?
	same "$name: exit status" $want $got
	same_file "$name: stdout" "$T/out1" "$T/out2"
	same_file "$name: stderr" "$T/err1" "$T/err2"
	opens "$name" "$T/r.db"
	rm -rf "$T"/r.db* "$T/a" "$T/b"
	mkdir "$T/a" "$T/b"
}

# The report is readable, whole, and honest about what is missing.
opens()
{
	local status incomplete
	"$ZLEAKS" "$2" >"$T/report" 2>"$T/report.err" </dev/null
	status=$?
	# exec ends a row, its program goes on in the next one
	incomplete=$(query "$2" "SELECT count(*) FROM process
	    WHERE recording <> 'complete' AND recording NOT LIKE 'exec''ed %'")
	case $status,$incomplete in
	[01],0 | 3,[1-9]*) ok "$1: zleaks opens the report" ;;
	*) not_ok "$1: zleaks opens the report" \
		"status $status, $incomplete incomplete processes"
	    cat "$T/report.err" | indent
	    query "$2" 'SELECT pid, command, recording FROM process
		WHERE recording <> '"'complete'" | indent ;;
	esac
	same "$1: report is sound" ok "$(query "$2" 'PRAGMA integrity_check')"
	same "$1: complete means complete" '' "$(query "$2" "
	    SELECT pid, command, ended, exit_code, signal, lost_events
	    FROM process WHERE recording = 'complete' AND
		(ended IS NULL OR lost_events > 0 OR signal = 9 OR
		exit_code IS NULL AND signal IS NULL AND NOT EXISTS
		(SELECT 1 FROM process next WHERE next.pid = process.pid AND
		    next.process_id > process.process_id) OR EXISTS
		(SELECT 1 FROM block WHERE leak_kind = 'unscanned' AND
		    block.process_id = process.process_id))")"
	# true(1) may do without memory
	case $1 in true | false) return ;; esac
	check "$1: something was recorded" [ "$(query "$2" "SELECT
	    coalesce(sum(allocations), 0) > 0 FROM process")" = 1 ]
}

mkdir "$T/a" "$T/b"

unchanged 'true' true
unchanged 'false' false
unchanged 'exit status' sh -c 'echo out; echo err >&2; exit 77'

# ---- interpreters -----------------------------------------------------

if have python3; then
	unchanged 'python3' python3 -c 'import json, re, sys
print(json.dumps(sorted(re.findall("[a-z]+", "a quick brown fox" * 100))))
print("to stderr", file=sys.stderr); sys.exit(3)'
	unchanged 'python3 threads' python3 -c 'import threading
def work(n): out[n] = sum(len(str(i)) for i in range(20000))
out = {}
t = [threading.Thread(target=work, args=(i,)) for i in range(8)]
[x.start() for x in t]; [x.join() for x in t]; print(sorted(out.items()))'
	unchanged 'python3 subprocess' python3 -c 'import subprocess
print(subprocess.run(["sh", "-c", "echo child; exit 5"],
    capture_output=True, text=True))'
	unchanged 'python3 fork' python3 -c 'import os, sys
for i in range(3):
    p = os.fork()
    if p == 0: os._exit(i)
    print(os.waitpid(p, 0)[1]); sys.stdout.flush()'
	unchanged 'python3 exception' python3 -c 'def f(): raise ValueError(1)
f()'
else
	skip 'python3' 'no python3'
fi
if have perl; then
	unchanged 'perl' perl -e 'use strict; my %h; $h{$_ % 97} .= $_ for 1 .. 50000;
	    print "$_ ", length $h{$_}, "\n" for sort { $a <=> $b } keys %h;
	    print STDERR "end\n"; exit 9'
else
	skip 'perl' 'no perl'
fi
if have node; then
	unchanged 'node' node -e 'const a = Array.from({length: 50000}, (_, i) => ({i, s: "x" + i}));
	    console.log(a.filter(o => o.i % 1000 == 0).map(o => o.s).join());
	    setTimeout(() => { console.error("late"); process.exit(4); }, 20)'
else
	skip 'node' 'no node'
fi

# ---- developers' tools ------------------------------------------------

if have git && git -c init.defaultBranch=main init -q "$T/repo" 2>/dev/null; then
	(
		cd "$T/repo" || exit
		git config user.name tester
		git config user.email tester@example.org
		for i in 1 2 3 4 5 6 7 8; do
			seq $i $((i * 400)) >file$i
			git add . && git commit -q -m "commit $i"
		done
	) >/dev/null 2>&1
	unchanged 'git log' git -C "$T/repo" --no-pager log --stat -p
	unchanged 'git fsck' git -C "$T/repo" fsck --no-progress
else
	skip 'git' 'no git'
fi

# A source file of some size: the compiler, its children, and what they make.
awk 'BEGIN {
	print "#include <stdio.h>\n#include <stdlib.h>"
	for (i = 0; i < 600; i++) {
		printf "struct s%d { int a; char b[%d]; double c; };\n", i, i + 1
		printf "int f%d(int x, struct s%d *s)\n{\n", i, i
		print "\tfor (int i = 0; i < x; i++) {"
		printf "\t\ts->a += i * %d; s->c += s->a / 3.0;\n", i
		printf "\t\tif (s->a > %d) s->b[i %% %d] = (char)s->a;\n\t}\n", i * 7, i + 1
		print "\treturn s->a;\n}"
	}
	print "int main(void)\n{\n\tint n = 0;"
	for (i = 0; i < 600; i++)
		printf "\tstruct s%d v%d = {0};\n\tn += f%d(%d, &v%d);\n", i, i, i, i % 9, i
	print "\tprintf(\"%d\\n\", n);\n}"
}' >"$T/large.c"
unchanged 'gcc' gcc -O1 -Wall -Wextra -c -o large.o "$T/large.c"
gcc -O1 -o "$T/large1" "$T/large.c"
record "$T/r.db" gcc -O1 -o "$T/large2" "$T/large.c"
same_file 'gcc: the program is the same' "$T/large1" "$T/large2"
check 'gcc: its children are in the report' [ "$(query "$T/r.db" "SELECT
    count(DISTINCT exe) >= 3 FROM process")" = 1 ]
rm -f "$T"/r.db*
unchanged 'gcc, an error' gcc -c -o /dev/null "$T/err1" -xc "$T/no-such-file.c"

printf '%s\n' 'all: a b c' 'a b c: ; @echo $@; sh -c "exit 0"' \
    'fail: ; @echo failing; exit 3' >"$T/makefile"
unchanged 'make' make -f "$T/makefile"
unchanged 'make -k fail' make -k -f "$T/makefile" fail

# ---- small tools, many of them ----------------------------------------

unchanged 'sqlite3' sqlite3 :memory: "CREATE TABLE t (a, b);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
    INSERT INTO t SELECT i, hex(i * i) FROM n; CREATE INDEX x ON t (b);
    SELECT length(b), count(*), max(b) FROM t GROUP BY 1; SELECT nonsense;"
seq 1 60000 | awk '{ print ($1 * 7919) % 60013, "word" $1 % 100 }' >"$T/words"
unchanged 'sort' sort -n "$T/words"
unchanged 'awk' awk '{ n[$2] += $1 } END { for (w in n) s += n[w]; print s }' \
    "$T/words"
unchanged 'tar' tar -C "$T" -cf - --mtime=@0 words large.c
unchanged 'grep' grep -c 'word9[0-9]*$' "$T/words"

cat >"$T/children.sh" <<'SH'
#!/bin/sh
echo "start $#"
ls / | wc -l >/dev/null
for i in 1 2 3; do
	( echo "child $i"; exit "$i" )
	echo "status $?"
done
seq 1 1000 | sort -r | head -n 3
sleep 0.1 & wait
sh -c 'kill -9 $$'; echo "killed $?"
sh -c 'kill -SEGV $$'; echo "crashed $?"
trap 'echo last words; exit 6' EXIT
nosuchcommand
SH
unchanged 'shell script with children' sh "$T/children.sh" one two

# Each process prints its number; each is in the report, the killed one is not
# called complete.
record "$T/r.db" sh -c 'echo $$; for i in 1 2 3; do sh -c "echo \$\$; :" ; done
    sh -c "echo killed \$\$; kill -9 \$\$; :"; exit 0' >"$T/pids" 2>/dev/null
missing=
while read -r word pid; do
	[ "$word" = killed ] || pid=$word
	# complete, exit code, signal
	got=$(query "$T/r.db" "SELECT max(recording = 'complete'),
	    coalesce(max(exit_code), 0), max(signal) FROM process WHERE pid = $pid")
	case $word,$got in
	killed,'0 0 9' | [0-9]*,'0 0 ' | [0-9]*,'1 0 ') ;;
	*) missing="$missing $pid ($got)" ;;
	esac
done <"$T/pids"
same 'children: each is in the report, its end told rightly' '' "$missing"

# ---- what zrecord says ------------------------------------------------

"$ZRECORD" -o "$T/r.db" -- sh -c 'echo out; echo err >&2' >"$T/out" 2>"$T/err"
same 'without -q: stdout is the command'"'s" out "$(cat "$T/out")"
check 'without -q: the next command is told' \
    grep -q "zleaks $T/r.db" "$T/err"
( cd "$T/a" && "$ZRECORD" true 2>"$T/err" )
check 'without -o: report.db' [ -s "$T/a/report.db" ]
check 'options end at the command' [ "$("$ZRECORD" -q -o "$T/r2.db" echo -o x)" = '-o x' ]
for signal in TERM:143 INT:130 SEGV:139 KILL:137 ABRT:134; do
	record "$T/r2.db" sh -c "kill -${signal%:*} \$\$" 2>/dev/null
	same "SIG${signal%:*}: exit status" "${signal#*:}" $?
done
