#!/usr/bin/env bash
# ci_formats.sh - SARIF and JUnit XML of leak reports: each form is checked by
# a program of its own, written from the standards, against figures that come
# from the report's tables; and --fail-on's kinds and limits in both tools.
. tests/lib.sh
export ZLEAKS

cat >"$T/check.py" <<'P'
# check.py sarif|junit FILE REPORT: what SARIF 2.1.0 (sections 3.13 to 3.51) and
# the usual JUnit schema demand, and the leaks of the report, all there once.
import json, re, sqlite3, sys
import xml.etree.ElementTree as ET
from urllib.parse import urlparse, unquote

form, path, report = sys.argv[1:4]
db = sqlite3.connect("file:" + report + "?mode=ro", uri=True)
wanted = sorted(db.execute("""SELECT k.name, sum(bytes + indirect_bytes), sum(blocks + indirect_blocks)
    FROM leak_stack JOIN leak_kind k USING (kind) WHERE kind IN (0, 2, 4)
    GROUP BY process_id, kind, stack_id"""))

def need(what, ok):
	if not ok:
		sys.exit("%s: %s" % (form, what))

def only(o, where, **keys):
	"""All keys of o are known, and of that type; those with '!' must be there."""
	for k, v in o.items():
		need("%s.%s unknown" % (where, k), k.replace("$", "_") in keys or k in keys)
	for k, t in keys.items():
		must = isinstance(t, tuple) and t[0] == "!"
		t = t[1] if must else t
		k = k.replace("_schema", "$schema")
		need("%s.%s missing" % (where, k), not must or k in o)
		need("%s.%s type" % (where, k), k not in o or isinstance(o[k], t))

def message(m):
	only(m, "message", text=("!", str))
	need("message.text empty", m["text"])

def location(l, where):
	only(l, where, physicalLocation=dict, logicalLocations=list, message=dict)
	if "message" in l: message(l["message"])
	for g in l.get("logicalLocations", []):
		only(g, "logicalLocation", fullyQualifiedName=str, kind=str)
	if "physicalLocation" in l:
		p = l["physicalLocation"]
		only(p, where + ".physicalLocation", artifactLocation=("!", dict), region=dict)
		a = p["artifactLocation"]
		only(a, "artifactLocation", uri=("!", str), uriBaseId=str)
		need("uri " + a["uri"], re.fullmatch(r"[A-Za-z0-9._~/+@:%-]+", a["uri"]) and "//" not in unquote(urlparse(a["uri"]).path))
		need("relative uri with base", ("uriBaseId" in a) <= (not a["uri"].startswith("/") and ":" not in a["uri"].split("/")[0]))
		need("absolute paths are file URIs", not a["uri"].startswith("/"))
		if "region" in p:
			only(p["region"], "region", startLine=("!", int))
			need("startLine", p["region"]["startLine"] >= 1)

def sarif():
	log = json.load(open(path))
	only(log, "log", _schema=("!", str), version=("!", str), runs=("!", list))
	need("version", log["version"] == "2.1.0" and len(log["runs"]) == 1)
	run = log["runs"][0]
	only(run, "run", tool=("!", dict), invocations=list, originalUriBaseIds=dict, results=("!", list))
	driver = run["tool"]["driver"]
	only(driver, "driver", name=("!", str), version=str, semanticVersion=str, rules=list)
	ids = [r["id"] for r in driver["rules"]]
	need("rule ids differ", len(set(ids)) == len(ids))
	for r in driver["rules"]:
		only(r, "rule", id=("!", str), name=str, shortDescription=("!", dict), fullDescription=dict,
		    help=dict, defaultConfiguration=dict, properties=dict)
		message(r["shortDescription"])
		need("level", r["defaultConfiguration"]["level"] in ("none", "note", "warning", "error"))
	for i in run["invocations"]:
		only(i, "invocation", executionSuccessful=("!", bool), toolExecutionNotifications=list)
		for n in i["toolExecutionNotifications"]:
			only(n, "notification", level=str, message=("!", dict))
			message(n["message"])
	got, seen = [], set()
	for r in run["results"]:
		only(r, "result", ruleId=("!", str), ruleIndex=int, level=("!", str), message=("!", dict), locations=("!", list),
		    partialFingerprints=("!", dict), stacks=list, codeFlows=list, properties=dict)
		message(r["message"])
		need("rule", ids[r["ruleIndex"]] == r["ruleId"])
		need("level", r["level"] in ("note", "warning", "error"))
		need("one location", len(r["locations"]) == 1)
		location(r["locations"][0], "location")
		print_ = r["partialFingerprints"]
		need("fingerprint", print_ and all(re.fullmatch("[0-9a-f]{16}", v) for v in print_.values()))
		key = (r["ruleId"], tuple(print_.values()))
		need("a result twice", key not in seen)
		seen.add(key)
		for s in r.get("stacks", []):
			only(s, "stack", message=dict, frames=("!", list))
			for f in s["frames"]:
				only(f, "frame", location=dict, module=str)
				location(f["location"], "frame.location")
		for c in r.get("codeFlows", []):
			only(c, "codeFlow", threadFlows=("!", list))
			for t in c["threadFlows"]:
				only(t, "threadFlow", locations=("!", list))
				need("empty threadFlow", t["locations"])
				for l in t["locations"]:
					only(l, "threadFlowLocation", location=("!", dict))
					location(l["location"], "flow.location")
		got.append((r["properties"]["kind"], r["properties"]["bytes"], r["properties"]["blocks"]))
	return got

def junit():
	root = ET.parse(path).getroot()
	need("root", root.tag == "testsuites")
	got, totals = [], [0, 0, 0]
	for suite in root:
		need("testsuite", suite.tag == "testsuite" and suite.get("name"))
		cases = suite.findall("testcase")
		failed = suite.findall("testcase/failure")
		wrong = suite.findall("testcase/error")
		need("suite counts", [len(cases), len(failed), len(wrong)] ==
		    [int(suite.get(k)) for k in ("tests", "failures", "errors")])
		totals = [totals[0] + len(cases), totals[1] + len(failed), totals[2] + len(wrong)]
		need("time", suite.get("time") is None or float(suite.get("time")) >= 0)
		need("timestamp", suite.get("timestamp") is None or
		    re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp")))
		for child in suite:
			need("child " + child.tag, child.tag in ("properties", "testcase"))
		for c in cases:
			need("case", c.get("name") and c.get("classname"))
			need("one result", len(c) <= 1)
			for f in c:
				need("tag " + f.tag, f.tag in ("failure", "error", "system-out"))
				need("message", f.tag == "system-out" or (f.get("message") and f.get("type")))
			m = re.match(r"(\w+) leak in .* \([0-9a-f]{16}\)$", c.get("name"))
			if m:
				n = re.match(r"([\d,]+) bytes in ([\d,]+) block", c[0].text)
				got.append((m[1], int(n[1].replace(",", "")), int(n[2].replace(",", ""))))
	need("totals", totals == [int(root.get(k)) for k in ("tests", "failures", "errors")])
	return got

got = sorted(globals()[form]())
if form == "sarif": # of stacks with one fingerprint one result
	def kinds(rows):
		return [(k, sum(r[1] for r in rows if r[0] == k), sum(r[2] for r in rows if r[0] == k))
		    for k in sorted(set(r[0] for r in rows))]
	need("fewer results than leaks", len(got) <= len(wanted) and (got or not wanted))
	got, wanted = kinds(got), kinds(wanted)
need("leaks: %s, in the report %s" % (got, wanted), got == wanted)
P

# form NAME STATUS REPORT OPTION...: both forms
forms()
{
	local name=$1 want=$2 report=$3 form
	shift 3
	for form in sarif junit; do
		"$ZLEAKS" --format=$form "$@" "$report" >"$T/$form" 2>"$T/err"
		same "$name, $form: status" "$want" $?
		check "$name, $form" python3 "$T/check.py" $form "$T/$form" "$report"
	done
}

R=$T/r.db
make_report "$R"
forms 'a report' 1 "$R"
same 'JUnit: definite leaks fail, the possible one does not' '2 1' \
    "$(grep -c '<failure ' "$T/junit") $(grep -c '<system-out>' "$T/junit")"
same 'JUnit: the same name in another build' "$(grep -o 'name="definite leak[^"]*"' "$T/junit")" \
    "$(make_report "$T/b.db" 'UPDATE location SET line = line + 5' 'UPDATE process_info SET pid = pid + 9'
	"$ZLEAKS" --format=junit "$T/b.db" | grep -o 'name="definite leak[^"]*"')"
forms 'nothing fails' 0 "$R" --fail-on=none
same 'JUnit: nothing fails' 0 "$(grep -c '<failure ' "$T/junit")"
forms 'possible ones fail too' 1 "$R" --fail-on=possible
same 'JUnit: possible ones fail too' 3 "$(grep -c '<failure ' "$T/junit")"
make_report "$T/clean.db" 'DELETE FROM leak_stack WHERE kind > 1' 'UPDATE process_info SET live_blocks = 0'
forms 'no leaks' 0 "$T/clean.db"
make_report "$T/part.db" "UPDATE process_info SET recording = 'killed <\"&> before a scan' WHERE pid = 100"
forms 'incomplete' 3 "$T/part.db"
same 'JUnit: incomplete is an error' 1 "$(grep -c '<error message="killed &lt;&quot;&amp;&gt; before a scan"' "$T/junit")"
check 'SARIF: incomplete is no success' grep -q '"executionSuccessful": false' "$T/sarif"
make_report "$T/evil.db" \
    "UPDATE location SET function = '<a>&\"' || char(27, 7, 1, 65535) || ']]>' || CAST(x'ff' AS TEXT) WHERE location_id = 1" \
    "UPDATE location SET file = '/src/a b%?#' || char(233) || '.c' WHERE location_id = 8" \
    "UPDATE process_info SET command = '[\"<x>\", \"&\"]' WHERE pid = 100"
forms 'hostile text' 1 "$T/evil.db"
make_report "$T/none.db" "UPDATE stack_info SET frames = NULL"
"$ZLEAKS" --format=sarif "$T/none.db" >"$T/sarif"
same 'no stacks at all: status' 1 $?
check 'no stacks at all' python3 -m json.tool "$T/sarif"

# Real ones: paths relative to the source, a second process with the same leak.
record "$T/real.db" "$PROGRAMS/shapes" all
forms 'a program' 1 "$T/real.db"
check 'SARIF: paths are relative' grep -q '"uri": "tests/programs/shapes.c", "uriBaseId": "SRCROOT"' "$T/sarif"
(cd / && "$ZLEAKS" --format=sarif --source-root="$OLDPWD" "$T/real.db") >"$T/s2"
same_file 'SARIF: --source-root, from another folder' "$T/sarif" "$T/s2"
check 'SARIF: absolute elsewhere' bash -c "cd / && '$ZLEAKS' --format=sarif --source-root=/nowhere '$T/real.db' |
    grep -q '\"uri\": \"file:///.*/tests/programs/shapes.c\"}'"
record "$T/twice.db" sh -c "'$PROGRAMS/shapes' single; '$PROGRAMS/shapes' single; exit 0"
"$ZLEAKS" --format=sarif --focus=alloc_ "$T/twice.db" >"$T/s1"
same 'SARIF: the same leak of two processes is one result' "1 $((2 * $("$PROGRAMS/shapes" --expect single | awk '$1 == "definite" { print $3 }')))" \
    "$(sqlite3 -batch -separator ' ' :memory: "SELECT json_array_length(r, '\$'),
	json_extract(r, '\$[0].properties.blocks') FROM (SELECT
	json_extract(readfile('$T/s1'), '\$.runs[0].results') AS r)")"

# ---- --fail-on --------------------------------------------------------

# definite 2300 bytes in 5 blocks, indirect 200 in 4, possible 4096 in 1,
# reachable 560 in 15
while read -r rule want; do
	"$ZLEAKS" --fail-on="$rule" "$R" >/dev/null 2>"$T/err"
	same "zleaks --fail-on=$rule" "$want" $?
done <<'L'
definite 1
none 0
definite:2300 0
definite:2299 1
definite:2.25K 0
definite:5blocks 0
definite:4blocks 1
indirect:2500 0
indirect:2499 1
indirect:8blocks 1
possible:6596 0
possible:6595 1
possible:10blocks 0
possible:9blocks 1
reachable:25blocks 0
all:25blocks 0
all:24blocks 1
reachable 1
definite:1M,possible:6K 1
definite:1M,possible:7K 0
definite,possible:1M 1
possible:1M,definite:4blocks 1
L
for rule in '' definit definite: definite:x definite:-1 definite:1blockss :5 definite,, 'definite possible' \
    definite:99999999999999999999blocks "$(printf 'x%.0s' {1..300})"; do
	"$ZLEAKS" --fail-on="$rule" "$R" >"$T/out" 2>"$T/err"
	same "zleaks --fail-on=${rule:0:30}: refused" '2 1 0' "$? $(wc -l <"$T/err") $(wc -c <"$T/out")"
	"$ZRECORD" -o "$T/bad.db" --fail-on="$rule" true 2>"$T/err"
	same "zrecord --fail-on=${rule:0:30}: refused" '125 1' "$? $(wc -l <"$T/err")"
done
# definite blocks of one stack
read -r blocks size <<<"$("$PROGRAMS/shapes" --expect single | awk '$1 == "definite" { print $3, $4 }')"
while read -r rule want; do
	"$ZRECORD" -q -o "$T/z.db" --fail-on="$(sed "s/SIZE/$size/; s/FEWER/$((blocks - 1))/; s/BLOCKS/$blocks/" <<<"$rule")" "$PROGRAMS/shapes" single >/dev/null 2>"$T/err"
	same "zrecord --fail-on=$rule" "$want" $?
done <<'L'
definite 1
definite:BLOCKSblocks 0
definite:FEWERblocks 1
definite:SIZE 0
definite:1 1
possible:BLOCKSblocks 0
none 0
L
check 'zrecord says why' bash -c "'$ZRECORD' -q -o '$T/z.db' --fail-on=definite:1 '$PROGRAMS/shapes' single 2>&1 |
    grep -q '^zrecord: failed: definite leaks: .* in $blocks block.*, --fail-on allows 1 byte$'"
"$ZRECORD" -q -o "$T/z.db" --fail-on=definite sh -c "'$PROGRAMS/shapes' single; exit 7" 2>/dev/null
same "zrecord: the command's own status comes first" 7 $?
