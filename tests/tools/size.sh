#!/usr/bin/env bash
# size.sh - --max-size: a bound that costs growth samples, never a live block;
# and a report grows with stacks and blocks, not with time or allocations.
. tests/lib.sh

cat >"$T/many.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
enum { SLOTS = 4000 };
static void *keep[SLOTS];
__attribute__((noinline)) static void *
alloc_down(unsigned way, int n)
{
	void *p;
	if (n == 0)
		return malloc(16 + way % 500);
	if (way & 1)
		p = alloc_down(way >> 1, n - 1);
	else
		p = alloc_down(way >> 1, n - 1);
	__asm__ volatile("" : : : "memory");
	return p;
}
int
main(int argc, char **argv)
{
	unsigned r = 1;
	long rounds = atol(argv[1]), live = 0;
	for (long i = 0; i < rounds; i++, usleep(2000))
		for (int k = 0; k < 400; k++) {
			r = r * 1664525 + 1013904223;
			unsigned j = (r >> 8) % SLOTS;
			if (keep[j]) {
				free(keep[j]);
				keep[j] = NULL;
				live--;
			} else {
				keep[j] = alloc_down(r >> 12, 8);
				live++;
			}
		}
	char line[40];
	int n = snprintf(line, sizeof line, "%ld\n", live);
	return argc && write(1, line, (size_t)n) == n ? 0 : 1;
}
C
gcc -O1 -g -fno-builtin -fno-optimize-sibling-calls -o "$T/many" "$T/many.c"

# look NAME FILE: what holds whatever was thinned.
look()
{
	same "$1: integrity" ok "$(query "$2" 'PRAGMA integrity_check')"
	same "$1: every live block" "$(cat "$T/out")" "$(query "$2" "
	    SELECT count(DISTINCT address) FROM block JOIN stack_frame
	    USING (stack_id) WHERE depth = 0 AND function = 'alloc_down'")"
	same "$1: complete" complete "$(query "$2" 'SELECT recording FROM process')"
	same "$1: rows stand at samples" '0 0' "$(query "$2" "SELECT
	    (SELECT count(*) FROM class_sample WHERE sample NOT IN (SELECT sample FROM sample)),
	    (SELECT count(*) FROM stack_sample WHERE sample NOT IN (SELECT sample FROM sample))")"
	same "$1: curves end with what is alive" "$(query "$2" "
	    SELECT live_blocks, live_bytes FROM process")" "$(query "$2" "
	    SELECT sum(live_blocks), sum(live_bytes) FROM (SELECT live_blocks,
	    live_bytes, row_number() OVER (PARTITION BY zone, size_class
	    ORDER BY t DESC) AS n FROM growth_by_class) WHERE n = 1")"
	same "$1: each sample is the sum of its stacks" 0 "$(query "$2" "
	    SELECT count(*) FROM process_sample s WHERE t > 0 AND t NOT IN
	    (SELECT max(t) FROM process_sample) AND abs(live_blocks - (SELECT
	    sum(live_blocks) FROM (SELECT stack_id, live_blocks, max(t) FROM
	    growth_by_stack g WHERE g.t <= s.t GROUP BY stack_id))) > 2000")"
}

"$ZRECORD" -q --interval 2ms -o "$T/free.db" -- "$T/many" 1500 >"$T/out"
look 'no bound' "$T/free.db"
check 'no bound: samples of a long run are thinned' [ "$(query "$T/free.db" \
    'SELECT count(*) FROM sample')" -le 1760 ]
free=$(stat -c %s "$T/free.db")
bound=$((free * 2 / 3))
"$ZRECORD" -q --interval 2ms --max-size $bound -o "$T/r.db" -- "$T/many" 1500 >"$T/out"
look '--max-size' "$T/r.db"
check '--max-size: holds' [ "$(stat -c %s "$T/r.db")" -le $bound ]
check '--max-size: said in the report' [ "$(query "$T/r.db" "SELECT value
    FROM meta WHERE key = 'thinned_rows'")" -gt 0 ]
check '--max-size: said by doctor' grep -q '^note: .*growth rows' \
    <("$ZLEAKS" doctor "$T/r.db")
"$ZRECORD" -q --interval 2ms --max-size 1K -o "$T/r.db" -- "$T/many" 300 >"$T/out"
look 'impossible bound' "$T/r.db"
check 'impossible bound: said by doctor' grep -q 'more than --max-size' \
    <("$ZLEAKS" doctor "$T/r.db")

# The same stacks and blocks, a hundred times the allocations.
cat >"$T/pairs.c" <<'C'
#include <stdlib.h>
#include <unistd.h>
static void *keep[20000];
int
main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 0;
	usleep(50000); /* a time of 0 is stored in fewer bytes */
	for (int i = 0; i < 20000; i++)
		keep[i] = malloc(40);
	for (long i = 0; i < n; i++)
		free(malloc(16 + i % 64));
	return keep[0] == NULL;
}
C
gcc -O1 -g -fno-builtin -o "$T/pairs" "$T/pairs.c"
record "$T/few.db" "$T/pairs" 100000
record "$T/lots.db" "$T/pairs" 10000000
few=$(stat -c %s "$T/few.db") lots=$(stat -c %s "$T/lots.db")
check "100 times the allocations: $few and $lots bytes" \
    [ $((lots * 10)) -le $((few * 11)) ]
