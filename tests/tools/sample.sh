#!/usr/bin/env bash
# sample.sh - with --sample totals are estimates without bias: over many runs
# their mean is the program's own count, within three standard errors, for each
# size class, for all blocks and for the live ones.  4.5 standard errors are
# allowed: 3 would cry wolf in one of a dozen runs of these 32 comparisons.
. tests/lib.sh
RUNS=${RUNS:-50}
sampled=$PROGRAMS/sampled

"$sampled" 2 >"$T/known"
for ((i = 0; i < RUNS; i++)); do
	"$ZRECORD" -q --sample=16K -o "$T/r.db" -- "$sampled" 2 >/dev/null
	query "$T/r.db" "
	    SELECT size_class, total_blocks, total_bytes, live_blocks, live_bytes
	    FROM (SELECT *, row_number() OVER (PARTITION BY zone, size_class
		ORDER BY t DESC) AS latest FROM growth_by_class)
	    WHERE latest = 1;
	    SELECT 'sums', p.recording, p.allocations - p.frees - p.live_blocks,
		p.live_blocks - (SELECT sum(stands_for) FROM block),
		p.live_bytes - (SELECT sum(stands_for * size) FROM block),
		p.live_blocks - (SELECT sum(blocks) FROM leak_by_stack),
		p.allocations - (SELECT sum(allocations) FROM stack_total),
		sample_bytes
	    FROM process p" >>"$T/rows"
	rm -f "$T"/r.db*
done
grep -v '^sums' "$T/rows" >"$T/estimates"
sed -n 's/^sums //p' "$T/rows" >"$T/sums"
same "$RUNS runs: each is complete, and its sums agree" \
    "$RUNS complete 0 0 0 0 0 16384" \
    "$(sort "$T/sums" | uniq -c | sed 's/^ *//')"

# The program's own classes are its own alone but for a few blocks of libc's.
awk -v runs="$RUNS" '
    FNR == NR { for (k = 2; k <= 5; k++) known[$1, k] = $k; class[$1]; next }
    ($1 in class) { for (k = 2; k <= 5; k++) {
	sum[$1, k] += $k; squares[$1, k] += $k * $k } }
    END {
	split("- blocks bytes live_blocks live_bytes", name, " ")
	for (c in class) for (k = 2; k <= 5; k++) {
		mean = sum[c, k] / runs
		var = (squares[c, k] - runs * mean * mean) / (runs - 1)
		error = sqrt(var > 0 ? var / runs : 0)
		off = mean - known[c, k]
		if (off < 0) off = -off
		good = off <= 4.5 * error + known[c, k] * 0.002
		z = error > 0 ? (mean - known[c, k]) / error : 0
		printf "%s class %s, %s - mean %.0f, known %.0f, %.2f standard errors\n",
		    good ? "ok" : "not ok", c, name[k], mean, known[c, k], z
	}
    }' "$T/known" "$T/estimates" | sort -V | sed 's/^\(ok [^-]*[a-z]\) - .*/\1/'

# --sample=1 records next to every block, a great distance next to none.
"$ZRECORD" -q --sample=1 -o "$T/one.db" -- "$sampled" 1 >/dev/null
check '--sample=1: nearly every block' [ "$(query "$T/one.db" "SELECT
    samples BETWEEN allocations * 0.8 AND allocations FROM process")" = 1 ]
"$ZRECORD" -q --sample=1024G -o "$T/far.db" -- "$sampled" 1 >/dev/null
same '--sample=1024G: complete all the same' complete \
    "$(query "$T/far.db" 'SELECT recording FROM process')"

# Leaks are found among the sampled blocks, and lists are walked through those
# that are not.
"$ZRECORD" --sample=4K -o "$T/l.db" -- "$sampled" 1 >/dev/null 2>"$T/err"
same 'a list is reachable though most of it is not recorded' reachable \
    "$(query "$T/l.db" "SELECT DISTINCT leak_kind FROM block
	WHERE size_class IN (48, 256, 4096)")"
check 'zrecord says that it estimates' grep -q estimate "$T/err"
check 'zleaks says that it estimates' bash -c \
    "'$ZLEAKS' --kinds=reachable '$T/l.db' | grep -q estimate"
same 'meta: the distance' 4096 "$(query "$T/l.db" "SELECT value FROM meta
    WHERE key = 'sample_bytes'")"

for bad in 0 x 1KB -5 4096G 1T ''; do
	"$ZRECORD" --sample="$bad" -o "$T/bad.db" true 2>/dev/null
	same "--sample=$bad: refused" 125 $?
done
same 'MallocTracingSample, without zrecord' '8192 complete' "$(
    MallocTracingSample=8192 traced "$T/m.db" "$sampled" 1 >/dev/null
    query "$T/m.db" 'SELECT sample_bytes, recording FROM process')"
