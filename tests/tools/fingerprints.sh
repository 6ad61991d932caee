#!/usr/bin/env bash
# fingerprints.sh - a leak has the same fingerprint in every build of a program:
# at other lines, inlined or not, at other addresses, with libstdc++ linked in.
# The truth is the size of the blocks, which the program decides.
. tests/lib.sh

# leaks REPORT: "FINGERPRINT BLOCKS BYTES" of all leaks, each line once
leaks()
{
	"$ZLEAKS" --json --kinds=definite,indirect "$1" |
	    python3 -c '
import json, sys
for l in json.load(sys.stdin)["leaks"]:
	print(l["fingerprint"], l["blocks"], l["bytes"])' | sort -u
}

n=0
while read -r flags; do
	n=$((n + 1))
	# shellcheck disable=SC2086 # a list
	if ! ${CXX:-g++} -g -std=c++17 $flags -o "$T/p$n" tests/tools/rebuilt.cc \
	    2>"$T/err"; then
		skip "built with $flags" "$(head -n 1 "$T/err")"
		continue
	fi
	record "$T/p$n.db" "$T/p$n"
	leaks "$T/p$n.db" >"$T/p$n.txt"
	if [ $n = 1 ]; then
		# three of the kinds of leak below share one fingerprint each: the
		# lambda's two blocks, the tree's nodes, the pool's strings
		same 'leaks that differ have other fingerprints' 13 \
		    "$(cut -d' ' -f1 "$T/p1.txt" | sort -u | wc -l)"
		same 'all of them are there' 18 "$("$ZLEAKS" --json \
		    --kinds=definite,indirect "$T/p1.db" | grep -c '"fingerprint"')"
	else
		same_file "built with $flags" "$T/p1.txt" "$T/p$n.txt"
	fi
done <<'LIST'
-O0
-O0 -DSHIFT -no-pie
-O1 -DSHIFT
-O2
-O3 -DSHIFT -fno-omit-frame-pointer
-O2 -flto -static-libstdc++
LIST
record "$T/again.db" "$T/p1"
leaks "$T/again.db" >"$T/again.txt"
same_file 'the same program again, at other addresses' "$T/p1.txt" "$T/again.txt"
