#!/usr/bin/env bash
# zleaks_trees.sh - zleaks stacks and export: sums of a program whose calls are
# known, and each format read by a reader of its own.
. tests/lib.sh

"$ZRECORD" -q -o "$T/r.db" "$PROGRAMS/branches"

# cost FUNCTION..: cost of the node at that path in the JSON tree.
cost()
{
	python3 - "$T/tree.json" "$@" <<'END'
import json, sys
node = json.load(open(sys.argv[1]))["tree"]
for name in sys.argv[2:]:
    node = next((c for c in node["children"] if c["function"] == name), None)
    if not node:
        sys.exit("no " + name)
print(node["cost"], node["self"])
END
}

tree() { "$ZLEAKS" stacks --json "$@" -o "$T/tree.json" "$T/r.db"; }

tree --focus='^(left|right)$'
same 'live, main' '10007 0' "$(cost main)"
same 'live, left' '10000 0' "$(cost main left)"
same 'live, leaf' '10000 10000' "$(cost main left leaf_a)"
same 'live, the other leaf' '7 7' "$(cost main right leaf_b)"
same 'live, what was freed' 'no leaf_a' "$(cost main right leaf_a 2>&1)"
tree --cost=total --focus='^(left|right)$'
same 'total, right' '10007 0' "$(cost main right)"
tree --cost=count --focus='^(left|right)$'
same 'count' '31 0' "$(cost main)"
tree --cost=temporary --focus='^(left|right)$'
same 'temporary' '20 0' "$(cost main)"
tree --cost=peak --focus='^right$'
same 'peak of each stack' '507 0' "$(cost main right)"
tree --cost=total --bottom-up --focus='^(left|right)$'
same 'bottom-up, leaf' '20000 0' "$(cost leaf_a)"
same 'bottom-up, by way of right' '10000 0' "$(cost leaf_a right)"
tree --cost=total --ignore='^leaf_a$' --focus='^right$'
same 'ignore' '7 0' "$(cost main)"
text=$("$ZLEAKS" stacks --cost=total --focus='^(left|right)$' "$T/r.db")
same 'text: leaves' 2 "$(grep -c 'leaf_a' <<<"$text")"
same 'text: the smaller branch is counted' 1 "$(grep -c '(1 smaller)' <<<"$text")"

# Every format: as many bytes as the report has.
total=$(query "$T/r.db" 'SELECT sum(bytes) FROM stack_total')
export_as() { "$ZLEAKS" export --format="$@" -o "$T/out" "$T/r.db"; }

export_as folded --cost=total
same 'folded: sum' "$total" "$(awk '{ n += $NF } END { print n }' "$T/out")"
same 'folded: a line' 'main;right;leaf_b 7' "$(grep 'leaf_b' "$T/out")"

export_as csv
same 'csv: sum' "$total" "$(python3 -c 'import csv, sys
print(sum(int(r["total"]) for r in csv.DictReader(open(sys.argv[1]))))' "$T/out")"

export_as json
same 'json: sum' "$total" "$(python3 -c 'import json, sys
print(sum(s["total"] for s in json.load(open(sys.argv[1]))["stacks"]))' "$T/out")"

export_as speedscope --cost=total
same 'speedscope: sum, and frames that exist' "$total" "$(python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
p = d["profiles"][0]
n = len(d["shared"]["frames"])
assert all(0 <= i < n for s in p["samples"] for i in s)
assert len(p["samples"]) == len(p["weights"])
assert p["endValue"] == sum(p["weights"])
print(sum(p["weights"]))' "$T/out")"

if have ms_print; then
	export_as massif
	ms_print --threshold=0 "$T/out" >"$T/text" 2>"$T/error"
	same 'massif: ms_print reads it' 0 "$?"
	same 'massif: no complaint' '' "$(cat "$T/error")"
	same 'massif: a leaf' 1 "$(grep -c '(10,000B).*: leaf_a (' "$T/text")"
else
	skip 'massif' 'ms_print is not installed'
fi

# pprof by the fields of profile.proto, read here from scratch.
export_as pprof
cat >"$T/pprof.py" <<'END'
import gzip, sys
def number(b, i):
    v = shift = 0
    while True:
        v |= (b[i] & 127) << shift
        shift += 7
        i += 1
        if b[i - 1] < 128:
            return v, i
def fields(b):
    i, out = 0, []
    while i < len(b):
        tag, i = number(b, i)
        if tag & 7 == 0:
            v, i = number(b, i)
        else:
            assert tag & 7 == 2
            n, i = number(b, i)
            v = b[i:i + n]
            i += n
        out.append((tag >> 3, v))
    return out
top = fields(gzip.open(sys.argv[1]).read())
text = [v.decode() for f, v in top if f == 6]
assert text[0] == ""
types = [text[dict(fields(v))[1]] for f, v in top if f == 1]
function = {dict(fields(v))[1]: text[dict(fields(v))[2]] for f, v in top if f == 5}
place = {}
for f, v in top:
    if f == 4:
        d = dict(fields(v))
        place[d[1]] = function[dict(fields(d[4]))[1]]
total = 0
for f, v in top:
    if f == 2:
        m = fields(v)
        stack = [place[x] for k, x in m if k == 1]
        value = dict(zip(types, [x for k, x in m if k == 2]))
        total += value["alloc_space"]
        if "leaf_b" in stack:
            print(" < ".join(stack), value["alloc_objects"], value["inuse_space"])
print(total)
END
same 'pprof: a sample, and the sum' "leaf_b < right < main 1 7
$total" "$(python3 "$T/pprof.py" "$T/out" 2>&1)"

# What does not fit is said.
"$ZLEAKS" export "$T/r.db" 2>"$T/error"
same 'no format: status' 2 $?
"$ZLEAKS" export --format=massif --cost=count "$T/r.db" 2>"$T/error" >"$T/text"
same 'massif of counts: status' 2 $?
