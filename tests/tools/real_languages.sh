#!/usr/bin/env bash
# shellcheck disable=SC2016 # scripts for tests/real.sh
# real_languages.sh - interpreters, compilers with a runtime of their own,
# shells and editors with the library preloaded; see tests/real.sh.
. tests/real.sh

# ---- scripting languages --------------------------------------------------

program python3 python3-minimal python3:python3* '
python3 -c "import json, re, collections
d = json.load(open(\"$D/data.json\"))
c = collections.Counter(re.sub(\"[0-9]\", \"\", e[\"name\"]) for e in d)
print(sorted(c.items())); s = \"\".join(str(i) for i in range(100000)); print(hash(s))"'
program 'python3 threads' python3-minimal python3:python3* '
python3 -c "import threading, queue
q, r = queue.Queue(), []
def w():
    while (n := q.get()) is not None: r.append(len(\"x\" * n) + sum(range(n)))
t = [threading.Thread(target=w) for _ in range(6)]
[x.start() for x in t]; [q.put(i) for i in range(1500)]; [q.put(None) for _ in t]
[x.join() for x in t]; print(sum(r))"'
program 'python3 processes' python3 python3:python3* '
python3 -c "import multiprocessing as m
if __name__ == \"__main__\":
    m.set_start_method(\"fork\")
    with m.Pool(3) as p: print(sum(p.map(len, [\"x\" * i for i in range(500)])))"'
program 'python3 ctypes' python3-minimal python3:python3* '
python3 -c "import ctypes
for l in ctypes.CDLL(None), ctypes.CDLL(\"libc.so.6\"):
    l.malloc.restype = l.strdup.restype = ctypes.c_void_p
    p = [l.malloc(ctypes.c_size_t(i)) for i in range(1000)] + [l.strdup(b\"xyz\")]
    [l.free(ctypes.c_void_p(x)) for x in p]
print(\"done\")"'
program perl perl perl '
perl -e "my %h; open my \$f, \"<\", shift; while (<\$f>) { my @a = split /,/;
    push @{\$h{length \$a[1]}}, \$a[2] }
    print \"\$_ \", scalar @{\$h{\$_}}, \"\n\" for sort keys %h; exit 3" $D/data.csv'
program ruby ruby ruby '
ruby -e "require %q(json); d = JSON.parse(File.read(ENV[%q(D)] + %q(/data.json)))
puts d.group_by { |e| e[%q(name)].size }.map { |k, v| [k, v.size] }.sort.inspect
t = 4.times.map { |i| Thread.new { (1..5000).map { |j| (%q(x) * (j % 90)) + i.to_s }.uniq.size } }
p t.map(&:value); GC.start; p Process.wait2(fork { exit 7 })[1].exitstatus"'
program lua lua5.4 lua:lua* '
lua -e "t = {} for i = 1, 100000 do t[i] = tostring(i) .. [[x]] end
    table.sort(t) print(#table.concat(t), t[777])"'
program tcl tcl tclsh:tclsh* '
echo "for {set i 0} {\$i < 40000} {incr i} { dict set d k\$i [string repeat x [expr {\$i % 50}]] }
set n 0; dict for {k v} \$d { incr n [string length \$v] }
puts \"\$n [llength [lsort [dict keys \$d]]]\"; exit 5" >t.tcl; tclsh t.tcl'
program guile guile-3.0 guile:guile* '
guile --no-auto-compile -c "(use-modules (ice-9 hash-table) (srfi srfi-1))
(define h (make-hash-table))
(do ((i 0 (1+ i))) ((= i 30000)) (hash-set! h i (number->string (* i i i))))
(display (fold + 0 (map string-length (hash-map->list (lambda (k v) v) h)))) (newline)"'
program php php-cli php:php* '
php -n -r "\$d = json_decode(file_get_contents(getenv(\"D\") . \"/data.json\"), true);
foreach (\$d as \$e) @\$c[strlen(\$e[\"name\"])]++; ksort(\$c); print_r(\$c);
usort(\$d, fn(\$a, \$b) => \$a[\"v\"] <=> \$b[\"v\"]); echo \$d[77][\"name\"], \"\n\"; exit(4);"'
# Its modules are opened with RTLD_DEEPBIND; without Zend's pools each of them
# uses malloc for everything.
program 'php, all its modules' php-cli php:php* '
php -r "\$m = get_loaded_extensions(); sort(\$m); echo implode(\" \", \$m), \"\n\";"
USE_ZEND_ALLOC=0 php -r "
if (class_exists(\"DOMDocument\")) { \$x = new DOMDocument; \$x->load(getenv(\"D\") . \"/data.xml\");
    \$p = new DOMXPath(\$x); echo \$p->query(\"//e[n]\")->length, strlen(\$x->saveXML()), \"\n\"; }
if (class_exists(\"PDO\") && in_array(\"sqlite\", PDO::getAvailableDrivers())) {
    \$b = new PDO(\"sqlite::memory:\"); \$b->exec(\"create table t(a, b)\");
    for (\$i = 0; \$i < 2000; \$i++) \$b->exec(\"insert into t values (\$i, hex(\$i))\");
    print_r(\$b->query(\"select count(*), max(b) from t\")->fetchAll()); }
if (function_exists(\"mb_strtoupper\")) echo md5(mb_strtoupper(file_get_contents(getenv(\"D\") . \"/data.csv\"))), \"\n\";
if (function_exists(\"curl_init\")) { \$c = curl_init(\"file://\" . getenv(\"D\") . \"/data.csv\");
    curl_setopt(\$c, CURLOPT_RETURNTRANSFER, 1); echo md5(curl_exec(\$c)), \"\n\"; }
if (function_exists(\"imagecreatetruecolor\")) { \$i = imagecreatetruecolor(90, 90);
    imagefilledellipse(\$i, 40, 40, 50, 60, 0xff8040); imagepng(\$i, \"a.png\"); }
if (class_exists(\"ZipArchive\")) { \$z = new ZipArchive; \$z->open(\"a.zip\", ZipArchive::CREATE);
    \$z->addFromString(\"a\", str_repeat(\"abc\", 9999)); \$z->setMtimeName(\"a\", 1600000000); \$z->close(); }
echo preg_replace(\"/(a+)b/\", \"x\", str_repeat(\"aab\", 50)), \"\n\";"'
program node nodejs node '
node -e "const d = JSON.parse(require(\"fs\").readFileSync(process.env.D + \"/data.json\"));
console.log(d.filter(e => e.v > 0.99).length, d.map(e => e.name).sort()[500]);
require(\"zlib\").gzip(Buffer.alloc(1e6, 7), (e, b) => { console.log(b.length); process.exit(9) })"'
program java default-jre-headless java '
java -Xshare:auto -Xmx128m -version 2>/dev/null; echo $?'
program ocaml ocaml-nox ocaml:ocaml* '
echo "let h = Hashtbl.create 10;; for i = 1 to 30000 do Hashtbl.replace h i (string_of_int (i * i)) done;;
print_int (Hashtbl.fold (fun _ v n -> n + String.length v) h 0);; print_newline ();;" >a.ml; ocaml a.ml'
program prolog swi-prolog-nox swipl '
swipl -q -g "numlist(1, 20000, L), foldl([X,A,B]>>(B is A + X * X), L, 0, S), writeln(S),
    findall(X-Y, (member(X, [a,b,c]), member(Y, [1,2,3])), P), writeln(P)" -t halt'
program sbcl sbcl sbcl '
sbcl --noinform --no-userinit --non-interactive --eval "(progn
    (print (loop for i below 20000 sum (length (format nil \"~r\" i)))) (terpri))"'
program gforth gforth gforth:gforth* '
gforth -e ": s 0 100000 0 do i + loop ; s . 1000000 allocate throw free throw cr bye"'
program gawk gawk gawk '
gawk -F, "{ s[\$2] += \$3; n[length(\$2)]++ } END { for (k in s) c++; print c; for (k = 1; k < 15; k++) print k, n[k]
    print length(gensub(/a+/, \"b\", \"g\", sprintf(\"%090000d\", 1))) }" $D/data.csv'
program mawk mawk mawk '
mawk -F, "{ s[\$2] += \$3 } END { for (k in s) n++; print n }" $D/data.csv'
program bc bc bc '
echo "scale = 400; 4 * a(1); define f(n) { if (n < 2) return 1; return n * f(n - 1); }; f(300)" | bc -lq'
program m4 m4 m4 '
printf "define([f],[ifelse(\$1,0,,[\$1 f(decr(\$1))])])f(900)" >a.m4; m4 -L 2000 <(echo "changequote([,])"; cat a.m4)'
program octave octave octave-cli:octave* '
octave-cli --norc --no-history --eval "A = magic(60); disp(sum((A * inv(A + eye(60)))(:)) > 0); disp(numel(strsplit(repmat(\"a,b\", 1, 999), \",\")))"'
program gnuplot gnuplot-nox gnuplot:gnuplot* '
echo "set terminal svg; set output \"a.svg\"; set title \"t\"; set samples 2000; plot sin(x)/x, \"$D/data.csv\" using 1:3 with dots" |
    sed "1iset datafile separator \",\"" | gnuplot; grep -c path a.svg'

# ---- shells ----------------------------------------------------------------

COMMON='i=0; s=; while [ $i -lt 1500 ]; do i=$((i + 1)); s="$s$i "; done; echo ${#s}
for j in 1 2 3 4 5; do (echo $j | cat; exit $j); echo $?; done
f() { [ $1 -eq 0 ] || { f $(($1 - 1)); }; }; f 200
x=$(cat "$D/data.csv"); echo ${#x}; sleep 0.01 & wait; trap "echo bye" EXIT; exit 6'
export COMMON
program bash bash bash 'bash -c "$COMMON"'
program 'bash, arrays' bash bash '
declare -A a; for i in {1..8000}; do a[k$i]=$((i * i)); done; echo ${#a[@]} ${a[k777]}
for j in {1..30}; do (echo $j | cat); done; mapfile l <"$D/data.csv"; echo ${#l[@]}'
program dash dash dash 'dash -c "$COMMON"'
program zsh zsh zsh:zsh* 'zsh -f -c "$COMMON"'
program ksh ksh ksh:ksh* 'ksh -c "$COMMON"'
program busybox busybox busybox '
busybox sh -c "$COMMON"; busybox awk -F, "{ n += \$3 } END { print n > 0 }" "$D/data.csv"
busybox sort -t, -k2 "$D/data.csv" | busybox md5sum; busybox tar cf - -C "$D" data.csv | busybox wc -c
busybox gzip -c "$D/data.csv" | busybox zcat | busybox md5sum'
program fish fish fish '
fish --no-config -c "for i in (seq 300); set -a l x\$i; end; count \$l; string join , \$l | string length; exit 3"'

# ---- editors ---------------------------------------------------------------

program vim vim vim:vim* '
cp "$D/data.csv" f; vim -Nu NONE -i NONE -n -es -c "%s/\([a-j]\)\([0-9]\)/\2\1/g" -c "g/7\$/m0" -c "sort n" \
    -c "let l = map(range(9999), {i -> printf(\"%d\", i)})" -c "call append(0, len(join(l)))" -c "wq" f'
program ed ed ed '
cp "$D/data.csv" f; printf "%s\n" "g/5\$/s/,/;/g" "1,1000m\$" "\$-3,\$p" u n w q | ed -s f'
program sed sed sed 'sed -E "s/([a-j]+)([0-9]+)/\2\1/; 1!G; \$!h; 200q" "$D/data.csv"'
program emacs emacs-nox emacs:emacs* '
emacs -Q --batch --eval "(progn (find-file (concat (getenv \"D\") \"/data.csv\"))
    (sort-lines nil (point-min) (point-max)) (goto-char 1)
    (while (re-search-forward \"[a-j]\\\\([0-9]+\\\\)\" nil t) (replace-match \"\\\\1\"))
    (princ (md5 (buffer-string))) (write-region 1 9999 \"f\" nil 0))"'
