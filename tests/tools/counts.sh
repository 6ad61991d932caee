#!/usr/bin/env bash
# counts.sh - every allocation is counted: the report's totals are those of an
# independent count (tests/programs/libcount.c over the C library's malloc, and
# Valgrind), and allocations minus frees are the live blocks.
. tests/lib.sh
export PERL_HASH_SEED=0 PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
export PYTHONMALLOC=malloc

# ours REPORT: allocations, frees and bytes of the process.
ours()
{
	query "$1" 'SELECT allocations, frees, bytes_allocated FROM process'
}

# Programs copy their environment, so both runs get one that is the same to the
# byte: what a recorded program sees, with as long an LD_PRELOAD.
export COUNT_FILE=$T/count
export LD_PRELOAD=$PROGRAMS/libempty.so
record "$T/r.db" env -0 >"$T/environment"
rm -f "$T"/r.db*
unset LD_PRELOAD
mapfile -d '' -t environment <"$T/environment"
for i in "${!environment[@]}"; do
	case ${environment[i]} in LD_PRELOAD=*)
		preload=LD_PRELOAD=$PROGRAMS/libcount.so
		while [ ${#preload} -lt ${#environment[i]} ]; do
			preload=$preload:
		done
		environment[i]=$preload ;;
	esac
done

counted()
{
	rm -f "$T/count"
	env -i "${environment[@]}" "$@" >/dev/null 2>&1 </dev/null
	head -n 1 "$T/count"
}

valgrind_counted()
{
	valgrind --run-libc-freeres=no --run-cxx-freeres=no "$@" 2>&1 \
	    >/dev/null </dev/null | tr -d ',' |
	    sed -n 's/.*total heap usage: \(.*\) allocs \(.*\) frees \(.*\) bytes.*/\1 \2 \3/p'
}

# What must hold in any complete report, whatever the program.
balanced()
{
	same "$1: allocations - frees = live blocks = rows of block" '' "$(
	    query "$2" "SELECT p.pid, p.allocations - p.frees, p.live_blocks,
		(SELECT count(*) FROM block b WHERE b.process_id =
		    p.process_id AND freed_at IS NULL) AS rows
		FROM process p
		WHERE recording = 'complete' AND (live_blocks <> rows OR
		    allocations - frees <> rows)")"
	same "$1: live bytes = bytes of block" '' "$(
	    query "$2" "SELECT p.pid, p.live_bytes,
		(SELECT coalesce(sum(size), 0) FROM block b WHERE b.process_id =
		    p.process_id AND freed_at IS NULL) AS bytes
		FROM process p
		WHERE recording = 'complete' AND live_bytes <> bytes")"
	same "$1: stacks sum up to the process" '' "$(
	    query "$2" "SELECT p.pid, p.allocations, p.frees,
		p.bytes_allocated, sum(s.allocations) AS a, sum(s.frees) AS f,
		sum(s.bytes) AS b
		FROM process p LEFT JOIN stack_total s USING (process_id)
		WHERE p.recording = 'complete' AND p.allocations > 0
		GROUP BY process_id HAVING a IS NOT p.allocations
		    OR f IS NOT p.frees OR b IS NOT p.bytes_allocated")"
	same "$1: peak is at least what lives at the end" '' "$(
	    query "$2" "SELECT pid, peak_bytes, live_bytes FROM process
		WHERE peak_bytes + peak_error < live_bytes")"
}

# compare NAME COMMAND...: the two counts, and the report's balance.  COUNTER
# may name valgrind_counted: libstdc++ rounds what it asks of aligned_alloc.
compare()
{
	local name=$1 want
	shift
	want=$(${COUNTER:-counted} "$@")
	LD_PRELOAD=$PROGRAMS/libempty.so record "$T/r.db" "$@" \
	    >/dev/null 2>&1 </dev/null
	# What pthread_create takes for a thread's own data grows with the number
	# of modules, and some copy an environment in which process numbers are:
	# there the bytes are not comparable.
	case $name in
	*threads* | churn\ [1-9]* | perl | python3) same "$name: allocations, frees" \
		"${want% *}" "$(ours "$T/r.db" | cut -d ' ' -f 1,2)" ;;
	*) same "$name: allocations, frees, bytes" "$want" "$(ours "$T/r.db")" ;;
	esac
	balanced "$name" "$T/r.db"
	rm -f "$T"/r.db*
}

# ---- C and C++ programs, the counter checked by Valgrind --------------

COUNTER=valgrind_counted compare 'cxx all' "$PROGRAMS/cxx" all
for program in 'shapes all' 'family all' 'threads all' \
    'holders global' 'flow signal_handler long_jump at_exit' \
    'churn 0 20000' 'churn 4 5000 10'; do
	# shellcheck disable=SC2086 # program and arguments
	compare "$program" "$PROGRAMS/"$program
done
for program in 'shapes all' 'family all' 'churn 4 5000 10'; do
	# shellcheck disable=SC2086
	same "$program: the independent counts agree" \
	    "$(valgrind_counted "$PROGRAMS/"$program)" \
	    "$(counted "$PROGRAMS/"$program)"
done

# ---- many threads, many events ----------------------------------------

record "$T/c.db" "$PROGRAMS/churn" 8 200000 20 >"$T/said"
read -r a f b <"$T/said"
same 'churn 8: events of its stacks' "$a $f $b" "$(query "$T/c.db" "
    SELECT sum(allocations), sum(frees), sum(bytes) FROM stack_total
    WHERE stack_id IN (SELECT stack_id FROM stack_frame
	WHERE function = 'alloc_churn' AND depth = 0)")"
same 'churn 8: blocks that it kept' "$((a - f))" "$(query "$T/c.db" "
    SELECT count(*) FROM block JOIN stack_frame USING (stack_id)
    WHERE function = 'alloc_churn' AND depth = 0 AND freed_at IS NULL")"
balanced 'churn 8' "$T/c.db"
same 'churn 8: the last growth sample' '' "$(query "$T/c.db" "
    SELECT p.live_blocks, p.live_bytes, sum(g.live_blocks) AS n,
	sum(g.live_bytes) AS b, sum(g.total_blocks) AS tn,
	sum(g.total_bytes) AS tb
    FROM process p JOIN (SELECT *, row_number() OVER (PARTITION BY process_id,
	zone, size_class ORDER BY t DESC) AS latest FROM growth_by_class) g
	USING (process_id)
    WHERE latest = 1 GROUP BY process_id HAVING n <> p.live_blocks OR
	b <> p.live_bytes OR tn <> p.allocations OR tb <> p.bytes_allocated")"

# ---- programs of other people -----------------------------------------

cat >"$T/sql" <<'SQL'
CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO t SELECT i, hex(i * i) FROM n;
CREATE INDEX tb ON t (b);
SELECT count(*), max(b) FROM t WHERE b LIKE '3%' GROUP BY length(b);
SQL
compare 'sqlite3' sqlite3 -init "$T/sql" :memory: .exit
if have perl; then
	compare 'perl' perl -e 'my %h; $h{$_ % 1000} .= "x$_" for 1 .. 20000;
	    print scalar(keys %h), "\n"; my @s = sort values %h;'
else
	skip 'perl' 'no perl'
fi
if have git && git -c init.defaultBranch=main init -q "$T/repo" 2>/dev/null; then
	(
		cd "$T/repo" || exit
		git config user.name tester
		git config user.email tester@example.org
		for i in 1 2 3 4 5 6 7 8 9 10; do
			seq $i $((i * 300)) >file$i
			git add . && git commit -q -m "commit $i"
		done
	) >/dev/null 2>&1
	compare 'git log' git -C "$T/repo" --no-pager log --stat -p
else
	skip 'git log' 'no git'
fi
if have python3; then
	python=$(python3 -c 'import sys; print(sys.executable)')
	# No extension modules: what the loader allocates for their libraries
	# depends on what is loaded already.  No arenas: what their map takes
	# depends on their addresses (PYTHONMALLOC, above).
	compare 'python3' "$python" -S -c '
d = [eval(repr({"k%d" % i: list(range(i % 50))})) for i in range(3000)]
print(len(d))'
else
	skip 'python3' 'no python3'
fi
