#!/usr/bin/env bash
# unwind.sh - the recorder's walks equal libunwind's, each of them.
#
# A library is built that compares every walk with a full one by libunwind and
# aborts at the first difference (logger/walk_check.c); programs are recorded
# with it: one that makes all kinds of stacks, compiled in several ways, and
# real ones.  That the comparison works is shown by breaking the walks.
# shellcheck source=tests/lib.sh
. tests/lib.sh

CHECK=$BUILD/walk
export ZM_WALK_CHECK=$T/counts

# record NAME LEAST COMMAND...: its walks, all equal, were at least so many.
record()
{
	local name=$1 least=$2 checked
	shift 2
	rm -f "$T/counts"
	"$CHECK/zrecord" -q -o "$T/report.db" -- "$@" >/dev/null 2>"$T/err"
	if grep -q 'walks differ' "$T/err"; then
		not_ok "$name" 'a walk differs from libunwind'"'"'s'
		grep -A 60 'walks differ' "$T/err" | indent 60
		return
	fi
	checked=$(awk '$4 > n { n = $4 } END { print n + 0 }' "$T/counts" 2>/dev/null)
	if [ "${checked:-0}" -ge "$least" ]; then
		ok "$name"
		[ -z "${VERBOSE_WALKS-}" ] || indent <"$T/counts"
	else
		not_ok "$name" "only ${checked:-0} walks were compared, expected $least"
		indent <"$T/err"
	fi
}

if ! make -s -j2 SAN= WALK_CHECK=1 BUILD="$CHECK" lib >"$T/make" 2>&1; then
	not_ok build 'the comparing library does not build'
	indent <"$T/make"
	exit 0
fi
cp "$ZRECORD" "$CHECK/zrecord"
here=$PWD/tests/tools
cd "$T" || exit 1

# ---- all kinds of stacks ----------------------------------------------

${CC:-cc} -shared -fPIC -O2 -DMUCH=8 -o a.so "$here/walks_plugin.c"
${CC:-cc} -shared -fPIC -O2 -DMUCH=408 -fno-omit-frame-pointer -o b.so "$here/walks_plugin.c"
compile() { ${CXX:-c++} -w "$@" -o walks "$here/walks.cc" -lpthread -ldl; }

compile -O2
record 'gcc -O2' 120000 ./walks 1500
record 'gcc -O2, rules alone' 120000 ./walks 1200 sc
compile -O0
record 'gcc -O0' 30000 ./walks 400
compile -Os
record 'gcc -Os' 30000 ./walks 400
compile -O2 -fno-omit-frame-pointer
record 'frame pointers' 30000 ./walks 400
if [ "$(uname -m)" = x86_64 ]; then
	compile -O2 -mstackrealign -mno-red-zone
	record 'realigned stacks' 30000 ./walks 400
fi
compile -O3 -fno-plt -fcf-protection=full -fstack-protector-all -fstack-clash-protection
record 'gcc -O3, hardened' 30000 ./walks 400
if have clang++; then
	CXX=clang++ compile -O2 && record 'clang -O2' 30000 ./walks 400
fi

# The comparison notices: walks that believe what they remember.
compile -O2
"$CHECK/zrecord" -q -o report.db -- env ZM_WALK_BREAK=1 ./walks 500 sc >out 2>&1
if grep -q 'walks differ' out; then
	ok 'a broken walk is noticed'
else
	not_ok 'a broken walk is noticed' 'nothing was said'
fi

# ---- real programs ----------------------------------------------------

have python3 && record python3 200000 env PYTHONMALLOC=malloc python3 -S -c '
import json, re, threading
def work():
    d = [{str(i): [i, str(i) * 3]} for i in range(6000)]
    json.loads(json.dumps(d))
    re.findall("a+b", "aab" * 500)
t = [threading.Thread(target=work) for _ in range(2)]
[x.start() for x in t]; [x.join() for x in t]'
have perl && record perl 20000 perl -e '
my %h; for my $i (1..20000) { $h{"k$i"} = [ map { "x" x $_ } 1..3 ]; }
sub f { my $n = shift; return $n ? [ f($n - 1) ] : {}; } f(60) for 1..200;
my $s = join ",", sort keys %h; $s =~ s/k(\d)/$1$1/g;'
if have gcc; then
	for i in $(seq 300); do
		echo "int f$i(int *p, int n) { int s = $i; for (int i = 0; i < n; i++) s += p[i] * $i; return s; }"
	done >big.c
	record gcc 100000 gcc -O2 -c -o big.o big.c
fi
have sqlite3 && record sqlite3 20000 sqlite3 :memory: '
create table t(a integer primary key, b text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
insert into t select i, hex(i * 7919) from n;
create index x on t(b); select count(distinct substr(b, 1, 3)) from t;
select group_concat(b) from (select b from t order by b desc limit 3000);'
if have git; then
	git init -q repo && for i in 1 2 3 4 5 6; do
		seq $i 200 >repo/f$i
		git -C repo add . && git -C repo -c user.name=a -c user.email=a@b commit -qm "$i"
	done
	record git 500 git -C repo log -p --stat
fi
have xmllint && {
	echo '<r>'
	for i in $(seq 5000); do echo "<e i='$i'><n>text $i</n></e>"; done
	echo '</r>'
} >big.xml && record xmllint 20000 xmllint --noout big.xml
have jq && seq 20000 >big.json && record jq 20000 jq -s 'map({ a: ., b: [., tostring] }) | length' big.json
exit 0
