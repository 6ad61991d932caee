#!/usr/bin/env bash
# plain_programs.sh - programs of other people with the library preloaded and
# tracing off: output, errors and exit status are those of a run without it.
# What is not installed is skipped.
. tests/lib.sh
ulimit -c 0
export PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0 PERL_HASH_SEED=0
export PYTHONMALLOC=malloc HOME=$T TZ=UTC

# alike NAME PROGRAM...: runs it twice, each time in an empty folder.
alike()
{
	local name=$1 want got
	shift
	have "$1" || { skip "$name" "no $1"; return; }
	rm -rf "$T/d" "$T/1" "$T/2"
	mkdir "$T/d"
	(cd "$T/d" && exec "$@") >"$T/out1" 2>"$T/err1" </dev/null
	want=$?
	mv "$T/d" "$T/1"
	mkdir "$T/d"
	(cd "$T/d" && LD_PRELOAD=$LIB exec "$@") >"$T/out2" 2>"$T/err2" \
	    </dev/null
	got=$?
	mv "$T/d" "$T/2"
	same "$name: exit status" $want $got
	same_file "$name: stdout" "$T/out1" "$T/out2"
	same_file "$name: stderr" "$T/err1" "$T/err2"
	same "$name: files" '' "$(diff -r "$T/1" "$T/2" 2>&1 | head -n 5)"
}

# ---- data --------------------------------------------------------------

awk 'BEGIN { srand(7); for (i = 0; i < 20000; i++)
	printf "%d,%s%d,%f\n", i, substr("abcdefghij", 1 + int(rand() * 9)),
	    rand() * 1000, rand() }' >"$T/data.csv"
awk -F, 'BEGIN { print "[" } { printf "%s{\"id\":%d,\"name\":\"%s\",\"v\":%s}\n",
	(NR > 1 ? "," : ""), $1, $2, $3 } END { print "]" }' "$T/data.csv" \
	>"$T/data.json"
awk -F, 'BEGIN { print "<r>" } { printf "<e id=\"%d\"><n>%s</n>%s</e>\n",
	$1, $2, $3 } END { print "</r>" }' "$T/data.csv" >"$T/data.xml"
awk 'BEGIN {
	print "#include <map>\n#include <string>\n#include <vector>\n#include <cstdio>"
	for (i = 0; i < 60; i++)
		printf "struct s%d { int a[%d]; std::string n; std::map<int, s%s> *m; };\n" \
		    "int f%d(std::vector<s%d> &v) { v.resize(%d); return (int)v.size(); }\n",
		    i, i + 1, i ? i - 1 : "0", i, i, i * 3
	print "int main() { int n = 0;"
	for (i = 0; i < 60; i++)
		printf "{ std::vector<s%d> v; n += f%d(v); }\n", i, i
	print "std::printf(\"%d\\n\", n); }" }' >"$T/prog.cc"
printf '#include <stdio.h>\nint main(void) { int x[100] = {0}, n = 0;\n' >"$T/prog.c"
for i in $(seq 500); do
	echo "for (int i = 0; i < 100; i++) { x[i] += i * $i; n ^= x[i] % ($i + 1); }"
done >>"$T/prog.c"
echo 'printf("%d\n", n); return 0; }' >>"$T/prog.c"

# ---- interpreters -------------------------------------------------------

alike python3 python3 -c 'import json, re, collections
d = json.load(open("'"$T"'/data.json"))
c = collections.Counter(re.sub("[0-9]", "", e["name"]) for e in d)
print(sorted(c.items())); s = "".join(str(i) for i in range(200000)); print(hash(s))'
alike 'python3 threads' python3 -c 'import threading, queue
q, r = queue.Queue(), []
def w():
    while (n := q.get()) is not None: r.append(len("x" * n) + sum(range(n)))
t = [threading.Thread(target=w) for _ in range(6)]
[x.start() for x in t]; [q.put(i) for i in range(3000)]; [q.put(None) for _ in t]
[x.join() for x in t]; print(sum(r))'
alike 'python3 processes' python3 -c 'import multiprocessing as m
if __name__ == "__main__":
    m.set_start_method("fork")
    with m.Pool(3) as p: print(sum(p.map(len, ["x" * i for i in range(500)])))'
alike 'python3 ctypes' python3 -c 'import ctypes
l = ctypes.CDLL(None); l.malloc.restype = ctypes.c_void_p
p = [l.malloc(ctypes.c_size_t(i)) for i in range(1000)]
[l.free(ctypes.c_void_p(x)) for x in p]; print("done")'
alike perl perl -e 'my %h; open my $f, "<", shift; while (<$f>) { my @a = split /,/;
	push @{$h{length $a[1]}}, $a[2] } print "$_ ", scalar @{$h{$_}}, "\n" for sort keys %h' \
	"$T/data.csv"
alike node node -e 'const d = JSON.parse(require("fs").readFileSync(process.argv[1]));
	console.log(d.filter(e => e.v > 0.99).length, d.map(e => e.name).sort()[500])' "$T/data.json"
alike lua lua -e 't = {} for i = 1, 200000 do t[i] = tostring(i) .. "x" end
	table.sort(t) print(#table.concat(t), t[777])'
alike bash bash -c 'declare -A a; for i in {1..20000}; do a[k$i]=$((i * i)); done
	echo ${#a[@]} ${a[k777]}; echo $(for j in {1..50}; do (echo $j | cat); done)'
alike awk awk -F, '{ s[$2] += $3 } END { n = 0; for (k in s) n++; print n }' "$T/data.csv"
alike java java -version

# ---- developers' tools --------------------------------------------------

alike gcc gcc -O2 -Wall -c -o o.o "$T/prog.c"
alike g++ g++ -O1 -std=c++17 -S -o o.s "$T/prog.cc"
alike clang clang -O2 -c -o o.o "$T/prog.c"
alike clang++ clang++ -O1 -std=c++17 -S -o o.s "$T/prog.cc"
alike git bash -c 'export GIT_AUTHOR_DATE="2020-01-01 00:00" GIT_COMMITTER_DATE="2020-01-01 00:00"
	git -c init.defaultBranch=m init -q . && git config user.email a@example.org &&
	git config user.name a && git config gc.auto 0
	for i in 1 2 3 4; do seq $i 3000 >f; git add f; git commit -qm $i; done
	git --no-pager log -p --stat | tail -n 50; git repack -adq; git fsck; rm -rf .git'
alike make make -f - -n
alike gdb gdb -nx -batch -ex 'info line main' -ex 'disassemble main' /bin/true
alike readelf readelf -a /bin/sh
alike objdump objdump -d /bin/true

# ---- data ---------------------------------------------------------------

alike sqlite3 sqlite3 t.db '.mode csv' ".import $T/data.csv d" 'create table e as
	select *, row_number() over (order by rowid) as n from d; create index i on e(n);
	select count(*), sum(n) from e; delete from e where n % 3 = 0; vacuum;
	select count(*) from e; pragma integrity_check;'
alike jq jq -c '[group_by(.name | length)[] | {n: length, m: (map(.v) | max)}]' "$T/data.json"
alike xmllint xmllint --format --xpath 'count(//e[n])' "$T/data.xml"
alike xmllint xmllint --format "$T/data.xml"
alike sort sort -t, -k3 --parallel=2 "$T/data.csv"
alike tar tar czf a.tar.gz --mtime=2020-01-01 -C "$T" data.csv data.json
alike xz xz -6 -T2 -k -c "$T/data.csv"
alike grep grep -E '([a-j]+)[0-9]*,\1' "$T/data.csv"
alike openssl openssl dgst -sha256 "$T/data.csv"
alike curl curl -s "file://$T/data.csv"

# ---- servers ------------------------------------------------------------

# Answers of a server that runs with the library.
if have redis-server redis-cli redis-benchmark; then
	(cd "$T" && LD_PRELOAD=$LIB exec redis-server --port 0 --save '' \
	    --unixsocket "$T/s") >"$T/redis.log" 2>&1 &
	server=$!
	for _ in $(seq 100); do redis-cli -s "$T/s" ping >/dev/null 2>&1 && break; sleep 0.1; done
	redis-benchmark -s "$T/s" -n 20000 -c 20 -q \
	    -t set,get,lpush,lrange_100,sadd,hset >"$T/bench" 2>&1
	same 'redis-server: benchmark' 0 $?
	redis-cli -s "$T/s" set k v >/dev/null
	same 'redis-server: answers' v "$(redis-cli -s "$T/s" get k)"
	same 'redis-server: saves in a child' OK "$(redis-cli -s "$T/s" save)"
	redis-cli -s "$T/s" shutdown nosave >/dev/null 2>&1
	wait $server
	same 'redis-server: exit status' 0 $?
else
	skip redis-server 'not installed'
fi
if have nginx curl; then
	mkdir -p "$T/www"
	cp "$T/data.csv" "$T/www/index.html"
	chmod 755 "$T" "$T/www"
	cat >"$T/nginx.conf" <<-END
	daemon off; user $(id -un); worker_processes 2; pid $T/nginx.pid; error_log $T/nginx.err;
	events { worker_connections 64; }
	http { access_log off; gzip on; gzip_types text/html;
	client_body_temp_path $T/n1; proxy_temp_path $T/n2; fastcgi_temp_path $T/n3;
	uwsgi_temp_path $T/n4; scgi_temp_path $T/n5;
	server { listen unix:$T/web; root $T/www; } }
	END
	LD_PRELOAD=$LIB nginx -e "$T/nginx.err" -c "$T/nginx.conf" >"$T/nginx.out" 2>&1 &
	server=$!
	for _ in $(seq 100); do [ -S "$T/web" ] && break; sleep 0.1; done
	good=0
	for _ in $(seq 40); do
		curl -s --compressed --unix-socket "$T/web" http://localhost/ |
		    cmp -s - "$T/data.csv" && good=$((good + 1))
	done
	same 'nginx: answers' 40 $good
	kill -HUP $server && sleep 0.5
	curl -s --unix-socket "$T/web" http://localhost/ | cmp -s - "$T/data.csv"
	same 'nginx: answers after a reload' 0 $?
	kill -QUIT $server
	wait $server
	same 'nginx: exit status' 0 $?
else
	skip nginx 'not installed'
fi
