#!/usr/bin/env bash
# shellcheck disable=SC2016 # scripts for tests/real.sh
# real_building.sh - what developers run, with the library preloaded:
# compilers, linkers, build tools, git, debuggers; see tests/real.sh.
. tests/real.sh

awk 'BEGIN {
	print "#include <map>\n#include <string>\n#include <vector>\n#include <cstdio>"
	for (i = 0; i < 12; i++)
		printf "struct s%d { int a[%d]; std::string n; std::map<int, s%s> *m; };\n" \
		    "int f%d(std::vector<s%d> &v) { v.resize(%d); return (int)v.size(); }\n",
		    i, i + 1, i ? i - 1 : "0", i, i, i * 3
	print "int main() { int n = 0;"
	for (i = 0; i < 12; i++)
		printf "{ std::vector<s%d> v; n += f%d(v); }\n", i, i
	print "std::printf(\"%d\\n\", n); }" }' >"$T/prog.cc"
{
	printf '#include <stdio.h>\nint main(void) { int x[100] = {0}, n = 0;\n'
	for i in $(seq 120); do
		echo "for (int i = 0; i < 100; i++) { x[i] += i * $i; n ^= x[i] % ($i + 1); }"
	done
	echo 'printf("%d\n", n); return 0; }'
} >"$T/prog.c"

# ---- compilers -----------------------------------------------------------------

program gcc gcc gcc:cc1 'gcc -O2 -g -Wall -c -o o.o "$D/prog.c"; gcc -c "$D/data.csv" "$D/nothing.c"'
program 'gcc, a program' gcc gcc:*ld.bfd 'gcc -O1 -flto -o o "$D/prog.c" && ./o'
program g++ g++ g++:cc1plus 'g++ -O1 -std=c++17 -S -o o.s "$D/prog.cc"'
program clang clang clang:clang* 'clang -O2 -g -c -o o.o "$D/prog.c"; clang -c "$D/nothing.c"'
program clang++ clang clang++:clang* 'clang++ -O1 -std=c++17 -S -o o.s "$D/prog.cc"'
program as binutils as:*as 'gcc -O1 -S -o o.s "$D/prog.c" && as -o o.o o.s; echo "nonsense 1,2,(" | as -o x.o -'
program ld.gold binutils ld.gold:*gold 'gcc -c -o o.o "$D/prog.c" && gcc -fuse-ld=gold -Wl,--threads,--thread-count=2 -o o o.o && ./o'
program rustc rustc rustc '
echo "fn main() { let v: Vec<String> = (0..999).map(|i| i.to_string()).collect(); println!(\"{}\", v.concat().len()); }" >a.rs
rustc --emit=metadata,mir -o a a.rs 2>/dev/null || rustc --version >/dev/null; ls'
program nasm nasm nasm '
{ echo "%macro m 1"; echo "mov eax, %1"; echo "%endmacro"; for i in $(seq 900); do echo "l$i: m $i"; echo "jmp l$(( (i * 7) % 900 + 1 ))"; done; } >a.asm
nasm -f elf64 -o a.o a.asm; nasm -f bin -o x /dev/null'
program objdump binutils objdump:*objdump 'objdump -d -C /bin/true | md5sum; objdump -x /bin/sh | md5sum'
program readelf binutils readelf:*readelf 'readelf -aW /bin/sh'
program bison bison bison '
printf "%%%%token N\n%%%%left 43\n%%%%left 42\n%%%%%%%%\ne: N | e 43 e | e 42 e | 40 e 41;\n%%%%%%%%\n" | sed "s/ 43/ '"'+'"'/g; s/ 42/ '"'*'"'/g; s/ 40/ '"'('"'/; s/ 41/ '"')'"'/" >a.y
bison -v -o a.c a.y'
program flex flex flex '{ echo "%option noyywrap"; echo "%%"; for i in $(seq 150); do echo "k$i[a-z]* { return $i; }"; done; } >a.l; flex -o a.c a.l'
program clang-format clang-format clang-format:clang-format* 'clang-format "$D/prog.c" | md5sum'

# ---- build tools -----------------------------------------------------------------

program make make make '
{ echo "all: $(seq -s " " -f o%g 60)"; for i in $(seq 60); do printf "o%s: o%s\n\t@echo %s >\$@\n" $i $((i / 2)) $i; done; echo o0:; } >m
make -s -j4 -f m; cat o60; make -s -j4 -f m; make -k -f m nothing'
program ccache ccache ccache '
export CCACHE_DIR=$PWD/c; cp "$D/prog.c" .; for i in 1 2; do ccache gcc -O0 -c -o o$i.o prog.c; done; cmp o1.o o2.o; rm -rf c'
program cmake cmake cmake '
echo "project(p C)
add_executable(p p.c)" | sed "1icmake_minimum_required(VERSION 3.10)" >CMakeLists.txt; cp "$D/prog.c" p.c
cmake -S . -B b >/dev/null; echo $?; make -s -C b -j2 >/dev/null; b/p; rm -rf b'
program ninja ninja-build ninja '
{ printf "rule t\n command = touch \$out\n"; for i in $(seq 60); do echo "build o$i: t $( [ $i = 1 ] || echo o$((i / 2)) )"; done; } >build.ninja
ninja -j3 >/dev/null; echo $?; ninja -n; ninja -t targets all | md5sum; rm -f .ninja_*'
program git git git '
export GIT_AUTHOR_DATE="2020-01-01 00:00" GIT_COMMITTER_DATE="2020-01-01 00:00"
git -c init.defaultBranch=m init -q r; cd r; git config user.email a@example.org; git config user.name a
git config gc.auto 0; git config pack.threads 2
for i in 1 2 3; do seq $i 1500 >f$i; cp "$D/data.csv" g; sed -i "$i~50d" g; git add .; git commit -qm $i; done
git log -p --stat | tail -n 40; git blame -s g | md5sum; git repack -adq; git gc -q --prune=now; git fsck
cd ..; git clone -q r c; git -C c log --oneline; git -C c grep -c 77; git -C c diff HEAD~2 --shortstat; rm -rf r c'
program gdb gdb gdb '
gcc -g -O0 -o o "$D/prog.c" 2>/dev/null; gdb -nx -batch -ex "info line main" -ex "disassemble main" /bin/true
gdb -nx -batch -iex "set debuginfod enabled off" -ex "break main" -ex "run" -ex "next" -ex "info locals" -ex "continue" ./o 2>&1 |
    sed "s/process [0-9]*//" | grep -aE "^n = |Breakpoint 1|^[0-9]+$|exited"'
program qemu-user qemu-user qemu-aarch64:qemu-aarch64* '
echo "int main(void) { volatile int n = 0; for (int i = 0; i < 1000000; i++) n += i; return n & 127; }" >a.c
aarch64-linux-gnu-gcc -O1 -static -o a a.c 2>/dev/null || exit 3; qemu-aarch64 ./a; echo $?; rm a'
